"""What neither the wand nor the loop knows and an alarm is made of: telemetry that does not go out, a disk nearly full.

Looks, off the loop where it could wait; decides about nothing.
"""

import asyncio
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

from cryodevice.runtime.alarm_desk import AlarmDesk
from cryodevice.runtime.clock import Clock
from cryodevice.runtime.service_manager import LOOK_EVERY_S
from cryodevice.safety.alarm_table import Condition

DISK_LOOK_S = 10.0
DISK_FREE_SHARE = 0.05
"""A disk with less is nearly full (clinical note 6.2, A17); looked at every ten seconds (engineering default)."""


async def watch_surroundings(
    desk: AlarmDesk, clock: Clock, directory: Path, unreached: Callable[[], str], on_turn: Callable[[], None]
) -> None:
    """Look until cancelled.

    Args:
        desk: Is told.
        clock: Says since when.
        directory: Whose disk.
        unreached: Why telemetry does not reach its broker, in words; empty while it does.
        on_turn: Called at each look, for liveness.
    """
    disk = _DiskWatch(directory)
    disk.start()
    try:
        while True:
            on_turn()
            now_s = clock.monotonic()
            desk.set(Condition.BROKER_LOST, unreached(), now_s)
            desk.set(Condition.DISK_LOW, disk.says, now_s)
            await asyncio.sleep(LOOK_EVERY_S)
    finally:
        disk.ended.set()


class _DiskWatch(threading.Thread):
    """Looks at a disk from a thread of its own, which nobody waits for: a disk that hangs holds up nothing."""

    def __init__(self, directory: Path) -> None:
        super().__init__(name="disk watch", daemon=True)
        self.directory, self.says, self.ended = directory, "", threading.Event()

    def run(self) -> None:
        while not self.ended.is_set():
            self.says = disk_low(self.directory)
            self.ended.wait(DISK_LOOK_S)


def disk_low(directory: Path, needed: float = DISK_FREE_SHARE) -> str:
    """Why the disk of this directory is nearly full, in words; empty while it is not."""
    try:
        disk = shutil.disk_usage(directory)
    except OSError as error:
        return f"the disk of {directory} does not answer: {error}"
    if disk.free >= needed * disk.total:
        return ""
    return f"only {disk.free / 1e6:.0f} MB are free on the disk of {directory}: make room"
