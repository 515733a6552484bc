"""X01 to X06: two of what there should be one of, one taken for another, and what is left of one that is gone."""

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiomqtt

from cryodevice.console.local_socket import SOCKET_NAME
from tests.system import process_acts as acts
from tests.system.processes import GENTLE, Bed, Daemon, Wand, bed, cryodevice, until, write_settings

RIVAL_S = 3.0
LINKS = {
    "tcp": ("serial_tcp", ("--serial-tcp", "127.0.0.1:0")),
    "modbus-tcp": ("modbus_tcp", ("--modbus-tcp", "127.0.0.1:0")),
}
"""Kinds of line that several masters may open at once: where the simulator says it listens, and how it is told to."""
MQTT = {"mode": "embedded", "port": 0}


def one_port(directory: Path, seed: int) -> None:
    """X01: the second says who holds the port, waits, and sends nothing."""
    with bed(directory, seed=seed + 1) as first:
        first.to_cooling()
        watched = acts.Watched(first)
        settings = write_settings(directory / "second.toml", first.wand.port, directory / "second")
        with Daemon(settings, directory / "second") as second:
            holder = f"(pid {first.daemon.pid})"
            second.until(lambda status: holder in status["link"]["why"], 10, "who holds the port")
            assert "end the other program first" in second.status()["link"]["why"]
            time.sleep(0.5)
            second.send(signal.SIGTERM)
            assert second.wait(3) == 0, second.said()
        watched.without_a_break()


def one_wand_while_cooling(kind: str, directory: Path, seed: int) -> None:
    """X02: while one daemon cools, a second on the same wand gets no token, orders nothing, disturbs nothing."""
    with two_masters(directory, seed, kind) as (first, second):
        first.to_cooling()
        watched = acts.Watched(first)
        second.start()
        second.daemon.until(lambda status: status["link"]["up"], 15, "the wand seen by the second")
        end = time.monotonic() + RIVAL_S
        while time.monotonic() < end:
            status = second.daemon.status()
            assert not status.get("claimed"), status
            assert not status.get("permit"), status
            watched.still()
            time.sleep(0.1)
        refused = second.daemon.ask({"ask": "start", "treatment": GENTLE})
        assert not refused["ok"], refused
        assert "another program orders this wand" in refused["message"], refused
        assert second.daemon.status()["lockout"] is None, second.daemon.status()
        second.daemon.send(signal.SIGTERM)
        assert second.daemon.wait(3) == 0, second.daemon.said()
        time.sleep(0.7)
        watched.without_a_break()


def stop_by_the_second(kind: str, directory: Path, seed: int) -> float:
    """X02: anyone, by any path, may stop: a stop asked of the daemon that only watches ends the drive."""
    with two_masters(directory, seed, kind) as (first, second):
        first.to_cooling()
        second.start()
        second.daemon.until(lambda status: status["link"]["up"], 15, "the wand seen by the second")
        at = float(first.wand.truth()["time_s"])
        answer = second.daemon.ask({"ask": "stop"})
        assert answer["ok"], answer
        assert "the wand shows that it is off" in answer["message"], answer
        off_s = float(first.until_off()["drive_off_at_s"]) - at
        first.daemon.until(lambda status: status["lockout"], 5, "the first to see that somebody else was there")
        return off_s


def one_wand_idle(kind: str, directory: Path, seed: int) -> None:
    """X02: both idle: the second claims nothing, says why, and takes the wand once the first has ended."""
    with two_masters(directory, seed, kind) as (first, second):
        first.daemon.until_permit()
        second.start()
        second.daemon.until(_occupied, 15, "the second to see the first")
        time.sleep(RIVAL_S)
        for daemon in (first.daemon, second.daemon):
            assert daemon.status()["lockout"] is None, daemon.said()
        assert first.daemon.status()["permit"], first.story()
        first.daemon.send(signal.SIGTERM)
        assert first.daemon.wait(3) == 0, first.daemon.said()
        second.daemon.until_permit()
        truth = first.wand.truth()
        assert (truth["drive_on_since_s"], truth["drive_off_at_s"]) == (None, None), truth


def one_wand_paused(kind: str, directory: Path, seed: int) -> None:
    """X02: the first one's session is held by its trigger, no lease is live: it still is the first one's wand."""
    with two_masters(directory, seed, kind) as (first, second):
        first.to_cooling()
        first.wand.hand(trigger=False)
        first.daemon.until(lambda status: not status["permit"], 5, "held by the trigger")
        second.start()
        second.daemon.until(_occupied, 15, "the second to see the first")
        time.sleep(RIVAL_S)
        first.wand.hand(trigger=True)
        first.daemon.until(lambda status: status["permit"], 5, "cooling again")
        for daemon in (first.daemon, second.daemon):
            assert daemon.status()["lockout"] is None, daemon.said()


def _occupied(status: dict[str, Any]) -> bool:
    return any(reason["interlock"] == "occupied" for reason in status["reasons"])


class Second:
    """The second daemon of two on one wand; not started yet."""

    def __init__(self, settings: Path, state_dir: Path) -> None:
        self._settings, self._state_dir = settings, state_dir
        self.daemon: Any = None

    def start(self) -> None:
        self.daemon = Daemon(self._settings, self._state_dir)


@contextmanager
def two_masters(directory: Path, seed: int, kind: str) -> Iterator[tuple[Bed, Second]]:
    """A wand on a line of ``LINKS``, a daemon on it, and another that may join."""
    endpoint, line = LINKS[kind]
    with Wand(directory, seed + 1, line=line) as wand:
        host, port = wand.endpoints[endpoint].rsplit(":", 1)
        section = {"kind": kind, "host": host, "tcp_port": int(port)}
        states = [directory / name for name in ("first", "second")]
        files = [write_settings(directory / f"{state.name}.toml", "unused", state, link=section) for state in states]
        second = Second(files[1], states[1])
        with Daemon(files[0], states[0]) as daemon:
            try:
                yield Bed(directory, wand, daemon), second
            finally:
                if second.daemon is not None:
                    second.daemon.end()


def one_state_directory(directory: Path, seed: int) -> None:
    """X03: the second is refused with one sentence; the first goes on cooling."""
    with bed(directory, seed=seed + 1) as first:
        first.to_cooling()
        watched = acts.Watched(first)
        with Daemon(first.daemon.config, first.daemon.state_dir) as second:
            assert second.wait(10) == 1, second.said()
            assert "exposure.db is in use by another cryodevice" in second.said()
            assert len(second.said().splitlines()) == 1, second.said()
        watched.without_a_break()


def left_by_a_crash(directory: Path, seed: int) -> None:
    """X04: lock, command socket and port of a daemon that was killed hold up nobody."""
    with bed(directory, seed=seed + 1) as first:
        first.daemon.until_permit()
        first.daemon.send(signal.SIGKILL)
        first.daemon.wait(5)
        assert (first.daemon.state_dir / SOCKET_NAME).exists()
        assert (first.daemon.state_dir / "exposure.lock").exists()
        first.restart_daemon().until_permit()


def cloned_identity(directory: Path, seed: int) -> str:
    """X05: one serial number, one device id, one broker that closes without a word; each daemon keeps its wand."""
    with bed(directory / "a", seed=seed + 1, mqtt=MQTT) as first, Wand(directory / "b", seed + 2) as clone:
        first.daemon.until_permit()
        broker = first.daemon.event("embedded broker")
        mqtt = {"mode": "broker", "host": broker["host"], "port": broker["port"]}
        settings = write_settings(directory / "b.toml", clone.port, directory / "b-state", mqtt=mqtt)
        with Daemon(settings, directory / "b-state") as second:
            second.until_permit()
            both = (first.daemon, second)
            lost = "another client took our place at the broker"

            def told() -> list[dict[str, Any]]:
                return [line for daemon in both for line in daemon.logged() if line["event"] == lost]

            until(told, 40, "one of them to say that it was put out", first.story)
            connected = sum(line["event"] == "mqtt connected" for daemon in both for line in daemon.logged())
            time.sleep(RIVAL_S)
            again = sum(line["event"] == "mqtt connected" for daemon in both for line in daemon.logged())
            assert again <= connected + 1, "they take turns"
            assert "give each daemon its own device.id" in told()[0]["hint"]
            for daemon in both:
                assert daemon.status()["permit"]
                assert daemon.status()["wand"]["serial_number"] == 1
            return f"said after {connected} connections"


def simulated_refused(directory: Path, seed: int) -> None:
    """X06: a daemon for real wands reads a simulated one and lets it do nothing."""
    with bed(directory, seed=seed + 1, device={"allow_simulated": False}) as testbed:
        status = testbed.daemon.until(lambda status: status["link"]["up"], 10, "link")
        assert status["wand"]["simulated"] is True
        refused = testbed.daemon.ask({"ask": "start", "treatment": GENTLE})
        assert (refused["ok"], "simulated" in refused["message"]) == (False, True), refused
        said = cryodevice("status", "--config", testbed.daemon.config).stdout
        assert "SIMULATED" in said, said
        testbed.stays_off(0.3)


def simulated_said(directory: Path, seed: int) -> None:
    """X06: where it is allowed, status, topics and records all say that it is one."""
    with bed(directory, seed=seed + 1, mqtt=MQTT) as testbed:
        testbed.to_cooling()
        said = cryodevice("status", "--config", testbed.daemon.config).stdout
        assert "SIMULATED" in said, said
        broker = testbed.daemon.event("embedded broker")
        payloads = asyncio.run(_heard(broker["host"], broker["port"]))
        assert payloads.keys() >= {"info", "state", "telemetry"}, payloads.keys()
        assert all('"simulated":true' in payload for payload in payloads.values()), payloads
        testbed.daemon.send(signal.SIGTERM)
        assert testbed.daemon.wait(3) == 0, testbed.daemon.said()
        assert acts.kept(testbed, "simulated") == 1


async def _heard(host: str, port: int) -> dict[str, str]:
    """The first JSON payload of each topic within two seconds."""
    heard: dict[str, str] = {}
    async with aiomqtt.Client(host, port) as client:
        await client.subscribe("cryodevice/#")
        try:
            async with asyncio.timeout(2.0):
                async for message in client.messages:
                    text = bytes(message.payload).decode()
                    if text.startswith("{"):
                        heard.setdefault(str(message.topic).rsplit("/", 1)[1], text)
        except TimeoutError:
            return heard
    return heard
