"""The sd_notify protocol over real datagram sockets: a loop that decides feeds the watchdog, and nothing else does."""

import asyncio
import contextlib
import os
import signal
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import structlog

from cryodevice.errors import LinkTimeoutError
from cryodevice.runtime.pulse import Pings
from cryodevice.runtime.service_manager import LONGEST_STATUS, Notifier, ServiceManager, from_environment, status_line
from tests.system import processes
from tests.system.processes import FAULTY_DAEMON, Daemon, Wand, until, write_settings

STOPS_WITHIN_S = 1.0
PET = "WATCHDOG=1"


class Manager:
    """What a service manager would see: every line with the moment it came."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.lines: list[tuple[float, str]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self._socket.settimeout(0.05)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while not self._ended.is_set():
            with contextlib.suppress(TimeoutError):
                text = self._socket.recv(4096).decode()
                now = time.monotonic()
                self.lines += [(now, line) for line in text.split("\n")]

    def said(self, prefix: str, since_s: float = 0.0) -> list[str]:
        return [line for at, line in self.lines if line.startswith(prefix) and at >= since_s]

    def pets(self, since_s: float, until_s: float) -> int:
        return sum(line == PET and since_s <= at <= until_s for at, line in self.lines)

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close()


@pytest.fixture
def manager():
    manager = Manager(f"@cryodevice-test-{os.getpid()}-{time.monotonic_ns()}")
    yield manager
    manager.close()


@pytest.fixture
async def life(bench, tmp_path):
    """The loop on its wand, one service that answers, and the notifier on a real socket."""
    manager = Manager(str(tmp_path / "notify"))
    pings = Pings()
    wedged = asyncio.Event()
    answer = pings.of("one that answers")

    async def answering() -> None:
        while not wedged.is_set():
            answer()
            await asyncio.sleep(0.05)

    telling = ServiceManager(Notifier(manager.address, 2.0), bench.loop, pings).run()
    tasks = [asyncio.create_task(work) for work in (bench.loop.run(), answering(), telling)]
    try:
        await bench.until(lambda: manager.said("READY=1") and bench.loop.latest.link_up)
        yield bench, manager, wedged
    finally:
        for task in reversed(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        manager.close()


async def test_the_watchdog_is_fed_while_the_loop_decides(life):
    _bench, manager, _wedged = life
    began = time.monotonic()
    await asyncio.sleep(1.0)
    assert manager.pets(began, time.monotonic()) >= 2
    assert manager.said("READY=1") == ["READY=1"]
    assert manager.said("STATUS=session ")


async def stops(manager: Manager, since_s: float, watched_s: float = 0.8) -> None:
    """No pet from a second after ``since_s`` on."""
    await asyncio.sleep(max(0.0, since_s + STOPS_WITHIN_S - time.monotonic()))
    quiet_from = time.monotonic()
    await asyncio.sleep(watched_s)
    assert manager.pets(quiet_from, time.monotonic()) == 0


async def test_an_exchange_that_never_returns_stops_it(life):
    bench, manager, _wedged = life
    stuck = asyncio.Event()
    wand = bench.loop.connection.wand

    async def never(*_: object) -> None:
        await stuck.wait()
        raise LinkTimeoutError("no reply")

    since = time.monotonic()
    wand.read_status = wand.exchange = never
    with structlog.testing.capture_logs() as logs:
        await stops(manager, since)
    stuck.set()
    assert next(line["sign"] for line in logs if line["event"] == "the watchdog is not fed") in {"verdict", "reading"}


async def test_a_connected_wand_that_no_longer_answers_stops_it_until_it_is_given_up(life, monkeypatch):
    bench, manager, _wedged = life
    wand = bench.loop.connection.wand

    async def silent(*_: object) -> None:
        await asyncio.sleep(0.02)
        raise LinkTimeoutError("no reply")

    # The line stays: as long as it does, a wand is connected and its readings grow old.
    monkeypatch.setattr("cryodevice.runtime.connection.SILENT_AFTER_S", 3.0)
    since = time.monotonic()
    wand.read_status = wand.exchange = silent
    with structlog.testing.capture_logs() as logs:
        await stops(manager, since)
        assert bench.loop.connection.identity is not None
        assert bench.loop.latest.at_s > bench.loop.clock.monotonic() - 0.3, "the loop still decides"
        monkeypatch.setattr("cryodevice.runtime.connection.SILENT_AFTER_S", 0.0)
        wand.connect = silent
        await bench.until(lambda: bench.loop.connection.identity is None)
        waiting = time.monotonic()
        await bench.until(lambda: manager.pets(waiting, time.monotonic()) >= 2, 2.0)
    assert [line["sign"] for line in logs if line["event"] == "the watchdog is not fed"] == ["reading"]
    assert [line for line in logs if line["event"] == "all signs of life are there again"]


async def test_a_service_that_no_longer_comes_round_stops_it_and_is_named(life):
    _bench, manager, wedged = life
    since = time.monotonic()
    wedged.set()
    with structlog.testing.capture_logs() as logs:
        await stops(manager, since, 0.4)
    (said,) = [line for line in logs if line["event"] == "the watchdog is not fed"]
    assert said["sign"] == "one that answers"


async def test_it_is_not_ready_before_every_service_has_come_round_and_says_when_it_stops(bench, tmp_path):
    manager = Manager(str(tmp_path / "notify"))
    pings = Pings()
    answer = pings.of("late")
    running = asyncio.create_task(bench.loop.run())
    telling = asyncio.create_task(ServiceManager(Notifier(manager.address, 0.4), bench.loop, pings).run())
    await bench.until(lambda: manager.said("STATUS="))
    await asyncio.sleep(0.3)
    assert not manager.said("READY=1")
    answer()
    await bench.until(lambda: manager.said("READY=1"))
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)
    await bench.until(lambda: manager.said("STOPPING=1"))
    bench.loop.stop_running("test")
    await running
    manager.close()


async def test_the_status_is_one_short_line(life):
    bench, _manager, _wedged = life
    line = status_line(replace(bench.loop.latest, link_up=False, link_why="cannot open\n/dev/ttyUSB0: " + "x" * 400))
    assert line.isprintable()
    assert len(line) == LONGEST_STATUS
    assert "wand down (cannot open /dev/ttyUSB0" in line


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, Notifier()),
        ({"NOTIFY_SOCKET": "/run/n"}, Notifier("/run/n")),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "2000000"}, Notifier("@n", 2.0)),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "7"}, Notifier("/n", 2.0)),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "8"}, Notifier("/n")),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "soon"}, Notifier("/n")),
        ({"NOTIFY_SOCKET": "vsock:2:1", "WATCHDOG_USEC": "2000000"}, Notifier()),
        ({"WATCHDOG_USEC": "2000000"}, Notifier()),
    ],
)
def test_what_the_environment_asks_for_is_taken_out_of_it(environment, expected):
    environment = {"PATH": "/bin", **environment}
    assert from_environment(environment, pid=7) == expected
    assert environment == {"PATH": "/bin"}


def test_a_service_manager_that_has_gone_is_said_once_and_holds_nothing_up(tmp_path):
    notifier = Notifier(str(tmp_path / "gone"), 2.0)
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            notifier.send(PET)
    assert [line["event"] for line in logs] == ["the service manager cannot be told"]


def test_a_service_manager_that_does_not_read_holds_nothing_up(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(str(tmp_path / "deaf"))
        notifier = Notifier(str(tmp_path / "deaf"), 2.0)
        began = time.monotonic()
        with structlog.testing.capture_logs() as logs:
            for _ in range(2000):
                notifier.send(PET)
        assert time.monotonic() - began < 2.0
        assert logs


@pytest.mark.req("D16")
def test_the_daemon_tells_a_service_manager_from_ready_to_stopping(manager, tmp_path, monkeypatch):
    """On the real process: fed while it decides, not while its loop is blocked; its children are told nothing."""
    for name, value in (("NOTIFY_SOCKET", manager.address), ("WATCHDOG_USEC", "2000000")):
        monkeypatch.setitem(processes.ENVIRONMENT, name, value)
    with Wand(tmp_path) as wand:
        config = write_settings(
            tmp_path / "c.toml", wand.port, tmp_path / "state", mqtt={"mode": "embedded", "port": 0}
        )
        with Daemon(config, tmp_path / "state", FAULTY_DAEMON) as daemon:
            until(lambda: manager.said("READY=1"), 15, "READY=1", daemon.said)
            daemon.until_permit()
            until(lambda: "cooling permitted" in "".join(manager.said("STATUS=")), 5, "a status", daemon.said)
            began = time.monotonic()
            until(lambda: manager.pets(began, time.monotonic()) >= 2, 2.0, "pets", daemon.said)
            assert not [child for child in children(daemon.pid) if b"NOTIFY_SOCKET" in environ(child)]
            assert children(daemon.pid), "the embedded broker is a child"
            blocked = time.monotonic()
            daemon.send(signal.SIGUSR1)
            until(
                lambda: daemon.logged() and "stands still" in daemon.logged()[-1]["event"], 3.0, "a stall", daemon.said
            )
            time.sleep(max(0.0, blocked + 2.0 - time.monotonic()))
            assert manager.pets(blocked + STOPS_WITHIN_S, time.monotonic()) == 0
            until(lambda: manager.pets(blocked + 2.9, time.monotonic()), 4.0, "pets again", daemon.said)
            assert daemon.event("the watchdog is not fed")["sign"] == "loop"
            daemon.send(signal.SIGTERM)
            assert daemon.wait(10) == 0
            until(lambda: manager.said("STOPPING=1"), 1.0, "STOPPING=1")


def children(pid: int) -> list[int]:
    return [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text(encoding="ascii").split()
    ]


def environ(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()
