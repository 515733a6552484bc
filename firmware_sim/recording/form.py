"""The file of a recording: JSON lines, a header first, then one frame a line. Text in and out; opens nothing."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from cryodevice.errors import CryodeviceError, ExitCode

KIND: Final = "firmware-sim recording"
VERSION: Final = 1
LINES: Final = ("serial", "serial_tcp", "modbus_rtu", "modbus_tcp")
LATEST_S: Final = 3600.0
"""A reply that comes later than this after its request is no reply; whoever plays it would wait as long."""
To = Literal["wand", "host"]


class RecordingError(CryodeviceError):
    """A recording that cannot be made or read; says what to do."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True, slots=True)
class Entry:
    """One frame.

    Args:
        t_s: When its last byte came or went, real seconds since the recording began.
        wand_s: The same in simulated time.
        line: Kind of line it was on, one of ``LINES``.
        peer: Which connection of that line, from 1; a pseudo-terminal has only one.
        to: Who it was for.
        data: Its bytes.
        at: Line of the file it stands on; 0 while it is in none.
    """

    t_s: float
    wand_s: float
    line: str
    peer: int
    to: To
    data: bytes
    at: int = 0

    @property
    def text(self) -> str:
        """The line of the file."""
        return json.dumps(
            {
                "t_s": round(self.t_s, 6),
                "wand_s": round(self.wand_s, 6),
                "line": self.line,
                "peer": self.peer,
                "to": self.to,
                "hex": self.data.hex(),
            }
        )


@dataclass(frozen=True, slots=True)
class Recording:
    """A file that has been read.

    Args:
        header: Its first line.
        entries: Frames in the order in which they were written.
        cut: Line that is cut off in its middle, the last; 0 when none is.
    """

    header: Mapping[str, Any]
    entries: tuple[Entry, ...] = field(repr=False)
    cut: int = 0


def header_text(told: Mapping[str, Any]) -> str:
    """The first line of a file, with what is told about the wand."""
    return json.dumps({"recording": KIND, "version": VERSION, **told})


def parse(name: str, lines: Iterable[str]) -> Recording:
    """What a file holds.

    Args:
        name: Of the file, for errors.
        lines: Its lines, ends included.

    Raises:
        RecordingError: A foreign file, one of a newer version, one that is damaged before its last line, or one whose
            times are not in order.
    """
    rest = iter(lines)
    header = _header(name, next(rest, ""))
    entries: list[Entry] = []
    bad = 0
    for number, text in enumerate(rest, 2):
        if bad:
            raise RecordingError(f"{name}, line {bad}: this is no frame of a recording; the file is damaged", line=bad)
        entry = _entry(text, number) if text.endswith("\n") else None
        if entry is None:
            bad = number
        else:
            _in_order(name, entries, entry)
            entries.append(entry)
    return Recording(header, tuple(entries), bad)


def _in_order(name: str, before: list[Entry], entry: Entry) -> None:
    """Frames are written as they pass, so their times only grow, and a reply is near its request."""
    if not before:
        return
    last = before[-1]
    for key in ("t_s", "wand_s"):
        was, now = getattr(last, key), getattr(entry, key)
        if now < was:
            raise RecordingError(
                f"{name}, line {entry.at}: {key} is {now:g}, before the {was:g} of line {last.at}; frames stand in the "
                "order of their times: the file has been edited or mixed up",
                line=entry.at,
            )
    if entry.to == "host" and entry.t_s - last.t_s > LATEST_S:
        raise RecordingError(
            f"{name}, line {entry.at}: t_s is {entry.t_s:g}, a reply {entry.t_s - last.t_s:g} s after the line before "
            f"it, and none may wait longer than {LATEST_S:g} s: the file has been edited",
            line=entry.at,
        )


def _header(name: str, text: str) -> dict[str, Any]:
    found = _object(text)
    if found.get("recording") != KIND or not isinstance(found.get("version"), int):
        raise RecordingError(f"{name} is no recording; 'firmware-sim serve --record FILE' makes one")
    if found["version"] > VERSION:
        raise RecordingError(
            f"{name} is a recording of version {found['version']}, and this firmware-sim reads up to {VERSION}; "
            "play it with a newer one",
            version=found["version"],
        )
    return found


def _entry(text: str, at: int) -> Entry | None:
    """The frame of one line, ``None`` if it is none."""
    found = _object(text)
    try:
        data = bytes.fromhex(found["hex"])
        t_s, wand_s, peer = float(found["t_s"]), float(found["wand_s"]), int(found["peer"])
        line, to = found["line"], found["to"]
    except (KeyError, TypeError, ValueError):
        return None
    if line not in LINES or to not in ("wand", "host") or not data or peer < 1 or not t_s >= 0.0:
        return None
    if not (math.isfinite(t_s) and math.isfinite(wand_s)):
        return None
    return Entry(t_s, wand_s, line, peer, to, data, at)


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
