"""Lets simulated time follow a real clock, tick by tick, without drift; faster, slower, or not at all while paused.

Knows only something that can be advanced. ``catch_up`` is also what a port calls before it handles received bytes, so
that they arrive at the right millisecond.
"""

import asyncio
import math
from collections.abc import Callable
from typing import Final, Protocol

from cryodevice.errors import QuantityError
from cryodevice.quantities import finite

SLOWEST: Final = 0.01
FASTEST: Final = 100.0
_LAG_S: Final = 0.25
"""Faster than real time, one catching-up makes good at most so much of the real clock: a machine that cannot keep up
then runs slower than asked, and still answers."""
_SLICE_S: Final = 0.5
"""A long step gives the event loop a turn this often, s of simulated time."""


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
        period_s: Cadence of ``run``, on the real clock.
        paused: Whether time stands still from the start.

    Attributes:
        lost_s: Simulated seconds that could not be made good because the machine is slower than the speed asked for.
    """

    def __init__(
        self, target: Advancing, clock: Callable[[], float], period_s: float = 0.02, *, paused: bool = False
    ) -> None:
        self._target = target
        self._clock = clock
        self._period_s = period_s
        self._speed = 1.0
        self._paused = paused
        self._step = asyncio.Lock()
        self.lost_s = 0.0
        self._set_origin()

    @property
    def speed(self) -> float:
        """Simulated seconds in a real one, while not paused."""
        return self._speed

    @property
    def paused(self) -> bool:
        """Whether time moves by ``step`` only."""
        return self._paused

    def set_speed(self, speed: float) -> None:
        """From now on run ``speed`` times as fast as the real clock.

        Raises:
            QuantityError: Not finite, or not in its range.
        """
        finite(speed, "speed", SLOWEST, FASTEST)
        self.catch_up()
        self._speed = speed
        self._set_origin()

    def pause(self, paused: bool) -> None:  # noqa: FBT001  # the one thing it takes
        """Let time stand still, or go on from here."""
        self.catch_up()
        self._paused = paused
        self._set_origin()

    async def step(self, seconds: float) -> None:
        """Let ``seconds`` pass at once, while paused; the event loop gets its turns. Steps queue.

        Raises:
            QuantityError: Time is not paused, or was let go on meanwhile.
        """
        async with self._step:
            left_s = seconds
            while left_s > 0.0:
                if not self._paused:
                    raise QuantityError("time is running; pause it first, then step", paused=False)
                part_s = min(left_s, _SLICE_S)
                self._target.advance(part_s)
                left_s -= part_s
                await asyncio.sleep(0)

    def catch_up(self) -> None:
        """Advance the target to now. A target already there, or ahead by a rounding error, stays as it is."""
        if self._paused:
            return
        behind_s = (self._clock() - self._origin_s) * self._speed - (self._target.time_s - self._origin_target_s)
        most_s = _LAG_S * self._speed
        if self._speed > 1.0 and behind_s > most_s:
            self.lost_s += behind_s - most_s
            self._target.advance(most_s)
            self._set_origin()
        elif behind_s > 0.0:
            self._target.advance(behind_s)

    def _set_origin(self) -> None:
        self._origin_s, self._origin_target_s = self._clock(), self._target.time_s

    async def run(self) -> None:
        """Catch up at every multiple of the period, for ever."""
        start_s = self._clock() - self._target.time_s
        while True:
            now_s = self._clock() - start_s
            next_s = (math.floor(now_s / self._period_s) + 1) * self._period_s
            await asyncio.sleep(next_s - now_s)
            self.catch_up()
