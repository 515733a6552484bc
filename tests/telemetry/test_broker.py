"""The embedded broker: on loopback, gone when its parent is, back when it dies, and plain about what is wrong."""

import asyncio
import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cryodevice.errors import BrokerError
from cryodevice.telemetry import RunningBroker, broker, broker_plan, start_broker

PARENT = """
import asyncio, sys
from pathlib import Path
from cryodevice.telemetry import start_broker
async def main():
    running = await start_broker(Path(sys.argv[1]), port=0, kind=sys.argv[2])
    print(running.pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


def addresses(pid: int) -> set[str]:
    """Addresses the process listens on, from /proc: little-endian hexadecimal of IPv4, or all of IPv6."""
    sockets = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a broker opens and closes other files meanwhile
            sockets.add(str(link.readlink()))
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text(encoding="utf-8").splitlines()[1:]:
            local, state, inode = (line.split()[column] for column in (1, 3, 9))
            if state == "0A" and f"socket:[{inode}]" in sockets:
                found.add(local.partition(":")[0])
    return found


async def test_it_listens_on_loopback_only_with_a_private_configuration(running: RunningBroker, tmp_path: Path) -> None:
    assert addresses(running.pid) == {"0100007F"}
    folder = tmp_path / "broker"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (configuration,) = folder.iterdir()
    assert stat.S_IMODE(configuration.stat().st_mode) == 0o600
    assert (running.port == running.port_v311) is (running.kind == "mosquitto")


async def test_stop_frees_the_port_and_may_be_called_twice(running: RunningBroker) -> None:
    pid = running.pid
    await running.stop()
    await running.stop()
    assert not alive(pid)
    assert running.pid == 0
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind((running.host, running.port))


async def test_a_stalled_broker_is_killed_by_stop(running: RunningBroker) -> None:
    pid = running.pid
    os.kill(pid, signal.SIGSTOP)
    await asyncio.wait_for(running.stop(), 6.0)
    assert not alive(pid)


async def test_it_comes_back_on_the_same_port_when_it_dies(running: RunningBroker, until: Callable[..., Any]) -> None:
    for restarts in (1, 2):
        pid = running.pid
        os.kill(pid, signal.SIGKILL)
        await until(lambda pid=pid, restarts=restarts: running.pid not in {0, pid} and running.restarts == restarts)
        _, writer = await asyncio.open_connection(running.host, running.port)
        writer.close()
        await writer.wait_closed()


async def test_it_dies_with_its_parent(kind: str, tmp_path: Path, until: Callable[..., Any]) -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT, str(tmp_path), kind), stdout=subprocess.PIPE
    )
    pid = int(await asyncio.wait_for(parent.stdout.readline(), 20.0))
    assert alive(pid)
    parent.kill()
    await parent.wait()
    await until(lambda: not alive(pid), within_s=3.0)


async def test_a_taken_port_is_passed_over(kind: str, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        running = await start_broker(tmp_path, port=port, kind=kind)
        assert running.port != port
        await running.stop()
    running = await start_broker(tmp_path, port=port, kind=kind)
    assert running.port == port
    await running.stop()


async def test_a_broker_that_does_not_start_says_what_it_said(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_plan, "MOSQUITTO_CONFIGURATION", "no_such_key {user}{port}\n")
    monkeypatch.setattr(broker_plan, "IOTCORE_CONFIGURATION", "id = no-such-value {listeners}\n")
    with pytest.raises(BrokerError, match=f"{kind}.* ended with status") as caught:
        await start_broker(tmp_path, port=0, kind=kind)
    assert "it said: nothing" not in str(caught.value)


async def test_mosquitto_is_taken_first_then_iotcore_then_it_is_said_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = await start_broker(tmp_path, port=0)
    assert running.kind == "mosquitto"
    await running.stop()
    monkeypatch.setattr(broker_plan, "_SYSTEM_PATHS", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    running = await start_broker(tmp_path, port=0)
    assert running.kind == "iotcore"
    await running.stop()
    with pytest.raises(BrokerError, match="apt install mosquitto"):
        await start_broker(tmp_path, port=0, kind="mosquitto")


async def test_a_broker_that_starts_and_never_listens_is_given_up(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mute = tmp_path / "mute.py"
    pids = tmp_path / "pids"
    said = f"import os, time\nprint(os.getpid(), file=open({str(pids)!r}, 'a'), flush=True)\ntime.sleep(30)\n"
    mute.write_text(said, encoding="utf-8")
    monkeypatch.setattr(broker_plan, "_CHILD", mute)
    monkeypatch.setattr(broker, "START_S", 0.3)
    with pytest.raises(BrokerError, match=r"did not listen within 0\.3 s"):
        await start_broker(tmp_path, port=0, kind=kind)
    started = [int(pid) for pid in pids.read_text(encoding="utf-8").split()]
    assert len(started) == 3
    assert not any(alive(pid) for pid in started)


async def test_a_port_taken_while_it_was_down_is_waited_for(running: RunningBroker, until: Callable[..., Any]) -> None:
    with socket.socket() as taken:
        os.kill(running.pid, signal.SIGKILL)
        await until(lambda: running.pid == 0)
        taken.bind((running.host, running.port))
        await asyncio.sleep(0.6)
        assert running.restarts == 0
    await until(lambda: running.restarts == 1 and running.pid != 0)
