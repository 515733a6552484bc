"""The file of a recording: JSON lines, a header first, then one frame a line. Text in and out; opens nothing."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from cryodevice.errors import CryodeviceError, ExitCode

KIND: Final = "firmware-sim recording"
VERSION: Final = 1
LINES: Final = ("serial", "serial_tcp", "modbus_rtu", "modbus_tcp")
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
        RecordingError: A foreign file, one of a newer version, or one that is damaged before its last line.
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
            entries.append(entry)
    return Recording(header, tuple(entries), bad)


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
    return Entry(t_s, wand_s, line, peer, to, data, at)


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
