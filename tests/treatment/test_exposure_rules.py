"""Every limit and gate of exposure, at its number and one step beyond, and whose dose it is."""

import math
from dataclasses import replace

import pytest

from cryodevice.errors import QuantityError
from cryodevice.quantities import Seconds
from cryodevice.safety.exposure import DAY_S, Dose, Past, ZoneExposure, client_named, turned_to
from cryodevice.safety.facts import Facts
from cryodevice.safety.interlocks import TABLE
from cryodevice.safety.judge import judge
from cryodevice.safety.limits import CYCLE_SKIN_DEGC, Zone, limits
from cryodevice.safety.phases import COOLING, SessionState
from cryodevice.safety.verdict import Action
from cryodevice.treatment.core import Inputs, Start
from cryodevice.treatment.evidence import facts_of
from cryodevice.treatment.program import SHORTEST_REWARM_S
from tests.treatment.ideal_wand import ONE, Bench

S = SessionState
LEAST, MOST = -math.inf, math.inf
CHEEK = Zone.LEFT_CHEEK
RULES = [
    # row, its last safe value, on which side of it lies danger, action, zone
    ("step_contact", 90.0, MOST, Action.STOP, CHEEK),
    ("zone_contact", 600.0, MOST, Action.STOP, CHEEK),
    ("zone_below_15", 600.0, MOST, Action.STOP, CHEEK),
    ("zone_below_10", 180.0, MOST, Action.STOP, CHEEK),
    ("zone_below_4", 5.0, MOST, Action.STOP, CHEEK),
    ("zone_d10", 600.0, MOST, Action.STOP, CHEEK),
    ("fat_boundary", 10.0, LEAST, Action.HOLD, CHEEK),
    ("session_contact", 720.0, MOST, Action.STOP, CHEEK),
    ("zone_day", 1.0, MOST, Action.STOP, CHEEK),
    ("day_sessions", 1.0, MOST, Action.STOP, CHEEK),
    ("day_contact", 1200.0, MOST, Action.STOP, CHEEK),
    ("static_dwell", 30.0, MOST, Action.HOLD, CHEEK),
    ("static_dwell", 20.0, MOST, Action.HOLD, Zone.NECK),
    ("static_dwell", 10.0, MOST, Action.HOLD, Zone.NOSE),
    ("static_dwell", 10.0, MOST, Action.HOLD, Zone.PERIORBITAL),
    ("retreat_time", 300.0, LEAST, Action.HOLD, CHEEK),
    ("retreat_skin", 28.0, LEAST, Action.HOLD, CHEEK),
    ("ledger_late", 2.0, MOST, Action.HOLD, CHEEK),
]


@pytest.mark.parametrize(("row_id", "last_safe", "beyond", "action", "zone"), RULES)
def test_a_limit_holds_to_the_last_bit(row_id, last_safe, beyond, action, zone):
    row = next(row for row in TABLE if row.id == row_id)
    state = S.APPLYING if S.APPLYING in row.states else S.READY

    def found(value):
        verdict = judge(
            (row,), Facts(**{row.fact: value}), limits=limits(), zone=zone, states=(state,), since_s={}, now_s=0.0,
            reading_fresh=True,
        )  # fmt: skip
        return [finding.action for finding in verdict.active]

    assert found(last_safe) == []
    assert found(math.nextafter(last_safe, beyond)) == [action]
    assert found(math.nan) == [action]


def test_cycle_gate_and_pause_are_what_they_were_decided_to_be():
    assert (CYCLE_SKIN_DEGC, SHORTEST_REWARM_S) == (15.0, 30.0)


def facts(bench: Bench, **inputs) -> Facts:
    return facts_of(bench.core, bench.config, Inputs(Seconds(bench.now), **{"durable_at_s": bench.now, **inputs}))


@pytest.mark.parametrize(
    ("total", "limit"),
    [
        ("contact_s", "zone_contact_s"),
        ("below_15_s", "zone_below_15_s"),
        ("below_10_s", "zone_below_10_s"),
        ("below_4_s", "zone_below_4_s"),
        ("d10_degc_s", "zone_d10_degc_s"),
    ],
)
def test_a_zone_may_have_twice_each_of_its_limits_a_day(total, limit):
    bench = Bench()
    bench.to(S.LIFTED)
    twice = 2.0 * getattr(limits(), limit)
    past = Past(bench.now - DAY_S + 1.0, {CHEEK: ZoneExposure(**{total: twice / 2})})
    now = {CHEEK: ZoneExposure(**{total: twice / 2})}
    bench.core = replace(bench.core, dose=Dose(session=now, past=(past,)))
    assert facts(bench).zone_day_share == 1.0
    more = {CHEEK: ZoneExposure(**{total: math.nextafter(twice / 2, math.inf) + 1e-9})}
    bench.core = replace(bench.core, dose=Dose(session=more, past=(past,)))
    assert facts(bench).zone_day_share > 1.0


def test_where_nothing_is_allowed_nothing_is_no_share_and_anything_is_all():
    bench = Bench()
    bench.to(S.LIFTED)
    bench.core = replace(bench.core, limits=limits({"zone_below_4_s": 0.0}))
    assert facts(bench).zone_day_share == 0.0
    bench.core = replace(bench.core, dose=Dose(session={CHEEK: ZoneExposure(below_4_s=0.05)}))
    assert facts(bench).zone_day_share > 1.0


def test_no_lease_before_the_session_itself_is_durable():
    bench = Bench()
    bench.claim()
    earlier_s = bench.now
    bench.pass_s()
    bench.decide(bench.answer(), commands=(bench.start(),))
    assert math.isnan(facts(bench, durable_at_s=earlier_s).ledger_age_s), "what is durable is the session before"
    assert facts(bench).ledger_age_s == 0.0
    bench.to(S.LIFTED)
    bench.pass_s()
    decision = bench.decide(bench.answer(), durable_at_s=earlier_s)
    assert "ledger_late" in [finding.id for finding in decision.core.verdict.active]
    assert decision.order.lease_ms == 0


def treated(client: str, bench: Bench) -> None:
    bench.pass_s()
    bench.decide(bench.answer(), commands=(Start(client, replace(ONE, client=client), "tester"),))
    assert bench.core.session.state is S.READY, bench.events[-1]
    bench.core = replace(bench.core, dose=bench.core.dose.with_zone(CHEEK, ZoneExposure(contact_s=700.0), bench.now))
    bench.core = replace(bench.core, session=replace(bench.core.session, state=S.COMPLETE))


def test_a_client_who_has_had_the_day_is_refused_and_another_is_not():
    bench = Bench()
    bench.claim()
    for client in ("anna", "ben"):
        treated(client, bench)
        assert bench.core.dose.day_contact_s == 700.0
    bench.now += 3600.0
    for _ in range(10):
        bench.tick()
    treated("anna", bench)
    assert bench.core.dose.day_contact_s == 1400.0
    assert bench.core.dose.earlier_sessions == 1
    assert bench.core.others.keys() == {"ben"}


def test_one_client_is_one_however_the_name_is_spelt():
    assert client_named("Anna  B.") == client_named(" anna b. ") == "anna b."
    assert client_named("17") == "17"
    for wrong in ("", "  ", "a\x00b", "x" * 65, 17, None):
        with pytest.raises(QuantityError, match="client is"):
            client_named(wrong)


def test_books_of_yesterday_are_closed():
    old, fresh = Past(0.0, {CHEEK: ZoneExposure(contact_s=1.0)}), Past(DAY_S, {CHEEK: ZoneExposure(contact_s=2.0)})
    now = Seconds(DAY_S + 1.0)
    dose, others = turned_to("cleo", Dose("anna", past=(old,)), {"ben": (old, fresh), "cleo": (old, fresh)}, now)
    assert (dose.client, dose.past) == ("cleo", (fresh,))
    assert others == {"ben": (fresh,)}
    assert turned_to("cleo", dose, others, now) == (dose, others)


def test_a_cold_plate_touched_before_any_session_is_handed_to_the_store():
    bench = Bench()
    bench.claim()
    bench.wand = {"plate_a_degc": 5.0, "plate_b_degc": 5.0, "skin_ir_degc": None}
    bench.flags |= type(bench.flags).CONTACT
    records = [bench.tick().record for _ in range(45)]
    assert bench.core.session.session_id == ""
    assert 2 <= sum(records) <= 4, "at once, then each second"


def test_every_state_that_cools_is_under_every_limit_of_the_dose():
    for row_id in ("zone_contact", "zone_below_15", "zone_below_10", "zone_below_4", "zone_d10", "fat_boundary"):
        assert next(row for row in TABLE if row.id == row_id).states >= COOLING
    for row_id in ("session_contact", "day_contact", "zone_day", "ledger_late"):
        assert next(row for row in TABLE if row.id == row_id).states >= COOLING
