"""When the kit will not ask a wand, and that it leaves every wand stopped, whatever ends the run."""

from contextlib import suppress

import pytest

from cryodevice.errors import LinkClosedError, SafetyRefusedError
from firmware_sim.conformance.clause import Group
from firmware_sim.conformance.clauses import every
from firmware_sim.conformance.company import WATCH_S
from firmware_sim.conformance.pace import NEEDED_S, TooSlowError
from firmware_sim.conformance.runner import Run, Verdict, judge_all
from firmware_sim.conformance.verdict import FailedError
from firmware_sim.faults import injection
from tests.firmware_sim.conformance.bench import wand_of
from tests.firmware_sim.conformance.broken_wand import EndsInAnotherTrip
from tests.firmware_sim.conformance.variants import Parts, turn

STRANGER = 0x7777


def stop_of(token, number):
    return [number, 0, 0, 0, 0, 0, token, 0]


def stranger_arms(parts):
    """Somebody else opens a session and arms the wand."""
    firmware = parts.firmware
    firmware.receive(stop_of(STRANGER, 1))
    firmware.reply_status()
    assert firmware.receive([2, 0, 0, 900, firmware.sequence, firmware.boot_id, STRANGER, 0]) == 0


def clause(judge, **options):
    group = Group("test")
    group.clause("LEASE-14", "a clause of a test", **options)(judge)
    return group.clauses


@pytest.fixture
def parts():
    return Parts()


def truth_stopped(parts):
    truth = parts.simulator.truth()
    return (truth["lease_live"], truth["relay_closed"], truth["drive_a"]) == (False, False, 0.0)


def test_somebody_elses_lease_is_left_alone(parts):
    wand = wand_of(parts, "serial")
    stranger_arms(parts)
    run = Run()
    with pytest.raises(SafetyRefusedError, match="somebody's lease is live"):
        judge_all(wand, every(), run)
    assert parts.simulator.truth()["lease_live"] is True
    assert (run.outcomes, run.stopped) == ([], None)


def test_a_master_that_orders_without_a_lease_shows_in_the_epoch(parts):
    wand = wand_of(parts, "tcp")
    sleep = wand.line.sleep

    def busy(duration_s):
        sleep(duration_s / 2)
        parts.firmware.receive(stop_of(STRANGER, int(wand.line.now() * 50)))
        sleep(duration_s / 2)

    wand.line.sleep = busy
    with pytest.raises(SafetyRefusedError, match="another master orders this wand"):
        judge_all(wand, every(), Run())
    assert wand.ordered is False


@pytest.mark.parametrize("line", ["serial", "rtu"])
def test_a_master_that_comes_in_the_middle_ends_the_run(parts, line):
    wand = wand_of(parts, line)
    advance, seen = parts.simulator.advance, []

    def advance_with_stranger(dt_s):
        advance(dt_s)
        if parts.simulator.time_s > 3.0 + 0.05 * len(seen):
            seen.append(parts.simulator.time_s)
            parts.firmware.receive(stop_of(STRANGER, len(seen)))

    parts.simulator.advance = advance_with_stranger
    run = Run()
    with pytest.raises(SafetyRefusedError, match="another master"):
        judge_all(wand, every(), run)
    assert seen[-1] - seen[0] < 3.0 + WATCH_S
    assert truth_stopped(parts)
    assert run.stopped is True


def test_a_wand_that_miscounts_its_epoch_is_no_second_master(parts):
    lease = parts.firmware.lease
    count = lease._count

    def twice(order):
        count(order)
        lease.epoch += 1

    lease._count = twice
    run = Run()
    judge_all(wand_of(parts, "serial"), every(), run)
    assert "LEASE-13" in run.failed
    assert "nobody else was seen" in run.note


def test_a_tripped_wand_is_refused_and_says_which_trip(parts):
    parts.simulator.plant.estop = True
    wand = wand_of(parts, "serial")
    parts.simulator.plant.estop = False
    parts.simulator.advance(0.1)
    with pytest.raises(SafetyRefusedError, match=r"trip 10 \(ESTOP\) is latched"):
        judge_all(wand, every(), Run())


def test_a_drive_on_skin_is_refused(parts):
    parts.simulator.plant.contact = True
    with pytest.raises(SafetyRefusedError, match="touches skin"):
        judge_all(wand_of(parts, "serial"), every(), Run())
    run = Run()
    judge_all(wand_of(parts, "serial", allow_drive=False), every(), run)
    assert run.failed == []


def test_a_connection_that_the_wand_closed_is_opened_anew_for_the_last_stop(parts):
    def judge(wand):
        wand.arm()
        wand.line.send(b"no Modbus at all")  # the wand closes on it
        raise RuntimeError

    wand, run = wand_of(parts, "tcp"), Run()
    with pytest.raises(RuntimeError):
        judge_all(wand, clause(judge), run)
    assert truth_stopped(parts)
    assert run.stopped is True


@pytest.mark.parametrize("line", ["serial", "rtu", "tcp"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, LinkClosedError])
def test_whatever_ends_a_run_the_wand_is_left_stopped(parts, line, error):
    def judge(wand):
        wand.arm()
        assert parts.simulator.truth()["lease_live"] is True
        raise error("in the middle")

    wand, run = wand_of(parts, line), Run()
    if error is LinkClosedError:
        judge_all(wand, clause(judge), run)
        assert run.outcomes[0].said == "in the middle"
    else:
        with pytest.raises(error):
            judge_all(wand, clause(judge), run)
    assert truth_stopped(parts)
    assert run.stopped is True


def test_a_wand_that_no_longer_answers_is_not_called_stopped(parts):
    def judge(wand):
        wand.arm()
        parts.firmware.quirks.drop_replies = True
        return "cut"

    run = Run()
    wand = wand_of(parts, "serial")
    wand.clear_trip = lambda: None
    judge_all(wand, clause(judge), run)
    assert run.stopped is False
    assert truth_stopped(parts)  # the stop went out all the same


def test_a_wand_that_falls_silent_costs_seconds_not_a_time_out_for_each_clause(parts):
    def judge(wand):
        parts.firmware.quirks.drop_replies = True
        return str(wand.status())

    group = Group("test")
    group.clause("LEASE-14", "a clause that cuts the line")(judge)
    wand, run = wand_of(parts, "rtu"), Run()
    judge_all(wand, group.clauses + every(), run)
    assert run.failed == ["LEASE-14"]
    assert {outcome.said for outcome in run.outcomes[1:] if not outcome.elsewhere} == {"the wand no longer answers"}
    assert run.stopped is False
    assert parts.simulator.time_s < 10.0


def test_a_reboot_in_the_middle_ends_the_run(parts):
    def judge(wand):
        parts.simulator.reboot()
        parts.simulator.advance(0.1)
        wand.status()
        return "rebooted"

    with pytest.raises(SafetyRefusedError, match="rebooted meanwhile"):
        judge_all(wand_of(parts, "serial"), clause(judge), Run())


def test_after_a_trip_nobody_can_explain_the_rest_is_skipped_and_the_run_has_failed(parts):
    turn(parts.firmware, EndsInAnotherTrip)
    run = Run()
    judge_all(wand_of(parts, "serial"), every(), run)
    assert run.failed == ["LEASE-17"]
    last = [outcome for outcome in run.outcomes if not outcome.elsewhere][-1]
    assert last.said.startswith("the wand has tripped meanwhile, trip 13 (SUPPLY)")
    assert run.stopped is True


def test_a_clause_that_fails_because_the_kit_was_held_up_is_judged_again(parts):
    held = []

    def judge(wand):
        held.append(len(held) < 1)
        wand.held_s = 0.4 if held[-1] else 0.0
        if held[-1]:
            raise FailedError("late")
        return "in time"

    run = Run()
    judge_all(wand_of(parts, "serial"), clause(judge), run)
    assert [(o.verdict, o.said, o.repeats) for o in run.outcomes] == [(Verdict.PASS, "in time", 1)]
    assert run.outcomes[0].why == "this computer was held up for 400 ms"


def test_a_clause_that_fails_in_time_is_judged_once(parts):
    calls = []

    def judge(wand):
        calls.append(1)
        raise FailedError("wrong")

    run = Run()
    judge_all(wand_of(parts, "serial"), clause(judge), run)
    assert (calls, run.failed) == ([1], ["LEASE-14"])


@pytest.mark.parametrize("line", ["serial", "rtu", "tcp"])
@pytest.mark.parametrize(("fault", "values"), [("foreign_orders", {}), ("foreign_orders", {"period_s": 2.0})])
@pytest.mark.parametrize("start_s", [1.5, 3.0, 5.0])
def test_another_master_fails_no_clause_of_a_good_wand(parts, line, fault, values, start_s):
    wand, run = wand_of(parts, line), Run()
    parts.simulator.faults.inject(injection(fault, values, start_s=start_s))
    with pytest.raises(SafetyRefusedError, match="another master orders this wand"):
        judge_all(wand, every(), run)
    assert run.failed == []


@pytest.mark.parametrize(("fault", "start_s"), [("foreign_stop", 2.15), ("foreign_stop", 2.55), ("token_stolen", 3.1)])
def test_a_master_that_comes_once_fails_no_clause_of_a_good_wand(parts, fault, start_s):
    wand, run = wand_of(parts, "serial"), Run()
    parts.simulator.faults.inject(injection(fault, start_s=start_s))
    with suppress(SafetyRefusedError):
        judge_all(wand, every(), run)
    assert run.failed == []
    assert parts.simulator.faults.fired(fault) == 1


def test_a_clause_that_somebody_else_may_have_failed_is_judged_again(parts):
    calls = []

    def judge(wand):
        calls.append(1)
        if len(calls) == 1:
            parts.firmware.receive(stop_of(0, 1))  # a stop without a token leaves only the epoch behind
            raise FailedError("spoilt")
        return "alone"

    run = Run()
    judge_all(wand_of(parts, "serial"), clause(judge), run)
    (outcome,) = run.outcomes
    assert (outcome.verdict, outcome.repeats, outcome.why) == (Verdict.PASS, 1, "somebody else may have ordered")
    assert "nobody else was seen" in run.note


@pytest.mark.parametrize("line", ["serial", "rtu", "tcp"])
def test_a_line_too_slow_to_judge_a_wand_is_said_so_at_once(parts, line):
    wand, run = wand_of(parts, line), Run()
    wand.line.reply_s = 0.2
    with pytest.raises(TooSlowError, match=r"line is too slow: a status takes 20\d ms .* need 50 ms or less"):
        judge_all(wand, every(), run)
    assert (run.outcomes, run.stopped) == ([], None)
    assert parts.simulator.time_s < 10.0


def test_a_line_that_becomes_too_slow_ends_the_run_and_fails_nothing(parts):
    def judge(wand):
        wand.line.reply_s = 0.2
        wand.status()
        raise FailedError("late")

    wand, run = wand_of(parts, "rtu"), Run()
    with pytest.raises(TooSlowError):
        judge_all(wand, clause(judge) + every(), run)
    assert run.failed == []
    assert run.stopped is True
    assert truth_stopped(parts)


@pytest.mark.parametrize("line", ["serial", "rtu", "tcp"])
def test_the_slowest_line_that_is_judged_fails_no_good_wand(parts, line):
    wand, run = wand_of(parts, line), Run()
    wand.line.reply_s = NEEDED_S - 0.008  # the bytes take the rest
    judge_all(wand, every(), run)
    assert run.failed == []


def test_one_slow_reply_is_a_reason_to_judge_again(parts):
    def judge(wand):
        wand.line.reply_s, before_s = 0.2, wand.line.reply_s
        if not parts.simulator.plant.motion:
            parts.simulator.plant.motion = True
            wand.status()
        wand.line.reply_s = before_s
        if wand.dialect.longest_s > 0.1:
            raise FailedError("late")
        return "in time"

    run = Run()
    judge_all(wand_of(parts, "serial"), clause(judge), run)
    (outcome,) = run.outcomes
    assert (outcome.verdict, outcome.repeats) == (Verdict.PASS, 1)
    assert outcome.why.startswith("a reply took 20")


def test_what_this_computer_was_held_up_is_not_the_lines_doing(parts):
    wand = wand_of(parts, "serial")
    receive = wand.line.receive

    def held(until_s):
        data = receive(until_s)
        if data:
            parts.simulator.advance(0.3)
        return data

    wand.line.receive = held
    wand.status()
    assert wand.dialect.longest_s < NEEDED_S
    assert wand.dialect.held_s == pytest.approx(0.3, abs=0.03)
