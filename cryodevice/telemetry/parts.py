"""The parts payloads are made of: readings, exposure, findings, lockout, wand. Pure."""

import datetime as dt

from cryodevice.quantities import Channel
from cryodevice.runtime.alarm_desk import way_out
from cryodevice.runtime.ports import TripNote
from cryodevice.runtime.snapshot import Snapshot
from cryodevice.safety.alarms import Occurrence
from cryodevice.safety.exposure import ZoneExposure
from cryodevice.safety.readings import Fresh, Invalid, Missing, Reading, Sample, Stale, aged
from cryodevice.safety.verdict import Finding, Lockout
from cryodevice.telemetry import payloads as p
from cryodevice.telemetry.values import code, names, number, rounded, text, utc
from cryodevice.wire.blocks import Identity
from cryodevice.wire.codes import Applicator, Refusal, State, Trip
from cryodevice.wire.registers import FIELDS

_CALIBRATION_EPOCH = dt.date(2000, 1, 1)


def readings(snapshot: Snapshot) -> dict[str, p.ReadingValue]:
    """Every channel, and what the wand has in force, each with its quality and age."""
    reading, now = snapshot.reading, snapshot.at_s
    told = {
        channel.value: _sample(
            aged(reading.sample(channel), now) if reading else Missing(), FIELDS[channel.value].unit, now
        )
        for channel in Channel
    }
    for name in ("setpoint_degc", "lease_remaining_ms", "cooling_s"):
        value = getattr(reading.status, name) if reading else None
        sample = Missing() if reading is None or value is None else aged(Fresh(float(value), reading.at_s), now)
        told[name] = _sample(sample, FIELDS[name].unit, now)
    estimate = number(snapshot.skin_estimate_degc)
    told["skin_estimate_degc"] = p.ReadingValue(
        value=estimate,
        unit="degC",
        quality="missing" if estimate is None else "estimated",
        age_s=None if estimate is None else 0.0,
    )
    return told


def _sample(sample: Sample, unit: str, now_s: float) -> p.ReadingValue:
    match sample:
        case Fresh(value, at_s) | Stale(value, at_s):
            quality: p.Quality = "fresh" if isinstance(sample, Fresh) else "stale"
            return p.ReadingValue(
                value=number(value), unit=unit, quality=quality, age_s=rounded(max(0.0, now_s - at_s))
            )
        case Invalid(reason, at_s):
            age_s = rounded(max(0.0, now_s - at_s))
            return p.ReadingValue(value=None, unit=unit, quality="invalid", age_s=age_s, reason=reason)
        case Missing():
            return p.ReadingValue(value=None, unit=unit, quality="missing", age_s=None)


def zone(total: ZoneExposure) -> p.ZoneTotals:
    """Exposure of a zone."""
    return p.ZoneTotals(
        contact_s=rounded(total.contact_s),
        below_15_s=rounded(total.below_15_s),
        below_10_s=rounded(total.below_10_s),
        below_4_s=rounded(total.below_4_s),
        d10_degc_s=rounded(total.d10_degc_s),
        lowest_skin_degc=number(total.lowest_skin_degc),
        lowest_fat_degc=number(total.lowest_fat_degc),
    )


def finding(found: Finding, now_s: float) -> p.FindingItem:
    """An interlock that stands."""
    return p.FindingItem(
        id=found.id,
        action=found.action.name.lower(),
        value=number(found.value),
        low=number(found.low),
        high=number(found.high),
        unit=found.unit,
        active_s=rounded(max(0.0, now_s - found.since_s)),
        hint=text(found.hint, 200),
        clear=found.clear,
    )


def alarm(one: Occurrence, now_s: float) -> p.AlarmItem:
    """An alarm that stands."""
    return p.AlarmItem(
        id=one.alarm.id,
        cause=one.cause,
        priority=one.priority.name.lower(),
        occurrence=one.number,
        says=text(one.alarm.says, 100),
        present=one.present,
        latched=one.latched,
        acknowledged=one.acknowledged,
        sounding=one.sounding(now_s),
        clears=text(way_out(one), 120),
    )


def lockout(latched: Lockout | None) -> p.LockoutItem | None:
    """The latched latched."""
    if latched is None:
        return None
    return p.LockoutItem(
        cause=latched.cause,
        clear=latched.clear,
        value=number(latched.value),
        low=number(latched.low),
        high=number(latched.high),
        unit=latched.unit,
        hint=text(latched.hint),
    )


def last_trip(note: TripNote | None) -> p.TripItem | None:
    """The newest trip on record."""
    return p.TripItem(record=note.record, cause=note.cause, time=utc(note.wall_s)) if note is not None else None


def wand(reading: Reading | None) -> p.WandItem | None:
    """What the wand last said of itself."""
    if reading is None:
        return None
    status = reading.status
    return p.WandItem(
        state=code(State, status.state),
        trip=code(Trip, status.trip_code),
        trip_code=status.trip_code,
        flags=names(status.flags),
        faults=names(status.faults),
        last_refusal=code(Refusal, status.last_refusal),
        boot_id=status.boot_id,
    )


def identity(known: Identity | None) -> p.WandIdentity | None:
    """Who the wand is."""
    if known is None:
        return None
    day = _CALIBRATION_EPOCH + dt.timedelta(days=known.calibration_day)
    return p.WandIdentity(
        serial_number=known.serial_number,
        firmware=known.firmware,
        wire_version=f"{known.wire_version >> 8}.{known.wire_version & 0xFF}",
        applicator=code(Applicator, known.applicator),
        capabilities=names(known.capabilities),
        boot_id=known.boot_id,
        calibrated=day.isoformat(),
        setpoint_min_degc=known.setpoint_min_degc,
        setpoint_max_degc=known.setpoint_max_degc,
        lease_max_ms=known.lease_max_ms,
        cooling_max_s=known.cooling_max_s,
        cold_cutout_degc=known.cold_cutout_degc,
        hot_cutout_degc=known.hot_cutout_degc,
        sink_cutout_degc=known.sink_cutout_degc,
        drive_max_ma=known.drive_max_ma,
        plate_area_cm2=known.plate_area_cm2,
    )
