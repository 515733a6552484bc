import math
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryodevice.quantities import Seconds
from cryodevice.safety.facts import FACT_NAMES, Facts
from cryodevice.safety.interlocks import TABLE, Dwell
from cryodevice.safety.judge import judge
from cryodevice.safety.limits import ENVELOPE, Zone, limits
from cryodevice.safety.phases import SessionState
from cryodevice.safety.verdict import Action, Verdict

ZONE = Zone.LEFT_CHEEK
LONG_AGO = MappingProxyType({row.id: Seconds(-1000.0) for row in TABLE})


def middle(low: float, high: float) -> float:
    """A finite value well inside a range."""
    if math.isinf(low):
        return high - 1.0 if math.isfinite(high) else 0.0
    return low + 1.0 if math.isinf(high) else (low + high) / 2.0


def safe_facts(**changes: float) -> Facts:
    """Facts that satisfy every row of the table at once."""
    values: dict[str, float] = {}
    for row in TABLE:
        low, high = row.safe(limits(), ZONE)
        old_low, old_high = values.get(f"{row.fact}<", -math.inf), values.get(f"{row.fact}>", math.inf)
        values[f"{row.fact}<"], values[f"{row.fact}>"] = max(low, old_low), min(high, old_high)
    facts = {row.fact: middle(values[f"{row.fact}<"], values[f"{row.fact}>"]) for row in TABLE}
    return Facts(**{**facts, **changes})


def judged(facts: Facts, state: SessionState, *, since=LONG_AGO, now=0.0, fresh=True, in_force=None) -> Verdict:
    return judge(
        TABLE,
        facts,
        limits=in_force or limits(),
        zone=ZONE,
        states={state},
        since_s=since,
        now_s=Seconds(now),
        reading_fresh=fresh,
    )


@pytest.mark.parametrize("state", SessionState)
def test_when_everything_is_safe_nothing_is_found(state):
    verdict = judged(safe_facts(), state)
    assert (verdict.permit, verdict.active, verdict.pending) == (True, (), ())
    assert not verdict.since_s
    assert verdict.strongest is None


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.id)
def test_a_row_is_safe_at_its_limit_and_unsafe_one_ulp_beyond(row):
    low, high = row.safe(limits(), ZONE)
    state = min(row.states)
    others = {other.id for other in TABLE if other.fact == row.fact and other is not row}

    def found(value: float) -> bool:
        active = judged(safe_facts(**{row.fact: value}), state).active
        assert {finding.id for finding in active} <= {row.id, *others}
        return row.id in {finding.id for finding in active}

    for edge, beyond in ((low, -math.inf), (high, math.inf)):
        if math.isfinite(edge):
            assert not found(edge)
            assert found(math.nextafter(edge, beyond))
    for value in (math.nan, math.inf, -math.inf):
        assert found(value)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.id)
def test_only_a_warning_leaves_the_permit(row):
    verdict = judged(safe_facts(**{row.fact: math.nan}), min(row.states))
    assert verdict.permit is all(finding.action is Action.WARN for finding in verdict.active)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.id)
def test_a_row_acts_when_its_dwell_is_over_and_not_before(row):
    facts, state = safe_facts(**{row.fact: math.nan}), min(row.states)
    first = judged(facts, state, since={}, now=10.0)
    acts_at_once = row.id in {finding.id for finding in first.active}
    assert acts_at_once is (row.dwell is Dwell.IMMEDIATE)
    assert row.id in {finding.id for finding in (*first.active, *first.pending)}
    just_before = math.nextafter(10.0 + row.dwell.value, -math.inf)
    if row.dwell is not Dwell.IMMEDIATE:
        assert row.id in {f.id for f in judged(facts, state, since=first.since_s, now=just_before).pending}
    after = judged(facts, state, since=first.since_s, now=10.0 + row.dwell.value + 1e-9)
    assert row.id in {finding.id for finding in after.active}
    assert row.id not in judged(safe_facts(), state, since=after.since_s, now=20.0).since_s


def test_without_a_fresh_reading_nothing_is_permitted_and_the_clocks_go_on():
    since = {"plate_under_floor": Seconds(1.0)}
    verdict = judged(safe_facts(), SessionState.APPLYING, since=since, now=2.0, fresh=False)
    assert not verdict.permit
    assert verdict.since_s == since


def test_the_strongest_action_wins_and_the_first_in_the_table_among_equals():
    facts = safe_facts(trigger_held=0.0, estop_released=0.0, wand_trip_code=4.0, tip_fitted=0.0)
    verdict = judged(facts, SessionState.APPLYING)
    assert verdict.strongest.id == "estop"
    assert {f.id for f in verdict.active} == {"trigger", "estop", "wand_tripped", "tip"}


def test_every_row_names_a_fact_a_hazard_a_hint_and_a_source():
    assert len({row.id for row in TABLE}) == len(TABLE)
    for row in TABLE:
        assert row.fact in FACT_NAMES
        assert row.states
        assert row.hazard.startswith("H")
        assert row.hint
        assert row.source


FACTS = st.builds(
    Facts,
    **{name: st.one_of(st.just(math.nan), st.floats(-1000, 1000), st.sampled_from([0.0, 1.0])) for name in FACT_NAMES},
)


@given(facts=FACTS, state=st.sampled_from(SessionState), name=st.sampled_from(sorted(ENVELOPE)), share=st.floats(0, 1))
def test_a_tighter_limit_never_permits_more(facts, state, name, share):
    bound = ENVELOPE[name]
    try:
        tighter = limits({name: bound.initial + share * (bound.strictest - bound.initial)})
    except ValueError:
        return
    before = {f.id for f in judged(facts, state).active}
    after = {f.id for f in judged(facts, state, in_force=tighter).active}
    assert before <= after


@given(facts=FACTS, state=st.sampled_from(SessionState), name=st.sampled_from(FACT_NAMES))
def test_not_knowing_never_improves_a_verdict(facts, state, name):
    known = judged(facts, state)
    values = {fact: getattr(facts, fact) for fact in FACT_NAMES}
    unknown = judged(Facts(**{**values, name: math.nan}), state)
    assert {f.id for f in known.active} <= {f.id for f in unknown.active}
    assert known.permit or not unknown.permit


@given(colder=st.floats(0, 30), state=st.sampled_from(SessionState), plate=st.floats(-40, 85), skin=st.floats(-10, 40))
def test_a_colder_plate_or_skin_never_improves_a_verdict(colder, state, plate, skin):
    names = {"plate_under_floor", "skin_warn", "skin_stop", "fat_boundary"}
    warm = judged(safe_facts(plate_cold_degc=plate, skin_degc=skin, fat_boundary_degc=skin), state)
    cold = judged(
        safe_facts(plate_cold_degc=plate - colder, skin_degc=skin - colder, fat_boundary_degc=skin - colder), state
    )
    assert {f.id for f in warm.active} & names <= {f.id for f in cold.active} & names


def test_limits_that_change_are_judged_by_at_once_however_often():
    """What is worked out once for many ticks must never be that of other limits."""
    facts = safe_facts(skin_degc=5.0)
    for number in range(200):
        stop = 2.0 + (number % 100) * 0.05
        in_force = limits({"skin_stop_degc": stop, "skin_warn_degc": 8.0})
        verdict = judged(facts, SessionState.APPLYING, in_force=in_force)
        assert ("skin_stop" in {finding.id for finding in verdict.active}) is (stop > 5.0)
        assert judged(facts, SessionState.APPLYING, in_force=in_force) == verdict
