"""Values a person gives come to the facts the interlocks judge, and to the same verdict as the daemon's."""

import math

import pytest

from cryodevice.safety.explaining import explain, margin_of
from cryodevice.safety.facts import FACT_NAMES, Facts
from cryodevice.safety.given import Kind, facts_from, values
from cryodevice.safety.interlocks import TABLE
from cryodevice.safety.judge import judge
from cryodevice.safety.limits import Zone, limits
from cryodevice.safety.phases import SessionState
from cryodevice.safety.verdict import Action

S = SessionState
NAN = math.nan


def explained(state=S.APPLYING, *, zone=Zone.LEFT_CHEEK, lasting_s=math.inf, everything=False, **given):
    facts = facts_from(given)
    return explain(facts, limits=limits(), zone=zone, state=state, lasting_s=lasting_s, everything=everything)


def ids(rules):
    return [rule.row.id for rule in rules]


@pytest.mark.parametrize(
    ("given", "facts"),
    [
        ({"plate_degc": 6.0}, {"plate_cold_degc": 6.0, "plate_warm_degc": 6.0, "channels_apart_k": 0.0}),
        (
            {"plate_a_degc": 9.0, "plate_b_degc": 6.0},
            {"plate_cold_degc": 6.0, "plate_warm_degc": 9.0, "channels_apart_k": 3.0},
        ),
        ({"contact": 1.0}, {"off_skin": 0.0}),
        ({"contact": 0.0}, {"off_skin": 1.0}),
        ({"estop": 1.0}, {"estop_released": 0.0}),
        ({"trigger": 1.0, "tip": 0.0}, {"trigger_held": 1.0, "tip_fitted": 0.0}),
        ({"plate_cold_degc": 5.0, "setpoint_degc": 8.0}, {"plate_cold_degc": 5.0, "plate_over_setpoint_k": -3.0}),
        ({"sink_degc": 40.0}, {"sink_degc": 40.0}),
        ({}, {}),
    ],
)
def test_given_values_settle_facts(given, facts):
    assert facts_from(given) == facts


def test_an_unknown_value_makes_every_fact_of_it_unknown():
    for given in ({"plate_degc": NAN, "setpoint_degc": 8.0}, {"plate_a_degc": 8.0, "plate_b_degc": NAN}):
        assert all(math.isnan(value) for value in facts_from(given).values())
    assert math.isnan(facts_from({"contact": NAN})["off_skin"])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"plate_degc": 6.0, "plate_a_degc": 6.0}, "say the same thing"),
        ({"plate_degc": 6.0, "plate_cold_degc": 6.0}, "plate_degc and plate_cold_degc say the same thing"),
        ({"contact": 1.0, "off_skin": 0.0}, "say the same thing"),
        ({"plate_a_degc": 6.0}, "go together"),
        ({"setpoint_degc": 8.0}, "needs plate_degc"),
    ],
)
def test_values_that_contradict_or_lack_one_another_are_refused(given, says):
    with pytest.raises(ValueError, match=says):
        facts_from(given)


def test_every_fact_may_be_given_and_says_what_it_is():
    known = values()
    assert set(FACT_NAMES) <= known.keys()
    assert all(value.meaning for value in known.values())
    for row in TABLE:
        assert known[row.fact].unit == row.unit
        assert (known[row.fact].kind is Kind.YES_NO) is (not row.unit)


def test_a_cold_plate_on_the_skin_is_explained():
    found = explained(plate_degc=1.5, contact=1.0)
    assert ids(found.withheld) == ["plate_under_floor"]
    rule = found.withheld[0]
    assert (rule.value, rule.low, rule.margin, rule.acts, rule.safe) == (1.5, 4.0, -2.5, True, False)
    assert not found.verdict.permit
    assert "channels_apart" in ids(found.safe)
    assert "estop" in [row.id for row in found.not_asked]


def test_what_does_not_last_waits_for_its_dwell():
    assert ids(explained(plate_degc=1.5, lasting_s=0.29).waiting) == ["plate_under_floor"]
    assert explained(plate_degc=1.5, lasting_s=0.29).verdict.permit
    assert ids(explained(plate_degc=1.5, lasting_s=0.31).withheld) == ["plate_under_floor"]


def test_a_warning_withholds_nothing():
    found = explained(sink_degc=47.0)
    assert (ids(found.warned), found.withheld, found.verdict.permit) == (["sink_warm"], (), True)


def test_the_strongest_stands_first_and_the_closest_of_those_that_agree():
    found = explained(plate_degc=1.5, trigger=0.0, skin_degc=4.5, sink_degc=20.0)
    assert [rule.row.action for rule in found.withheld] == [Action.LOCKOUT, Action.HOLD]
    closeness = [rule.closeness for rule in found.safe if math.isfinite(rule.margin)]
    assert closeness == sorted(closeness)
    assert found.safe[0].row.id == "skin_warn"


def test_rules_differ_by_state_and_zone():
    assert ids(explained(S.PRECOOL, contact=1.0).withheld) == ["contact_in_precool"]
    assert explained(S.IDLE, trigger=0.0).withheld == ()
    assert ids(explained(zone=Zone.NOSE, static_dwell_s=15.0).withheld) == ["static_dwell"]
    assert explained(zone=Zone.LEFT_CHEEK, static_dwell_s=15.0).verdict.permit


@pytest.mark.parametrize("state", list(SessionState))
def test_judged_as_the_daemon_does_everything_unknown_withholds(state):
    found = explained(state, everything=True)
    verdict = judge(
        TABLE, Facts(), limits=limits(), zone=Zone.LEFT_CHEEK, states=(state,), since_s={row.id: -1e9 for row in TABLE},
        now_s=0.0, reading_fresh=True,
    )  # fmt: skip
    assert {rule.row.id for rule in (*found.withheld, *found.warned)} == {finding.id for finding in verdict.active}
    assert found.not_asked == ()
    assert not found.verdict.permit


def test_a_margin_is_the_distance_to_the_nearer_end():
    assert margin_of(6.0, 4.0, math.inf) == 2.0
    assert margin_of(3.0, 4.0, math.inf) == -1.0
    assert margin_of(-25.0, -30.0, 30.0) == 5.0
    assert math.isnan(margin_of(NAN, 0.0, 1.0))
    assert math.isnan(margin_of(math.inf, 0.0, 1.0))
