"""A treatment: contacts in their order, checked against the limits before anything moves. Data, no behaviour.

What a program with zones and cycles comes to: ``programs`` spreads it out.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from cryodevice.safety.contact import LIFT_RESETS_DWELL_S
from cryodevice.safety.exposure import ANONYMOUS
from cryodevice.safety.limits import Limits, Zone, static_hold_s

ZONE_FLOOR_DEGC: Mapping[Zone, float] = MappingProxyType(
    {
        # Clinical note 5.3; 'other' takes the strictest.
        Zone.NOSE: 8.0,
        Zone.PERIORBITAL: 10.0,
        Zone.NECK: 8.0,
        Zone.OTHER: 10.0,
    }
)
"""Coldest plate, degC, in zones stricter than the program floor."""
WARMEST_PLATE_DEGC = 25.0
"""Warmest plate a cooling step may ask for, degC (engineering default)."""
LONGEST_REWARM_S = 300.0
"""Longest rewarming between steps: the re-treat time, s (clinical note D13)."""
SHORTEST_REWARM_S = 30.0
"""A rewarm shorter than this is a pause: contact of the next step on the same zone goes on counting, s
(docs/architecture.md)."""
MOST_STEPS = 50


@dataclass(frozen=True, slots=True)
class Step:
    """One cold contact and the rewarming after it.

    Args:
        zone: Where.
        plate_degc: Plate setpoint, degC.
        hold_s: Contact time, s.
        rewarm_s: Time off the skin with the drive off before the next step, s.
        glide: The plate is kept moving; else it rests on one spot.
        give_up_s: Longest time off the skin, after this contact, in which the zone that follows must have rewarmed, s;
            0 for twice ``rewarm_s``.
        part: Step of the program that this contact belongs to, from 1; 0 when it is one by itself.
    """

    zone: Zone
    plate_degc: float
    hold_s: float
    rewarm_s: float
    glide: bool = False
    give_up_s: float = 0.0
    part: int = 0

    @property
    def longest_rewarm_s(self) -> float:
        """The longest wait after this contact for the next zone to have rewarmed, s."""
        return self.give_up_s or 2.0 * max(self.rewarm_s, SHORTEST_REWARM_S)


@dataclass(frozen=True, slots=True)
class Treatment:
    """Steps in their order, for one client."""

    name: str
    steps: tuple[Step, ...]
    client: str = ANONYMOUS


def objections(treatment: Treatment, limits: Limits) -> list[str]:
    """Why a treatment may not run under these limits, one sentence each; empty when it may."""
    if not 1 <= len(treatment.steps) <= MOST_STEPS:
        return [f"a treatment has 1 to {MOST_STEPS} steps, not {len(treatment.steps)}"]
    found: list[str] = []
    for number, step in enumerate(treatment.steps, start=1):
        floor = max(limits.plate_floor_degc, ZONE_FLOOR_DEGC.get(step.zone, -math.inf))
        hold = limits.step_contact_s if step.glide else min(limits.step_contact_s, static_hold_s(limits, step.zone))
        kind = "gliding" if step.glide else "static"
        for what, value, low, high, unit in (
            ("plate_degc", step.plate_degc, floor, WARMEST_PLATE_DEGC, "degC"),
            (f"hold_s ({kind})", step.hold_s, 1.0, hold, "s"),
            ("rewarm_s", step.rewarm_s, 0.0, LONGEST_REWARM_S, "s"),
        ):
            if not low <= value <= high:
                name = _named(treatment.steps, number - 1, number - 1)
                found.append(f"{name} ({step.zone}): {what} = {value:g} must be {low:g} to {high:g} {unit}")
    found += _run_together(treatment.steps, limits)
    found += _rest_together(treatment.steps, limits)
    total = sum(step.hold_s for step in treatment.steps)
    if not total <= limits.session_contact_s:
        found.append(f"contact of all steps is {total:g} s; a session may have {limits.session_contact_s:g} s")
    for zone in dict.fromkeys(step.zone for step in treatment.steps):
        contact = sum(step.hold_s for step in treatment.steps if step.zone is zone)
        if not contact <= limits.zone_contact_s:
            found.append(f"contact of {zone} is {contact:g} s; a zone may have {limits.zone_contact_s:g} s")
    return list(dict.fromkeys(found))


def same_part(step: Step, following: Step) -> bool:
    """Whether both contacts belong to the same step of a program."""
    return step.part > 0 and step.part == following.part


def _named(steps: Sequence[Step], first: int, last: int) -> str:
    """Contacts as the author of the program counts them."""
    one, other = steps[first].part or first + 1, steps[last].part or last + 1
    return f"step {one}" if one == other else f"steps {one} to {other}"


def goes_on(step: Step, following: Step) -> bool:
    """Whether the contact of ``following`` adds to that of ``step``: the same zone, after a mere pause."""
    return step.rewarm_s < SHORTEST_REWARM_S and following.zone is step.zone


def _run_together(steps: Sequence[Step], limits: Limits) -> Iterator[str]:
    """Runs of steps whose contact adds up to more than one step may have, one sentence each."""
    began, contact = 0, 0.0
    for number, step in enumerate(steps):
        if number and not goes_on(steps[number - 1], step):
            began, contact = number, 0.0
        contact += step.hold_s
        if number > began and not contact <= limits.step_contact_s:
            yield (
                f"{_named(steps, began, number)} ({step.zone}): one contact of {contact:g} s, since rewarm_s under"
                f" {SHORTEST_REWARM_S:g} is a pause; it may be {limits.step_contact_s:g} s"
            )
            began, contact = number, step.hold_s


def _rest_together(steps: Sequence[Step], limits: Limits) -> Iterator[str]:
    """Runs of static steps whose lifts are too short to begin the static dwell anew, one sentence each."""
    began, rest = 0, 0.0
    for number, step in enumerate(steps):
        if number and (steps[number - 1].rewarm_s >= LIFT_RESETS_DWELL_S or steps[number - 1].glide):
            began, rest = number, 0.0
        rest += 0.0 if step.glide else step.hold_s
        longest = static_hold_s(limits, step.zone)
        if number > began and not step.glide and not rest <= longest:
            yield (
                f"{_named(steps, began, number)} ({step.zone}): at rest on the skin for {rest:g} s with lifts under"
                f" {LIFT_RESETS_DWELL_S:g} s between; {step.zone} may have {longest:g} s"
            )
            began, rest = number, step.hold_s
