"""What the controller says of commands, to the word of evidence; and the sums by which a program is refused."""

import math
from dataclasses import replace

import pytest

from cryodevice.safety.events import EventKind
from cryodevice.safety.exposure import Dose, Past, ZoneExposure
from cryodevice.safety.limits import Zone, limits
from cryodevice.safety.phases import SessionState
from cryodevice.safety.verdict import Clear, Lockout
from cryodevice.treatment.core import Answered, Reset, Resetting, Stop
from cryodevice.treatment.program import MOST_STEPS, Step, Treatment, objections
from cryodevice.wire.codes import Fault, Flag, Refusal, State, Trip
from tests.treatment.ideal_wand import ONE, Bench

S = SessionState
CHEEK, CHIN = Zone.LEFT_CHEEK, Zone.CHIN_JAW
LOCKED = Lockout("skin_stop", Clear.ACKNOWLEDGE, 1.0, 2.0, math.inf, "degC", "look at the skin")


def claimed(**wand) -> Bench:
    bench = Bench(wand=wand)
    bench.claim()
    return bench


def tripped() -> Bench:
    """Locked, with a trip of the wand's own that is latched."""
    bench = claimed()
    bench.core = replace(bench.core, lockout=LOCKED, session=replace(bench.core.session, state=S.LOCKED))
    bench.flags |= Flag.TRIP_LATCHED
    bench.tick()
    return bench


def last(bench: Bench, kind: EventKind):
    return bench.of(kind)[-1]


# -- start -------------------------------------------------------------------------------------------------------------
def test_a_start_is_told_with_its_treatment_and_who_started_it():
    bench = claimed()
    bench.tick(commands=[bench.start(session_id="s7")])
    event = last(bench, EventKind.SESSION_STARTED)
    assert event.evidence == {"session_id": "s7", "treatment": "one", "steps": 1, "who": "tester"}
    assert event.message == "one: 1 steps, started by tester"
    session = bench.core.session
    assert (session.session_id, session.treatment, session.state) == ("s7", ONE, S.READY)
    assert bench.core.coldest_plate_degc == math.inf


def test_a_refused_start_is_told_with_every_reason():
    bench = claimed()
    bench.core = replace(bench.core, lockout=LOCKED, session=replace(bench.core.session, state=S.LOCKED))
    bench.tick(commands=[bench.start(session_id="s8")])
    event = last(bench, EventKind.SESSION_REFUSED)
    assert event.evidence["session_id"] == "s8"
    assert event.evidence["who"] == "tester"
    assert "locked by skin_stop: look at the skin" in event.evidence["reasons"]
    assert event.message == "; ".join(event.evidence["reasons"])
    assert "a session is locked" in event.evidence["reasons"]


def test_a_start_before_the_wand_is_ours_is_refused():
    bench = Bench()
    bench.decide(commands=[bench.start()])
    assert any("not ready" in why for why in last(bench, EventKind.SESSION_REFUSED).evidence["reasons"])


def test_a_warning_refuses_no_start():
    bench = claimed()
    bench.wand["sink_degc"] = 46.0
    for _ in range(30):
        bench.tick()
    assert [finding.id for finding in bench.core.verdict.active] == ["sink_warm"]
    bench.tick(commands=[bench.start()])
    assert bench.of(EventKind.SESSION_STARTED)


def test_another_client_starts_with_the_dose_of_before_closed():
    bench = claimed()
    bench.core = replace(bench.core, dose=Dose("anna").with_zone(CHEEK, ZoneExposure(contact_s=5.0), at_s=90.0))
    bench.tick(commands=[bench.start(Treatment("one", ONE.steps, client="berta"))])
    assert bench.core.dose == Dose("berta")
    assert bench.core.others == {"anna": (Past(90.0, {CHEEK: ZoneExposure(contact_s=5.0)}, held=False),)}
    assert bench.core.begun_at_s == bench.now


def test_a_day_that_is_used_up_is_told_by_the_zone_of_its_step_and_once():
    bench = claimed()
    spent = Dose(past=(Past(-4000.0, {CHIN: ZoneExposure(d10_degc_s=1201.0)}),))
    bench.core = replace(bench.core, dose=spent)
    steps = (Step(CHEEK, 8.0, 10.0, 30.0), Step(CHIN, 8.0, 10.0, 30.0), Step(CHIN, 8.0, 10.0, 30.0))
    bench.tick(commands=[bench.start(Treatment("three", steps))])
    (why,) = last(bench, EventKind.SESSION_REFUSED).evidence["reasons"]
    assert why.startswith("zone_day: ")
    bench.tick(commands=[bench.start(Treatment("one", steps[:1]))])
    assert bench.of(EventKind.SESSION_STARTED)


# -- stop --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("state", [S.READY, S.APPLYING, S.IDLE])
def test_a_stop_is_told_with_who_and_where(state):
    bench = claimed()
    if state is not S.IDLE:
        bench.to(state)
    bench.tick(commands=[Stop("nurse")])
    event = last(bench, EventKind.STOP_COMMANDED)
    assert (event.message, event.evidence) == ("stop by nurse", {"who": "nurse", "state": state.value})
    if state is not S.IDLE:
        assert bench.core.session.ended_why == "stopped by nurse"


# -- reset -------------------------------------------------------------------------------------------------------------
def test_a_reset_of_nothing_is_refused_and_says_who_asked():
    bench = claimed()
    bench.tick(commands=[Reset("eve")])
    event = last(bench, EventKind.RESET_REFUSED)
    assert (event.message, event.evidence) == ("nothing is locked", {"who": "eve"})


def test_a_lockout_that_is_cleared_is_told_by_its_cause():
    bench = claimed()
    bench.core = replace(bench.core, lockout=LOCKED, session=replace(bench.core.session, state=S.LOCKED))
    bench.tick(commands=[Reset("eve")])
    event = last(bench, EventKind.LOCKOUT_CLEARED)
    assert (event.message, event.evidence) == ("lockout by skin_stop cleared", {"cause": "skin_stop"})
    assert (bench.core.lockout, bench.core.session.state) == (None, S.IDLE)


def test_a_wand_without_a_fresh_reading_cannot_be_reset():
    bench = claimed()
    bench.core = replace(bench.core, lockout=LOCKED, session=replace(bench.core.session, state=S.LOCKED))
    bench.pass_s(1.0)
    bench.decide(commands=[Reset("eve")])
    assert last(bench, EventKind.RESET_REFUSED).message == "the wand cannot be reached: no fresh reading"


def test_a_reset_that_the_wand_refuses_is_told_with_its_code():
    bench = tripped()
    bench.decide(commands=[Reset("eve")])
    sent = bench.order
    bench.pass_s()
    bench.decide(Answered(bench.answer().reading, sent, Refusal.RESET))
    event = last(bench, EventKind.RESET_REFUSED)
    assert event.evidence == {"refusal": int(Refusal.RESET)}
    assert "refused the reset" in event.message
    assert bench.core.resetting is Resetting.NO
    assert bench.core.lockout == LOCKED


def test_a_trip_that_stays_after_a_reset_is_told():
    bench = tripped()
    bench.decide(commands=[Reset("eve")])
    for _ in range(4):
        bench.tick(state=State.TRIPPED)
    assert "still tripped" in last(bench, EventKind.RESET_REFUSED).message
    assert bench.core.resetting is Resetting.NO
    assert bench.core.lockout == LOCKED


# -- what the wand says ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("trip", "faults", "says"),
    [
        (
            int(Trip.SINK_HOT),
            Fault.SINK_HOT | Fault.FAN_STOPPED,
            "its cause: sink hot; faults shown: sink hot, fan stopped",
        ),
        (int(Trip.SINK_HOT), Fault(0), "its cause: sink hot"),
        (99, Fault(0), "its cause: unknown"),
    ],
)
def test_a_trip_of_the_wand_is_told_with_its_name_and_faults(trip, faults, says):
    bench = claimed()
    bench.flags |= Flag.TRIP_LATCHED
    bench.tick(trip_code=trip, faults=faults)
    assert last(bench, EventKind.LOCKOUT).message.endswith(says)
    assert last(bench, EventKind.LOCKOUT).evidence["cause"] == "wand_tripped"
    assert last(bench, EventKind.LOCKOUT).evidence["value"] == trip


@pytest.mark.parametrize(("code", "name"), [(Refusal.SETPOINT, "setpoint"), (77, "77")])
def test_a_refused_order_is_told_with_its_name_and_sequence(code, name):
    bench = claimed()
    bench.to(S.LIFTED)
    bench.tick()
    order = bench.order
    bench.pass_s()
    bench.decide(Answered(bench.answer().reading, order, code))
    event = last(bench, EventKind.ORDER_REFUSED)
    assert event.message == f"the wand refused an order: {name}"
    assert event.evidence == {"refusal": code, "sequence": order.sequence}


# -- program -----------------------------------------------------------------------------------------------------------
def told(*steps: Step) -> list[str]:
    return objections(Treatment("t", steps), limits())


def glide(hold_s: float, rewarm_s: float = 30.0, zone: Zone = CHEEK) -> Step:
    return Step(zone, 8.0, hold_s, rewarm_s, glide=True)


def rest(hold_s: float, lift_s: float = 30.0, zone: Zone = CHEEK) -> Step:
    return Step(zone, 8.0, hold_s, lift_s)


def test_a_treatment_may_have_its_sums_to_the_second():
    assert told(*[glide(90.0)] * 6, glide(60.0)) == []
    assert any("contact of left_cheek is 601 s" in why for why in told(*[glide(90.0)] * 6, glide(61.0)))
    both = [glide(90.0), glide(90.0, zone=CHIN)] * 4
    assert told(*both) == []
    assert told(*both, glide(1.0)) == ["contact of all steps is 721 s; a session may have 720 s"]


def test_a_treatment_may_have_its_steps_to_the_last_and_each_is_named_by_its_number():
    assert told(*[glide(10.0)] * MOST_STEPS) == []
    assert told(*[glide(10.0)] * (MOST_STEPS + 1)) == [f"a treatment has 1 to {MOST_STEPS} steps, not {MOST_STEPS + 1}"]
    assert told(glide(10.0), glide(91.0))[0].startswith("step 2 (left_cheek): hold_s (gliding) = 91")


def test_steps_of_one_contact_are_told_by_first_and_last_and_their_sum():
    assert told(glide(60.0, 29.9), glide(30.0)) == []
    assert [why.partition(",")[0] for why in told(glide(60.0, 29.9), glide(31.0))] == [
        "steps 1 to 2 (left_cheek): one contact of 91 s"
    ]
    assert told(glide(60.0, 30.0), glide(60.0)) == []
    assert told(glide(60.0, 5.0), glide(60.0, 5.0, zone=CHIN), glide(60.0)) == []
    three = told(glide(10.0), glide(60.0, 5.0), glide(31.0, 5.0), glide(60.0))
    assert [why.partition(",")[0] for why in three] == [
        "steps 2 to 3 (left_cheek): one contact of 91 s",
        "steps 3 to 4 (left_cheek): one contact of 91 s",
    ]


def test_steps_that_rest_on_one_spot_are_told_by_first_and_last_and_their_sum():
    assert told(rest(20.0, 9.9), rest(10.0)) == []
    two = told(rest(20.0, 9.9), rest(11.0))
    assert [why.partition(" with")[0] for why in two] == ["steps 1 to 2 (left_cheek): at rest on the skin for 31 s"]
    assert told(rest(20.0, 10.0), rest(11.0)) == []
    assert told(rest(5.0, 5.0, Zone.NOSE), rest(6.0, zone=Zone.NOSE))[0].endswith("nose may have 10 s")
    assert told(rest(20.0, 5.0), glide(20.0, 5.0), rest(25.0)) == []
    three = told(rest(5.0), rest(20.0, 5.0), rest(11.0, 5.0), rest(20.0))
    assert [why.partition(" with")[0] for why in three] == [
        "steps 2 to 3 (left_cheek): at rest on the skin for 31 s",
        "steps 3 to 4 (left_cheek): at rest on the skin for 31 s",
    ]
