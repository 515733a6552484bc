"""One trip record as a file: JSON lines, a head for people, the decisions around the trip, and a check sum at the end.

The head says what happened without any of the rest; the decisions let ``treatment.replay`` judge it again. It does not
choose names and keeps no directory.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from cryodevice import __version__
from cryodevice.errors import RecordError
from cryodevice.safety.facts import Facts
from cryodevice.safety.limits import Limits
from cryodevice.safety.verdict import Finding
from cryodevice.treatment.core import Config, Core, Inputs
from cryodevice.treatment.plain import built, places, plain
from cryodevice.treatment.replay import Stretch
from cryodevice.treatment.trip import Trip
from cryodevice.wire.blocks import Identity

KIND, VERSION = "cryodevice trip", 1
MOST_BYTES = 16 << 20
"""Longest file that is read, bytes; one of 40 s at 50 Hz has about 1.5 MiB."""
_CONFIG = tuple(field.name for field in fields(Config) if field.name != "table")
"""All of the configuration but the table, which is the program's own."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """All that goes into a record.

    Args:
        name: Of the file.
        trip: The trip.
        wall_s: Seconds since 1970 UTC at the trip.
        active: Interlocks that acted at the trip.
        facts: What they were judged on; None when they could not be told.
        identity: The wand; None when it was not known.
        limits: Limits in force: those of settings and wand together.
        config: What the controller was configured with.
        settings_sha256: Of the settings in force.
        stretches: Decisions before and after the trip.
        complete: The time after the trip is in it too.
        program: Version of the program that wrote it.
    """

    name: str
    trip: Trip
    wall_s: float
    active: tuple[Finding, ...]
    facts: Facts | None
    identity: Identity | None
    limits: Limits
    config: Config
    settings_sha256: str
    stretches: tuple[Stretch, ...]
    complete: bool = True
    program: str = __version__

    @property
    def is_hold(self) -> bool:
        """It is of a hold, and no trip."""
        return self.trip.action == "hold"

    @property
    def span_s(self) -> tuple[float, float]:
        """How long before and after the trip the decisions reach, s."""
        times = [inputs.now_s for stretch in self.stretches for inputs in stretch.inputs]
        at_s = self.trip.at_s
        return (at_s - min(times), max(times) - at_s) if times else (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class TripFile:
    """A record as it was read.

    Args:
        head: What the first line says, as plain values.
        damage: What is wrong with the file; empty when its check sum is right.
        recorded: All of it; None when the decisions cannot be read.
        unreadable: Why they cannot; empty when they can.
    """

    head: Mapping[str, Any]
    damage: str
    recorded: Recorded | None
    unreadable: str = ""

    @property
    def trip(self) -> Trip:
        """The trip the head tells of."""
        return trip_in(self.head)


def lines_of(recorded: Recorded) -> Iterator[bytes]:
    """The file, line by line."""
    check = hashlib.sha256()
    for content in _contents(recorded):
        line = json.dumps(content, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        check.update(line)
        yield line
    yield json.dumps({"sha256": check.hexdigest()}).encode() + b"\n"


def _contents(recorded: Recorded) -> Iterator[dict[str, Any]]:
    before_s, after_s = recorded.span_s
    yield {
        "record": KIND,
        "version": VERSION,
        "name": recorded.name,
        "program": recorded.program,
        "wall_s": recorded.wall_s,
        "complete": recorded.complete,
        "before_s": round(before_s, 3),
        "after_s": round(after_s, 3),
        "trip": plain(recorded.trip),
        "withheld_by": [plain(found) for found in recorded.active],
        "facts": plain(recorded.facts),
        "wand": plain(recorded.identity),
        "settings_sha256": recorded.settings_sha256,
        "limits": plain(recorded.limits),
        "config": {name: plain(getattr(recorded.config, name)) for name in _CONFIG},
        "places": places(),
    }
    for stretch in recorded.stretches:
        yield {"core": plain(stretch.core)}
        for inputs in stretch.inputs:
            yield {"tick": plain(inputs)}


def read(path: Path) -> TripFile:
    """Read a record, as much of it as can be read.

    Raises:
        RecordError: Missing, unreadable, no record, or one whose head is damaged or of a newer program.
    """
    try:
        size = path.stat().st_size
        if not path.is_file() or size > MOST_BYTES:
            raise RecordError(f"{path}: no record of a trip" + (" (too long)" if path.is_file() else ""))
        content = path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror}") from error
    lines = content.split(b"\n")
    head = _head(path, lines[0])
    damage = _damage(lines)
    body = lines[1:-2] if not damage or damage == _CHANGED else lines[1:]
    try:
        return TripFile(head, damage, _recorded(head, body))
    except RecordError as error:
        return TripFile(head, damage, None, error.message)


def _head(path: Path, line: bytes) -> Mapping[str, Any]:
    head = _json(line)
    if not isinstance(head, dict) or head.get("record") != KIND:
        raise RecordError(f"{path}: no record of a trip, or its first line is damaged")
    if head.get("version") != VERSION:
        raise RecordError(
            f"{path}: written in form {head.get('version')} by cryodevice {head.get('program')}; this is cryodevice"
            f" {__version__}, which reads form {VERSION}"
        )
    try:
        trip_in(head)
        float(head["wall_s"])
    except (RecordError, KeyError, TypeError, ValueError) as error:
        raise RecordError(f"{path}: its first line is damaged: {error}") from error
    return head


def trip_in(head: Mapping[str, Any]) -> Trip:
    """The trip a head tells of.

    Raises:
        RecordError: The head is damaged.
    """
    found = built(Trip, head.get("trip"))
    if not isinstance(found, Trip):
        raise RecordError("no trip")
    return found


_CHANGED = "it has been changed since it was written: its check sum is wrong"


def _damage(lines: list[bytes]) -> str:
    last = _json(lines[-2]) if len(lines) > 2 and not lines[-1] else None
    if not isinstance(last, dict) or "sha256" not in last:
        return f"it is cut off after line {len(lines) - 1}"
    check = hashlib.sha256(b"".join(line + b"\n" for line in lines[:-2])).hexdigest()
    return "" if check == last["sha256"] else _CHANGED


def _json(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _recorded(head: Mapping[str, Any], body: list[bytes]) -> Recorded:
    if head.get("places") != places():
        raise RecordError(f"its decisions are those of cryodevice {head.get('program')}; this version has others")
    stretches: list[tuple[Core, list[Inputs]]] = []
    for number, line in enumerate(body, start=2):
        try:
            _decision(_json(line), stretches)
        except RecordError as error:
            raise RecordError(f"line {number} cannot be read: {error.message}") from error
    try:
        return Recorded(
            name=head["name"],
            trip=trip_in(head),
            wall_s=head["wall_s"],
            active=built(tuple[Finding, ...], head["withheld_by"]),
            facts=built(Facts | None, head["facts"]),
            identity=built(Identity | None, head["wand"]),
            limits=built(Limits, head["limits"]),
            config=built(Config, head["config"]),
            settings_sha256=head["settings_sha256"],
            stretches=tuple(Stretch(core, tuple(inputs)) for core, inputs in stretches),
            complete=head["complete"],
            program=head["program"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RecordError(f"its first line is damaged: {error!r}") from error


def _decision(content: Any, stretches: list[tuple[Core, list[Inputs]]]) -> None:
    if isinstance(content, dict) and "core" in content:
        stretches.append((built(Core, content["core"]), []))
    elif isinstance(content, dict) and "tick" in content and stretches:
        stretches[-1][1].append(built(Inputs, content["tick"]))
    else:
        raise RecordError("it is no decision")


def finite(value: float) -> float | None:
    """A number as JSON can carry it, None for one that is none or infinite."""
    return value if math.isfinite(value) else None


def told(trip: Trip) -> dict[str, Any]:
    """A trip for people's programs: what is not a finite number is null."""
    found = asdict(trip)
    return {name: finite(value) if isinstance(value, float) else value for name, value in found.items()}
