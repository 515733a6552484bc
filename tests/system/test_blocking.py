"""D17: the real daemon, in this process, through a short treatment: whatever blocks its event loop fails the test.

blockbuster raises wherever a call that may block is made on a running event loop. Some of the daemon's tasks catch
what is raised in them, so the log is searched as well.
"""

import asyncio
import gc
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from blockbuster import blockbuster_ctx

from cryodevice import app
from cryodevice.errors import ExitCode
from cryodevice.runtime.logs import configure_logging
from cryodevice.settings import load_settings
from tests.system.processes import GENTLE, Wand, write_settings

BLOCKING = "Blocking call"
ALLOWED = (
    # Before the first tick and after the last one: one system call on a file of our own, a thread that is ending.
    ("cryodevice/console/local_socket.py", {"serve"}),
    ("cryodevice/runtime/liveness.py", {"stop"}),
    ("cryodevice/telemetry/broker.py", {"stop"}),
    # A lock that the writer's thread holds for as long as it takes to swap two dictionaries, never over the disk.
    ("cryodevice/records/writer.py", {"submit"}),
)


async def asked(path: Path, request: dict[str, Any]) -> dict[str, Any]:
    """One request over the local socket, from within the daemon's own loop."""
    import json  # noqa: PLC0415

    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(json.dumps(request).encode() + b"\n")
    answer = json.loads(await reader.readline())
    writer.close()
    return answer


async def treated(daemon: app.Daemon, wand: Wand) -> None:
    """From the first tick to a plate on skin, a stop, and the end."""

    async def until(state: str) -> None:
        async with asyncio.timeout(20):
            while (latest := daemon.loop.latest) is None or latest.session.state.value != state:
                await asyncio.sleep(0.05)

    async with asyncio.timeout(20):
        while daemon.loop.latest is None or not daemon.loop.latest.permit:
            await asyncio.sleep(0.05)
    hand = asyncio.to_thread
    await hand(wand.hand, zone=GENTLE["step"][0]["zone"], motion=True, trigger=True)
    async with asyncio.timeout(10):
        while not (await asked(daemon.socket_path, {"ask": "start", "treatment": GENTLE}))["ok"]:
            await asyncio.sleep(0.1)
    await until("lifted")
    await hand(wand.hand, contact=True)
    await until("applying")
    await asyncio.sleep(1.5)
    assert (await asked(daemon.socket_path, {"ask": "status"}))["ok"]
    assert (await asked(daemon.socket_path, {"ask": "stop"}))["ok"]
    await until("stopped")
    daemon.loop.stop_running("test")


def served(directory: Path, beside: Any) -> tuple[ExitCode, str]:
    """Run a daemon under the eyes of blockbuster, with one coroutine beside it; its exit code and its log."""
    log = directory / "log.jsonl"
    interval_s = sys.getswitchinterval()

    async def run(wand: Wand) -> ExitCode:
        config = write_settings(
            directory / "c.toml", wand.port, directory / "state", mqtt={"mode": "embedded", "port": 0}
        )
        daemon = await app.assemble(load_settings(config))

        async def service() -> None:
            await beside(daemon, wand)
            await asyncio.Event().wait()

        daemon.extra = {"of the test": service}
        with blockbuster_ctx() as guard:
            for function in guard.functions.values():
                for place in ALLOWED:
                    function.can_block_in(*place)
            return await app.serve(daemon)

    with log.open("w") as stream, Wand(directory) as wand:
        sink = configure_logging("json", "info", stream)
        try:
            code = asyncio.run(run(wand))
        finally:
            sink.close()
            sys.setswitchinterval(interval_s)
            gc.unfreeze()
    return code, log.read_text()


@pytest.mark.req("D17")
def test_nothing_the_daemon_does_blocks_its_event_loop(tmp_path: Path) -> None:
    code, log = served(tmp_path, treated)
    assert BLOCKING not in log, log[-3000:]
    assert code == ExitCode.FINE, log[-3000:]
    assert '"mqtt connected"' in log


@pytest.mark.req("D17")
def test_a_call_that_blocks_is_seen(tmp_path: Path) -> None:
    async def blocking(*_: object) -> None:
        time.sleep(0.001)  # noqa: ASYNC251  # what is looked for

    code, log = served(tmp_path, blocking)
    assert code == ExitCode.FAILED
    assert f"{BLOCKING} to time.sleep" in log
