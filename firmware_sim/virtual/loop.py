"""An event loop whose time is virtual: when nothing is ready, it jumps to the next timer. Nothing here ever sleeps.

Two things hold time still: bytes that are inside a real line (a pseudo-terminal moves them when it likes), and work
that a thread does. Waiting for what can never come is an error that names who waits, not a hang.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, Final, TypeVar

from cryodevice.errors import CryodeviceError

Result = TypeVar("Result")
Ready = list[tuple[selectors.SelectorKey, int]]

BEGAN_S: Final = 5000.0
"""Virtual seconds at the start; not 0, so that a stray real clock shows."""
GRACE_S: Final = 0.05
"""Bytes that a real line does not give out for this long, in real seconds, are lost: ten times the worst delay of a pty
that was measured on a busy machine (engineering default)."""
OUTSIDE_S: Final = 20.0
"""Longest that time may be held for a thread, real seconds (engineering default)."""
_MOST_STILL: Final = 50_000


class DeadlockError(CryodeviceError):
    """Time cannot go on: nothing is ready and no timer is set, or what runs never lets time pass."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop. One thread, one time; started by ``run`` or as ``asyncio.Runner(loop_factory=VirtualLoop)``.

    Attributes:
        in_flight: Bytes written into a real line and not yet read from its other end.
        lost: Bytes that a real line never gave out.
    """

    def __init__(self, began_s: float = BEGAN_S) -> None:
        super().__init__(selectors.SelectSelector())
        self.in_flight = self.lost = 0
        self._virtual_s = began_s
        self._outside = 0
        self._still = 0
        selector: selectors.BaseSelector = self._selector  # type: ignore[attr-defined]  # as asyncio names it
        self._poll: Callable[[float], Ready] = selector.select
        selector.select = self._select  # type: ignore[method-assign]

    def time(self) -> float:
        """Virtual seconds."""
        return self._virtual_s

    def moved(self, count: int) -> None:
        """Account for bytes on a real line: positive when written at one end, negative when read at the other."""
        self.in_flight = max(0, self.in_flight + count)

    def hold(self) -> Callable[[], None]:
        """Hold time until the function returned is called: something outside of virtual time is under way."""
        self._outside += 1
        held = [True]

        def release() -> None:
            if held.pop() if held else False:
                self._outside -= 1

        return release

    def run_in_executor(  # type: ignore[override]  # the ordinary one also ties args to func
        self, executor: Executor | None, func: Callable[..., Result], *args: Any
    ) -> "asyncio.Future[Result]":
        """As the ordinary loop does; what the thread does takes no virtual time."""
        future: asyncio.Future[Result] = super().run_in_executor(executor, func, *args)
        release = self.hold()
        future.add_done_callback(lambda _: release())
        return future

    async def shutdown_default_executor(self) -> None:
        """As the ordinary loop does; the threads' end takes no virtual time."""
        release = self.hold()
        try:
            await super().shutdown_default_executor()
        finally:
            release()

    def _select(self, timeout: float | None = None) -> Ready:
        ready = self._poll(0)
        if ready or timeout == 0:
            self._still += 1
            if self._still > _MOST_STILL:
                raise DeadlockError(f"time stands still at {self._virtual_s:.6f} s: {_tasks(self)} run without waiting")
            return ready
        if self._outside:
            ready = self._poll(OUTSIDE_S)
            if not ready:
                raise DeadlockError(f"a thread has not ended within {OUTSIDE_S:g} real seconds")
            return ready
        if self.in_flight:
            ready = self._poll(GRACE_S)
            if ready:
                return ready
            self.lost, self.in_flight = self.lost + self.in_flight, 0
        if timeout is None:
            raise DeadlockError(
                f"deadlock at {self._virtual_s:.6f} s: no timer is set, and for ever wait {_tasks(self)}"
            )
        self._still = 0
        self._virtual_s += timeout
        return ready


def _tasks(loop: asyncio.AbstractEventLoop) -> str:
    tasks = asyncio.all_tasks(loop)
    names = sorted(f"{task.get_name()} ({getattr(task.get_coro(), '__qualname__', '?')})" for task in tasks)
    return ", ".join(names) or "no tasks"


def run(story: Callable[[], Coroutine[Any, Any, Result]], began_s: float = BEGAN_S) -> Result:
    """Run a story on a virtual loop of its own, to its end.

    Raises:
        DeadlockError: It waits for what never comes.
    """
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(began_s)) as runner:
        return runner.run(story())
