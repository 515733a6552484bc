"""When a command ends: by a signal, after its time, or with the process that started it. Decides no exit code."""

import asyncio
import os
import signal
from contextlib import suppress

_PARENT_POLL_S = 0.2


def told_to_end() -> asyncio.Event:
    """Set when a signal says so."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    return ended


async def until_ended(ended: asyncio.Event, duration_s: float | None, parent: int | None) -> None:
    """Wait for the first of them; without ``parent`` nobody minds whose child this is."""
    with suppress(TimeoutError):
        async with asyncio.timeout(duration_s):
            if parent is None:
                await ended.wait()
            while not ended.is_set() and os.getppid() == parent:
                with suppress(TimeoutError):
                    await asyncio.wait_for(ended.wait(), _PARENT_POLL_S)
