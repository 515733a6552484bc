"""The sample times of the last 128 ticks that a reply has carried: what an order's echo may name, and nothing else.

Knows neither orders nor time beyond the stamps it is given.
"""

from dataclasses import dataclass

from firmware_sim.firmware.constants import ECHO_RING


@dataclass(frozen=True, slots=True)
class Carried:
    """A tick that a reply has carried.

    Args:
        sampled_ms: When its measurements were taken, device clock.
        trip_shown: Ordinal of the latched trip its flag 9 stood for, 0 when the flag was clear.
    """

    sampled_ms: int
    trip_shown: int


class EchoRing:
    """Keeps the last ``capacity`` distinct ticks, oldest forgotten first; a tick carried twice takes one place."""

    def __init__(self, capacity: int = ECHO_RING) -> None:
        self._capacity = capacity
        self._carried: dict[int, Carried] = {}

    def __len__(self) -> int:
        return len(self._carried)

    def carry(self, sequence: int, sampled_ms: int, trip_shown: int) -> None:
        """Note that a reply has carried the status with this sequence."""
        known = self._carried.get(sequence)
        if known is not None and known.sampled_ms == sampled_ms:
            return
        self._carried.pop(sequence, None)  # the sequence wraps after 22 min: the newer tick takes the newest place
        self._carried[sequence] = Carried(sampled_ms, trip_shown)
        if len(self._carried) > self._capacity:
            del self._carried[next(iter(self._carried))]

    def find(self, sequence: int) -> Carried | None:
        """The carried tick of this sequence, or ``None`` when it is unknown or forgotten."""
        return self._carried.get(sequence)
