import asyncio
import contextlib
import json
import stat

import pytest

from cryodevice.console.local_socket import MAX_LINE, MOST_CLIENTS, LocalSocket, ask
from cryodevice.errors import StoreError
from cryodevice.quantities import Seconds
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

    def command(self, command):
        self.commands.append(command)
        if not self.answers:
            return
        match command:
            case Start():
                kind, evidence = EventKind.SESSION_STARTED, {"session_id": command.session_id}
            case Stop():
                kind, evidence = EventKind.STOP_COMMANDED, {}
            case Reset():
                kind, evidence = EventKind.RESET_REFUSED, {}
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
    answer = await asyncio.to_thread(ask, path, {"ask": "start", "treatment": {"name": "t", "step": [STEP]}})
    assert answer["ok"] is True
    assert answer["session_id"] == loop.commands[-1].session_id
    answer = await asyncio.to_thread(ask, path, {"ask": "reset", "service": True})
    assert (answer["ok"], answer["message"]) == (False, "said")
    assert loop.commands[-1] == Reset("local", True)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"nonsense\n", "one JSON object a line"),
        (b"[1]\n", "one JSON object a line"),
        (b"\xff\xfe\n", "one JSON object a line"),
        (b"[" * 20_000 + b"\n", "one JSON object a line"),
        (b'{"ask": "dance"}\n', "it may be status, stop, start or reset"),
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
