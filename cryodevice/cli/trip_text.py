"""A recorded trip as lines a person reads: what happened and what to do, the rule, the wand, the readings around it."""

from collections.abc import Iterator
from typing import Any

from cryodevice.cli.explain_text import beyond, number, span
from cryodevice.cli.text import way_out
from cryodevice.quantities import Channel
from cryodevice.records.trip_file import TripFile, finite, told
from cryodevice.runtime.picture import utc
from cryodevice.safety.facts import FACT_NAMES
from cryodevice.safety.given import values
from cryodevice.safety.readings import STALE_AFTER_S
from cryodevice.treatment.replay import Moment, Replay
from cryodevice.treatment.trip import Trip
from cryodevice.wire.codes import Flag

_SHOWN_S = (-30.0, -20.0, -10.0, -5.0, -3.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 5.0)
_CHANNELS = (Channel.PLATE_A, Channel.PLATE_B, Channel.SKIN_IR, Channel.SINK, Channel.DRIVE_CURRENT)


def trip_lines(found: TripFile, replay: Replay | None, why_not: str) -> Iterator[str]:
    """All of it.

    Args:
        found: The record.
        replay: What came of judging it again; None when that was not possible.
        why_not: Why it does not give the same trip; empty when it does.
    """
    trip = found.trip
    yield f"{happened(trip)} What to do: {what_to_do(trip)}."
    if found.head["wand"] is not None and found.head["wand"].get("simulated"):
        yield "SIMULATED wand."
    yield ""
    yield f"when        {utc(found.head['wall_s'])}, {_where(trip)}"
    yield f"rule        {trip.cause} ({trip.action}{f', hazard {trip.hazard}; {trip.source}' if trip.hazard else ''})"
    if trip.fact:
        out = beyond(trip.value, trip.low, trip.high, trip.unit)
        safe = span(trip.low, trip.high, trip.unit)
        yield f"value       {trip.fact} was {number(trip.value, trip.unit)}{out}; safe is {safe}"
        if meaning := values()[trip.fact].meaning if trip.fact in FACT_NAMES else "":
            yield f"            ({meaning[0].lower()}{meaning[1:]})"
        lasted = f"acts after {trip.dwell_s:g} s" if trip.dwell_s else "acts at once"
        yield f"unsafe for  {trip.at_s - trip.since_s:.2f} s; {lasted}"
    yield f"clears      {trip.clear}"
    others = [each["id"] for each in found.head.get("withheld_by", ()) if each["id"] != trip.cause]
    if others:
        yield f"also        {', '.join(others)}"
    yield f"wand        {_wand(found)}"
    yield f"settings    sha256 {found.head['settings_sha256'][:12]}; cryodevice {found.head['program']}"
    yield f"record      {found.head['name']}"
    yield f"judged      {judged_again(found, replay, why_not)}"
    if replay is not None:
        yield ""
        yield from _readings(trip, replay)


def happened(trip: Trip) -> str:
    """What happened, in one sentence."""
    locked = "and the wand locked" if trip.session_id else ""
    if trip.action == "lockout":
        return f"The treatment was stopped {locked}: {trip.cause}." if locked else f"The wand was locked: {trip.cause}."
    if trip.action == "hold":
        return f"Cooling was held: {trip.cause}."
    return f"The treatment was ended: {trip.cause}."


def what_to_do(trip: Trip) -> str:
    """What a person does about it, to its end."""
    if trip.action == "lockout":
        return way_out({"cause": trip.cause, "hint": trip.hint, "clears": trip.clear.value})
    return f"{trip.hint}; then start a new session" if trip.action == "stop" and trip.fact else trip.hint


def judged_again(found: TripFile, replay: Replay | None, why_not: str) -> str:
    """Whether the file is whole and gives the same trip again."""
    said = []
    if found.damage:
        said.append(f"this file is damaged: {found.damage}")
    if replay is None:
        said.append(f"not judged again: {found.unreadable}")
    elif why_not:
        said.append(f"{len(replay.moments)} decisions judged again do NOT give this trip: {why_not}")
    else:
        said.append(f"{len(replay.moments)} decisions judged again give the same trip, at the same moment")
    if not found.head["complete"]:
        said.append("the daemon ended before its 5 s after the trip were over")
    return "; ".join(said)


def _where(trip: Trip) -> str:
    if not trip.session_id:
        return f"outside of a session ({trip.state})"
    step = f"step {trip.step} of {trip.steps} on {trip.zone} after {trip.contact_s:.1f} s of contact"
    return f"treatment {trip.treatment!r}, {step} ({trip.state})"


def _wand(found: TripFile) -> str:
    wand = found.head["wand"]
    if wand is None:
        return "not identified"
    version = wand["firmware_version"]
    return f"serial number {wand['serial_number']}, firmware {version >> 8}.{version & 0xFF}.{wand['firmware_patch']}"


def _readings(trip: Trip, replay: Replay) -> Iterator[str]:
    head = (
        "s",
        "state",
        "plate A",
        "plate B",
        "skin IR",
        "worst skin",
        "sink",
        "drive mA",
        "contact",
        "trigger",
        "permit",
    )
    rows = [head, *(_row(trip, moment) for moment in shown(trip, replay))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    for number_of, row in enumerate(rows):
        cells = (
            cell.ljust(width) if place == 1 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        mark = "  <- trip" if number_of and float(row[0]) == 0.0 else ""
        yield "  ".join(cells).rstrip() + mark


def shown(trip: Trip, replay: Replay) -> list[Moment]:
    """The moments worth a line: close ones near the trip, few far from it."""
    found: list[Moment] = []
    for offset in _SHOWN_S:
        at_s = trip.at_s + offset
        last = next((each for each in reversed(replay.moments) if each.at_s <= at_s), None)
        if last is not None and at_s - last.at_s < 1.0 and last not in found[-1:]:
            found.append(last)
    return found


def _row(trip: Trip, moment: Moment) -> tuple[str, ...]:
    reading = moment.reading
    cells = [f"{moment.at_s - trip.at_s + 0.0:+.1f}", moment.state.value]
    skin = f"{moment.skin_degc:.1f}"
    if reading is None or moment.at_s - reading.at_s > STALE_AFTER_S:
        return (*cells, "-", "-", "-", skin, "-", "-", "-", "-", _yes(moment.permit))
    values_seen = [finite(reading.value(channel)) for channel in _CHANNELS]
    plate_a, plate_b, infra_red, sink = ("-" if value is None else f"{value:.2f}" for value in values_seen[:4])
    drive = "-" if values_seen[4] is None else f"{values_seen[4]:.0f}"
    flags = reading.status.flags
    hand = (_yes(Flag.CONTACT in flags), _yes(Flag.TRIGGER in flags))
    return (*cells, plate_a, plate_b, infra_red, skin, sink, drive, *hand, _yes(moment.permit))


def _yes(answer: bool) -> str:  # noqa: FBT001  # a truth value is what it prints
    return "yes" if answer else "no"


def trip_json(found: TripFile, replay: Replay | None, why_not: str) -> dict[str, Any]:
    """The same as plain values, with every reading; what is not a finite number is null."""
    trip, head = found.trip, found.head
    return {
        "record": head["name"],
        "time": utc(head["wall_s"]),
        "trip": told(trip),
        "what_to_do": what_to_do(trip),
        "withheld_by": [each["id"] for each in head.get("withheld_by", ())],
        "facts": {
            name: value if isinstance(value, float | int) else None for name, value in (head["facts"] or {}).items()
        },
        "wand": head["wand"],
        "limits": head["limits"],
        "settings_sha256": head["settings_sha256"],
        "program": head["program"],
        "complete": head["complete"],
        "damage": found.damage,
        "same_again": replay is not None and not why_not,
        "why_not": found.unreadable or why_not,
        "readings": [_reading(trip, moment) for moment in replay.moments] if replay is not None else [],
    }


def _reading(trip: Trip, moment: Moment) -> dict[str, Any]:
    reading = moment.reading
    return {
        "s": round(moment.at_s - trip.at_s, 4),
        "state": moment.state.value,
        "permit": moment.permit,
        "skin_estimate_degc": finite(moment.skin_degc),
        "active": [found.id for found in moment.active],
        "age_s": round(moment.at_s - reading.at_s, 4) if reading is not None else None,
        **{channel.value: finite(reading.value(channel)) if reading is not None else None for channel in Channel},
        "flags": int(reading.status.flags) if reading is not None else None,
    }
