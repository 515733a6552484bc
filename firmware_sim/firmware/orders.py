"""One received order as the firmware reads it from the eight registers. It is not judged here.

A mode or key that this version does not know is carried as it came, because other checks come before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cryodevice.wire import registers
from cryodevice.wire.codes import Mode


@dataclass(frozen=True, slots=True)
class ReceivedOrder:
    """An order block in engineering units, and the words it came as (for the exact-repeat rule)."""

    words: tuple[int, ...]
    sequence: int
    mode: int
    setpoint_degc: float
    lease_ms: int
    echo: int
    boot_id: int
    token: int
    key: int

    @property
    def is_stop(self) -> bool:
        """Mode 0, lease 0, key 0."""
        return self.mode == Mode.OFF and self.lease_ms == 0 and self.key == 0

    @property
    def is_reset(self) -> bool:
        """Mode 0, lease 0 and the reset key; any other order with a key is no reset and no good."""
        return self.mode == Mode.OFF and self.lease_ms == 0 and self.key == registers.RESET_KEY


def read_order(words: Sequence[int]) -> ReceivedOrder:
    """The order of 8 registers.

    Raises:
        WireError: Wrong number of registers.
    """
    block = registers.layout(registers.ORDER)
    values = dict(zip(block.names, block.read(words), strict=True))
    return ReceivedOrder(
        words=tuple(words),
        sequence=int(values["order_number"] or 0),
        mode=int(values["mode"] or 0),
        setpoint_degc=values["order_setpoint_degc"] or 0.0,
        lease_ms=int(values["lease_ms"] or 0),
        echo=int(values["echo"] or 0),
        boot_id=int(values["order_boot_id"] or 0),
        token=int(values["order_token"] or 0),
        key=int(values["reset_key"] or 0),
    )
