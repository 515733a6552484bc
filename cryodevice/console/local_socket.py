"""The local command socket: one JSON line in, one JSON line out, over a Unix socket only its owner can open.

Asks nothing of the wand itself; a command goes to the control loop and is answered by the event it causes. ``watch``
turns its connection into a stream (``watching``).
"""

import asyncio
import contextlib
import json
import os
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryodevice.console.watching import watching
from cryodevice.errors import CryodeviceError, StoreError
from cryodevice.runtime.alarm_desk import Acknowledge, AlarmCommand, PauseAudio
from cryodevice.runtime.bus import Bus
from cryodevice.runtime.failpoints import failpoint
from cryodevice.runtime.picture import Plain
from cryodevice.runtime.snapshot import NumberedEvent
from cryodevice.safety.events import EventKind
from cryodevice.safety.exposure import client_named
from cryodevice.settings.treatment_file import treatment_from
from cryodevice.treatment.core import Command, Reset, Start, Stop

SOCKET_NAME = "control.sock"
TURN_S = 0.2
"""How often the server shows that it is there, s (engineering default)."""
MAX_LINE = 65_536
ANSWER_WITHIN_S = 3.0
IDLE_S = 60.0
MOST_CLIENTS = 16
"""Connections served at a time; a few more are heard for one line, so that a stop gets through a full house."""
MOST_WAITING = 4
WAITING_S = 1.0
FAREWELL_S = 0.3
"""Longest time that what is on its way to a client holds up the end of its connection, or of the daemon."""
MOST_WATCHERS = 8
"""Watchers leave room for those who want to stop something (engineering default)."""
ASKS = "status, watch, stop, start, reset, acknowledge or pause-audio"
_RESULTS = {
    EventKind.SESSION_STARTED: True,
    EventKind.SESSION_REFUSED: False,
    EventKind.LOCKOUT_CLEARED: True,
    EventKind.RESET_REFUSED: False,
    EventKind.STOP_CONFIRMED: True,
    EventKind.STOP_UNCONFIRMED: False,
    EventKind.ALARM_ACKNOWLEDGED: True,
    EventKind.AUDIO_PAUSED: True,
    EventKind.ALARM_REFUSED: False,
}
_ANSWERED_BY = {
    Start: (EventKind.SESSION_STARTED, EventKind.SESSION_REFUSED),
    Reset: (EventKind.LOCKOUT_CLEARED, EventKind.RESET_REFUSED),
    Stop: (EventKind.STOP_CONFIRMED, EventKind.STOP_UNCONFIRMED),
    Acknowledge: (EventKind.ALARM_ACKNOWLEDGED, EventKind.ALARM_REFUSED),
    PauseAudio: (EventKind.AUDIO_PAUSED, EventKind.ALARM_REFUSED),
}


@dataclass(slots=True)
class LocalSocket:
    """Serves ``path`` until cancelled.

    Args:
        path: Socket file; its directory must exist. Mode 0600, so only its user can connect.
        command: Hands a command to the control loop.
        picture: The daemon as it is now, as plain values; None before the first tick.
        events: Where the answers to commands come from.
        on_turn: Called again and again while connections are taken, for liveness.
    """

    path: Path
    command: Callable[[Command | AlarmCommand], None]
    picture: Callable[[], Plain | None]
    events: Bus[NumberedEvent]
    on_turn: Callable[[], None] = lambda: None
    _clients: int = 0
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _watchers: set[asyncio.Future[None]] = field(default_factory=set)
    _ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self) -> None:
        """Serve until cancelled; removes the socket file at the end.

        Raises:
            StoreError: The socket cannot be made; says why.
        """
        try:
            with contextlib.suppress(FileNotFoundError):
                self.path.unlink()
            old = os.umask(0o177)
            try:
                server = await asyncio.start_unix_server(self._client, str(self.path), limit=MAX_LINE)
            finally:
                os.umask(old)
        except OSError as error:
            raise StoreError(f"cannot make the command socket {self.path}: {error}", path=str(self.path)) from error
        try:
            async with server:
                try:
                    while server.is_serving():
                        self.on_turn()
                        await asyncio.sleep(TURN_S)
                finally:
                    await self._part()
        finally:
            with contextlib.suppress(OSError):
                self.path.unlink()

    async def _part(self) -> None:
        """Watchers are told the last events, if they read; then nobody is connected any more."""
        self._ended.set()
        if self._watchers:
            await asyncio.wait(self._watchers, timeout=FAREWELL_S)
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients += 1
        self._writers.add(writer)
        try:
            if self._clients > MOST_CLIENTS:
                await self._turn_away(reader, writer)
                return
            while True:
                async with asyncio.timeout(IDLE_S):
                    line = await reader.readline()
                if not line:
                    break
                request = _request(line)
                if request.get("ask") == "watch" and len(self._watchers) < MOST_WATCHERS:
                    await self._watch(request, writer)
                    break
                failpoint("socket.before_answer")
                await _say(writer, await self._answer(request))
        except TimeoutError:
            writer.transport.abort()  # it is silent, or takes nothing: what waits for it is not kept any longer
        except (OSError, ValueError):
            pass  # it went away, or sent an endless line: only its own connection ends
        finally:
            self._clients -= 1
            await _let_go(writer)
            self._writers.discard(writer)

    async def _watch(self, request: Plain, writer: asyncio.StreamWriter) -> None:
        watcher = asyncio.ensure_future(
            watching(writer, self.picture, self.events, request.get("every_s"), self._ended)
        )
        self._watchers.add(watcher)
        try:
            await watcher
        finally:
            watcher.cancel()
            self._watchers.discard(watcher)

    async def _turn_away(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Say that the house is full; whoever wants to stop is heard first."""
        line = b""
        if self._clients <= MOST_CLIENTS + MOST_WAITING:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(WAITING_S):
                    line = await reader.readline()
        request = _request(line)
        if request.get("ask") == "stop":
            await _say(writer, await self._answer(request))
        else:
            await _say(writer, _refused("too many connections; close some and ask again"))

    async def _answer(self, request: Plain) -> Plain:
        if not request:
            return _refused('one JSON object a line, such as {"ask": "status"}')
        try:
            return await self._do(request)
        except CryodeviceError as error:
            return _refused(error.message)

    async def _do(self, request: Plain) -> Plain:
        command = _command_of(request)
        if command is not None:
            return await self._command(command)
        match request.get("ask"):
            case "status":
                picture = self.picture()
                return {"ok": True, "status": picture} if picture is not None else _refused("not ready yet")
            case "watch":
                return _refused(f"{MOST_WATCHERS} are watching already: end one of them")
            case other:
                return _refused(f"ask is {other!r}; it may be {ASKS}")

    async def _command(self, command: Command | AlarmCommand) -> Plain:
        kinds = _ANSWERED_BY[type(command)]
        answers = self.events.subscribe(256)
        try:
            self.command(command)
            async with asyncio.timeout(ANSWER_WITHIN_S):
                async for numbered in answers:
                    event = numbered.event
                    named = event.evidence.get("session_id", None)
                    if event.kind in kinds and (not isinstance(command, Start) or named == command.session_id):
                        return {"ok": _RESULTS[event.kind], "message": event.message, "session_id": named}
        except TimeoutError:
            pass
        finally:
            answers.close()
        return _refused("the control loop did not answer")


def _request(line: bytes) -> Plain:
    """The request in a line; empty when there is none."""
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return request if isinstance(request, dict) else {}


def _command_of(request: Plain) -> Command | AlarmCommand | None:
    """What the loop is asked to do; None when the request is no command.

    Raises:
        CryodeviceError: The treatment to start is none.
    """
    who = _who(request)
    match request.get("ask"):
        case "stop":
            return Stop(who)
        case "reset":
            return Reset(who, request.get("service") is True)
        case "start":
            treatment = treatment_from(request.get("treatment"), "the request")
            treatment = replace(treatment, client=client_named(request.get("client", treatment.client)))
            return Start(secrets.token_hex(8), treatment, who)
        case "acknowledge":
            return Acknowledge(who, str(request.get("alarm") or ""))
        case "pause-audio":
            return PauseAudio(who)
        case _:
            return None


async def _say(writer: asyncio.StreamWriter, answer: Plain) -> None:
    writer.write(json.dumps(answer, allow_nan=False).encode() + b"\n")
    async with asyncio.timeout(ANSWER_WITHIN_S):
        await writer.drain()


async def _let_go(writer: asyncio.StreamWriter) -> None:
    """Close a connection; what its client does not take in a moment is lost to it."""
    writer.close()
    try:
        async with asyncio.timeout(FAREWELL_S):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        writer.transport.abort()


def _who(request: Plain) -> str:
    who = request.get("who")
    return who[:64] if isinstance(who, str) and who.isprintable() and who else "local"


def _refused(why: str) -> Plain:
    return {"ok": False, "message": why}


def ask(path: Path, request: Plain, timeout_s: float = 5.0) -> Plain:
    """Send one request to a running daemon and wait for its answer (blocking; for commands).

    Raises:
        StoreError: No daemon answers at ``path``; says what to do.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(timeout_s)
            line.connect(str(path))
            line.sendall(json.dumps(request).encode() + b"\n")
            data = b""
            while not data.endswith(b"\n"):
                piece = line.recv(65_536)
                if not piece:
                    break
                data += piece
        answer = json.loads(data)
    except (OSError, ValueError) as error:
        raise nobody(path, error) from error
    if not isinstance(answer, dict):
        raise StoreError(f"what answers at {path} is no cryodevice daemon", path=str(path))
    return answer


def nobody(path: Path, error: Exception) -> StoreError:
    """What to say when no daemon answers at ``path``."""
    if isinstance(error, PermissionError):
        return StoreError(
            f"the daemon at {path} listens to its own user only: run this command as that user, or as root",
            path=str(path),
        )
    hint = "is the daemon running with this configuration, and as this user?"
    if isinstance(error, TimeoutError):
        hint = "it has the socket open and hangs, or this computer is overloaded"
    return StoreError(f"no daemon answers at {path} ({error}): {hint}", path=str(path))
