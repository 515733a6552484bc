"""How a daemon is shown while it runs: a picture redrawn in place, or one line a second. Draws, decides nothing."""

import asyncio
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from cryodevice.cli.alarm_text import alarm_lines
from cryodevice.cli.annunciator import style_of
from cryodevice.cli.text import mqtt_line, status_lines, summary
from cryodevice.runtime.bus import Bus
from cryodevice.runtime.snapshot import NumberedEvent
from cryodevice.safety.events import EventKind

REDRAW_HZ = 5.0
EVENTS_SHOWN = 8
WAITING = ("waiting for the wand",)
QUIET = frozenset(
    {
        EventKind.INTERLOCK_CLEARED,
        EventKind.ALARM_RAISED,
        EventKind.ALARM_CONDITION_ENDED,
        EventKind.ALARM_OVER,
        EventKind.AUDIO_RESUMED,
    }
)
"""Events that a picture shows otherwise: what stands is in its frame."""

Picture = Callable[[], Mapping[str, Any] | None]


async def live_view(header: str, picture: Picture, events: Bus[NumberedEvent]) -> None:
    """Redraw in place until cancelled; the last picture stays."""
    happened = events.subscribe(100)
    shown: deque[str] = deque(maxlen=EVENTS_SHOWN)
    try:
        with Live(console=Console(), auto_refresh=False) as live:
            while True:
                shown.extend(_said(happened.drain()))
                status = picture()
                lines = status_lines(status, alarms=False) if status is not None else WAITING
                alarms = alarm_lines(status) if status is not None else ()
                live.update(drawn("cryodevice demo - SIMULATED wand", header, lines, shown, alarms), refresh=True)
                await asyncio.sleep(1.0 / REDRAW_HZ)
    finally:
        happened.close()


async def plain_view(header: str, picture: Picture, events: Bus[NumberedEvent]) -> None:
    """One line a second and one an event, for a log or a pipe, until cancelled."""
    happened = events.subscribe(100)
    telemetry = ""
    print(header, flush=True)
    try:
        while True:
            await asyncio.sleep(1.0)
            _print_events(happened.drain())
            status = picture()
            if status is None:
                continue
            if status["mqtt"] is not None and mqtt_line(status["mqtt"]) != telemetry:
                telemetry = mqtt_line(status["mqtt"])
                print(f"  * mqtt: {telemetry}", flush=True)
            print(summary(status), flush=True)
    finally:
        _print_events(happened.drain())
        happened.close()


def _print_events(numbered: list[NumberedEvent]) -> None:
    for line in _said(numbered):
        print(f"  * {line}", flush=True)


def _said(numbered: list[NumberedEvent]) -> list[str]:
    return [f"{item.event.kind}: {item.event.message}" for item in numbered if item.event.kind not in QUIET]


def drawn(
    title: str,
    footer: str,
    lines: Iterable[str],
    events: Iterable[str],
    alarms: Sequence[tuple[str, str]] = (),
) -> Group:
    """The picture: the alarms on top if there are any, the status in one frame, what has happened in another."""
    body = Text("\n".join(lines), overflow="fold")
    news = Text("\n".join(events), overflow="fold", style="dim")
    frames = [
        Panel(body, title=title, subtitle=footer, border_style="cyan"),
        Panel(news, title="events", border_style="dim"),
    ]
    if alarms:
        at_s = time.monotonic()
        told = Text("\n", overflow="fold").join(Text(words, style=style_of(level, at_s)) for level, words in alarms)
        frames.insert(
            0, Panel(told, title="alarms", border_style=style_of(alarms[0][0], at_s).removesuffix(" reverse"))
        )
    return Group(*frames)


def on_a_terminal() -> bool:
    """Whether standard output can be redrawn."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
