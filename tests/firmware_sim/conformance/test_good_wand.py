"""The simulated wand keeps every clause, on every line; at zero power the kit never lets its plate be driven."""

import re
from pathlib import Path

import pytest

from firmware_sim.conformance.clauses import GROUPS, every
from firmware_sim.conformance.runner import Run, Verdict, judge_all
from tests.firmware_sim.conformance.bench import run_on, wand_of
from tests.firmware_sim.conformance.variants import LINES, Parts

WIRE = (Path(__file__).parents[3] / "docs" / "wire.md").read_text(encoding="utf-8")
CLAUSES = set(re.findall(r"\*\*((?:WIRE|LEASE|CUTOUT|FRAME|MODBUS|VERSION)-\d\d)\*\*", WIRE))


def test_every_clause_has_its_own_id_and_is_one_of_the_page():
    ids = [clause.id for clause in every()]
    assert len(ids) == len(set(ids))
    named = {rule for clause in every() for rule in (clause.rule, *clause.also)}
    assert named <= CLAUSES
    assert len(named) >= 60
    assert all(group.clauses for group in GROUPS)


@pytest.mark.parametrize("line", LINES)
def test_the_good_wand_passes_on(line):
    plain, pressed = run_on(line), run_on(line, estop=True)
    assert (plain.failed, pressed.failed) == ([], [])
    assert (plain.stopped, plain.note, pressed.stopped, pressed.note) == (True, "", True, "")
    passed = {
        outcome.clause.id for run in (plain, pressed) for outcome in run.outcomes if outcome.verdict is Verdict.PASS
    }
    elsewhere = {outcome.clause.id for outcome in plain.outcomes if outcome.elsewhere}
    assert passed | elsewhere == {clause.id for clause in every()}
    assert len(passed) >= 60


@pytest.mark.parametrize("line", LINES)
def test_at_zero_power_no_current_ever_flows(line):
    parts = Parts()
    run = Run()
    judge_all(wand_of(parts, line, allow_drive=False), every(), run)
    truth = parts.simulator.truth()
    assert (truth["drive_on_since_s"], truth["drive_off_at_s"]) == (None, None)
    assert truth["trip"] == "none"
    assert (truth["lease_live"], truth["relay_closed"]) == (False, False)
    assert run.failed == []
    assert {o.clause.id for o in run.outcomes if o.clause.drives} == {
        o.clause.id for o in run.outcomes if "--allow-drive" in o.said
    }
    assert run.count(Verdict.PASS) >= 50


def test_the_drive_of_allow_drive_is_short_and_leaves_no_trip():
    parts = Parts()
    wand = wand_of(parts, "serial")
    coldest = []
    judge_all(wand, every(), Run(), ended=lambda _: coldest.append(parts.simulator.truth()["plate_degc"]))
    truth = parts.simulator.truth()
    assert truth["drive_off_at_s"] is not None
    assert truth["trip"] == "none"
    assert min(coldest) > 12.0


def test_two_runs_in_ten_minutes_use_no_more_resets_than_there_are():
    parts = Parts()
    for _ in range(2):
        run = Run()
        judge_all(wand_of(parts, "serial"), every(), run)
        assert run.failed == []
        parts.simulator.advance(30.0)
