"""One seed decides everything: the whole daemon in virtual time does the same twice, on every line, in any process."""

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from cryodevice.errors import LinkTimeoutError
from cryodevice.quantities import Seconds
from cryodevice.safety.events import EventKind
from tests.runtime.virtual import LINES, VirtualDaemon, virtual

ROOT = Path(__file__).parents[2]


def traced(line: str, seed: int, byte_s: float = 0.0) -> str:
    """Digest of a session with a lost cable: all bytes, all events, dose, skin and truth."""
    with tempfile.TemporaryDirectory() as directory:

        async def story() -> str:
            daemon = VirtualDaemon(Path(directory), wall=lambda: 1e9, seed=seed, line_kind=line, byte_s=byte_s)
            running = asyncio.create_task(daemon.loop.run())
            await daemon.cooling("s", 2.0)
            daemon.line.up = False
            await asyncio.sleep(3.0)
            daemon.line.up = True
            await asyncio.sleep(3.0)
            daemon.loop.stop_running("test")
            await running
            core = daemon.loop._core
            daemon.trace.note(core.dose.session, core.estimate.temps.tolist(), core.session.ended_why, core.lockout)
            daemon.trace.note(*((n.seq, n.event.kind, n.event.at_s, n.event.message) for n in daemon.happened.drain()))
            daemon.trace.note(sorted(daemon.sim.truth().items()))
            daemon.store.close()
            assert daemon.trace.entries > 200
            return daemon.trace.digest

        return virtual(story)


def elsewhere(line: str, seed: int, hash_seed: str) -> subprocess.Popen:
    code = f"from tests.runtime.test_virtual import traced; print(traced({line!r}, {seed}))"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def test_two_processes_see_the_same_trace_whatever_their_hash_seed():
    children = [elsewhere("serial", 3, hash_seed) for hash_seed in ("0", "4242")]
    said = [child.communicate(timeout=50)[0].strip() for child in children]
    assert len(said[0]) == 64, said
    assert said[0] == said[1]


def test_another_seed_is_another_trace():
    assert traced("modbus-tcp", 1) != traced("modbus-tcp", 2)


@pytest.mark.parametrize("line", LINES)
def test_a_session_runs_on_every_line_at_its_own_speed(line):
    """At 115200 baud a whole exchange takes 8 ms of virtual time, and the lease arithmetic must still hold."""

    with tempfile.TemporaryDirectory() as directory:

        async def story() -> None:
            daemon = VirtualDaemon(Path(directory), line_kind=line, byte_s=10 / 115_200)
            running = asyncio.create_task(daemon.loop.run())
            await daemon.cooling("s", 2.0)
            assert daemon.sim.truth()["drive_a"] > 0.0
            assert daemon.loop.misses == 0
            alarms = [n.event.message for n in daemon.happened.drain() if n.event.kind is EventKind.ALARM_RAISED]
            assert alarms == [], "a treatment in which nothing is wrong is a quiet one"
            daemon.loop.stop_running("test")
            assert await running is True
            daemon.store.close()

        virtual(story)


@pytest.mark.parametrize("line", LINES)
def test_connecting_to_a_silent_wand_takes_its_time_and_lets_the_loop_run(line):
    """On RTU the line is kept quiet between two tries; the tries must not turn without waiting meanwhile."""

    async def story() -> tuple[float, int]:
        loop, turns = asyncio.get_running_loop(), 0

        async def other() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0.01)
                turns += 1

        daemon = VirtualDaemon(None, line_kind=line)
        daemon.sim.firmware.quirks.drop_replies = True
        beside, began = asyncio.create_task(other()), loop.time()
        with pytest.raises(LinkTimeoutError):
            await daemon.driver.connect(Seconds(2.0))
        beside.cancel()
        return loop.time() - began, turns

    took_s, turns = virtual(story)
    assert took_s == pytest.approx(2.0)
    assert turns >= 195
