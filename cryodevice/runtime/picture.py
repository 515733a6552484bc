"""A snapshot as plain values for people's programs (``status --json``, the local socket). No NaN leaves here."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime

from cryodevice.quantities import Channel
from cryodevice.runtime.alarm_desk import AlarmView, way_out
from cryodevice.runtime.snapshot import Snapshot
from cryodevice.safety.alarm_table import Priority
from cryodevice.safety.exposure import ZoneExposure
from cryodevice.safety.limits import Zone
from cryodevice.safety.phases import TREATING
from cryodevice.safety.readings import Fresh, Invalid, Sample, Stale, aged
from cryodevice.safety.verdict import Finding, Lockout
from cryodevice.treatment.news import evidence_of

Plain = dict[str, object]
TICKS_WITHIN_S = 1.0
"""A loop whose newest tick is older watches nothing, s (engineering default: five ticks of the slowest rate)."""


def number(value: float | None, digits: int = 3) -> float | None:
    """A finite number rounded for display, else None."""
    return None if value is None or not math.isfinite(value) else round(value, digits)


def quality(sample: Sample) -> str:
    """The quality of a sample in one word."""
    return type(sample).__name__.lower()


def readings(snapshot: Snapshot) -> Plain:
    """Every channel with value, quality and age at the time of the snapshot."""
    if snapshot.reading is None:
        return {}
    found: Plain = {}
    for channel in Channel:
        sample = aged(snapshot.reading.sample(channel), snapshot.at_s)
        entry: Plain = {"quality": quality(sample)}
        if isinstance(sample, Fresh | Stale):
            entry |= {"value": number(sample.value), "age_s": number(snapshot.at_s - sample.at_s)}
        if isinstance(sample, Invalid):
            entry["reason"] = sample.reason
        found[channel.value] = entry
    return found


def finding(found: Finding) -> Plain:
    """One active interlock."""
    return {"interlock": found.id, "action": found.action.name.lower(), **evidence_of(found)}


def lockout(latched: Lockout | None) -> Plain | None:
    """The latched lockout."""
    return {"cause": latched.cause, **evidence_of(latched)} if latched is not None else None


def alarms(view: AlarmView, now_s: float) -> Plain:
    """The alarms that stand, the most urgent first, and what is to be heard of them."""
    return {
        "sounding": view.sounding.name.lower() if view.sounding is not None else None,
        "pause_left_s": number(view.pause_left_s, 1),
        "standing": [
            {
                "alarm": one.alarm.id,
                "cause": one.cause,
                "priority": one.priority.name.lower(),
                "occurrence": one.number,
                "says": one.alarm.says,
                "hint": one.says,
                "present": one.present,
                "latched": one.latched,
                "acknowledged": one.acknowledged,
                "sounding": one.sounding(now_s),
                "age_s": number(now_s - one.began_s, 1),
                "clears": way_out(one),
            }
            for one in view.standing
        ],
    }


def monitoring(snapshot: Snapshot, age_s: float) -> Plain:
    """Whether somebody guards the wand; ``age_s`` since the last tick, for a loop that stands still."""
    blind, treating = snapshot.alarms.blind_by, snapshot.session.state in TREATING
    priority = blind.priority if blind is not None else None
    stalled, why = not age_s <= TICKS_WITHIN_S, snapshot.alarms.blind
    if stalled:
        priority, why = Priority.HIGH if treating else Priority.MEDIUM, f"no tick of the control loop for {age_s:.1f} s"
    told = priority.name.lower() if priority is not None else None
    return {"ok": not why, "why": why, "priority": told, "stalled": stalled}


def utc(wall_s: float) -> str:
    """A wall clock's second as ISO 8601 in UTC."""
    return datetime.fromtimestamp(wall_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def last_trip(snapshot: Snapshot) -> Plain | None:
    """The newest trip on record; ``cryodevice explain --trip last`` tells the rest."""
    note = snapshot.trip
    return {"record": note.record, "cause": note.cause, "time": utc(note.wall_s)} if note is not None else None


def exposure(zones: Mapping[Zone, ZoneExposure]) -> Plain:
    """Totals by zone."""
    return {
        str(zone): {
            "contact_s": number(total.contact_s, 1),
            "below_15_s": number(total.below_15_s, 1),
            "below_10_s": number(total.below_10_s, 1),
            "below_4_s": number(total.below_4_s, 1),
            "d10_degc_s": number(total.d10_degc_s, 1),
            "lowest_skin_estimate_degc": number(total.lowest_skin_degc, 2),
            "lowest_fat_estimate_degc": number(total.lowest_fat_degc, 2),
        }
        for zone, total in zones.items()
    }


def status(snapshot: Snapshot, now_s: float | None = None) -> Plain:
    """Everything ``cryodevice status`` shows at ``now_s``, by default the time of the snapshot."""
    session, identity = snapshot.session, snapshot.identity
    reading = snapshot.reading
    age_s = 0.0 if now_s is None else now_s - snapshot.at_s
    return {
        "monitoring": monitoring(snapshot, age_s),
        "alarms": alarms(snapshot.alarms, snapshot.at_s if now_s is None else now_s),
        "link": {"up": snapshot.link_up, "why": snapshot.link_why},
        "wand": None
        if identity is None
        else {
            "serial_number": identity.serial_number,
            "firmware": identity.firmware,
            "simulated": identity.simulated,
            "boot_id": identity.boot_id,
            "calibration_day": identity.calibration_day,
        },
        "session": {
            "id": session.session_id,
            "state": session.state.value,
            "step": session.step,
            "steps": session.steps,
            "zone": session.zone.value if session.zone is not None else None,
            "setpoint_degc": session.setpoint_degc,
            "hold_s": session.hold_s,
            "contact_s": number(session.contact_s, 2),
            "rewarm_left_s": number(session.rewarm_left_s, 1),
            "ended_why": session.ended_why,
        },
        "permit": snapshot.permit,
        "claimed": snapshot.claimed,
        "reasons": [finding(found) for found in snapshot.findings],
        "lockout": lockout(snapshot.lockout),
        "last_trip": last_trip(snapshot),
        "trips_failing": snapshot.trips_failing,
        "readings": readings(snapshot),
        # Without a line nobody knows: the last ones said would be taken for present ones.
        "lease_remaining_ms": reading.status.lease_remaining_ms if reading is not None and snapshot.link_up else None,
        "wand_state": reading.status.state if reading is not None and snapshot.link_up else None,
        "trip_code": reading.status.trip_code if reading is not None else None,
        "skin_estimate_degc": number(snapshot.skin_estimate_degc, 2),
        "look_ahead_s": {name: number(left_s, 1) for name, left_s in snapshot.look_ahead().items()},
        "exposure": exposure(snapshot.exposure),
        "limits": asdict(snapshot.limits),
        "ticks": snapshot.ticks,
        "misses": snapshot.misses,
        "overruns": snapshot.overruns,
    }
