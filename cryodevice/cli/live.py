"""The live view of the demo: the same facts as ``status``, redrawn a few times a second. Draws, decides nothing."""

import asyncio
import sys
from collections import deque

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from cryodevice.cli.text import status_lines
from cryodevice.runtime.bus import Bus
from cryodevice.runtime.picture import status
from cryodevice.runtime.snapshot import NumberedEvent, Snapshot
from cryodevice.safety.events import EventKind

REDRAW_HZ = 5.0
EVENTS_SHOWN = 8
_QUIET = frozenset({EventKind.INTERLOCK_CLEARED})


async def live_view(header: str, snapshots: Bus[Snapshot], events: Bus[NumberedEvent]) -> None:
    """Redraw in place until cancelled; the last picture stays."""
    pictures, happened = snapshots.subscribe(1), events.subscribe(100)
    shown: deque[str] = deque(maxlen=EVENTS_SHOWN)
    lines = ["waiting for the wand"]
    console = Console()
    try:
        with Live(console=console, auto_refresh=False) as live:
            while True:
                shown.extend(_said(happened.drain()))
                for picture in pictures.drain():
                    lines = status_lines(status(picture))
                live.update(_drawn(header, lines, shown), refresh=True)
                await asyncio.sleep(1.0 / REDRAW_HZ)
    finally:
        pictures.close()
        happened.close()


async def plain_view(header: str, snapshots: Bus[Snapshot], events: Bus[NumberedEvent]) -> None:
    """One line a second and one an event, for a log or a pipe, until cancelled."""
    pictures, happened = snapshots.subscribe(1), events.subscribe(100)
    print(header, flush=True)
    try:
        while True:
            await asyncio.sleep(1.0)
            _print_events(happened.drain())
            for picture in pictures.drain():
                print(_line(picture), flush=True)
    finally:
        _print_events(happened.drain())
        pictures.close()
        happened.close()


def _print_events(numbered: list[NumberedEvent]) -> None:
    for line in _said(numbered):
        print(f"  * {line}", flush=True)


def _said(numbered: list[NumberedEvent]) -> list[str]:
    return [f"{item.event.kind}: {item.event.message}" for item in numbered if item.event.kind not in _QUIET]


def _line(picture: Snapshot) -> str:
    session, reading = picture.session, picture.reading
    plate = f"{reading.plate_cold_degc:6.2f} degC" if reading is not None else "   none    "
    current = reading.status.drive_ma if reading is not None else None
    lease = reading.status.lease_remaining_ms if reading is not None else 0
    skin = picture.skin_estimate_degc
    worst = f"{skin:5.1f}" if skin == skin else "    -"  # noqa: PLR0124  # NaN is the only number unlike itself
    why = "" if picture.permit else "  withheld: " + (", ".join(found.id for found in picture.findings) or "no session")
    return (
        f"SIMULATED  {session.state.value:10} plate {plate}  skin estimate {worst} degC  drive {current or 0:5d} mA"
        f"  lease {lease:3d} ms  contact {session.contact_s:5.1f} s  permit {'yes' if picture.permit else 'no'}{why}"
    )


def _drawn(header: str, lines: list[str], events: deque[str]) -> Group:
    body = Text("\n".join(lines), overflow="fold")
    news = Text("\n".join(events), overflow="fold", style="dim")
    return Group(
        Panel(body, title="cryodevice demo - SIMULATED wand", subtitle=header, border_style="cyan"),
        Panel(news, title="events", border_style="dim"),
    )


def on_a_terminal() -> bool:
    """Whether standard output can be redrawn."""
    return sys.stdout.isatty()
