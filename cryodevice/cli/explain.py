"""``cryodevice explain``: why cooling would be refused on given values, or what a recorded trip was."""

import argparse
import difflib
import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cryodevice.cli.configuration import settings_for
from cryodevice.cli.explain_text import explanation_json, explanation_lines
from cryodevice.cli.trip_text import trip_json, trip_lines
from cryodevice.errors import ExitCode, RecordError, SettingsError
from cryodevice.records.recorder import holds_of
from cryodevice.records.trip_file import TripFile, read
from cryodevice.records.trip_shelf import Entry, TripShelf
from cryodevice.runtime.picture import utc
from cryodevice.safety.explaining import explain
from cryodevice.safety.given import Kind, Value, facts_from, values
from cryodevice.safety.limits import Zone
from cryodevice.safety.phases import SessionState
from cryodevice.settings import Settings
from cryodevice.treatment.replay import replayed, why_not_the_same

_YES = {"yes": 1.0, "true": 1.0, "on": 1.0, "1": 1.0, "no": 0.0, "false": 0.0, "off": 0.0, "0": 0.0}
_UNKNOWN = frozenset({"unknown", "nan", "?"})
_FOR_EXAMPLE = "for example: cryodevice explain plate_degc=1.5 contact=yes state=applying"


def main(options: argparse.Namespace) -> ExitCode:
    """Explain values, or a trip, or say what is there to be explained."""
    if options.names:
        return _names(as_json=options.json)
    if options.values and (options.trip or options.list):
        raise SettingsError("give values, or --trip, or --list, not two of them")
    settings = settings_for(options.config)
    if options.list:
        return _list(_shelf(settings, holds=options.holds), as_json=options.json)
    if options.trip:
        return _trip(_chosen(options.trip, _shelf(settings, holds=options.holds)), as_json=options.json)
    if not options.values:
        raise SettingsError(f"nothing to explain: give NAME=VALUE, --trip last, or --list; {_FOR_EXAMPLE}")
    return _values(options, settings)


# -- values ------------------------------------------------------------------------------------------------------------


def _values(options: argparse.Namespace, settings: Settings) -> ExitCode:
    given, wrong = _parsed(options.values)
    state = _one_of(SessionState, given.pop("state", "applying"), "state", wrong)
    zone = _one_of(Zone, given.pop("zone", Zone.OTHER.value), "zone", wrong)
    lasting_s = _lasting(given.pop("lasting_s", "inf"), wrong)
    numbers = {name: _number(values()[name], text, wrong) for name, text in given.items()}
    if wrong or state is None or zone is None:
        raise SettingsError("; ".join(wrong))
    try:
        facts = facts_from(numbers)
    except ValueError as error:
        raise SettingsError(str(error)) from error
    found = explain(
        facts, limits=settings.limits, zone=zone, state=state, lasting_s=lasting_s, everything=options.strict
    )
    if options.json:
        print(json.dumps(explanation_json(found, state, zone.value), indent=2, allow_nan=False))
    else:
        where = f"zone {zone}, limits of {settings.source}"
        print("\n".join(explanation_lines(found, state, where)))
    return ExitCode.FINE if found.verdict.permit else ExitCode.REFUSED


def _parsed(arguments: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    known = [*values(), "state", "zone", "lasting_s"]
    given: dict[str, str] = {}
    wrong: list[str] = []
    for argument in arguments:
        name, equals, text = argument.partition("=")
        if not equals or not name or not text:
            wrong.append(f"{argument!r} is not NAME=VALUE; {_FOR_EXAMPLE}")
        elif name not in known:
            near = difflib.get_close_matches(name, known, 1)
            meant = f"did you mean {near[0]}? " if near else ""
            wrong.append(f"there is no value {name!r}; {meant}all of them: cryodevice explain --names")
        elif name in given:
            wrong.append(f"{name} is given twice")
        else:
            given[name] = text
    return given, wrong


def _one_of(kind: Any, text: str, name: str, wrong: list[str]) -> Any:
    try:
        return kind(text)
    except ValueError:
        wrong.append(f"{name}={text}: must be one of {', '.join(kind)}")
        return None


def _lasting(text: str, wrong: list[str]) -> float:
    try:
        lasting_s = float(text)
    except ValueError:
        lasting_s = math.nan
    if not lasting_s >= 0.0:
        wrong.append(f"lasting_s={text}: must be 0 s or more, for how long it has been so")
    return lasting_s


def _number(value: Value, text: str, wrong: list[str]) -> float:
    if text.lower() in _UNKNOWN:
        return math.nan
    if value.kind is Kind.YES_NO:
        answer = _YES.get(text.lower())
        if answer is None:
            wrong.append(f"{value.name}={text}: must be yes, no or unknown")
        return math.nan if answer is None else answer
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not value.low <= found <= value.high:
        sensor = "; a plate outside of that is a broken sensor: plate_sensors_good=no" if "plate_" in value.name else ""
        bounds = f"from {value.low:g} to {value.high:g} " if abs(value.low) < 1e9 else ""
        wrong.append(f"{value.name}={text}: must be a number {bounds}in {value.unit}, or unknown{sensor}")
    return found


def _names(*, as_json: bool) -> ExitCode:
    states, zones = ", ".join(SessionState), ", ".join(Zone)
    if as_json:
        table = {
            name: {"kind": value.kind.value, "unit": value.unit, "meaning": value.meaning}
            for name, value in values().items()
        }
        print(json.dumps({"values": table, "state": list(SessionState), "zone": list(Zone)}, indent=2))
        return ExitCode.FINE
    print("values that may be given as NAME=VALUE; yes, no or a number in the unit named, or unknown\n")
    for name, value in values().items():
        print(f"  {name:24}{value.unit or 'yes/no':12}{value.meaning}")
    print(f"\n  state                   one of {states} (applying)")
    print(f"  zone                    one of {zones} (other, the strictest)")
    print("  lasting_s               for how long it has been so, s (long enough)")
    return ExitCode.FINE


# -- trips -------------------------------------------------------------------------------------------------------------


def _shelf(settings: Settings, *, holds: bool) -> TripShelf:
    from cryodevice.app import TRIPS_NAME  # noqa: PLC0415  # only where records are asked for

    trips = settings.state_dir / TRIPS_NAME
    return holds_of(trips) if holds else TripShelf(trips)


def _entries(shelf: TripShelf) -> list[Entry]:
    try:
        return shelf.entries()
    except OSError as error:
        raise RecordError(f"{shelf.directory}: cannot be read: {error.strerror}") from error


def _chosen(which: str, shelf: TripShelf) -> Path:
    """The record that is meant: a file, the name of one, its number, or the last."""
    if "/" in which or Path(which).is_file():
        return Path(which)
    entries = _entries(shelf)
    if which == "last" and entries:
        return entries[-1].path
    for entry in entries:
        if which == entry.path.name or (which.isdigit() and int(which) == entry.number):
            return entry.path
    there = f"there are {entries[0].number} to {entries[-1].number}" if entries else "there is none"
    raise RecordError(f"no record {which!r} in {shelf.directory}: {there}; see cryodevice explain --list")


def _trip(path: Path, *, as_json: bool) -> ExitCode:
    found = read(path)
    replay = why_not = None
    if found.recorded is not None:
        replay = replayed(found.recorded.stretches, found.recorded.config)
        why_not = why_not_the_same(found.trip, replay)
    if as_json:
        print(json.dumps(trip_json(found, replay, why_not or ""), indent=2, allow_nan=False))
    else:
        print("\n".join(trip_lines(found, replay, why_not or "")))
    return ExitCode.FINE if replay is not None and not why_not and not found.damage else ExitCode.FAILED


def _list(shelf: TripShelf, *, as_json: bool) -> ExitCode:
    entries = _entries(shelf)
    rows = [_listed(entry) for entry in entries]
    dropped = shelf.dropped(entries)
    if as_json:
        print(json.dumps({"directory": str(shelf.directory), "dropped": dropped, "records": rows}, indent=2))
        return ExitCode.FINE
    if not rows:
        print(f"nothing is on record in {shelf.directory}")
        return ExitCode.FINE
    print(f"records in {shelf.directory}; for more: cryodevice explain --trip NUMBER\n")
    for row in rows:
        where = f"{row['treatment']}, {row['zone']}" if row.get("treatment") else "outside of a session"
        said = f"{row['time']}  {row['action']:8} {row['cause']:22} {where}" if "cause" in row else ""
        damage = f"  DAMAGED: {row['damage']}" if row["damage"] else ""
        print(f"{row['number']:6}  {said}{damage}")
    if dropped:
        print(f"\n{dropped} older {'one was' if dropped == 1 else 'ones were'} thrown away to make room")
    return ExitCode.FINE


def _listed(entry: Entry) -> dict[str, Any]:
    found: dict[str, Any] = {"number": entry.number, "record": entry.path.name, "damage": ""}
    try:
        record: TripFile = read(entry.path)
    except RecordError as error:
        return found | {"damage": error.message.removeprefix(f"{entry.path}: ")}
    trip = record.trip
    return found | {
        "time": utc(record.head["wall_s"]),
        "action": trip.action,
        "cause": trip.cause,
        "treatment": trip.treatment,
        "zone": trip.zone,
        "complete": record.head["complete"],
        "damage": record.damage,
    }
