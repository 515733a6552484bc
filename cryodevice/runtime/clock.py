"""The two clocks: monotonic for everything that protects, wall for what a person reads."""

import time
from typing import Protocol

from cryodevice.quantities import Seconds


class Clock(Protocol):
    """Where time comes from; injected, so that a test can be its own clock."""

    def monotonic(self) -> Seconds:
        """Seconds that never jump."""
        ...

    def wall(self) -> float:
        """Seconds since 1970-01-01 UTC, for display and records only."""
        ...


class SystemClock:
    """The machine's clocks."""

    def monotonic(self) -> Seconds:
        """Seconds that never jump."""
        return Seconds(time.monotonic())

    def wall(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        return time.time()
