"""How long one exchange is on a Modbus RTU line, in bytes and in silence. Facts only: packs and unpacks nothing.

Rules: docs/wire.md section 9.
"""

from cryodevice.quantities import Seconds
from cryodevice.wire.registers import ORDER_COUNT, STATUS_COUNT

RTU_REQUEST_BYTES = 11 + 2 * ORDER_COUNT + 2
"""FC 23 out: unit, function, where and how much to read and to write, byte count; the order; CRC."""
RTU_REPLY_BYTES = 3 + 2 * STATUS_COUNT + 2
"""FC 23 back: unit, function, byte count; the status; CRC."""
QUIET_S = Seconds(0.15)
"""Silence a host keeps on RTU after an exchange went wrong: longer than the slowest reply (MODBUS-13)."""
_FIXED_ABOVE_BAUD = 19_200
_FIXED_S = Seconds(0.001_75)
_GAP_BITS = 3.5 * 11


def silence_s(baud: int) -> Seconds:
    """The 3.5 characters of silence that part two RTU frames, s: fixed above 19200 baud, as the standard has it."""
    return _FIXED_S if baud > _FIXED_ABOVE_BAUD else Seconds(_GAP_BITS / baud)
