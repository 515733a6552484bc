import asyncio
import contextlib
import json
import socket
import stat

import pytest

from cryodevice.console.local_socket import MAX_LINE, MOST_CLIENTS, LocalSocket, ask
from cryodevice.errors import StoreError
from cryodevice.quantities import Seconds
from cryodevice.runtime.alarm_desk import Acknowledge, PauseAudio
from cryodevice.runtime.bus import Bus
from cryodevice.runtime.snapshot import NumberedEvent
from cryodevice.safety.events import Event, EventKind
from cryodevice.treatment.core import Reset, Start, Stop

STEP = {"zone": "left_cheek", "plate_degc": 8.0, "hold_s": 10.0, "rewarm_s": 5.0}


class Loop:
    """Stands for the control loop: answers each command with the event the controller would write."""

    def __init__(self):
        self.events: Bus[NumberedEvent] = Bus()
        self.commands = []
        self.answers = True
        self.stopped = EventKind.STOP_CONFIRMED

    def command(self, command):
        self.commands.append(command)
        if not self.answers:
            return
        match command:
            case Start():
                kind, evidence = EventKind.SESSION_STARTED, {"session_id": command.session_id}
            case Stop():
                kind, evidence = self.stopped, {}
            case Reset():
                kind, evidence = EventKind.RESET_REFUSED, {}
            case Acknowledge():
                kind, evidence = EventKind.ALARM_ACKNOWLEDGED, {}
            case PauseAudio():
                kind, evidence = EventKind.ALARM_REFUSED, {}
        self.events.publish(NumberedEvent("e", 1, 0.0, Event(kind, Seconds(0.0), "said", evidence)))


@pytest.fixture
async def served(tmp_path):
    loop = Loop()
    path = tmp_path / "control.sock"
    task = asyncio.create_task(LocalSocket(path, loop.command, lambda: None, loop.events).serve())
    while not path.exists():
        await asyncio.sleep(0.01)
    yield loop, path
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert not path.exists()


async def test_only_its_user_may_connect(served):
    _loop, path = served
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_commands_reach_the_loop_and_are_answered_by_their_event(served):
    loop, path = served
    assert (await asyncio.to_thread(ask, path, {"ask": "stop", "who": "anna"}))["ok"] is True
    assert loop.commands[-1] == Stop("anna")
    loop.stopped = EventKind.STOP_UNCONFIRMED
    assert (await asyncio.to_thread(ask, path, {"ask": "stop"}))["ok"] is False
    answer = await asyncio.to_thread(ask, path, {"ask": "start", "treatment": {"name": "t", "step": [STEP]}})
    assert answer["ok"] is True
    assert answer["session_id"] == loop.commands[-1].session_id
    answer = await asyncio.to_thread(ask, path, {"ask": "reset", "service": True})
    assert (answer["ok"], answer["message"]) == (False, "said")
    assert loop.commands[-1] == Reset("local", True)
    answer = await asyncio.to_thread(ask, path, {"ask": "acknowledge", "who": "anna", "alarm": "fan_stopped"})
    assert (answer["ok"], loop.commands[-1]) == (True, Acknowledge("anna", "fan_stopped"))
    await asyncio.to_thread(ask, path, {"ask": "acknowledge", "alarm": None})
    assert loop.commands[-1] == Acknowledge("local")
    answer = await asyncio.to_thread(ask, path, {"ask": "pause-audio", "who": "anna"})
    assert (answer["ok"], answer["message"], loop.commands[-1]) == (False, "said", PauseAudio("anna"))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"nonsense\n", "one JSON object a line"),
        (b"[1]\n", "one JSON object a line"),
        (b"\xff\xfe\n", "one JSON object a line"),
        (b"[" * 20_000 + b"\n", "one JSON object a line"),
        (b'{"ask": "dance"}\n', "it may be status, watch, stop, start, reset, acknowledge or pause-audio"),
        (b'{"ask": "status"}\n', "not ready yet"),
        (b'{"ask": "start"}\n', "is no treatment"),
        (b'{"ask": "start", "treatment": {"name": "t", "step": [{"zone": "lips"}]}}\n', "zone"),
        (b'{"ask": "start", "treatment": {"name": "t", "step": [], "x": NaN}}\n', "is no treatment"),
    ],
)
async def test_bad_requests_are_answered_and_the_connection_goes_on(served, line, says):
    loop, path = served
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(line + b'{"ask": "stop"}\n')
    refused = json.loads(await reader.readline())
    assert refused["ok"] is False
    assert says in refused["message"]
    assert json.loads(await reader.readline())["ok"] is True
    assert isinstance(loop.commands[-1], Stop)
    writer.close()


async def test_an_endless_line_ends_its_own_connection_only(served):
    _loop, path = served
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(b"x" * (2 * MAX_LINE))
    assert await reader.read() == b""
    writer.close()
    assert (await asyncio.to_thread(ask, path, {"ask": "stop"}))["ok"] is True


async def test_a_loop_that_does_not_answer_is_said_to(served, monkeypatch):
    loop, path = served
    loop.answers = False
    monkeypatch.setattr("cryodevice.console.local_socket.ANSWER_WITHIN_S", 0.1)
    answer = await asyncio.to_thread(ask, path, {"ask": "stop"})
    assert answer == {"ok": False, "message": "the control loop did not answer"}


def test_without_a_daemon_the_sentence_says_what_to_do(tmp_path):
    with pytest.raises(StoreError, match="is the daemon running with this configuration"):
        ask(tmp_path / "none.sock", {"ask": "status"})


async def watch(path, **request):
    reader, writer = await asyncio.open_unix_connection(str(path), limit=1 << 20)
    writer.write(json.dumps({"ask": "watch", **request}).encode() + b"\n")
    return reader, writer


async def test_a_watcher_gets_a_line_at_once_and_then_one_a_period_with_what_has_happened(served):
    _loop, path = served
    reader, writer = await watch(path, every_s=0.1)
    first = json.loads(await asyncio.wait_for(reader.readline(), 1))
    assert first == {"ok": True, "status": None, "events": [], "events_missed": 0}
    assert (await asyncio.to_thread(ask, path, {"ask": "stop", "who": "anna"}))["ok"] is True
    second = json.loads(await asyncio.wait_for(reader.readline(), 1))
    assert [(event["kind"], event["seq"]) for event in second["events"]] == [("stop_confirmed", 1)]
    writer.close()


@pytest.mark.parametrize("every_s", [None, "often", 0, -1, 1e9, float("nan"), [1]])
async def test_an_unusable_period_is_the_default(served, every_s, monkeypatch):
    monkeypatch.setattr("cryodevice.console.watching.EVERY_S", 0.1)
    _loop, path = served
    reader, writer = await watch(path, every_s=every_s)
    began_s = asyncio.get_running_loop().time()
    for _ in range(3):
        await asyncio.wait_for(reader.readline(), 2)
    assert asyncio.get_running_loop().time() - began_s + 0.02 >= 0.2
    writer.close()


async def test_a_watcher_hears_how_much_it_has_missed(served):
    loop, path = served
    reader, writer = await watch(path, every_s=0.1)
    json.loads(await asyncio.wait_for(reader.readline(), 1))
    for _ in range(1000):
        loop.command(Stop("anna"))
    later = json.loads(await asyncio.wait_for(reader.readline(), 1))
    assert (len(later["events"]), later["events_missed"]) == (200, 800)
    writer.close()


async def test_a_watcher_that_takes_nothing_is_let_go_and_all_that_waited_for_it_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr("cryodevice.console.watching.PATIENCE_S", 0.3)
    loop, path = Loop(), tmp_path / "control.sock"
    local = LocalSocket(path, loop.command, lambda: {"large": "x" * 500_000}, loop.events)
    task = asyncio.create_task(local.serve())
    while not path.exists():
        await asyncio.sleep(0.01)
    sockets = [socket.socket(socket.AF_UNIX) for _ in range(8)]
    try:
        for one in sockets:
            one.connect(str(path))
            one.sendall(b'{"ask": "watch"}\n')
        await asyncio.sleep(0.1)
        answer = await asyncio.to_thread(ask, path, {"ask": "watch"})
        assert (answer["ok"], "8 are watching already" in answer["message"]) == (False, True)
        assert (await asyncio.to_thread(ask, path, {"ask": "stop"}))["ok"] is True, "watchers keep nobody from stopping"
        await asyncio.sleep(0.4)
        assert not local._writers
        reader, writer = await watch(path)
        assert json.loads(await asyncio.wait_for(reader.readline(), 1))["ok"] is True
        writer.close()
    finally:
        for one in sockets:
            one.close()
        task.cancel()
        await asyncio.wait({task})


async def test_the_end_of_the_daemon_waits_for_no_watcher(tmp_path):
    loop, path = Loop(), tmp_path / "control.sock"
    task = asyncio.create_task(LocalSocket(path, loop.command, lambda: None, loop.events).serve())
    while not path.exists():
        await asyncio.sleep(0.01)
    reader, writer = await watch(path)
    await reader.readline()
    task.cancel()
    await asyncio.wait_for(asyncio.wait({task}), 1)
    last = await asyncio.wait_for(reader.read(), 1)
    assert (last.count(b"\n"), json.loads(last)["ok"]) == (1, True), "one last line, then the end"
    writer.close()


async def test_a_full_house_is_told_so_and_a_stop_still_gets_through(served):
    loop, path = served
    crowd = [await asyncio.open_unix_connection(path) for _ in range(MOST_CLIENTS)]
    await asyncio.sleep(0.05)
    answers = {}
    for wish in ("status", "stop"):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(json.dumps({"ask": wish}).encode() + b"\n")
        answers[wish] = json.loads(await asyncio.wait_for(reader.readline(), 3))
        writer.close()
    assert (answers["status"]["ok"], "too many connections" in answers["status"]["message"]) == (False, True)
    assert answers["stop"]["ok"]
    assert [type(command) for command in loop.commands] == [Stop]
    for _, writer in crowd:
        writer.close()
