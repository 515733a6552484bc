"""Lets simulated time follow a real clock, tick by tick, without drift. Knows only something that can be advanced.

``catch_up`` is also what a port calls before it handles received bytes, so that they arrive at the right millisecond.
"""

import asyncio
import math
from collections.abc import Callable
from typing import Protocol


class Advancing(Protocol):
    """Something whose time is moved from outside."""

    @property
    def time_s(self) -> float:
        """Its own time, s."""
        ...

    def advance(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        ...


class Pacer:
    """Holds ``target`` to ``clock``.

    Args:
        target: What to advance; its present time belongs to the present instant of the clock.
        clock: Monotonic seconds.
        period_s: Cadence of ``run``.
    """

    def __init__(self, target: Advancing, clock: Callable[[], float], period_s: float = 0.02) -> None:
        self._target = target
        self._clock = clock
        self._period_s = period_s
        self._origin_s = clock() - target.time_s

    def catch_up(self) -> None:
        """Advance the target to now. A target already there, or ahead by a rounding error, stays as it is."""
        behind_s = self._clock() - self._origin_s - self._target.time_s
        if behind_s > 0.0:
            self._target.advance(behind_s)

    async def run(self) -> None:
        """Catch up at every multiple of the period, for ever."""
        while True:
            now_s = self._clock() - self._origin_s
            next_s = (math.floor(now_s / self._period_s) + 1) * self._period_s
            await asyncio.sleep(next_s - now_s)
            self.catch_up()
