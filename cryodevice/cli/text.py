"""A daemon's status as lines a person reads; the same words in ``status`` and in the demo."""

from collections.abc import Mapping
from typing import Any

from cryodevice.cli.alarm_text import alarm_lines, in_short
from cryodevice.wire.codes import Trip

_AHEAD_SHOWN = 3
"""Limits ahead in a picture, the nearest."""


def _value(readings: Mapping[str, Any], name: str, unit: str, digits: int = 2) -> str:
    entry = readings.get(name, {})
    value = entry.get("value")
    if value is None:
        return str(entry.get("reason") or entry.get("quality", "none"))
    stale = " (stale)" if entry.get("quality") == "stale" else ""
    return f"{value:.{digits}f} {unit}{stale}"


def mqtt_line(mqtt: Mapping[str, Any]) -> str:
    """How telemetry goes, of a publisher's health as plain values."""
    if mqtt["connected"]:
        lost = f", {mqtt['dropped']} events lost" if mqtt["dropped"] else ""
        return f"connected to {mqtt['broker']}, MQTT {mqtt['protocol']}{lost}"
    return f"NOT connected to {mqtt['broker']}: {mqtt['last_error'] or 'no answer yet'}"


def status_lines(status: Mapping[str, Any], *, alarms: bool = True) -> list[str]:
    """Lines of a status as ``runtime.picture.status`` makes it, with or without its alarms."""
    wand, session, readings = status["wand"], status["session"], status["readings"]
    link = "up" if status["link"]["up"] else f"down: {status['link']['why']}"
    lines = [words for _, words in alarm_lines(status)] if alarms else []
    if wand is not None:
        simulated = "  SIMULATED" if wand["simulated"] else ""
        lines.append(f"wand      {wand['serial_number']}, firmware {wand['firmware']}{simulated}")
    lines.append(f"link      {link}")
    step = f", step {session['step']} of {session['steps']}, {session['zone']}" if session["steps"] else ""
    ended = f" ({session['ended_why']})" if session["ended_why"] else ""
    lines.append(f"session   {session['state']}{step}{ended}{_what_now(session)}")
    lines.append(
        f"plate     A {_value(readings, 'plate_a_degc', 'degC')}, B {_value(readings, 'plate_b_degc', 'degC')}"
        f", setpoint {session['setpoint_degc'] if session['setpoint_degc'] is not None else '-'}"
    )
    estimate = status["skin_estimate_degc"]
    worst = f"{estimate:.1f} degC" if estimate is not None else "-"
    lines.append(f"skin      worst case {worst} (estimate), infra-red {_value(readings, 'skin_ir_degc', 'degC')}")
    if ahead := list(status.get("look_ahead_s", {}).items())[:_AHEAD_SHOWN]:
        lines.append(
            f"ahead     {', '.join(f'{name} in {left_s:.0f} s' for name, left_s in ahead)} of contact (estimate)"
        )
    lines.append(
        f"sink      {_value(readings, 'sink_degc', 'degC')}, fan {_value(readings, 'fan_rpm', 'rpm', 0)}"
        f", ambient {_value(readings, 'ambient_degc', 'degC', 1)}"
    )
    lease = f"{status['lease_remaining_ms']} ms left" if status["lease_remaining_ms"] is not None else "-"
    lines.append(f"drive     {_value(readings, 'drive_ma', 'mA', 0)}, lease {lease}")
    if status["trip_code"]:
        known = {trip.value: trip.name.lower().replace("_", " ") for trip in Trip}
        lines.append(f"tripped   the wand's own cut-out: {known.get(status['trip_code'], status['trip_code'])}")
    for zone, used in status["exposure"].items():
        lines.append(
            f"exposure  {zone}: {used['contact_s']:.1f} s contact, {used['below_10_s']:.1f} s below 10 degC, "
            f"index {used['d10_degc_s']:.0f} degC*s"
        )
    if (mqtt := status.get("mqtt")) is not None:
        lines.append(f"mqtt      {mqtt_line(mqtt)}")
    lines.append(f"permit    {'yes' if status['permit'] else 'withheld'}")
    lines += [
        f"  {reason['action']:8}{reason['interlock']}: {reason['hint']} (clears {reason['clears']})"
        for reason in status["reasons"]
    ]
    if status["link"]["up"] and not status["claimed"]:
        lines.append("  watched only: our session token is not in force (another master, or monitoring only)")
    if status["lockout"] is not None:
        lock = status["lockout"]
        lines.append(f"LOCKED    {lock['cause']}: {way_out(lock)}")
    if (trip := status.get("last_trip")) is not None:
        lines.append(f"last trip {trip['cause']} at {trip['time']}; what happened: cryodevice explain --trip last")
    if status.get("trips_failing"):
        lines.append(f"records   {status['trips_failing']}")
    return lines


def _what_now(session: Mapping[str, Any]) -> str:
    """What the hand that holds the wand does now."""
    left = max(0.0, session.get("hold_s", 0.0) - session.get("contact_s", 0.0))
    return {
        "precool": ": hold the trigger, off the skin",
        "lifted": f": touch the skin now, {left:.0f} s of contact left",
        "applying": f": stay on the skin, {left:.0f} s left",
        "rewarming": f": lift the wand, {session.get('rewarm_left_s') or 0.0:.0f} s of rewarming left",
    }.get(session["state"], "")


def way_out(lock: Mapping[str, Any]) -> str:
    """All that a person has to do about a lockout, to its end."""
    if lock["cause"] == "dose_unknown":  # a new store knows nothing of it, so nothing is left to reset
        return str(lock["hint"])
    service = " --service" if lock["clears"] == "by service" else ""
    return f"{lock['hint']}; then: cryodevice reset{service}"


def summary(status: Mapping[str, Any]) -> str:
    """The same in one line."""
    session, readings, wand = status["session"], status["readings"], status["wand"]
    plates = [_fresh(readings, name) for name in ("plate_a_degc", "plate_b_degc")]
    plate = min((value for value in plates if value is not None), default=None)
    drive, lease, skin = _fresh(readings, "drive_ma"), status["lease_remaining_ms"], status["skin_estimate_degc"]
    said = (
        f"{session['state']:10} plate {_cell(plate, '6.2f')} degC  skin estimate {_cell(skin, '5.1f')} degC"
        f"  drive {_cell(drive, '5.0f')} mA  lease {_cell(lease, '3d')} ms  contact {session['contact_s']:5.1f} s"
        f"  permit {'yes' if status['permit'] else 'no'}"
    )
    if not status["permit"]:
        reasons = ", ".join(reason["interlock"] for reason in status["reasons"])
        said += f"  withheld: {reasons or 'no session'}"
    if alarm := in_short(status):
        said += f"  {alarm}"
    return f"SIMULATED  {said}" if wand is not None and wand["simulated"] else said


def _fresh(readings: Mapping[str, Any], name: str) -> float | None:
    entry = readings.get(name, {})
    return entry["value"] if entry.get("quality") == "fresh" else None


def _cell(value: float | None, form: str) -> str:
    """A number in its column; a dash there when nobody knows it."""
    return f"{value:{form}}" if value is not None else f"{'-':>{int(form[0])}}"
