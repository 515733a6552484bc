"""The two clocks: one that never jumps for everything that protects, wall for what a person reads.

docs/decisions/0013-clocks.md.
"""

import time
from typing import Protocol

from cryodevice.quantities import Seconds

_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""On Linux CLOCK_MONOTONIC stands still while the machine sleeps: what was read before would still look fresh."""


def steady_s() -> Seconds:
    """Seconds that never jump, never go back, and go on while the machine sleeps."""
    return Seconds(time.clock_gettime(_STEADY))


class Clock(Protocol):
    """Where time comes from; injected, so that a test can be its own clock."""

    def monotonic(self) -> Seconds:
        """Seconds that never jump and go on while the machine sleeps."""
        ...

    def wall(self) -> float:
        """Seconds since 1970-01-01 UTC, for display and records only."""
        ...


class SystemClock:
    """The machine's clocks."""

    def monotonic(self) -> Seconds:
        """Seconds that never jump and go on while the machine sleeps."""
        return steady_s()

    def wall(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        return time.time()
