"""The publisher against real brokers: what a dashboard sees, and what no trouble of a broker may do to the loop."""

import asyncio
import json
import math
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cryodevice.safety.phases import SessionState
from cryodevice.telemetry import RunningBroker, broker_plan, start_broker
from cryodevice.telemetry.payloads import MAX_BYTES

Start = Callable[..., Any]
DAEMON = """
import asyncio, sys
from cryodevice.runtime.bus import Bus
from cryodevice.runtime.clock import SystemClock
from cryodevice.settings import MqttSettings
from cryodevice.telemetry import Publisher

port, timeout_s, tls = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3] == "tls"
settings = MqttSettings(mode="broker", port=port, connect_timeout_s=timeout_s, tls=tls)
async def main():
    task = asyncio.create_task(Publisher(settings, "wand-1", Bus(), Bus(), SystemClock()).run())
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    task.cancel()
    await asyncio.wait({task})
asyncio.run(main())
"""


async def daemon(port: int, connect_timeout_s: float = 5.0, tls: str = "plain") -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", DAEMON, str(port), str(connect_timeout_s), tls), stdin=asyncio.subprocess.PIPE
    )


async def test_a_subscriber_sees_what_is_retained_and_what_is_live(
    broker: RunningBroker, loop_under_test: Any, publish: Start, listen: Start, until: Start
) -> None:
    publisher = publish(broker.host, broker.port)
    await until(lambda: publisher.health.connected)
    early = await listen(broker.port)
    await until(lambda: len(early.of("telemetry")) >= 10)
    loop_under_test.emit(3)
    await until(lambda: len(early.of("event")) == 3)
    assert (early.of("status"), early.of("link")[-1]) == (["online"], "up")
    assert json.loads(early.of("info")[0])["wand"]["serial_number"] == 4711
    assert json.loads(early.of("state")[0])["session"]["state"] == "applying"
    assert [json.loads(line)["seq"] for line in early.of("event")] == [1, 2, 3]
    assert all(len(payload.encode()) <= MAX_BYTES for _, payload in early.lines)
    late = await listen(broker.port)
    await until(lambda: len(late.of("telemetry")) >= 2)
    assert {topic: len(late.of(topic)) for topic in ("status", "link", "info", "state", "health", "event")} == {
        "status": 1,
        "link": 1,
        "info": 1,
        "state": 1,
        "health": 1,
        "event": 0,
    }
    health = publisher.health
    assert (health.protocol, health.failed, health.refused, health.dropped) == ("5", 0, 0, 0)


async def test_telemetry_comes_at_its_rate(
    broker: RunningBroker, loop_under_test: Any, publish: Start, listen: Start, until: Start
) -> None:
    publish(broker.host, broker.port, telemetry_hz=5.0)
    listener = await listen(broker.port)
    await until(lambda: listener.of("telemetry"))
    first = len(listener.of("telemetry"))
    await asyncio.sleep(1.6)
    assert 6 <= len(listener.of("telemetry")) - first <= 10


async def test_a_change_of_state_is_published_at_once_and_nothing_else_is(
    broker: RunningBroker, loop_under_test: Any, samples: Any, publish: Start, listen: Start, until: Start
) -> None:
    publish(broker.host, broker.port)
    listener = await listen(broker.port)
    await until(lambda: listener.of("state"))
    await asyncio.sleep(1.3)
    assert len(listener.of("state")) == 1
    stopped = replace(samples.session, state=SessionState.STOPPED, ended_why="trigger released")
    loop_under_test.changes.update(session=stopped, permit=False, link_up=False, link_why="no good reply")
    begun = time.monotonic()
    await until(lambda: len(listener.of("state")) == 2 and listener.of("link")[-1] == "down")
    assert time.monotonic() - begun < 0.5
    told = json.loads(listener.of("state")[-1])
    assert told["session"]["state"] == "stopped"
    assert told["session"]["ended_why"] == "trigger released"
    assert (told["permit"], told["link"]) == (False, {"up": False, "why": "no good reply"})
    assert listener.of("link")[-2:] == ["up", "down"]


async def test_running_numbers_of_a_finding_are_published_once_a_second(
    broker: RunningBroker, loop_under_test: Any, samples: Any, publish: Start, listen: Start, until: Start
) -> None:
    loop_under_test.changes.update(findings=(samples.finding(),), permit=False)
    publish(broker.host, broker.port)
    listener = await listen(broker.port)
    await until(lambda: listener.of("state"))
    await asyncio.sleep(1.6)
    assert 2 <= len(listener.of("state")) <= 3


async def test_a_killed_daemon_is_offline_and_a_stopped_one_says_so(
    broker: RunningBroker, listen: Start, until: Start
) -> None:
    listener = await listen(broker.port)
    for end, expected in (
        (lambda process: process.kill(), ["online", "offline"]),
        (lambda process: process.stdin.write(b"\n"), ["online", "offline"] * 2),
    ):
        process = await daemon(broker.port)
        await until(lambda: listener.of("status")[-1:] == ["online"])
        end(process)
        await until(lambda expected=expected: listener.of("status") == expected)
        assert await asyncio.wait_for(process.wait(), 5.0) in {0, -signal.SIGKILL}
    late = await listen(broker.port)
    await until(lambda: late.of("status") == ["offline"])


async def test_a_broker_that_comes_late_gets_everything_that_waited(
    kind: str, tmp_path: Path, loop_under_test: Any, gate: Any, publish: Start, listen: Start, until: Start
) -> None:
    gate.open = False
    publisher = publish("127.0.0.1", gate.port)
    loop_under_test.emit(5)
    await until(lambda: gate.accepted >= 2)
    assert not publisher.health.connected
    assert publisher.health.last_error
    broker = await start_broker(tmp_path, port=0, kind=kind)
    try:
        listener = await listen(broker.port)
        await until(lambda: broker.pid)
        await asyncio.sleep(0.3)
        gate.target, gate.open = broker.port, True
        await until(lambda: len(listener.of("event")) == 5)
        assert listener.of("status") == ["online"]
    finally:
        await broker.stop()


async def test_a_killed_broker_is_found_again_with_a_birth_and_no_waiting_event_lost(
    broker: RunningBroker, loop_under_test: Any, gate: Any, publish: Start, listen: Start, until: Start
) -> None:
    gate.target = broker.port
    publisher = publish("127.0.0.1", gate.port)
    listener = await listen(broker.port)
    await until(lambda: publisher.health.connected and listener.of("state"))
    loop_under_test.emit(2)
    await until(lambda: len(listener.of("event")) == 2)
    gate.open = False
    first = broker.pid
    os.kill(first, signal.SIGKILL)
    await until(lambda: not publisher.health.connected)
    loop_under_test.emit(50)
    await until(lambda: broker.restarts == 1 and broker.pid not in {0, first})
    again = await listen(broker.port)
    await asyncio.sleep(0.5)
    gate.open = True
    await until(lambda: len(again.of("event")) >= 50)
    assert [json.loads(line)["seq"] for line in again.of("event")] == list(range(3, 53))
    for topic in ("status", "link", "info", "state"):
        assert len(again.of(topic)) == 1, topic
    assert publisher.health.reconnects == 1
    assert publisher.health.queue_depth == 0


@pytest.mark.req("R-H20-1")
async def test_a_stalled_broker_does_not_hold_up_the_loop_and_events_arrive_when_it_goes_on(
    broker: RunningBroker, loop_under_test: Any, publish: Start, listen: Start, until: Start
) -> None:
    publisher = publish(broker.host, broker.port)
    listener = await listen(broker.port)
    await until(lambda: len(listener.of("telemetry")) > 5)
    loop_under_test.late_s.clear()
    os.kill(broker.pid, signal.SIGSTOP)
    try:
        for _ in range(6):
            loop_under_test.emit(5)
            await asyncio.sleep(0.5)
    finally:
        os.kill(broker.pid, signal.SIGCONT)
    assert len(loop_under_test.late_s) >= 55
    assert max(loop_under_test.late_s) < 0.050
    await until(lambda: len({json.loads(line)["id"] for line in listener.of("event")}) == 30)
    assert publisher.health.dropped == 0


async def test_a_stall_longer_than_a_send_may_take_reconnects_and_sends_the_same_id_again(
    broker: RunningBroker, loop_under_test: Any, publish: Start, listen: Start, until: Start
) -> None:
    publisher = publish(broker.host, broker.port, send_timeout_s=0.5, connect_timeout_s=1.0)
    listener = await listen(broker.port)
    await until(lambda: publisher.health.connected and listener.of("telemetry"))
    loop_under_test.late_s.clear()
    os.kill(broker.pid, signal.SIGSTOP)
    try:
        loop_under_test.emit(10)
        await asyncio.sleep(2.5)
        assert not publisher.health.connected
    finally:
        os.kill(broker.pid, signal.SIGCONT)
    await until(lambda: publisher.health.connected and publisher.health.queue_depth == 0)
    await until(lambda: len({json.loads(line)["id"] for line in listener.of("event")}) == 10)
    ids = [json.loads(line)["id"] for line in listener.of("event")]
    assert list(dict.fromkeys(ids)) == [f"run-{number}" for number in range(1, 11)]
    assert max(loop_under_test.late_s) < 0.050
    assert publisher.health.protocol == "5"
    await until(lambda: listener.of("status")[-1] == "online")


@pytest.mark.parametrize(
    "answer", [bytes([0x20, 2, 0, 1]), bytes([0x20, 3, 0, 0x84, 0]), b""], ids=["3.1.1 no", "5 no", "closed"]
)
async def test_a_broker_without_mqtt_5_is_spoken_to_in_3_1_1(
    answer: bytes, tmp_path: Path, loop_under_test: Any, gate: Any, publish: Start, listen: Start, until: Start
) -> None:
    broker = await start_broker(tmp_path, port=0, kind="mosquitto")
    try:
        gate.target, gate.answers = broker.port, [answer]
        publisher = publish("127.0.0.1", gate.port)
        listener = await listen(broker.port)
        await until(lambda: listener.of("telemetry"), within_s=3.0)  # sooner than the connect time-out of 5 s
        assert publisher.health.protocol == "3.1.1"
        loop_under_test.emit()
        await until(lambda: listener.of("event"))
    finally:
        await broker.stop()


async def test_a_listener_that_only_knows_3_1_1_is_found_out(
    tmp_path: Path, loop_under_test: Any, publish: Start, listen: Start, until: Start
) -> None:
    broker = await start_broker(tmp_path, port=0, kind="iotcore")
    try:
        publisher = publish(broker.host, broker.port_v311, connect_timeout_s=1.0)
        modern, old = await listen(broker.port), await listen(broker.port_v311, version="mqttv311")
        await until(lambda: modern.of("telemetry") and old.of("telemetry"))
        assert publisher.health.protocol == "3.1.1"
    finally:
        await broker.stop()


async def test_readings_expire_and_carry_their_type_in_mqtt_5(
    tmp_path: Path, loop_under_test: Any, publish: Start, listen: Start, until: Start
) -> None:
    broker = await start_broker(tmp_path, port=0, kind="mosquitto")
    try:
        publish(broker.host, broker.port)
        listener = await listen(broker.port, "-F", "%t %C %E %P")
        await until(lambda: listener.of("telemetry") and listener.of("state"))
        assert listener.of("telemetry")[0] in {
            f"application/json {left} schema:cryodevice.telemetry/1" for left in (9, 10)
        }
        assert listener.of("state")[0].split() == ["application/json", "schema:cryodevice.state/1"]
    finally:
        await broker.stop()


async def test_what_a_broker_refuses_is_counted(
    tmp_path: Path, loop_under_test: Any, publish: Start, until: Start
) -> None:
    broker = await start_broker(tmp_path, port=0, kind="mosquitto", keep=False)
    configuration = tmp_path / "broker" / "mosquitto.conf"
    rules = tmp_path / "acl"
    rules.write_text("topic write cryodevice/wand-1/status\ntopic write cryodevice/wand-1/link\n", encoding="utf-8")
    configuration.write_text(configuration.read_text(encoding="utf-8") + f"acl_file {rules}\n", encoding="utf-8")
    try:
        os.kill(broker.pid, signal.SIGHUP)
        await asyncio.sleep(0.3)
        publisher = publish(broker.host, broker.port)
        loop_under_test.emit()
        await until(lambda: publisher.health.refused >= 3)
        assert "Not authorized" in publisher.health.last_error
        assert publisher.health.connected
    finally:
        await broker.stop()


async def test_a_backlog_beyond_a_thousand_loses_the_oldest_and_counts_them(
    broker: RunningBroker, loop_under_test: Any, gate: Any, publish: Start, listen: Start, until: Start
) -> None:
    gate.open, gate.target = False, broker.port
    publisher = publish("127.0.0.1", gate.port)
    loop_under_test.emit(1200)
    listener = await listen(broker.port)
    await until(lambda: publisher.health.queue_depth == 1000)
    assert publisher.health.dropped == 200
    await asyncio.sleep(0.3)
    gate.open = True
    await until(lambda: len(listener.of("event")) == 1000, within_s=20.0)
    assert [json.loads(line)["seq"] for line in listener.of("event")] == list(range(201, 1201))
    assert max(loop_under_test.late_s) < 0.2
    assert len(listener.of("telemetry")) > 2


@pytest.mark.parametrize("tls", ["plain", "tls"])
async def test_a_broker_that_never_answers_does_not_hold_up_the_end_of_the_process(
    tls: str,
) -> None:
    async def listen_only(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    mute = await asyncio.start_server(listen_only, "127.0.0.1", 0)
    port = mute.sockets[0].getsockname()[1]
    try:
        process = await daemon(port, 60.0, tls)
        await asyncio.sleep(1.5)
        begun = time.monotonic()
        process.stdin.write(b"\n")
        assert await asyncio.wait_for(process.wait(), 10.0) == 0
        assert time.monotonic() - begun < 2.0
    finally:
        await asyncio.sleep(0.05)
        mute.close()
        await mute.wait_closed()


async def test_the_password_comes_from_its_file(
    tmp_path: Path, loop_under_test: Any, publish: Start, until: Start
) -> None:
    assert loop_under_test
    seen: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.read(1024))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    password = tmp_path / "password"
    password.write_text("hunter2\nnot this\n", encoding="utf-8")
    try:
        publish("127.0.0.1", server.sockets[0].getsockname()[1], username="me", password_file=str(password))
        await until(lambda: seen)
        assert seen[0].endswith(b"\x00\x02me\x00\x07hunter2")
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize(
    ("answer", "said"),
    [(bytes([0x20, 3, 0, 0x86, 0]), "Bad user name or password"), (bytes([0x20, 3, 0, 0x87, 0]), "Not authorized")],
    ids=["account", "authorisation"],
)
async def test_a_broker_that_refuses_the_account_is_asked_again_in_the_same_version(
    answer: bytes, said: str, gate: Any, publish: Start, until: Start
) -> None:
    gate.answers = [answer] * 3
    gate.open = True
    publisher = publish("127.0.0.1", gate.port)
    await until(lambda: gate.accepted >= 2)
    assert said in publisher.health.last_error


async def test_nothing_at_the_other_end_a_wrong_name_or_a_missing_password_end_nothing(
    tmp_path: Path, publish: Start, until: Start
) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        closed = reserved.getsockname()[1]
        refused = publish("127.0.0.1", closed)
        nowhere = publish("nowhere.invalid", 1883)
        secretless = publish("127.0.0.1", closed, username="me", password_file=str(tmp_path / "absent"))
        await until(lambda: "refused" in refused.health.last_error)
        await until(lambda: nowhere.health.last_error)
        await until(lambda: "No such file" in secretless.health.last_error)


async def test_a_tick_that_cannot_be_told_is_counted_and_the_next_one_is_published(
    broker: RunningBroker, loop_under_test: Any, publish: Start, listen: Start, until: Start
) -> None:
    loop_under_test.changes.update(wall_s=math.nan)
    publisher = publish(broker.host, broker.port)
    listener = await listen(broker.port)
    await until(lambda: publisher.health.failed >= 3)
    assert publisher.health.reconnects == 0
    assert "ValueError" in publisher.health.last_error
    loop_under_test.changes.clear()
    await until(lambda: listener.of("telemetry") and listener.of("state"))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates of this test")
async def test_tls_checks_the_broker_and_never_falls_back_to_plain(
    tmp_path: Path, loop_under_test: Any, publish: Start, until: Start
) -> None:
    certificate, key = tmp_path / "broker.pem", tmp_path / "broker.key"
    openssl = await asyncio.create_subprocess_exec(
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
        *("-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate),
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert await openssl.wait() == 0
    broker = await start_broker(tmp_path, port=0, kind="mosquitto", keep=False)
    port = broker.port
    await broker.stop()
    configuration = tmp_path / "tls.conf"
    text = (tmp_path / "broker" / "mosquitto.conf").read_text(encoding="utf-8")
    configuration.write_text(f"{text}\ncertfile {certificate}\nkeyfile {key}\n", encoding="utf-8")
    process = await asyncio.create_subprocess_exec(broker_plan.find_mosquitto(), "-c", configuration)
    try:
        trusted = publish("localhost", port, tls=True, ca_file=str(certificate))
        wrong_name = publish("127.0.0.1", port, tls=True, ca_file=str(certificate))
        unknown = publish("localhost", port, tls=True)
        plain = publish("localhost", port, connect_timeout_s=1.0)
        await until(lambda: trusted.health.connected)
        await until(lambda: "certificate verify failed" in unknown.health.last_error)
        await until(lambda: "certificate verify failed" in wrong_name.health.last_error)
        assert not any(publisher.health.connected for publisher in (unknown, wrong_name, plain))
    finally:
        process.terminate()
        await process.wait()


async def test_the_last_events_and_offline_are_sent_before_the_goodbye(
    broker: RunningBroker, loop_under_test: Any, publish: Start, listen: Start, until: Start
) -> None:
    publisher = publish(broker.host, broker.port)
    listener = await listen(broker.port)
    await until(lambda: publisher.health.connected and listener.of("telemetry"))
    loop_under_test.emit(5)
    publisher.task.cancel()
    begun = time.monotonic()
    await asyncio.wait({publisher.task})
    assert time.monotonic() - begun < 1.0
    await until(lambda: listener.of("status")[-1] == "offline")
    assert listener.of("link")[-1] == "down"
    assert [json.loads(line)["seq"] for line in listener.of("event")] == [1, 2, 3, 4, 5]


async def test_a_stalled_broker_does_not_hold_up_the_end(
    broker: RunningBroker, loop_under_test: Any, publish: Start, until: Start
) -> None:
    publisher = publish(broker.host, broker.port)
    await until(lambda: publisher.health.connected)
    os.kill(broker.pid, signal.SIGSTOP)
    try:
        loop_under_test.emit(5)
        publisher.task.cancel()
        begun = time.monotonic()
        await asyncio.wait({publisher.task})
        assert time.monotonic() - begun < 1.5
    finally:
        os.kill(broker.pid, signal.SIGCONT)


async def _swallows(*_: object) -> None:
    """What ``asyncio.wait_for`` does to a cancellation that comes together with what it waits for."""
    try:
        await asyncio.sleep(60.0)
    except asyncio.CancelledError:
        return


@pytest.mark.parametrize(
    "where", ["cryodevice.telemetry.feed.Feed.round", "cryodevice.telemetry.connection.Connection.open"]
)
async def test_an_end_that_is_swallowed_on_the_way_is_an_end(
    broker: RunningBroker, publish: Start, until: Start, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(where, _swallows)
    publisher = publish(broker.host, broker.port)
    if where.endswith("round"):
        await until(lambda: publisher.health.connected)
    else:
        await asyncio.sleep(0.1)
    publisher.task.cancel()
    await asyncio.wait({publisher.task}, timeout=3.0)
    ended = publisher.task.cancelled()
    monkeypatch.undo()
    publisher.task.cancel()
    assert ended, "it goes on as if nobody had told it to end"


@pytest.mark.req("X05")
async def test_a_broker_that_names_a_rival_is_believed_at_once(publish, until):
    """By hand, for the brokers here close without a word: CONNACK, one PUBACK a publish, DISCONNECT 'taken over'."""
    connections = 0

    async def serve(reader, writer):
        nonlocal connections
        connections += 1
        await reader.read(1000)
        writer.write(b"\x20\x03\x00\x00\x00")
        await reader.read(10)
        writer.write(b"\xe0\x02\x8e\x00")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        publisher = publish("127.0.0.1", server.sockets[0].getsockname()[1])
        await until(lambda: "another client has the id" in publisher.health.last_error)
        before = connections
        await asyncio.sleep(1.0)
        assert connections == before
