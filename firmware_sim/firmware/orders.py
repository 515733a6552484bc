"""One received order as the firmware reads it from the eight registers. It is not judged here.

A mode or key that this version does not know is carried as it came, because other checks come before it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from cryodevice.wire import registers
from cryodevice.wire.codes import Mode


class ReceivedOrder(NamedTuple):
    """The words an order came as (for the exact-repeat rule), and its fields in the order of the block."""

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
    values: list[Any] = registers.layout(registers.ORDER).read(words)  # nothing in an order may be missing
    return ReceivedOrder(tuple(words), *values)
