"""Turns what the controller remembers and is told into facts for the interlocks. Pure; judges nothing itself."""

import math

from cryodevice.frozen import maker
from cryodevice.quantities import Channel
from cryodevice.safety import plate_watch
from cryodevice.safety.contact import flag, hidden
from cryodevice.safety.exposure import DAY_S
from cryodevice.safety.facts import NO, YES, Facts, yes
from cryodevice.safety.readings import STALE_AFTER_S, Reading
from cryodevice.safety.verdict import Finding
from cryodevice.treatment.core import Config, Core, Inputs
from cryodevice.wire.blocks import Identity, Status
from cryodevice.wire.codes import REQUIRED_TO_COOL, Applicator, Capability, Flag, Trip
from cryodevice.wire.registers import WIRE_MAGIC, WIRE_VERSION

WAND_ITSELF = "wand_tripped"
"""The row that stands for the wand's own cut-outs."""
UNTOUCHED_DEGC = 33.0
"""Skin of a zone nothing on the books has touched (clinical note 3)."""
NO_CALIBRATION_DAY = frozenset({0, 0xFFFF})
"""Calibration dates that name none."""
BASELINE_WITHOUT_IR_DEGC = 33.0
"""Baseline taken when the wand cannot see the skin; the estimate then starts at 28 degC."""
_facts = maker(Facts)


def fresh(core: Core, now_s: float) -> bool:
    """Whether the newest reading is fresh; none is once the line is known to be down, nor one from the future."""
    return core.reading is not None and not core.link_why and 0.0 <= now_s - core.reading.at_s <= STALE_AFTER_S


def infra_red_degc(core: Core, now_s: float) -> float:
    """Skin as infra-red sees it now, NaN while the plate hides it, none is fitted or it is not fresh."""
    reading = core.reading
    if reading is None or not fresh(core, now_s) or Flag.CONTACT in reading.status.flags:
        return math.nan
    return reading.value(Channel.SKIN_IR)


def skin_degc(core: Core, now_s: float) -> float:
    """Lowest of infra-red and worst-case estimate in the zone worked on; infra-red only ever lowers it."""
    estimate = core.estimate.skin_degc(core.session.zone)
    seen = infra_red_degc(core, now_s)
    return min(estimate, seen) if math.isfinite(seen) else estimate


def acceptable(identity: Identity) -> str:
    """Why a wand of this identity cannot be driven by this version; empty when nothing speaks against it."""
    if identity.magic != WIRE_MAGIC:
        return f"not a wand: magic {identity.magic:#06x}"
    if identity.wire_version >> 8 != WIRE_VERSION >> 8:
        return f"wire version {identity.wire_version >> 8}.{identity.wire_version & 0xFF} is not 1.x"
    if identity.applicator != Applicator.PLATE:
        return "only plate applicators are driven; this one is monitored"
    return ""


def _ours_and_off(core: Core, status: Status) -> bool:
    """Whether no current may flow: nobody but us orders the wand, and we have told it off."""
    return core.link.claimed and core.link.nobody_else(status) and core.link.told_off(status)


def _calibration_age_days(identity: Identity | None, today_day: int | None) -> float:
    """Days since the wand was calibrated. A clock nobody keeps condemns no wand; one that names no day is unknown."""
    if identity is None or identity.calibration_day in NO_CALIBRATION_DAY:
        return math.nan
    return 0.0 if today_day is None else float(today_day - identity.calibration_day)


def _rest_apart_k(reading: Reading) -> float:
    """How far the plate channel that is furthest from the sink is from it, K; unknown if any of the three is."""
    sink_degc = reading.value(Channel.SINK)
    apart = [abs(reading.value(plate) - sink_degc) for plate in (Channel.PLATE_A, Channel.PLATE_B)]
    return math.nan if any(math.isnan(one) for one in apart) else max(apart)


def _trip_code(status: Status) -> float:
    """Code of the trip latched in the wand, 0 for none; unknown if it has latched one and does not say which."""
    if Flag.TRIP_LATCHED not in status.flags:
        return 0.0
    return float(status.trip_code) if status.trip_code else math.nan


def explained(core: Core, finding: Finding) -> str:
    """What a person does about a finding; of the wand's own trip also which one, and the faults it showed."""
    if finding.id != WAND_ITSELF or core.reading is None:
        return finding.hint
    status = core.reading.status
    trip = Trip(status.trip_code).name.replace("_", " ").lower() if status.trip_code in set(Trip) else "unknown"
    faults = ", ".join(fault.name.replace("_", " ").lower() for fault in status.faults if fault.name is not None)
    return f"{finding.hint}; its cause: {trip}" + (f"; faults shown: {faults}" if faults else "")


def _share_of_day(had: float, zone_limit: float) -> float:
    """What of a zone's day has been used up; a day is twice a session. Of a limit of 0 nothing may have been."""
    return had / (2.0 * zone_limit) if zone_limit > 0.0 else had and 1.0 + had


def facts_of(core: Core, config: Config, inputs: Inputs) -> Facts:
    """Facts of this tick."""
    now = inputs.now_s
    link, session, dose = core.link, core.session, core.dose
    zone = session.zone
    total, day, limits = dose.of(zone), dose.day(zone), core.limits
    since_treated_s = dose.since_treated_s(zone, now)
    identity = link.identity
    known = identity is not None
    capabilities = identity.capabilities if identity is not None else Capability(0)
    sees_skin = Capability.SKIN_IR in capabilities
    return _facts(
        reply_age_s=now - link.replied_at_s if math.isfinite(link.replied_at_s) else math.nan,
        identity_ok=yes(not link.rejected),
        capable=yes(not known or REQUIRED_TO_COOL in capabilities),
        simulated_ok=yes(identity is None or not identity.simulated or config.allow_simulated),
        proven=yes(not core.unproven),
        wand_clock_pct=core.wand_clock.error_pct,
        foreign_orders=float(link.foreign_orders),
        unoccupied=yes(not link.occupied),
        lease_error_ms=link.lease_error_ms,
        setpoint_error_k=link.setpoint_error_k,
        calibration_age_days=_calibration_age_days(identity, inputs.today_day),
        orders_accepted=yes(core.refused is None),
        sequence_age_s=link.sequence_age_s,
        dose_known=yes(inputs.dose_known),
        ledger_age_s=now - inputs.durable_at_s if inputs.durable_at_s >= core.begun_at_s else math.nan,
        ledger_writes=yes(not inputs.store_failure),
        late_periods=inputs.late_periods,
        overruns=float(inputs.overruns),
        skin_degc=skin_degc(core, now),
        baseline_skin_degc=infra_red_degc(core, now) if sees_skin else BASELINE_WITHOUT_IR_DEGC,
        static_dwell_s=0.0 if core.contact.gliding(now) else core.contact.dwell_s,
        step_contact_s=session.touched_s,
        zone_contact_s=total.contact_s,
        zone_below_15_s=total.below_15_s,
        zone_below_10_s=total.below_10_s,
        zone_below_4_s=total.below_4_s,
        zone_d10_degc_s=total.d10_degc_s,
        fat_boundary_degc=core.estimate.fat_degc(zone),
        since_treated_s=since_treated_s,
        rewarmed_degc=core.estimate.skin_degc(zone) if since_treated_s < DAY_S else UNTOUCHED_DEGC,
        session_contact_s=dose.session_contact_s,
        day_contact_s=dose.day_contact_s,
        zone_day_share=max(
            _share_of_day(day.contact_s, limits.zone_contact_s),
            _share_of_day(day.below_15_s, limits.zone_below_15_s),
            _share_of_day(day.below_10_s, limits.zone_below_10_s),
            _share_of_day(day.below_4_s, limits.zone_below_4_s),
            _share_of_day(day.d10_degc_s, limits.zone_d10_degc_s),
        ),
        earlier_sessions=float(dose.earlier_sessions),
        **(_of_reading(core, core.reading, capabilities) if core.reading is not None else {}),
    )


def _of_reading(core: Core, reading: Reading, capabilities: Capability) -> dict[str, float]:
    status, identity = reading.status, core.link.identity
    contact = flag(reading, capabilities, Capability.CONTACT, Flag.CONTACT)
    tip = flag(reading, capabilities, Capability.TIP, Flag.TIP)
    step = core.session.current
    at_setpoint = step is not None and core.reached_degc == step.plate_degc
    return {
        "boot_same": yes(identity is not None and status.boot_id == identity.boot_id),
        "token_same": yes(not core.link.claimed or status.token == core.link.token),
        "estop_released": NO if Flag.ESTOP in status.flags else YES,
        "tip_fitted": YES if Capability.TIP not in capabilities else tip,
        "trigger_held": flag(reading, capabilities, Capability.TRIGGER, Flag.TRIGGER),
        "off_skin": 1.0 - contact,
        "contact_agrees": yes(contact != NO or not hidden(core.contact, reading, capabilities)),
        "plate_sensors_good": yes(Channel.PLATE_A in reading.good and Channel.PLATE_B in reading.good),
        "plate_cold_degc": reading.plate_cold_degc,
        "plate_warm_degc": reading.plate_warm_degc,
        "plate_jump_k": core.plate.jump_k,
        "plate_same_s": core.plate.same_s,
        "unanswered_s": core.plate.unanswered_s,
        "unheld_s": core.plate.unheld_s,
        "residual_k": core.model.residual_k,
        "risen_k": core.plate.risen_k,
        "freeze_risen_k": core.freeze.risen_k,
        "idle_s": core.plate.idle_s,
        "plate_noise_k": core.plate.noise_k,
        "rest_apart_k": _rest_apart_k(reading),
        "drive_share": plate_watch.share_of(reading, identity.drive_max_ma) if identity is not None else math.nan,
        "channels_apart_k": abs(reading.value(Channel.PLATE_A) - reading.value(Channel.PLATE_B)),
        "plate_over_setpoint_k": reading.plate_cold_degc - step.plate_degc if step is not None and at_setpoint else 0.0,
        "sink_good": yes(Channel.SINK in reading.good),
        "sink_degc": reading.value(Channel.SINK),
        "fan_still_s": core.fan_still_s,
        "off_current_ma": abs(reading.value(Channel.DRIVE_CURRENT)) if _ours_and_off(core, status) else 0.0,
        "wand_trip_code": _trip_code(status),
    }
