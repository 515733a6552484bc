"""``cryodevice run`` with one service of the tests beside its own: what a bug in a service would do, on a signal.

SIGUSR2 makes the service fail with an error nobody catches. SIGUSR1 does what ``CRYODEVICE_TESTS_FAULT`` names: holds
the event loop up (``block``, also when nothing is named), or one of ``FAULTS``.
"""

import asyncio
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryodevice import app
from cryodevice.runtime.control_loop import ControlLoop
from cryodevice.runtime.logs import configure_logging
from cryodevice.settings import load_settings

BLOCKED_S = 3.0
HOGGED_S = 6.0
HOARD_BYTES = 4 << 20
Kept = list[Any]


def block(_loop: ControlLoop, _kept: Kept) -> None:
    time.sleep(BLOCKED_S)


def deadlock(loop: ControlLoop, kept: Kept) -> None:
    """Somebody takes the turn at the wand and never gives it back: the control task waits for ever, the loop turns."""
    kept.append(asyncio.ensure_future(loop.connection.wand._turn.acquire()))


def collect_for(seconds: float) -> Callable[[ControlLoop, Kept], None]:
    """Collections that hold the interpreter for so long, over what freezing has not put out of their reach."""

    def collect(_loop: ControlLoop, kept: Kept) -> None:
        kept.extend([] for _ in range(20_000))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            gc.collect()

    return collect


def hog(_loop: ControlLoop, _kept: Kept) -> None:
    """Three threads that want the interpreter all the time."""
    end = time.monotonic() + HOGGED_S

    def spin() -> None:
        while time.monotonic() < end:
            sum(range(1000))

    for _ in range(3):
        threading.Thread(target=spin, daemon=True).start()


def hoard(_loop: ControlLoop, kept: Kept) -> None:
    """All memory there is, to the last small piece; what then fails is nobody's choice."""
    size = HOARD_BYTES
    while size >= 16:
        try:
            kept.append(bytearray(size))
        except MemoryError:
            size //= 2
    raise MemoryError("a service of the tests wanted more")


FAULTS = {
    "block": block,
    "deadlock": deadlock,
    "gc-200": collect_for(0.2),
    "gc-300": collect_for(0.3),
    "gc-900": collect_for(0.9),
    "hog": hog,
    "hoard": hoard,
}


async def service(loop: ControlLoop) -> None:
    act, fail = asyncio.Event(), asyncio.Event()
    running = asyncio.get_running_loop()
    fault = FAULTS[os.environ.get("CRYODEVICE_TESTS_FAULT", "block")]
    kept: Kept = []
    running.add_signal_handler(signal.SIGUSR1, act.set)
    running.add_signal_handler(signal.SIGUSR2, fail.set)

    async def on_signal() -> None:
        while await act.wait():
            act.clear()
            fault(loop, kept)

    async def failing() -> None:
        await fail.wait()
        raise RuntimeError("a service of the tests failed")

    async with asyncio.TaskGroup() as group:
        group.create_task(on_signal())
        group.create_task(failing())


async def run(config: Path) -> int:
    settings = load_settings(config)
    configure_logging(settings.log.format, settings.log.level)
    daemon = await app.assemble(settings)
    daemon.extra = {"of the tests": lambda: service(daemon.loop)}
    return int(await app.serve(daemon))


if __name__ == "__main__":
    sys.exit(asyncio.run(run(Path(sys.argv[sys.argv.index("--config") + 1]))))
