"""Program, session machine, lease proof and link bookkeeping, each alone."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryodevice.quantities import U16, U32, Seconds
from cryodevice.safety.limits import CYCLE_SKIN_DEGC, Zone, limits
from cryodevice.safety.phases import COOLING, ENDED, TREATING, SessionState
from cryodevice.safety.readings import read
from cryodevice.safety.verdict import Action, Clear, Finding, Verdict
from cryodevice.treatment import link as links
from cryodevice.treatment import proof as proofs
from cryodevice.treatment import session as sessions
from cryodevice.treatment.program import MOST_STEPS, Step, Treatment, objections
from cryodevice.treatment.proof import Proof, Stage
from cryodevice.treatment.session import ALLOWED, Seen, Session
from cryodevice.wire.codes import Flag, Mode
from tests.safety.samples import identity, status

S = SessionState
TWO = Treatment("two", (Step(Zone.NOSE, 10.0, 5.0, 2.0), Step(Zone.LEFT_CHEEK, 8.0, 6.0, 0.0)))
PROVEN = Proof(Stage.PASSED)
PERMIT = Verdict(True, ())


def finding(action: Action, name: str = "a_rule") -> Verdict:
    return Verdict(action < Action.HOLD, (Finding(name, action, 0.0, 1.0, 1.0, "", Seconds(0.0), "", Clear.ITSELF),))


def seen(dt: float = 0.05, *, touching: bool = False, plate: float = 20.0, next_skin: float = 30.0) -> Seen:
    return Seen(Seconds(dt), touching, touching, plate, next_skin)


# -- program -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ((), "1 to 50 steps, not 0"),
        (TWO.steps * MOST_STEPS, "1 to 50 steps, not 100"),
        ((Step(Zone.NOSE, 7.9, 5.0, 0.0),), "plate_degc = 7.9 must be 8 to 25 degC"),
        ((Step(Zone.LEFT_CHEEK, 4.9, 5.0, 0.0),), "plate_degc = 4.9 must be 5 to 25 degC"),
        ((Step(Zone.LEFT_CHEEK, 8.0, 30.1, 0.0),), "hold_s (static) = 30.1 must be 1 to 30 s"),
        ((Step(Zone.NOSE, 8.0, 10.1, 0.0),), "hold_s (static) = 10.1 must be 1 to 10 s"),
        ((Step(Zone.NOSE, 8.0, 90.1, 0.0, glide=True),), "hold_s (gliding) = 90.1 must be 1 to 90 s"),
        ((Step(Zone.LEFT_CHEEK, 8.0, 5.0, 300.1),), "rewarm_s = 300.1 must be 0 to 300 s"),
        ((Step(Zone.LEFT_CHEEK, float("nan"), 5.0, 0.0),), "plate_degc = nan"),
        ((Step(Zone.LEFT_CHEEK, 8.0, 90.0, 0.0, glide=True),) * 9, "contact of all steps is 810 s"),
        ((Step(Zone.LEFT_CHEEK, 8.0, 90.0, 0.0, glide=True),) * 7, "contact of left_cheek is 630 s"),
    ],
)
def test_a_treatment_outside_the_limits_is_objected_to(steps, says):
    assert any(says in reason for reason in objections(Treatment("t", steps), limits()))


def test_a_treatment_at_the_limits_is_fine():
    assert objections(Treatment("t", (Step(Zone.LEFT_CHEEK, 5.0, 30.0, 300.0), *TWO.steps)), limits()) == []


# -- session -----------------------------------------------------------------------------------------------------------


def at(state: SessionState, **changes) -> Session:
    return replace(Session(), **{"state": state, "session_id": "s", "treatment": TWO, **changes})


@pytest.mark.parametrize("state", SessionState)
@pytest.mark.parametrize("to", SessionState)
def test_every_change_of_state_is_decided(state, to):
    if to in ALLOWED[state]:
        assert sessions.moved(at(state), to).state is to
    else:
        with pytest.raises(ValueError, match="no way from"):
            sessions.moved(at(state), to)


@pytest.mark.parametrize("state", SessionState)
def test_stop_and_lock_are_one_step_from_everywhere_they_mean_something(state):
    stopped = sessions.ended(at(state), S.STOPPED, "why")
    assert stopped.state is (S.STOPPED if state in TREATING or state is S.SCREENING else state)
    locked = sessions.ended(at(state), S.LOCKED, "why")
    assert locked.state is S.LOCKED
    assert locked.ended_why == ("why" if state in TREATING else "")


@pytest.mark.parametrize("state", SessionState)
@pytest.mark.parametrize("touching", [False, True])
@pytest.mark.parametrize("plate", [8.0, 30.0, float("nan")])
def test_a_tick_leads_to_a_defined_state_and_never_ends_in_cooling_by_itself(state, touching, plate):
    session = at(state)
    after = sessions.progressed(session, seen(touching=touching, plate=plate))
    assert after.state is state or after.state in ALLOWED[state]
    if after.state in COOLING:
        assert state in COOLING


@pytest.mark.parametrize(("state", "longest_s"), [(S.READY, 300), (S.PRECOOL, 300), (S.LIFTED, 60), (S.PAUSED, 300)])
def test_waiting_too_long_ends_it(state, longest_s):
    clock = "untouched_s" if state is S.LIFTED else "waiting_s"
    almost = at(state, **{clock: float(longest_s)})
    assert sessions.progressed(at(state, **{clock: longest_s - 1.0}), seen(1.0, plate=30.0)).state is state
    after = sessions.progressed(almost, seen(0.001, plate=30.0))
    assert (after.state, after.ended_why) == (S.STOPPED, "waited_too_long")


def test_two_steps_from_start_to_end():
    session = sessions.begun(Session(), "s", TWO)
    assert (session.state, session.zone) == (S.READY, Zone.NOSE)
    assert sessions.obeyed(session, PERMIT, touching=False) is session, "not proven yet"
    session = replace(session, proof=PROVEN)
    assert sessions.obeyed(session, finding(Action.HOLD), touching=False) is session
    pending = Verdict(True, (), finding(Action.HOLD).active)
    assert sessions.obeyed(session, pending, touching=False) is session, "no session starts on a pending finding"
    session = sessions.obeyed(session, PERMIT, touching=False)
    assert session.state is S.PRECOOL
    assert sessions.progressed(session, seen(plate=11.1)).state is S.PRECOOL
    assert sessions.progressed(session, seen(plate=8.9)).state is S.PRECOOL, "colder than the setpoint is not ready"
    session = sessions.progressed(session, seen(plate=11.0))
    assert session.state is S.LIFTED
    assert session.wants_cooling
    session = sessions.progressed(session, seen(touching=True))
    session = sessions.progressed(session, seen(4.0, touching=True))
    assert (session.state, session.contact_s) == (S.APPLYING, 4.0)
    session = sessions.progressed(session, seen(0.5))
    assert (session.state, session.contact_s) == (S.LIFTED, 4.0), "lifting pauses the clock"
    session = sessions.progressed(session, seen(touching=True))
    session = sessions.progressed(session, seen(1.0, touching=True))
    assert session.state is S.REWARMING
    session = sessions.progressed(session, seen(9.0, touching=True))
    assert session.rewarm_s == 0.0, "skin under a plate does not rewarm"
    session = sessions.progressed(session, seen(1.9))
    assert session.state is S.REWARMING
    session = sessions.progressed(session, seen(0.2))
    assert (session.state, session.step, session.contact_s, session.touched_s) == (S.PRECOOL, 1, 0.0, 0.0)
    session = replace(session, state=S.REWARMING)
    session = sessions.progressed(session, seen(0.99))
    assert session.state is S.REWARMING, "one reading without contact is no lift"
    session = sessions.progressed(session, seen(0.01))
    assert (session.state, session.ended_why) == (S.COMPLETE, "")
    assert session.state in ENDED


@pytest.mark.parametrize(("rewarm_s", "at_most_s"), [(30.0, 60.0), (40.0, 80.0)])
def test_the_next_cold_phase_waits_until_the_zone_has_rewarmed_and_not_for_ever(rewarm_s, at_most_s):
    cold = Step(Zone.FOREHEAD, 8.0, 5.0, rewarm_s)
    session = at(S.REWARMING, treatment=Treatment("t", (cold, cold)), rewarm_s=rewarm_s)
    for below in (math.nextafter(CYCLE_SKIN_DEGC, 0.0), math.nan):
        waiting = sessions.progressed(session, seen(1.0, next_skin=below))
        assert waiting.state is S.REWARMING
        waiting = sessions.progressed(waiting, seen(at_most_s - rewarm_s - 1.0, next_skin=below))
        assert waiting.state is S.REWARMING
        over = sessions.progressed(waiting, seen(0.1, next_skin=below))
        assert (over.state, over.ended_why) == (S.STOPPED, "not_rewarmed")
    assert sessions.progressed(session, seen(1.0, next_skin=CYCLE_SKIN_DEGC)).state is S.PRECOOL


def test_a_pause_in_one_contact_waits_for_no_rewarming():
    cold = Step(Zone.FOREHEAD, 8.0, 5.0, 5.0)
    session = at(S.REWARMING, treatment=Treatment("t", (cold, cold)), rewarm_s=5.0, touched_s=6.0)
    after = sessions.progressed(session, seen(1.0, next_skin=9.0))
    assert (after.state, after.touched_s) == (S.PRECOOL, 6.0)


@pytest.mark.parametrize("state", sorted(COOLING))
def test_a_hold_pauses_and_its_end_resumes(state):
    paused = sessions.obeyed(at(state), finding(Action.HOLD), touching=True)
    assert (paused.state, paused.resume) == (S.PAUSED, state)
    assert paused.judged_states == {S.PAUSED, state}
    assert sessions.obeyed(paused, finding(Action.HOLD), touching=True) is paused
    lifted = sessions.obeyed(paused, PERMIT, touching=False)
    assert lifted.state is S.PRECOOL
    touching = sessions.obeyed(paused, PERMIT, touching=True)
    assert touching.state is (S.PRECOOL if state is S.PRECOOL else S.APPLYING)


@pytest.mark.parametrize("state", SessionState)
def test_stop_ends_what_runs_and_a_lockout_locks_all(state):
    stopped = sessions.obeyed(at(state), finding(Action.STOP, "rule"), touching=False)
    if state in TREATING:
        assert (stopped.state, stopped.ended_why) == (S.STOPPED, "rule")
    else:
        assert stopped.state is state
    assert sessions.obeyed(at(state), finding(Action.LOCKOUT), touching=False).state is S.LOCKED


def test_a_warning_changes_nothing():
    assert sessions.obeyed(at(S.APPLYING), finding(Action.WARN), touching=True).state is S.APPLYING


@pytest.mark.req("R-H28-1")
def test_without_a_treatment_there_is_no_step_and_the_strictest_zone():
    assert (Session().current, Session().zone) == (None, Zone.OTHER)


# -- proof -------------------------------------------------------------------------------------------------------------
LIVE = Flag.LEASE_LIVE | Flag.RELAY_CLOSED


def proof_reading(after_ms: int, flags: Flag, *, start_ms: int = 10_000, drive_ma: int | None = 0):
    return read(status(uptime_ms=(start_ms + after_ms) % U32, flags=flags, drive_ma=drive_ma), Seconds(1.0))


@pytest.mark.req("F10")
@pytest.mark.parametrize("start_ms", [10_000, U32 - 300])
@pytest.mark.parametrize(
    ("live_ms", "clear_ms", "stage"),
    [
        ([20, 450], 500, Stage.PASSED),
        ([20, 549], 560, Stage.PASSED),
        ([20, 400], 450, Stage.PASSED),
        ([20, 400], 449, Stage.FAILED),
        ([20, 370], 500, Stage.PASSED),
        ([20, 369], 500, Stage.ARM),
        ([20], 450, Stage.ARM),
        ([20], 449, Stage.FAILED),
        ([20, 550], 551, Stage.PASSED),
        ([20, 551], None, Stage.FAILED),
    ],
)
def test_the_wand_must_let_go_at_the_right_time(start_ms, live_ms, clear_ms, stage):
    proof = proofs.armed(Proof(), proof_reading(live_ms[0], LIVE, start_ms=start_ms), start_ms, 200.0)
    for after in live_ms[1:]:
        proof = proofs.watched(proof, proof_reading(after, LIVE, start_ms=start_ms), 200.0)
    if clear_ms is not None:
        assert proof.stage is Stage.WATCH
        proof = proofs.watched(proof, proof_reading(clear_ms, Flag(0), start_ms=start_ms), 200.0)
    assert proof.stage is stage, proof.why


@pytest.mark.parametrize("flags", [Flag(0), Flag.LEASE_LIVE, Flag.RELAY_CLOSED])
def test_lease_and_relay_must_both_be_seen(flags):
    assert proofs.armed(Proof(), proof_reading(20, flags), 10_000, 200.0).stage is Stage.FAILED


@pytest.mark.parametrize("drive_ma", [201, -201, None])
def test_no_current_may_flow_at_zero_power(drive_ma):
    failed = proofs.armed(Proof(), proof_reading(20, LIVE, drive_ma=drive_ma), 10_000, 200.0)
    assert (failed.stage, failed.why) == (Stage.FAILED, "current flowed at zero power")


@pytest.mark.req("A09")
def test_a_relay_that_stays_closed_when_the_lease_is_over_fails():
    proof = proofs.armed(Proof(), proof_reading(20, LIVE), 10_000, 200.0)
    assert proofs.watched(proof, proof_reading(560, Flag.RELAY_CLOSED), 200.0).stage is Stage.FAILED


@pytest.mark.req("F09")
@given(earlier=st.integers(0, U32 - 1), passed=st.integers(-(2**31), 2**31 - 1))
def test_uptime_differences_are_right_across_the_wrap(earlier, passed):
    assert proofs.since_ms((earlier + passed) % U32, earlier) == passed


# -- link --------------------------------------------------------------------------------------------------------------


def connected() -> links.Link:
    return links.connected(identity(), 7)


def reply(**changes):
    return read(status(**changes), Seconds(changes.pop("at", 1.0)))


def claimed(epoch: int = 5) -> links.Link:
    link, stop = connected().order(reply(), Mode.OFF)
    link = links.answered(link, reply(order_epoch=epoch), stop, 10_000, refused=False)
    assert link.claimed
    return link


def test_a_token_in_force_by_our_own_stop_claims():
    link, stop = connected().order(reply(), Mode.OFF)
    assert stop.is_stop
    assert (stop.token, stop.boot_id, stop.echo) == (7, 3, 100)
    assert not links.answered(link, reply(token=8), stop, 10_000, refused=False).claimed
    assert not links.answered(link, reply(), None, 10_000, refused=False).claimed
    assert not links.answered(link, reply(), stop, 10_000, refused=True).claimed
    assert links.answered(link, reply(), stop, 10_000, refused=False).claimed


def test_order_sequences_wrap():
    link = replace(connected(), order_sequence=U16 - 1)
    assert link.order(reply(), Mode.OFF)[1].sequence == 0


@pytest.mark.parametrize("epoch", [5, U16 - 1, U16 - 2])
@pytest.mark.parametrize(
    ("lost", "counted", "foreign"), [(0, 1, 0), (0, 2, 1), (0, 0, -1), (2, 1, 0), (2, 3, 0), (2, 4, 3), (2, 0, -1)]
)
def test_the_epoch_tells_our_orders_from_those_of_others(epoch, lost, counted, foreign):
    link = claimed(epoch)
    for _ in range(lost):
        link, order = link.order(reply(), Mode.OFF)
        link = links.missed(link, order)
    link, order = link.order(reply(), Mode.OFF)
    after = links.answered(link, reply(order_epoch=(epoch + counted) % U16), order, 10_000, refused=False)
    assert (after.foreign_orders != 0) is (foreign != 0)
    assert after.unanswered == 0


def test_a_missed_status_read_is_no_order():
    assert links.missed(connected(), None).unanswered == 0


def test_orders_of_others_before_we_claimed_do_not_count():
    assert links.answered(connected(), reply(order_epoch=900), None, 0, refused=False).foreign_orders == 0


@pytest.mark.parametrize("uptime_ms", [10_000, U32 - 100])
@pytest.mark.parametrize(("told_ms", "error_ms"), [(450, 0), (481, 31), (419, -31)])
def test_the_lease_told_is_held_against_the_lease_reckoned(uptime_ms, told_ms, error_ms):
    link = claimed()
    link, order = link.order(reply(), Mode.COOL, lease_ms=500)
    answer = reply(order_epoch=6, uptime_ms=(uptime_ms + 50) % U32, lease_remaining_ms=told_ms)
    after = links.answered(link, answer, order, uptime_ms, refused=False)
    assert after.lease_error_ms == error_ms
    later = reply(order_epoch=6, uptime_ms=(uptime_ms + 100) % U32, lease_remaining_ms=max(0, told_ms - 50))
    assert links.answered(after, later, None, 0, refused=False).lease_error_ms == error_ms


def test_while_orders_are_unanswered_a_status_read_cannot_tell_the_lease():
    link = links.missed(*claimed().order(reply(), Mode.COOL, lease_ms=500))
    after = links.answered(link, reply(order_epoch=6, lease_remaining_ms=470), None, 0, refused=False)
    assert (after.lease_error_ms, after.unanswered) == (0.0, 1)


def test_another_boot_is_not_judged_by_the_old_bookkeeping():
    after = links.answered(claimed(), reply(boot_id=4, order_epoch=0, lease_remaining_ms=300), None, 0, refused=False)
    assert (after.foreign_orders, after.lease_error_ms) == (0, 0.0)


def test_a_sequence_that_stands_still_ages():
    link = links.answered(connected(), read(status(), Seconds(1.0)), None, 0, refused=False)
    link = links.answered(link, read(status(), Seconds(1.05)), None, 0, refused=False)
    assert link.sequence_age_s == pytest.approx(0.05)
    link = links.answered(link, read(status(sequence=103), Seconds(1.1)), None, 0, refused=False)
    assert link.sequence_age_s == 0.0
