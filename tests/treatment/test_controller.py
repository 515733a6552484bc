"""The controller alone, at the edges: what comes in the same tick, what is lost, what is old, what comes twice."""

import math
from dataclasses import replace

import pytest

from cryodevice.safety.contact import Contact
from cryodevice.safety.events import EventKind
from cryodevice.safety.interlocks import TABLE
from cryodevice.safety.limits import Zone, limits
from cryodevice.safety.phases import COOLING, TREATING, SessionState
from cryodevice.safety.skin_estimate import START_UNSEEN_DEGC
from cryodevice.safety.verdict import Clear, Lockout
from cryodevice.treatment.core import Answered, Connected, Disconnected, Missed, Reset, Stop
from cryodevice.treatment.program import Step, Treatment
from cryodevice.treatment.proof import Stage
from cryodevice.wire.codes import Flag, Mode, Refusal, State
from tests.safety.samples import identity
from tests.treatment.ideal_wand import ONE, PERIOD_S, PRESENT, TOKEN, Bench

S = SessionState
RUNNING = sorted(TREATING)
SKIN_STOP = Lockout("skin_stop", Clear.ACKNOWLEDGE, 1.0, 2.0, math.inf, "degC", "look")


def cooling(plate: float = 8.0) -> Bench:
    """A wand that cools off the skin, with its lease running."""
    bench = Bench(wand={"plate_a_degc": plate, "plate_b_degc": plate})
    bench.to(S.LIFTED)
    for _ in range(3):
        bench.tick()
    assert bench.core.leased
    return bench


def locked(**wand) -> Bench:
    """A wand that is well, with a lockout of before."""
    bench = Bench(wand=wand)
    bench.claim()
    bench.core = replace(bench.core, lockout=SKIN_STOP, session=replace(bench.core.session, state=S.LOCKED))
    return bench


def tripped() -> Bench:
    """A locked wand with a latched trip of its own."""
    bench = locked()
    bench.flags |= Flag.TRIP_LATCHED
    bench.tick()
    return bench


def test_a_whole_session_from_claim_to_completion():
    bench = Bench(wand={"plate_a_degc": 8.0, "plate_b_degc": 8.2})
    bench.claim()
    bench.tick(commands=[bench.start()])
    modes = []
    for _ in range(600):
        bench.flags = bench.flags & ~Flag.CONTACT
        if bench.core.session.state in {S.LIFTED, S.APPLYING}:
            bench.flags |= Flag.CONTACT
        bench.tick()
        if bench.order is not None:
            modes.append(bench.order.mode)
    assert bench.core.session.state is S.COMPLETE
    assert [event.evidence["after"] for event in bench.of(EventKind.SESSION_STATE)] == [
        "ready", "precool", "lifted", "applying", "rewarming", "complete",
    ]  # fmt: skip
    assert modes.count(Mode.COOL) * PERIOD_S == pytest.approx(20.0, abs=0.3)
    contact_s = bench.core.dose.of(Zone.LEFT_CHEEK).contact_s
    assert 20.0 <= contact_s <= 21.3, "believed for a second longer than it was"


# -- stop --------------------------------------------------------------------------------------------------------------


@pytest.mark.req("R-H04-5")
@pytest.mark.parametrize("state", SessionState)
@pytest.mark.parametrize("between", [True, False])
def test_a_stop_gives_no_lease_in_the_same_decision(state, between):
    bench = Bench(wand={"plate_a_degc": 8.0, "plate_b_degc": 8.0})
    bench.to(state)
    if state is S.LOCKED:
        bench.core = replace(bench.core, lockout=SKIN_STOP)
    bench.tick()
    decision = bench.decide(commands=[Stop("x")]) if between else bench.tick(commands=[Stop("x")])
    assert decision.order is not None
    assert decision.order.is_stop
    assert not decision.core.leased
    assert decision.urgent, "a person waits to see it carried out"
    assert decision.core.session.state not in TREATING


@pytest.mark.parametrize("state", RUNNING)
@pytest.mark.parametrize("stop_first", [True, False])
def test_a_stop_wins_over_a_start_of_the_same_moment(state, stop_first):
    bench = Bench(wand={"plate_a_degc": 8.0, "plate_b_degc": 8.0})
    bench.to(state)
    bench.tick()
    assert bench.core.session.state in TREATING
    commands = [Stop("x"), bench.start(session_id="s2")]
    bench.tick(commands=commands if stop_first else commands[::-1])
    assert (bench.core.session.state, bench.core.session.session_id) == (S.STOPPED, "s")
    assert bench.last.order.is_stop
    assert bench.last.record, "the end of the session is made durable"
    assert [event.evidence["session_id"] for event in bench.of(EventKind.SESSION_ENDED)] == ["s"]
    assert "stop was asked for" in bench.of(EventKind.SESSION_REFUSED)[-1].message


def test_a_stop_of_the_same_moment_also_keeps_an_idle_wand_idle():
    bench = Bench()
    bench.claim()
    bench.tick(commands=[bench.start(), Stop("x")])
    assert bench.core.session.state is S.IDLE


# -- reset -------------------------------------------------------------------------------------------------------------


def test_a_reset_is_judged_on_what_is_known_now():
    bench = locked()
    bench.pass_s(1.0)
    bench.decide()  # a second without a reading: rows that judge one have nothing to say
    assert not [finding for finding in bench.core.verdict.active if finding.id == "plate_under_floor"]
    bench.tick(commands=[Reset("x")], plate_a_degc=0.0, plate_b_degc=0.0)
    assert bench.core.lockout == SKIN_STOP
    assert "plate_under_floor" in bench.of(EventKind.RESET_REFUSED)[-1].message


def test_a_start_is_judged_on_what_is_known_now():
    bench = Bench()
    bench.claim()
    bench.flags |= Flag.TRIP_LATCHED
    bench.tick(commands=[bench.start()])
    assert "wand_tripped" in bench.of(EventKind.SESSION_REFUSED)[-1].message
    assert not bench.of(EventKind.SESSION_STARTED)


def test_a_wands_trip_is_reset_once_and_seen_to_be_gone():
    bench = tripped()
    bench.decide(commands=[Reset("x")])
    assert bench.order.reset_key
    assert (bench.order.mode, bench.order.lease_ms) == (Mode.OFF, 0)
    bench.decide(commands=[Reset("x")])  # built anew before it was sent, and still one reset
    assert bench.order.reset_key
    bench.tick(state=State.OFF)  # the flag in the very reply is of the tick before
    assert bench.order.is_stop
    assert bench.core.lockout == SKIN_STOP
    bench.flags &= ~Flag.TRIP_LATCHED
    bench.tick()
    assert (bench.core.lockout, bench.core.session.state) == (None, S.IDLE)
    assert len(bench.of(EventKind.RESET_SENT)) == 1


def test_a_reset_whose_refusal_is_lost_on_the_line_is_not_sent_again():
    bench = tripped()
    bench.decide(commands=[Reset("x")])
    bench.pass_s()
    bench.decide(Missed(None, "no reply"))  # the wand refused it, and the status read after that was lost
    assert bench.of(EventKind.RESET_REFUSED)
    for _ in range(3):
        bench.tick()
        assert bench.order.is_stop


@pytest.mark.parametrize("news", [Disconnected("gone"), Connected(PRESENT, TOKEN)])
def test_a_reset_does_not_outlive_its_connection(news):
    bench = tripped()
    bench.decide(commands=[Reset("x")])
    bench.pass_s()
    bench.decide(news)
    bench.decide(Connected(PRESENT, TOKEN))
    for _ in range(4):
        bench.tick()
        assert bench.order is None or bench.order.is_stop
    assert bench.core.lockout == SKIN_STOP


def test_of_two_lockouts_the_first_is_the_cause_and_the_strictest_way_out_counts():
    bench = locked()
    for _ in range(6):
        bench.tick(drive_ma=900)
    assert [finding.id for finding in bench.core.verdict.active] == ["drive_while_off"]
    assert bench.core.lockout == replace(SKIN_STOP, clear=Clear.SERVICE)
    bench.tick()
    bench.tick(commands=[Reset("x")])
    assert bench.core.lockout is not None, "what only service clears is not cleared by an acknowledgement of the first"
    bench.tick(commands=[Reset("x", service=True)])
    assert bench.core.lockout is None


def test_of_lockouts_of_the_same_tick_the_first_in_the_table_is_the_cause():
    bench = Bench()
    bench.claim()
    for _ in range(3):
        bench.tick(drive_ma=900)
    bench.flags |= Flag.ESTOP
    bench.tick(drive_ma=900, dt=0.12)
    assert {finding.id for finding in bench.core.verdict.active} == {"estop", "drive_while_off"}
    assert (bench.core.lockout.cause, bench.core.lockout.clear) == ("estop", Clear.SERVICE)
    assert [event.evidence["cause"] for event in bench.of(EventKind.LOCKOUT)] == ["estop"]


# -- the line ----------------------------------------------------------------------------------------------------------


@pytest.mark.req("R-H29-1")
@pytest.mark.parametrize("state", SessionState)
@pytest.mark.parametrize("before", [(), (Disconnected("gone"),), (Disconnected(""),)])
def test_a_reconnect_resumes_nothing_however_fast_it_is(state, before):
    bench = Bench(wand={"plate_a_degc": 8.0, "plate_b_degc": 8.0})
    bench.to(state)
    if state is S.LOCKED:
        bench.core = replace(bench.core, lockout=SKIN_STOP)
    bench.tick()
    dose = bench.core.dose
    running = bench.core.session.state in TREATING
    bench.pass_s()
    bench.decide(*before, Connected(PRESENT, TOKEN), bench.answer())
    assert bench.core.session.state is (S.STOPPED if running else state)
    assert bench.core.session.ended_why == ("link_lost" if running else "")
    for _ in range(5):
        assert bench.order is None or bench.order.is_stop
        bench.tick()
    assert bench.core.dose.day_contact_s >= dose.day_contact_s


@pytest.mark.parametrize("state", sorted(COOLING))
def test_a_line_that_is_gone_ends_the_session_and_sends_nothing(state):
    bench = Bench(wand={"plate_a_degc": 8.0, "plate_b_degc": 8.0})
    bench.to(state)
    bench.tick()
    for why in ("gone", ""):
        bench.pass_s()
        decision = bench.decide(Disconnected(why))
        assert (decision.order, decision.core.leased, decision.permit) == (None, False, False)
        assert (bench.core.session.state, bench.core.session.ended_why) == (S.STOPPED, "link_lost")


def test_another_boot_asks_for_one_reconnect_and_not_for_one_every_tick():
    bench = Bench()
    bench.claim()
    assert bench.tick(boot_id=4).reconnect
    bench.pass_s()
    assert not bench.decide(Disconnected("the wand restarted")).reconnect
    for _ in range(5):
        bench.pass_s()
        assert not bench.decide().reconnect
    bench.decide(Connected(identity(boot_id=4, simulated=True), TOKEN))
    assert not bench.tick(boot_id=4).reconnect


@pytest.mark.parametrize("code", [0, 3, 250, Refusal.ECHO])
def test_an_order_refused_for_whatever_reason_ends_the_session(code):
    bench = cooling()
    bench.pass_s()
    bench.decide(replace(bench.answer(bench.order), refused=code))
    assert (bench.core.session.state, bench.core.session.ended_why) == (S.STOPPED, "order_refused")
    assert bench.last.urgent


def test_a_missed_reply_lets_the_lease_run_on_and_two_more_hold():
    bench = cooling()
    states = []
    for _ in range(3):
        bench.pass_s()
        bench.decide(Missed(bench.order, "no reply"))
        states.append((bench.core.session.state, bench.core.leased))
    assert states == [(S.LIFTED, True), (S.LIFTED, True), (S.PAUSED, False)]


def test_a_late_accepted_order_of_a_missed_reply_is_ours():
    bench = cooling()
    for accepted in (True, False):
        bench.pass_s()
        if accepted:
            bench.accept(bench.order)
        bench.decide(Missed(bench.order, "no reply"))
        bench.tick()
        assert bench.core.link.foreign_orders == 0
        assert bench.core.link.lease_error_ms == 0.0
        assert bench.core.leased


def test_no_proof_begins_while_an_order_may_still_be_in_force():
    bench = Bench()
    bench.claim()
    bench.decide(commands=[bench.start()])
    assert bench.order.lease_ms == 500
    bench.pass_s()
    bench.accept(bench.order)
    bench.decide(Missed(bench.order, "no reply"))
    assert bench.order.is_stop
    bench.tick()
    assert bench.order.lease_ms == 500


@pytest.mark.parametrize(
    ("config", "wand"),
    [
        ({"allow_simulated": False}, PRESENT),
        ({"monitor_only": True}, PRESENT),
        ({}, replace(PRESENT, applicator=1)),
        ({}, replace(PRESENT, magic=1)),
        ({}, replace(PRESENT, wire_version=0x0200)),
        ({}, replace(PRESENT, hot_cutout_degc=10.0)),
    ],
)
def test_a_wand_that_may_not_be_driven_gets_no_order_at_all(config, wand):
    bench = Bench()
    bench.config = replace(bench.config, **config)
    bench.decide(Connected(wand, TOKEN))
    for command in ((), (bench.start(),), (Stop("x", own=True),), (Reset("x", service=True),)):
        bench.pass_s()
        assert bench.decide(bench.answer(), commands=command).order is None
    bench.core = replace(bench.core, session=replace(bench.core.session, state=S.LIFTED, treatment=ONE))
    bench.pass_s()
    assert bench.decide(bench.answer()).order is None


# -- time --------------------------------------------------------------------------------------------------------------


def test_time_that_goes_back_is_no_time_and_makes_no_reading_young():
    bench = cooling()
    bench.flags |= Flag.CONTACT
    bench.tick()
    before = bench.core
    bench.now -= 10.0
    for _ in range(3):
        bench.tick()
        assert not bench.core.leased
        assert bench.core.now_s == before.now_s
    assert bench.core.session.ended_why == "link_lost"
    bench.now += 11.0
    bench.tick()
    assert bench.core.estimate.at_s == pytest.approx(bench.core.now_s, abs=0.05)
    assert bench.core.dose.session_contact_s == pytest.approx(before.dose.session_contact_s + 1.2, abs=0.06)


def test_a_reading_from_the_future_permits_nothing():
    bench = cooling()
    bench.tick()
    bench.core = replace(bench.core, reading=replace(bench.core.reading, at_s=bench.now + 5.0))
    bench.pass_s()
    bench.decide()
    assert not bench.core.leased


def test_over_a_gap_without_a_decision_the_plate_is_taken_at_the_floor():
    def touched(gap_s: float, ticks: int) -> float:
        bench = cooling(plate=20.0)
        bench.core = replace(bench.core, contact=Contact(believed=True, absent_since_s=None))
        bench.flags |= Flag.CONTACT
        for _ in range(ticks):
            bench.tick(dt=gap_s / ticks)
        return bench.core.estimate.skin_degc(Zone.LEFT_CHEEK)

    assert touched(5.0, 100) > 19.0
    assert touched(5.0, 1) < 9.0, "what the plate did meanwhile is not known"


def test_a_day_without_a_decision_is_survived_and_ends_the_session():
    bench = cooling()
    bench.tick(dt=86_400.0)
    assert not bench.core.leased
    assert bench.core.estimate.at_s == pytest.approx(bench.now, abs=0.05)


# -- steps -------------------------------------------------------------------------------------------------------------

TWO = Treatment("two", (Step(Zone.LEFT_CHEEK, 5.0, 5.0, 0.0), Step(Zone.PERIORBITAL, 12.0, 5.0, 0.0)))


def test_a_plate_still_cold_from_the_step_before_is_not_ready_for_a_milder_zone():
    bench = Bench(wand={"plate_a_degc": 5.0, "plate_b_degc": 5.0})
    bench.to(S.REWARMING, TWO)
    for _ in range(25):
        bench.tick()
    assert (bench.core.session.state, bench.core.session.zone) == (S.PRECOOL, Zone.PERIORBITAL)
    assert bench.order.setpoint_degc == 12.0
    bench.wand = {"plate_a_degc": 11.0, "plate_b_degc": 11.1}
    bench.tick()
    assert bench.core.session.state is S.LIFTED


def test_an_infra_red_that_is_lost_counts_as_skin_never_seen():
    bench = Bench(wand={"plate_a_degc": 20.0, "plate_b_degc": 20.0, "skin_ir_degc": None})
    bench.to(S.REWARMING, TWO)
    assert bench.core.estimate.skin_degc(Zone.PERIORBITAL) > 30.0
    for _ in range(22):
        bench.tick()
    assert bench.core.session.state is S.PRECOOL
    assert bench.core.estimate.skin_degc(Zone.PERIORBITAL) <= START_UNSEEN_DEGC + 0.1


@pytest.mark.parametrize("row", ["static_dwell", "step_contact"])
def test_contact_that_is_believed_counts_though_its_flag_dropped_out(row):
    bench = Bench(wand={"plate_a_degc": 8.0, "plate_b_degc": 8.0, "skin_ir_degc": None})
    bench.config = replace(
        bench.config,
        table=tuple(each for each in TABLE if each.id in {row, "link_lost"}),
        limits=limits({"step_contact_s": 50.0}),
    )
    treatment = Treatment("t", (Step(Zone.LEFT_CHEEK, 8.0, 50.0, 0.0, glide=True),))
    bench.to(S.APPLYING, treatment)
    bench.flags |= Flag.CONTACT
    for _ in range(10):
        bench.tick()
    bench.flags &= ~Flag.CONTACT  # the sensor fails; the trigger is still held and infra-red sees nothing
    for _ in range(2000):
        bench.tick()
        if bench.core.session.state is not S.LIFTED:
            break
    assert bench.core.contact.believed
    assert bench.core.verdict.strongest is not None, "50 s on one spot"
    assert bench.core.verdict.strongest.id == row


def test_a_flapping_contact_flag_hides_no_contact():
    bench = cooling()
    for tick in range(200):
        bench.flags ^= Flag.CONTACT
        bench.tick()
        assert tick == 0 or bench.core.contact.believed
    assert bench.core.contact.dwell_s == pytest.approx(199 * PERIOD_S, abs=0.06)
    assert bench.core.dose.of(Zone.LEFT_CHEEK).contact_s == pytest.approx(200 * PERIOD_S, abs=0.06)
    assert bench.core.session.touched_s >= 199 * PERIOD_S - 0.06


def test_a_stale_plate_does_not_finish_the_precooling():
    bench = Bench(wand={"plate_a_degc": 20.0, "plate_b_degc": 20.0})
    bench.config = replace(bench.config, table=())
    bench.to(S.PRECOOL)
    bench.tick()
    old = replace(bench.answer(plate_a_degc=8.0, plate_b_degc=8.0).reading, at_s=bench.now - 0.31)
    bench.pass_s()
    bench.decide(Answered(old, None))
    assert (bench.core.session.state, bench.core.session.resume) == (S.PAUSED, S.PRECOOL)


# -- proof -------------------------------------------------------------------------------------------------------------


def test_a_proof_over_a_silence_is_begun_again():
    bench = Bench()
    bench.claim()
    bench.tick(commands=[bench.start()])
    bench.tick()
    assert bench.core.session.proof.stage is Stage.WATCH
    for _ in range(4):
        bench.tick()
    for _ in range(5):
        bench.pass_s()
        bench.decide(Missed(None, "no reply"))
    bench.tick()
    assert bench.core.session.proof.stage is Stage.ARM, "when the lease ended in 300 ms nobody saw"
    for _ in range(20):
        bench.tick()
    assert bench.of(EventKind.PROOF_PASSED)


def test_events_come_in_the_order_of_the_table():
    bench = cooling()
    bench.flags = (bench.flags | Flag.ESTOP | Flag.TRIP_LATCHED) & ~(Flag.TIP | Flag.TRIGGER)
    bench.events.clear()
    bench.tick()
    order = [event.evidence["interlock"] for event in bench.of(EventKind.INTERLOCK_ACTIVE)]
    table = [row.id for row in TABLE]
    assert len(order) >= 4
    assert order == sorted(order, key=table.index)
    bench.flags = (bench.flags & ~(Flag.ESTOP | Flag.TRIP_LATCHED)) | Flag.TIP | Flag.TRIGGER
    bench.tick()
    gone = [event.evidence["interlock"] for event in bench.of(EventKind.INTERLOCK_CLEARED)]
    assert gone == sorted(gone, key=table.index)
