"""Every row of the interlock table, provoked through the plant or the wire, and shown to matter.

Each provocation is run twice: with the whole table it must end with that row as the first cause, the drive at zero
within 250 ms and the rule's own dwell; with the row taken out, nothing may act in that time, or only what is named in
``STANDS_IN``. The table of provocations must name every row there is. Each case is marked with the requirements its
row keeps (docs/hazards.toml).
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from cryodevice.safety import skin_estimate
from cryodevice.safety.events import EventKind
from cryodevice.safety.exposure import Dose, Past, ZoneExposure
from cryodevice.safety.interlocks import TABLE
from cryodevice.safety.limits import IDLE_S, PLATE_SAME_S, UNANSWERED_S, UNHELD_S, Zone
from cryodevice.safety.phases import SessionState
from cryodevice.safety.verdict import Action
from cryodevice.treatment.program import Step, Treatment
from cryodevice.treatment.wand_clock import WINDOW_S
from cryodevice.wire import frame as wire_frame
from cryodevice.wire.blocks import Order, pack_order, unpack_order
from cryodevice.wire.codes import Capability, Mode
from firmware_sim.endpoints.serial_slave import SerialSlave
from firmware_sim.faults import injection
from tests.system.rig import PERIOD_S, Rig, table_without
from tests.trace.hazards import of_row

REACTION_S = 0.25
"""Through the daemon, beside the rule's own dwell (docs/architecture.md)."""
ROW = {interlock.id: interlock for interlock in TABLE}


@dataclass(frozen=True)
class Case:
    """How to provoke one row.

    ``prepare`` brings the rig to where the row applies; ``provoke`` makes it unsafe, at the instant the budget counts
    from; ``wait_s`` is how long the condition then takes to build up by itself (a dose, a dwell), 0 for a step.
    """

    provoke: Callable[[Rig], None]
    prepare: Callable[[Rig], None] = Rig.to_applying
    wait_s: float = 0.0
    rig: dict = field(default_factory=dict)
    budget_s: float | None = None
    recovers: bool = False


def plate(offset_k: float) -> Callable[[Rig], None]:
    def provoke(rig: Rig) -> None:
        rig.sim.plant.disturbances.plate_a_offset_k = offset_k
        rig.sim.plant.disturbances.plate_b_offset_k = offset_k

    return provoke


def plate_drifts(offset_k: float, k_s: float = 4.0) -> Callable[[Rig], None]:
    """Both channels go off by this much, no faster than a plate may."""

    def provoke(rig: Rig) -> None:
        for number in range(1, round(offset_k / k_s / PERIOD_S) + 1):
            plate(number * k_s * PERIOD_S)(rig)
            rig.tick()

    return provoke


def disturb(**values) -> Callable[[Rig], None]:
    def provoke(rig: Rig) -> None:
        for name, value in values.items():
            setattr(rig.sim.plant.disturbances, name, value)

    return provoke


def quirk(**values) -> Callable[[Rig], None]:
    def provoke(rig: Rig) -> None:
        for name, value in values.items():
            setattr(rig.sim.firmware.quirks, name, value)

    return provoke


def hand(**values) -> Callable[[Rig], None]:
    def provoke(rig: Rig) -> None:
        for name, value in values.items():
            setattr(rig.sim.plant, name, value)

    return provoke


def both(*actions: Callable[[Rig], None]) -> Callable[[Rig], None]:
    def act(rig: Rig) -> None:
        for action in actions:
            action(rig)

    return act


def nothing(_rig: Rig) -> None:
    """The condition builds up by itself."""


def sink_at(degc: float) -> Callable[[Rig], None]:
    def provoke(rig: Rig) -> None:
        rig.sim.plant.disturbances.sink_offset_k = degc - rig.sim.truth()["sink_degc"]

    return provoke


def skin_seen_at(degc: float) -> Callable[[Rig], None]:
    def provoke(rig: Rig) -> None:
        rig.sim.plant.disturbances.skin_ir_offset_k = degc - rig.sim.truth()["skin_surface_degc"]

    return provoke


def skin_that_freezes(rig: Rig) -> None:
    """Supercooled skin, seen beside the plate, that jumps up."""
    skin_seen_at(-1.2)(rig)
    rig.tick()
    rig.tick()
    skin_seen_at(-0.5)(rig)


def to_ready(rig: Rig) -> None:
    rig.start()


def to_precool(rig: Rig) -> None:
    rig.start()
    rig.until_state(SessionState.PRECOOL, 3.0)
    rig.run(0.5)


def to_idle(rig: Rig) -> None:
    rig.until(lambda: rig.core.link.claimed, 3.0, "claimed")
    rig.run(0.5)


def connect_only(rig: Rig) -> None:
    rig.run(0.0)


def released_on_the_skin(rig: Rig) -> None:
    """Ten seconds into the contact the trigger is let go and the wand stays on the skin."""
    rig.to_applying(10.0)
    rig.sim.plant.trigger = False


def foreign_stop(rig: Rig, number: int = 77) -> None:
    """Another master, on a line of its own, stops the wand with a token of its own."""
    order = Order(number, Mode.OFF, 20.0, 0, 0, 0, 0x7777)
    payload = b"".join(word.to_bytes(2, "big") for word in pack_order(order))
    SerialSlave(rig.sim.firmware).feed(b"\0" + wire_frame.encode_frame(wire_frame.Frame(2, 9, payload)))


def foreign_stops_at_every_exchange(rig: Rig) -> None:
    """Another master that is idle: it stops the wand again and again, and holds no lease."""

    numbers = itertools.count(77)  # an exact repeat would not count (LEASE-09)

    def after_the_others(request: bytes) -> bytes:
        foreign_stop(rig, next(numbers))
        return request

    rig.filter = after_the_others


def foreign_stop_under_a_lost_order(rig: Rig) -> None:
    """The same, hidden in the very tick in which our own order is lost: the epoch cannot tell them apart."""
    rig.filter = lambda _request: b""
    rig.tick()
    rig.filter = lambda request: request
    foreign_stop(rig)


def orders_for_another_boot(rig: Rig) -> None:
    """A line that changes the boot id of every order, with a good CRC."""

    def change(request: bytes) -> bytes:
        frame = wire_frame.decode_frame(request.rstrip(b"\0"))
        if frame.type != wire_frame.FrameType.EXCHANGE:
            return request
        words = [int.from_bytes(frame.payload[at : at + 2], "big") for at in range(0, 16, 2)]
        order, _raw = unpack_order(words)
        changed = pack_order(replace(order, boot_id=order.boot_id + 1))
        return wire_frame.encode_frame(replace(frame, payload=b"".join(word.to_bytes(2, "big") for word in changed)))

    rig.filter = change


def replies_missing(ticks: int) -> Callable[[Rig], None]:
    def provoke(rig: Rig) -> None:
        rig.sim.firmware.quirks.drop_replies = True
        for _ in range(ticks):
            rig.tick()
        rig.sim.firmware.quirks.drop_replies = False

    return provoke


def late_ticks(count: int) -> Callable[[Rig], None]:
    def provoke(rig: Rig) -> None:
        for _ in range(count):
            rig.tick(late_s=0.12)
            rig.run(0.3)

    return provoke


def earlier(dose: Dose) -> Callable[[Rig], None]:
    def prepare(rig: Rig) -> None:
        rig.core = replace(rig.core, dose=dose)
        rig.start()

    return prepare


def had(dose: Dose) -> Callable[[Rig], None]:
    def provoke(rig: Rig) -> None:
        rig.core = replace(rig.core, dose=dose)

    return provoke


def still_cold(rig: Rig) -> None:
    rig.core = replace(rig.core, estimate=skin_estimate.rebased(rig.core.estimate, 25.0, ZONE))


def fault(name: str, **values: object) -> Callable[[Rig], None]:
    """One of the simulator's catalogue."""
    return lambda rig: rig.sim.faults.inject(injection(name, values)) and None


def expired(rig: Rig) -> None:
    """The wand was calibrated a year and a day ago."""
    rig.today_day = rig.core.link.identity.calibration_day + 366


def welded_and_stuck(rig: Rig) -> None:
    """The second channel is gone and the bridge conducts: nothing this side of the supply can take the current away."""
    disturb(relay_welded=True, drive_stuck_a=1.0)(rig)


def let_go(rig: Rig) -> None:
    disturb(relay_welded=False, drive_stuck_a=None)(rig)


ZONE = Zone.LEFT_CHEEK
HOLD_60 = Treatment("glide", (Step(ZONE, 8.0, 60.0, 5.0, glide=True),))
AT_5 = Treatment("coldest", (Step(ZONE, 5.0, 20.0, 5.0),))
SHORT = Treatment("short", (Step(ZONE, 8.0, 15.0, 5.0),))
SPENT = Dose(past=(Past(0.0, {ZONE: ZoneExposure(d10_degc_s=1199.0)}),))
JUST_NOW = Dose(past=(Past(0.0, {ZONE: ZoneExposure(contact_s=1.0)}),))
A_WHILE_AGO = Dose(past=(Past(-301.0, {ZONE: ZoneExposure(contact_s=1.0)}),))
TWICE = Dose(past=(Past(0.0, {ZONE: ZoneExposure(contact_s=1.0)}),) * 2)
ALONE = quirk(cutouts_off=True)
"""The wand's own cut-outs are out of force: the daemon must do it alone."""

CASES: dict[str, Case] = {
    "identity": Case(quirk(applicator=1), connect_only),
    "link_lost": Case(quirk(drop_requests=True, drop_replies=True), budget_s=0.55),
    "capability": Case(quirk(capabilities=int(Capability(0xFF) & ~Capability.TRIGGER)), connect_only),
    "simulated": Case(nothing, connect_only, rig={"allow_simulated": False}),
    "lease_proof": Case(quirk(lease_overrun_ms=200), to_idle, wait_s=2.0),
    "boot_id": Case(lambda rig: rig.sim.reboot()),
    "sequence_stopped": Case(quirk(hang_safety_task=True), budget_s=0.35),  # a hung wand's own relay timer: 300 ms
    "second_master": Case(foreign_stop),
    "occupied": Case(foreign_stops_at_every_exchange, connect_only, wait_s=1.0),
    "wand_clock": Case(quirk(uptime_rate=1.03), to_idle, wait_s=2.0 * WINDOW_S),
    "lease_mismatch": Case(quirk(lease_report_offset_ms=100)),
    "setpoint_mismatch": Case(quirk(setpoint_offset_k=-0.02)),
    "token": Case(foreign_stop_under_a_lost_order),
    "stale": Case(replies_missing(4), budget_s=0.125 + REACTION_S, recovers=True),
    "dose_unknown": Case(nothing, connect_only, rig={"dose_known": False}),
    "ledger_failing": Case(lambda rig: setattr(rig, "store_failure", "disk full"), to_idle),
    "ledger_late": Case(lambda rig: setattr(rig, "store_writes", False), wait_s=2.1),
    "tick_overrun": Case(late_ticks(1), budget_s=0.1 + REACTION_S, recovers=True),
    "tick_overruns": Case(late_ticks(3), budget_s=2.0),
    "estop": Case(hand(estop=True)),
    "tip": Case(hand(tip=False)),
    "trigger": Case(hand(trigger=False)),
    "contact_in_precool": Case(hand(contact=True), to_precool),
    "contact_contradicted": Case(both(disturb(contact_dead=True), hand(contact=True)), Rig.to_lifted, budget_s=0.2 + 0.5 + REACTION_S),  # a slow sensor is *not available* after two of its periods of 100 ms
    "sensor_invalid": Case(both(ALONE, disturb(plate_a_open=True))),
    "plate_under_floor": Case(plate(-5.0)),
    "plate_under_setpoint": Case(plate(-3.2)),
    "plate_over_ceiling": Case(plate(33.0)),
    "plate_warm": Case(plate_drifts(14.8), to_idle),
    "channels_apart": Case(disturb(plate_b_offset_k=2.15)),
    "plate_jump": Case(plate(4.0)),
    "plate_frozen": Case(disturb(plate_a_frozen=True), wait_s=PLATE_SAME_S),
    "no_response": Case(disturb(plate_heat_w=43.0), to_ready, wait_s=UNANSWERED_S + 1.0),
    "plate_unheld": Case(disturb(plate_heat_w=40.0), wait_s=UNHELD_S + 1.0),
    "residual": Case(fault("plate_drift", channel="both", rate_k_s=0.5), wait_s=7.0),
    "plate_noise": Case(fault("plate_noise", channel="b"), wait_s=2.0),
    "wrong_way": Case(disturb(drive_reversed=True), to_ready, wait_s=4.0, budget_s=2.0),
    "drive_mismatch": Case(both(ALONE, disturb(drive_stuck_a=-0.5))),
    "drive_idle": Case(fault("drive_open"), to_precool, wait_s=IDLE_S),
    "drive_while_off": Case(both(ALONE, welded_and_stuck), to_idle),
    "sink_sensor": Case(both(ALONE, disturb(sink_lost=True))),
    "sink_trip": Case(sink_at(52.0)),
    "sink_warm": Case(sink_at(47.0)),
    "fan": Case(disturb(fan_stalled=True), wait_s=2.6),
    "freeze_signature": Case(skin_that_freezes, Rig.to_lifted),
    "skin_stop": Case(skin_seen_at(0.0), Rig.to_lifted),
    "skin_warn": Case(skin_seen_at(3.2), Rig.to_lifted),
    "retreat_time": Case(had(JUST_NOW), to_ready, wait_s=3.0),
    "retreat_skin": Case(both(had(A_WHILE_AGO), still_cold), to_ready, wait_s=3.0),
    "plate_at_rest": Case(nothing, both(plate(3.5), to_ready), wait_s=3.0),
    "calibration": Case(expired, to_ready),
    "baseline_skin": Case(nothing, both(skin_seen_at(25.0), to_ready), wait_s=3.0),
    "static_dwell": Case(nothing, wait_s=30.0, rig={"treatment": HOLD_60}),
    "step_contact": Case(nothing, released_on_the_skin, wait_s=11.0, rig={"settings": {"step_contact_s": 20.0}, "treatment": SHORT}),
    "zone_contact": Case(nothing, released_on_the_skin, wait_s=11.0, rig={"settings": {"zone_contact_s": 20.0}, "treatment": SHORT}),
    "zone_below_15": Case(nothing, wait_s=13.0, rig={"settings": {"zone_below_15_s": 12.0}}),
    "zone_below_10": Case(nothing, wait_s=14.0, rig={"settings": {"zone_below_10_s": 10.0}}),
    "zone_below_4": Case(skin_seen_at(3.2), Rig.to_lifted, wait_s=5.2),
    "zone_d10": Case(nothing, wait_s=8.0, rig={"settings": {"zone_d10_degc_s": 10.0}, "treatment": AT_5}),
    "fat_boundary": Case(nothing, wait_s=20.0, rig={"settings": {"fat_boundary_degc": 19.0}}),
    "session_contact": Case(nothing, released_on_the_skin, wait_s=11.0, rig={"settings": {"session_contact_s": 20.0}, "treatment": SHORT}),
    "day_contact": Case(nothing, wait_s=12.0, rig={"settings": {"day_contact_s": 10.0}}),
    "zone_day": Case(nothing, both(earlier(SPENT), lambda rig: rig.until_state(SessionState.LIFTED, 40.0), hand(contact=True)), wait_s=10.0, rig={"treatment": AT_5}),
    "day_sessions": Case(had(TWICE), to_ready),  # a start on a day that is used up is refused before
    "order_refused": Case(orders_for_another_boot),
    "wand_tripped": Case(disturb(drive_stuck_a=5.0)),
}  # fmt: skip


STANDS_IN = {
    "link_lost": "stale",
    "boot_id": "token",
    "sequence_stopped": "lease_mismatch",
    "second_master": "lease_mismatch",
    "token": "order_refused",
    "tick_overrun": "stale",
    "tick_overruns": "tick_overrun",
    "estop": "wand_tripped",
    "sensor_invalid": "channels_apart",
    "plate_under_floor": "plate_under_setpoint",
    "plate_under_setpoint": "plate_jump",
    "plate_over_ceiling": "plate_jump",
    "sink_trip": "sink_warm",
    "step_contact": "trigger",
    "zone_contact": "trigger",
    "zone_below_4": "skin_warn",
    "zone_d10": "zone_day",
    "session_contact": "trigger",
    "day_sessions": "retreat_time",
    "wand_tripped": "order_refused",
    "wrong_way": "residual",
    "freeze_signature": "skin_stop",
}
"""What acts in the same time, in the same provocation, when a row is taken out; of all others nothing does.

A stand-in may be weaker, a warning or a hold: what is lost is the reaction the row's requirement asks for.
"""


def first_cause(rig: Rig, row: str) -> str:
    """What the daemon gives as the first cause: of the lockout, of the session's end, of the permit, or just a reason."""
    action = ROW[row].action
    if action is Action.WARN:
        return next((f.id for f in rig.core.verdict.active), "")
    if rig.core.lockout is not None:
        return rig.core.lockout.cause
    if rig.core.session.ended_why:
        return rig.core.session.ended_why
    withdrawn = rig.withdrawn_by()
    if withdrawn:
        return withdrawn
    strongest = rig.core.verdict.strongest
    return strongest.id if strongest is not None else ""


def found_at(rig: Rig, row: str) -> float:
    """When the daemon last found the row active."""
    found = [e.at_s for e in rig.events if e.kind is EventKind.INTERLOCK_ACTIVE and e.evidence["interlock"] == row]
    return found[-1]


def budget_s(row: str) -> float:
    """Longest time from unsafe to drive zero: 250 ms and the rule's dwell, or what the case says."""
    own = CASES[row].budget_s
    return REACTION_S + ROW[row].dwell.value if own is None else own


def provoked(row: str, table: tuple, seed: int = 1) -> tuple[Rig, float, bool]:
    """Provoke a row and give it its time; also when it was provoked, and whether the drive was on then."""
    case = CASES[row]
    rig = Rig(table=table, seed=seed, **case.rig)
    case.prepare(rig)
    at, was_driving = rig.now, rig.driving
    case.provoke(rig)
    if row == "lease_proof":
        rig.start()
    rig.run(case.wait_s + max(budget_s(row), ROW[row].dwell.value + 0.1) + 0.1)
    return rig, at, was_driving


def check(row: str, table: tuple, seed: int = 1) -> Rig:
    """Provoke a row and assert its reaction; raises AssertionError if it is not as it must be."""
    case, interlock, budget = CASES[row], ROW[row], budget_s(row)
    rig, provoked_at, was_driving = provoked(row, table, seed)
    assert first_cause(rig, row) == row, rig.story()
    rig.acted_s = max(0.0, found_at(rig, row) - provoked_at - case.wait_s)
    if interlock.action is Action.WARN:
        assert rig.driving == was_driving, "a warning takes nothing away"
        return rig
    if not case.recovers:
        assert not rig.core.leased
    if row == "drive_while_off":
        latched = rig.last(EventKind.LOCKOUT).at_s - provoked_at
        assert latched <= budget, f"latched only after {latched:.3f} s"
        rig.reaction_s = latched
        let_go(rig)
        rig.run(0.1)
    assert rig.driving == case.recovers, rig.story()
    if was_driving:
        unsafe_at = provoked_at + case.wait_s
        rig.reaction_s = max(0.0, rig.drive_off_at - unsafe_at)
        assert rig.drive_off_at <= unsafe_at + budget, (
            f"drive off {rig.drive_off_at - unsafe_at:.3f} s after; {rig.story()}"
        )
    return rig


def test_every_row_is_provoked():
    missing = set(ROW) - set(CASES)
    assert not missing, (
        f"CASES has no provocation for {sorted(missing)}: add one, and its stand-in to STANDS_IN if there is one"
    )
    assert set(CASES) == set(ROW)
    assert set(STANDS_IN) <= set(ROW)


EACH = [pytest.param(row, id=row, marks=[pytest.mark.req(of) for of in of_row(row)]) for row in CASES]


@pytest.mark.parametrize("row", EACH)
def test_row_acts_in_time_and_is_the_first_cause(row):
    check(row, TABLE)


@pytest.mark.parametrize("row", EACH)
def test_without_the_row_its_reaction_is_missing(row):
    """Whatever has a requirement kept by this row fails when the row is out of force."""
    rig, _at, was_driving = provoked(row, table_without(row))
    instead = first_cause(rig, row)
    assert instead == STANDS_IN.get(row, ""), (
        f"without {row}, {instead or 'nothing'!r} acts: say so in STANDS_IN, then run python -m tests.trace"
    )
    if not instead and CASES[row].wait_s == 0.0:
        assert rig.driving or not was_driving, "something took the drive away and is not named"
