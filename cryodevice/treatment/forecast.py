"""What a treatment comes to at worst: run on the tissue model that guards it, before anything moves. Pure.

The same model, start and gates as in a session, with contact believed as long as the daemon believes it, skin that
starts as cold as it may, and no pause between contacts but those ordered. It is an assumption, not a measurement.
"""

import math
from dataclasses import dataclass, field

from cryodevice.quantities import Celsius, Seconds
from cryodevice.safety import skin_estimate
from cryodevice.safety.contact import LIFT_RESETS_DWELL_S, LOST_AFTER_S
from cryodevice.safety.exposure import NOTHING, ZoneExposure
from cryodevice.safety.limits import CYCLE_SKIN_DEGC, Limits, Zone, static_hold_s
from cryodevice.treatment.program import Step, Treatment, goes_on
from cryodevice.treatment.session import LIFTED_FOR_S

HOLD_SKIN_DEGC = 4.3
"""Worst-case skin that no planned hold may fall below, degC: a little above the warning (docs/architecture.md)."""
TICK_S = 0.25
"""Time between two looks at the model, s; the model itself goes in steps of 50 ms."""


@dataclass(frozen=True, slots=True)
class Margin:
    """The nearest that a treatment comes to one limit.

    Args:
        rule: Interlock that would act; ``cycle_gate`` for the next cold phase that would not begin.
        zone: Where; None for the session as a whole.
        step: Index of the contact, from 0.
        value: What is reached.
        limit: What may be.
        unit: Of both.
        left: How much is left before the limit; negative when it is passed.
    """

    rule: str
    zone: Zone | None
    step: int
    value: float
    limit: float
    unit: str
    left: float

    @property
    def kept(self) -> bool:
        """Whether the limit is kept; a value that is no number keeps none."""
        return self.left >= 0.0


@dataclass(slots=True)
class Forecast:
    """What a treatment comes to.

    Args:
        zones: Exposure by zone.
        margins: By rule and zone, the nearest.
        lasts_s: Contact and rewarming together; pulling the plate down and moving come on top.
    """

    zones: dict[Zone, ZoneExposure] = field(default_factory=dict)
    margins: dict[tuple[str, Zone | None], Margin] = field(default_factory=dict)
    lasts_s: float = 0.0

    @property
    def broken(self) -> list[Margin]:
        """Limits that would be passed, in the order of the contacts."""
        return sorted((margin for margin in self.margins.values() if not margin.kept), key=lambda each: each.step)

    def note(self, place: tuple[str, Zone | None, int], value: float, limit: float, unit: str) -> None:
        """Note how near a limit is, if it has not been nearer. Temperatures must not fall below it."""
        rule, zone, step = place
        left = value - limit if unit == "degC" else limit - value
        before = self.margins.get((rule, zone))
        if before is None or not left >= before.left:
            self.margins[rule, zone] = Margin(rule, zone, step, value, limit, unit, left)


@dataclass(slots=True)
class _Skin:
    """The model under way."""

    estimate: skin_estimate.SkinEstimate
    forecast: Forecast
    now_s: float = 0.0

    def passes(self, seconds: float, plate_degc: float = math.nan, zone: Zone | None = None) -> None:
        """Let time pass, with the plate on a zone or off the skin; count what each zone has had."""
        end_s, touched = self.now_s + seconds, {zone} if zone is not None else set()
        while self.now_s < end_s - 1e-9:
            dt = min(TICK_S, end_s - self.now_s)
            self.now_s += dt
            self.estimate = skin_estimate.advanced(
                self.estimate, Seconds(self.now_s), plate_degc, skin_estimate.ROOM_DEGC, touched
            )
            for each in {*self.forecast.zones, *touched}:
                before = self.forecast.zones.get(each, NOTHING)
                skin, fat = self.estimate.skin_degc(each), self.estimate.fat_degc(each)
                self.forecast.zones[each] = before.plus(Seconds(dt), skin, fat, contact=each in touched)

    def skin_degc(self, zone: Zone) -> Celsius:
        return self.estimate.skin_degc(zone)


def forecast(treatment: Treatment, limits: Limits, start_degc: float = skin_estimate.START_UNSEEN_DEGC) -> Forecast:
    """Run a treatment on the model.

    Args:
        treatment: One that ``program.objections`` has nothing against.
        limits: Limits in force.
        start_degc: Skin before it; by default the coldest that a session may begin on.
    """
    found = Forecast()
    skin = _Skin(skin_estimate.begin(Seconds(0.0), start_degc), found)
    before: Step | None = None
    touched_s, dwell_s = 0.0, 0.0
    for number, step in enumerate(treatment.steps):
        if before is not None:
            _rewarmed(skin, before, step, number)
            off_s = max(before.rewarm_s, LIFTED_FOR_S)
            touched_s = touched_s + LOST_AFTER_S if goes_on(before, step) else 0.0
            dwell_s = 0.0 if off_s >= LIFT_RESETS_DWELL_S or before.glide else dwell_s + LOST_AFTER_S
        skin.passes(step.hold_s, step.plate_degc, step.zone)
        touched_s += step.hold_s
        dwell_s = 0.0 if step.glide else dwell_s + step.hold_s
        found.note(("step_contact", step.zone, number), touched_s, limits.step_contact_s, "s")
        found.note(("static_dwell", step.zone, number), dwell_s, static_hold_s(limits, step.zone), "s")
        _counted(found, step, number, limits)
        skin.passes(LOST_AFTER_S, step.plate_degc, step.zone)
        _chilled(found, step, number, limits)
        before = step
    skin.passes(max(0.0, before.rewarm_s - LOST_AFTER_S) if before is not None else 0.0)
    found.lasts_s = skin.now_s
    return found


def _rewarmed(skin: _Skin, before: Step, step: Step, number: int) -> None:
    """Time between two contacts: what was ordered, and until the cycle gate opens or the step is given up."""
    off_s = max(before.rewarm_s, LIFTED_FOR_S)
    skin.passes(off_s - LOST_AFTER_S)
    if goes_on(before, step):
        return
    while skin.skin_degc(step.zone) < CYCLE_SKIN_DEGC and off_s <= before.longest_rewarm_s:
        skin.passes(TICK_S)
        off_s += TICK_S
    skin.forecast.note(("cycle_gate", step.zone, number), off_s, before.longest_rewarm_s, "s")


def _counted(found: Forecast, step: Step, number: int, limits: Limits) -> None:
    """What grows with every contact, while the wand is still held to it."""
    had = found.zones[step.zone]
    for rule, value, limit, unit in (
        ("zone_contact", had.contact_s, limits.zone_contact_s, "s"),
        ("zone_below_15", had.below_15_s, limits.zone_below_15_s, "s"),
        ("zone_below_10", had.below_10_s, limits.zone_below_10_s, "s"),
        ("zone_below_4", had.below_4_s, limits.zone_below_4_s, "s"),
        ("zone_d10", had.d10_degc_s, limits.zone_d10_degc_s, "degC*s"),
    ):
        found.note((rule, step.zone, number), value, limit, unit)
    session_s = sum(zone.contact_s for zone in found.zones.values())
    found.note(("session_contact", None, number), session_s, limits.session_contact_s, "s")


def _chilled(found: Forecast, step: Step, number: int, limits: Limits) -> None:
    """How cold it gets, to the last moment the plate may lie on it."""
    had = found.zones[step.zone]
    coldest = max(HOLD_SKIN_DEGC, limits.skin_warn_degc)
    found.note(("skin_warn", step.zone, number), had.lowest_skin_degc, coldest, "degC")
    found.note(("fat_boundary", step.zone, number), had.lowest_fat_degc, limits.fat_boundary_degc, "degC")
