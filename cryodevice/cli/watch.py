"""``cryodevice watch``: follows a running daemon, through its restarts, until Ctrl-C. Commands nothing.

On a terminal it is the picture of the demo, with the alarms on top and the bell as their sound; in a pipe one line a
change; with ``--json`` one object a second. A daemon that does not answer is itself an alarm.
"""

import argparse
import asyncio
import contextlib
import json
import time
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryodevice.cli.alarm_text import NOT_MONITORING, alarm_lines, unwatched
from cryodevice.cli.annunciator import Bell, heard, priority_unwatched
from cryodevice.cli.configuration import settings_for
from cryodevice.cli.live import EVENTS_SHOWN, QUIET, REDRAW_HZ, WAITING, drawn, on_a_terminal
from cryodevice.cli.text import mqtt_line, status_lines, summary
from cryodevice.console.local_socket import SOCKET_NAME, nobody
from cryodevice.errors import ExitCode, StoreError

if TYPE_CHECKING:
    from rich.console import Group

RETRY_S = 1.0
SILENT_S = 3.0
"""A daemon that says nothing for this long hangs; it speaks each second at least."""
LONGEST_LINE = 1 << 20


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of the daemon at one moment.

    Args:
        connected: It speaks to us.
        why: Why it does not; empty when it does.
        status: As ``status`` tells it; None before its first tick, and without a daemon.
        events: What has happened since the last of these.
        missed: Events that were lost on the way, because we read too slowly.
    """

    connected: bool
    why: str = ""
    status: Mapping[str, Any] | None = None
    events: Sequence[Mapping[str, Any]] = field(default=())
    missed: int = 0


def main(options: argparse.Namespace) -> ExitCode:
    """Follow until Ctrl-C."""
    settings = settings_for(options.config)
    path = settings.state_dir / SOCKET_NAME
    with contextlib.suppress(KeyboardInterrupt):
        if options.json:
            asyncio.run(_as_json(path))
        elif on_a_terminal():
            asyncio.run(_as_picture(path, settings.device.id))
        else:
            asyncio.run(_as_lines(path))
    return ExitCode.FINE


async def followed(path: Path, every_s: float) -> AsyncGenerator[Seen, None]:
    """The daemon at ``path`` for ever, about every ``every_s``; without one, once for each attempt to reach it.

    Raises:
        StoreError: There was none to begin with, or it takes no more watchers.
    """
    ever = False
    while True:
        try:
            async with aclosing(_spoken(path, every_s)) as words:
                async for seen in words:
                    ever = True
                    yield seen
            why = "the daemon has ended"
        except OSError as error:
            if not ever:
                raise nobody(path, error) from error
            why = "the daemon hangs" if isinstance(error, TimeoutError) else "no daemon is running"
        yield Seen(connected=False, why=f"{why}; waiting for it")
        await asyncio.sleep(RETRY_S)


async def _spoken(path: Path, every_s: float) -> AsyncGenerator[Seen, None]:
    """One connection, until the daemon closes it."""
    reader, writer = await asyncio.open_unix_connection(str(path), limit=LONGEST_LINE)
    try:
        writer.write(json.dumps({"ask": "watch", "every_s": every_s}).encode() + b"\n")
        while True:
            async with asyncio.timeout(SILENT_S):
                line = await _line(reader)
            if not line.endswith(b"\n"):
                return
            yield _seen(line, path)
    finally:
        writer.close()


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readline()
    except ValueError:  # longer than any of a daemon's
        return b"\n"


def _seen(line: bytes, path: Path) -> Seen:
    try:
        told = json.loads(line)
        if told["ok"]:
            return Seen(True, "", told["status"], told["events"], told["events_missed"])
        message = str(told["message"])
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"what answers at {path} is no cryodevice daemon", path=str(path)) from error
    raise StoreError(message, path=str(path))


async def _as_json(path: Path) -> None:
    async for seen in followed(path, 1.0):
        line = {
            "at": _iso(time.time()),
            "connected": seen.connected,
            "why": seen.why,
            "monitoring": seen.connected and seen.status is not None and seen.status["monitoring"]["ok"],
            "status": seen.status,
            "events": list(seen.events),
            "events_missed": seen.missed,
        }
        print(json.dumps(line, allow_nan=False), flush=True)


async def _as_lines(path: Path) -> None:
    """Events are the changes; beside them only what no event tells."""
    before = Seen(connected=False)
    telemetry = ""
    async for seen in followed(path, 1.0 / REDRAW_HZ):
        if seen.why and seen.why != before.why:
            _print(f"{NOT_MONITORING}: {seen.why}")
        if seen.status is not None and before.status is None:
            _print(summary(seen.status))
        if seen.missed:
            _print(f"{seen.missed} events were missed here")
        for event in seen.events:
            _print(f"{event['kind']}: {event['message']}", event["wall_s"])
        mqtt = seen.status.get("mqtt") if seen.status is not None else None
        if mqtt is not None and mqtt_line(mqtt) != telemetry:
            telemetry = mqtt_line(mqtt)
            _print(f"mqtt: {telemetry}")
        before = seen


async def _as_picture(path: Path, device: str) -> None:
    from rich.console import Console  # noqa: PLC0415  # only where something is drawn
    from rich.live import Live  # noqa: PLC0415

    shown: deque[str] = deque(maxlen=EVENTS_SHOWN)
    bell, console = Bell(), Console()
    async with aclosing(followed(path, 1.0 / REDRAW_HZ)) as daemon:
        seen = await anext(daemon)
        last = seen.status
        coming = asyncio.ensure_future(anext(daemon))
        try:
            with Live(console=console, auto_refresh=False) as live:
                while True:
                    live.update(_picture(seen, (device, path), shown, _alarms(seen, last)), refresh=True)
                    if bell.rings(*heard(seen.status, last, connected=seen.connected), time.monotonic()):
                        console.bell()
                    # The picture goes on flashing and sounding also while no daemon says anything.
                    if not (await asyncio.wait({coming}, timeout=1.0 / REDRAW_HZ))[0]:
                        continue
                    seen = coming.result()
                    last = seen.status or last
                    shown.extend(_happened(event) for event in seen.events if event["kind"] not in QUIET)
                    coming = asyncio.ensure_future(anext(daemon))
        finally:
            coming.cancel()
            with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration):
                await coming


def _alarms(seen: Seen, last: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    if not seen.connected:
        return [unwatched(priority_unwatched(last), seen.why)]
    return alarm_lines(seen.status) if seen.status is not None else []


def _picture(seen: Seen, where: tuple[str, Path], events: Iterable[str], alarms: Sequence[tuple[str, str]]) -> "Group":
    device, path = where
    lines = status_lines(seen.status, alarms=False) if seen.status is not None else WAITING
    wand = seen.status["wand"] if seen.status is not None else None
    title = f"cryodevice watch - {device}{' - SIMULATED wand' if wand and wand['simulated'] else ''}"
    return drawn(title, str(path), lines if seen.connected else (seen.why,), events, alarms)


def _happened(event: Mapping[str, Any]) -> str:
    return f"{_iso(event['wall_s'])[11:19]}  {event['kind']}: {event['message']}"


def _print(text: str, wall_s: float | None = None) -> None:
    print(f"{_iso(time.time() if wall_s is None else wall_s)}  {text}", flush=True)


def _iso(wall_s: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(wall_s))
