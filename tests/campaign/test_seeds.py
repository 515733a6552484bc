"""The campaign of seeds can fail, repeats itself, and resumes. A few seeds of a few seconds; the rest is a campaign."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from firmware_sim.faults import injection
from firmware_sim.plant.hand import Habits
from firmware_sim.scenarios import Action, Scenario, Step
from tests.campaign import cases, seeds, seeds_page
from tests.campaign.families import FAMILIES, NAMES, PAIRS, left_out
from tests.campaign.hand import Hand
from tests.campaign.truths import judge
from tests.campaign.whole import Bed, lived

STEADY = Hand(1, "gel", Habits(0.0, 1.0, 0.0), 0.05, 1e9, 0.0, stays_on=False, glides=False)


def verdict_of(*faults, hand=STEADY, plate_degc=5.0, duration_s=30.0):
    scenario = Scenario(
        "t",
        "t",
        duration_s,
        steps=(Step("left_cheek", plate_degc, 25.0, 5.0),),
        actions=tuple(Action(each.start_s, fault=each) for each in faults),
    )
    case = cases.Case(1, scenario, "serial", 0.0, hand)
    return judge(case, lived(lambda: Bed(scenario, 1, sim=case.wand()), hand))


def kinds(verdict):
    return {kind for kind, _ in verdict.violations}


def test_a_good_wand_in_a_steady_hand_violates_nothing():
    verdict = verdict_of()
    assert kinds(verdict) == set()
    assert verdict.contact_s > 10.0
    assert 4.0 < verdict.lowest_skin_degc < 12.0


@pytest.mark.parametrize(("bound", "value", "kind"), [("SKIN_DEGC", 20.0, "skin"), ("PLATE_DEGC", 10.0, "plate")])
def test_a_temperature_beyond_its_bound_is_a_violation(bound, value, kind, monkeypatch):
    monkeypatch.setattr(f"tests.campaign.truths.{bound}", value)
    assert kinds(verdict_of()) == {kind}


def test_a_drive_that_outlives_its_cause_is_a_violation_and_none_beside_a_spoiler(monkeypatch):
    ignores = injection("ignores_lease", start_s=3.0)
    lost = injection("loss_to_wand", start_s=10.0)
    assert "cut" not in kinds(verdict_of(ignores, lost))
    monkeypatch.setattr("tests.campaign.truths.SPOILERS", frozenset())
    assert "cut" in kinds(verdict_of(ignores, lost))


def test_a_hand_that_lets_go_is_timed():
    verdict = verdict_of(hand=replace(STEADY, estop_at_s=15.0))
    assert verdict.cut_by in {"e-stop pressed", "interlock estop", "interlock wand_tripped"}
    assert 0.0 <= verdict.cut_s <= 0.14
    assert kinds(verdict) == set()


def test_a_lease_without_a_permit_is_a_violation(monkeypatch):
    real = Bed._guard_line

    def fearful(bed):
        real(bed)
        monkeypatch.setattr("tests.campaign.whole.COOLING", frozenset())

    monkeypatch.setattr(Bed, "_guard_line", fearful)
    assert "lease" in kinds(verdict_of(duration_s=6.0))


def test_a_ledger_that_forgets_is_a_violation(monkeypatch):
    monkeypatch.setattr("tests.campaign.truths.DOSE_SLACK_S", -1e6)
    assert "dose" in kinds(verdict_of(duration_s=6.0))


def test_an_error_of_the_program_is_a_violation(monkeypatch):
    monkeypatch.setattr(seeds, "judge", lambda *_: 1 / 0)
    assert seeds.one(0, 2.0)["violations"] == [("error", "ZeroDivisionError: division by zero")]


def test_a_seed_is_the_same_for_ever_and_another_is_another():
    assert cases.case(5, 90.0) == cases.case(5, 90.0)
    assert cases.case(5, 90.0) != cases.case(6, 90.0)
    first, again = (seeds.one(5, 3.0) | {"took_s": 0.0} for _ in range(2))
    assert first == again
    assert len({seeds.one(seed, 1.0)["digest"] for seed in range(3)}) == 3


def test_results_are_kept_and_a_torn_line_is_run_again(tmp_path):
    path = tmp_path / "r.jsonl"
    first = list(seeds.results([1, 2], 1.0, path))
    with path.open("a") as torn:
        torn.write('{"seed": 3, "to')
    kept = seeds.kept(path)
    assert sorted(kept) == [1, 2] == sorted(each["seed"] for each in first)
    assert kept[1] == json.loads(json.dumps(next(each for each in first if each["seed"] == 1)))
    found = [kept[1], kept[2] | {"violations": [["skin", "true skin fell to 1.00 degC"]]}]
    page = seeds_page.page([seeds_page.Run(FAMILIES["drawn"], 1.0, found)])
    assert "| skin | 2 | true skin fell to 1.00 degC |" in page
    assert "python -m tests.campaign.seeds --replay 2 --seconds 1" in page


@pytest.mark.parametrize("arguments", [["--seeds", "0"], ["--from", "-1"], ["--replay", "-1"], ["--seconds", "nan"]])
def test_a_number_that_makes_no_campaign_is_refused(arguments, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["seeds", *arguments])
    with pytest.raises(SystemExit) as left:
        seeds.main()
    assert left.value.code == 2
    assert "it may be" in capsys.readouterr().err


def test_a_family_is_what_it_says():
    single = {cases.case(number, 60.0, FAMILIES["single"]).faults[0].name for number in range(len(NAMES))}
    assert single == set(NAMES)
    for number in (0, 17, len(PAIRS) - 1):
        drawn = cases.case(number, 60.0, FAMILIES["pair"]).faults
        assert {each.name for each in drawn} == set(PAIRS[number])
        assert not left_out(*PAIRS[number])
    assert len({each.name for each in cases.case(3, 60.0, FAMILIES["triple"]).faults}) == 3
    assert len(cases.case(3, 900.0, FAMILIES["whole"]).scenario.steps) >= 4


def test_a_pair_that_leaves_nobody_to_cut_is_left_out_with_its_reason():
    assert "bridge obeys nobody" in left_out("drive_stuck", "lies_plate") == left_out("lies_plate", "drive_stuck")
    assert not left_out("drive_stuck", "estop_dead")


def test_a_calm_treatment_that_ends_early_is_a_nuisance_and_one_that_completes_is_not():
    calm = FAMILIES["calm"]
    assert seeds.one(0, 300.0, calm)["violations"] == []
    cut_short = seeds.one(0, 20.0, calm)
    assert [kind for kind, _ in cut_short["violations"]] == ["nuisance"]


def test_a_lockout_that_goes_by_itself_is_a_violation():
    async def locked_just_now(bed):
        bed._locked = SimpleNamespace(cause="fan")

    bed = lived(lambda: Bed(Scenario("t", "t", 1.0), 1), locked_just_now)
    assert len(bed.freed) == 1
    assert "fan" in bed.freed[0]


@pytest.mark.campaign
@pytest.mark.timeout(600)
def test_a_hundred_seeds_violate_nothing_that_is_not_a_blind_spot():
    for seed in range(100):
        result = seeds.one(seed, 90.0)
        assert not result["violations"] or set(result["faults"]) & seeds_page.BLIND.keys(), result
