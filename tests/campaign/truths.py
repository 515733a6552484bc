"""What must be true of every seed, asked of the truth and not of anybody's word. Each violation has a kind and a sentence.

A cut has a budget only where its cause is sharp: the fault takes away at once what the drive stands on.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from cryodevice.safety.events import Event, EventKind
from cryodevice.safety.phases import SessionState
from firmware_sim.plant.dose import ZoneTruth
from tests.campaign.cases import Case
from tests.campaign.whole import Bed
from tests.runtime.virtual import BEGAN_S

SKIN_DEGC = 2.0
PLATE_DEGC = 43.0
LEASE_CUT_S = 0.55
"""Lease and 50 ms: the longest the drive may outlive a permit, or the line."""
CUTS_S = {
    "plate_open": 0.14,
    "plate_short": 0.14,
    "estop_wire_cut": 0.14,
    "hung": 0.36,
    "safety_task_dead": 0.36,
    "watchdog_reset": 0.06,
    "reboot": 0.06,
    "brown_out": 0.06,
    "power_cut": 0.06,
    "loss_to_wand": LEASE_CUT_S,
    "loss_to_host": LEASE_CUT_S,
    "blackout": LEASE_CUT_S,
    "disconnect": LEASE_CUT_S,
}
"""From the fault's beginning to drive zero, s: the wand's own cut and one tick, the relay timer, or the lease."""
UNSHARP = {"share": 1.0, "relay_timer": "works"}
"""With another value of this parameter a fault has no budget."""
SPOILERS = frozenset(
    {
        "cutouts_off",
        "drive_ignores_off",
        "drive_stuck",
        "full_drive",
        "hung",
        "ignores_lease",
        "ignores_stop",
        "lease_from_arrival",
        "lease_overrun",
        "relay_welded",
        "safety_task_dead",
        "adc_frozen",
        "sequence_without_sampling",
        "trip_unlatched",
        "foreign_orders",
        "replayed_orders",
    }
)
"""Faults that take a cut's own means away; beside one of them nothing is promised of another's time."""
DOSE_SLACK_S = 0.5
DOSE_SLACK_DEGC_S = 5.0


@dataclass
class Verdict:
    """What came of one seed; plain, to be kept as JSON."""

    seed: int
    told: str
    faults: tuple[str, ...]
    fired: dict[str, int]
    lowest_skin_degc: float
    highest_plate_degc: float
    cut_s: float | None
    cut_by: str
    contact_s: float
    digest: str
    ended: str
    violations: list[tuple[str, str]] = field(default_factory=list)


def judge(case: Case, bed: Bed) -> Verdict:
    """Everything that is asked of one seed."""
    watch, faults = bed.watch, case.faults
    names = tuple(each.name for each in faults)
    highest = max(look.plate_degc for look in watch.looks)
    events = tuple(numbered.event for numbered in bed.daemon.happened.drain())
    withdrawn = [
        (event.at_s - BEGAN_S, str(event.evidence.get("interlock", "")))
        for event in events
        if event.kind is EventKind.PERMIT_WITHDRAWN
    ]
    verdict = Verdict(
        case.seed,
        case.told(),
        names,
        {name: bed.sim.faults.fired(name) for name in names},
        watch.lowest_skin_degc,
        highest,
        None,
        "",
        bed.cold_contact_s,
        bed.daemon.trace.digest,
        bed.daemon.state(),
    )
    bad = verdict.violations
    if not watch.lowest_skin_degc >= SKIN_DEGC:
        bad.append(("skin", f"true skin fell to {watch.lowest_skin_degc:.2f} degC"))
    if not highest <= PLATE_DEGC:
        bad.append(("plate", f"the plate rose to {highest:.2f} degC"))
    bad += [("lease", f"a lease without a permit: {each}") for each in bed.wrong_leases]
    bad += [("lockout", f"a lockout nobody cleared is gone: {each}") for each in bed.freed]
    if case.family.calm and (nuisance := _nuisance(events, verdict.ended)):
        bad.append(("nuisance", nuisance))
    spoilt = SPOILERS & set(names)
    for at_s, cause, budget_s in bed.causes:
        _cut(verdict, bed, at_s, budget_s, cause, judged=not names)
    for at_s, cause in withdrawn:
        _cut(verdict, bed, at_s, LEASE_CUT_S, f"interlock {cause or 'none'}", judged=not spoilt)
    for each in faults:
        sharp = all(each.values.get(key, value) == value for key, value in UNSHARP.items())
        lasts = each.duration_s is None or each.duration_s >= LEASE_CUT_S
        others = SPOILERS & {name for name in names if name != each.name}
        if each.name in CUTS_S and sharp and lasts:
            _cut(verdict, bed, each.start_s, CUTS_S[each.name], each.name, judged=not others)
    _dose(verdict, bed)
    return verdict


def _nuisance(events: Iterable[Event], ended: str) -> str:
    """What ended a treatment in which nothing was wrong; empty if it came to its end."""
    if ended.startswith(SessionState.COMPLETE.value):
        return ""
    acted = [
        str(event.evidence["interlock"])
        for event in events
        if event.kind is EventKind.INTERLOCK_ACTIVE and event.evidence.get("action") in {"stop", "lockout"}
    ]
    return f"ended {ended or 'not at all'}; acted: {', '.join(acted) or 'nothing'}"


def _cut(verdict: Verdict, bed: Bed, at_s: float, budget_s: float, cause: str, *, judged: bool) -> None:
    """How long the drive outlived ``at_s``, if it was on then."""
    stretch = next((end_s for began_s, end_s in _stretches(bed) if began_s < at_s <= end_s + 0.001), None)
    if stretch is None:
        return
    took_s = max(0.0, stretch - at_s)
    if judged and (verdict.cut_s is None or took_s > verdict.cut_s):
        verdict.cut_s, verdict.cut_by = took_s, cause
    if judged and took_s > budget_s:
        verdict.violations.append(("cut", f"{cause}: the drive outlived it by {took_s:.3f} s, budget {budget_s:.3f} s"))


def _stretches(bed: Bed) -> list[tuple[float, float]]:
    found, began_s = [], None
    for at_s, flows in [*bed.watch.drive, (bed.scenario.duration_s, False)]:
        if flows:
            began_s = at_s
        elif began_s is not None:
            found.append((began_s, at_s))
            began_s = None
    return found


def _dose(verdict: Verdict, bed: Bed) -> None:
    dose = bed.loop._core.dose
    zones = [zone for part in (dose.session, *(past.zones for past in dose.past)) for zone in part.values()]
    real = tuple(bed.sim.plant.zones().values())
    for what, true, booked, slack, unit in (
        ("cold contact", bed.cold_contact_s, sum(zone.contact_s for zone in zones), DOSE_SLACK_S, "s"),
        ("D10", _sum(real, "d10_degc_s"), sum(zone.d10_degc_s for zone in zones), DOSE_SLACK_DEGC_S, "degC s"),
        ("skin below 10 degC", _sum(real, "below_10_s"), sum(zone.below_10_s for zone in zones), DOSE_SLACK_S, "s"),
        ("skin below 4 degC", _sum(real, "below_4_s"), sum(zone.below_4_s for zone in zones), DOSE_SLACK_S, "s"),
    ):
        if booked < true - slack:
            verdict.violations.append(("dose", f"{what}: {true:.1f} {unit} in truth, {booked:.1f} in the ledger"))


def _sum(zones: tuple[ZoneTruth, ...], name: str) -> float:
    return sum(float(getattr(zone, name)) for zone in zones)
