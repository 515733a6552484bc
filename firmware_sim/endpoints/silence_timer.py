"""Calls a slave's ``silence`` when its line has been silent long enough, on the event loop's own clock."""

import asyncio
from collections.abc import Callable


class SilenceTimer:
    """One timer of one line.

    Args:
        act: Called once when the time set last has passed.
    """

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act
        self._handle: asyncio.TimerHandle | None = None

    def set(self, after_s: float | None) -> None:
        """Count anew from now; ``None`` counts no more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if after_s is not None:
            self._handle = asyncio.get_running_loop().call_later(after_s, self._fire)

    def _fire(self) -> None:
        self._handle = None
        self._act()
