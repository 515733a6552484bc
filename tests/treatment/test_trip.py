"""What counts as a trip, what is told of it, and that a record of the controller comes back to the bit."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest

from cryodevice.errors import RecordError
from cryodevice.quantities import Seconds
from cryodevice.safety.events import EventKind
from cryodevice.safety.interlocks import TABLE
from cryodevice.safety.limits import Zone
from cryodevice.safety.phases import SessionState
from cryodevice.safety.readings import read
from cryodevice.safety.verdict import Verdict
from cryodevice.treatment.core import Connected, Core, Disconnected, Inputs, Missed, Reset, Start, Stop
from cryodevice.treatment.plain import built, places, plain
from cryodevice.treatment.replay import Stretch, replayed, why_not_the_same
from cryodevice.treatment.session import Session
from cryodevice.treatment.trip import hold_of, trip_of
from cryodevice.wire.codes import Refusal
from tests.safety.samples import status
from tests.treatment.ideal_wand import ONE, PRESENT, Bench

S = SessionState


def cooling() -> Bench:
    bench = Bench()
    bench.to(S.LIFTED)
    bench.tick()
    return bench


def trip_after(bench: Bench, *line, **inputs):
    before = bench.core
    bench.decide(*line, **inputs)
    return trip_of(before, bench.core, TABLE)


def test_a_stop_tells_its_rule_its_value_and_where_the_treatment_was():
    bench = cooling()
    bench.now += 0.05
    trip = trip_after(bench, bench.answer(boot_id=9))
    row = next(row for row in TABLE if row.id == "boot_id")
    assert (trip.cause, trip.action, trip.value, trip.low, trip.high) == ("boot_id", "stop", 0.0, 1.0, 1.0)
    assert (trip.hint, trip.source, trip.hazard, trip.clear) == (row.hint, row.source, row.hazard, row.clear)
    assert (trip.state, trip.session_id, trip.treatment) == (S.LIFTED, "s", "one")
    assert (trip.step, trip.steps, trip.zone) == (1, 1, "left_cheek")
    assert trip.at_s == trip.since_s == bench.now


def test_a_line_that_is_closed_is_a_trip_without_a_finding():
    trip = trip_after(cooling(), Disconnected("unplugged"))
    assert (trip.cause, trip.action, trip.fact) == ("link_lost", "stop", "reply_age_s")
    assert (trip.low, trip.high) == (0.0, 0.3)


def test_a_lockout_outside_of_a_session_is_a_trip_of_no_session():
    bench = Bench()
    bench.claim()
    bench.pass_s()
    trip = trip_after(bench, bench.answer(), dose_known=False)
    assert (trip.cause, trip.action, trip.session_id, trip.step, trip.zone) == ("dose_unknown", "lockout", "", 0, "")
    assert trip_after(bench, bench.answer(), dose_known=False) is None, "it is latched already"


def test_the_wands_own_trip_is_told_with_its_name():
    bench = Bench()
    bench.claim()
    bench.pass_s()
    flags = bench.flags | type(bench.flags)(1 << 9)
    trip = trip_after(bench, bench.answer(flags=flags, trip_code=6))
    assert trip.cause == "wand_tripped"
    assert "its cause: sink hot" in trip.hint


def test_what_a_person_ends_is_no_trip():
    bench = cooling()
    bench.pass_s()
    assert trip_after(bench, bench.answer(), commands=(Stop("anna"),)) is None
    assert bench.core.session.state is S.STOPPED
    assert trip_of(bench.core, bench.core, TABLE) is None


@pytest.mark.parametrize("why", ["waited_too_long", "not_rewarmed", "something new"])
def test_a_session_that_gives_up_is_a_trip_of_no_rule(why):
    bench = cooling()
    after = replace(bench.core, session=replace(bench.core.session, state=S.STOPPED, ended_why=why))
    trip = trip_of(bench.core, after, TABLE)
    assert (trip.cause, trip.fact, trip.unit, trip.dwell_s) == (why, "", "", 0.0)
    assert trip.hint
    assert math.isnan(trip.value)


def test_a_session_that_ends_in_the_tick_it_began_in_is_a_trip():
    bench = Bench()
    bench.claim()
    after = replace(bench.core, session=Session(S.STOPPED, "new", ONE, ended_why="tip"))
    assert trip_of(bench.core, after, TABLE).cause == "tip"
    assert trip_of(after, replace(after, session=replace(after.session, step=0)), TABLE) is None


def test_a_hold_is_told_in_the_same_words_and_its_event_says_all_of_it():
    bench = cooling()
    bench.tick()
    assert bench.core.leased
    before = bench.core
    bench.tick(skin_ir_degc=3.9)
    for _ in range(12):
        before = bench.core
        if not bench.tick(skin_ir_degc=3.9).core.leased:
            break
    hold = hold_of(before, bench.core, TABLE)
    assert (hold.cause, hold.action, hold.value, hold.state) == ("skin_warn", "hold", 3.9, S.LIFTED)
    assert hold.at_s - hold.since_s >= hold.dwell_s == 0.5
    assert trip_of(before, bench.core, TABLE) is None
    assert hold_of(bench.core, bench.core, TABLE) is None
    (event,) = bench.of(EventKind.PERMIT_WITHDRAWN)
    told = event.evidence
    assert (told["interlock"], told["value"], told["low"], told["high"]) == ("skin_warn", 3.9, 4.0, None)
    assert (told["dwell_s"], told["hazard"], told["clears"]) == (0.5, "H01", "by itself")
    assert told["unsafe_since_s"] == hold.since_s
    assert (told["zone"], told["step"]) == ("left_cheek", 1)


def test_what_the_hand_does_and_what_no_rule_did_are_no_holds():
    bench = cooling()
    bench.tick()
    before = bench.core
    bench.flags &= ~type(bench.flags).TRIGGER
    bench.tick()
    assert bench.core.session.state is S.PAUSED
    assert hold_of(before, bench.core, TABLE) is None
    assert hold_of(before, replace(bench.core, verdict=Verdict(False, ())), TABLE) is None
    again = replace(before, session=replace(before.session, state=S.PAUSED))
    assert hold_of(again, bench.core, TABLE) is None


# -- and back ----------------------------------------------------------------------------------------------------------


def test_the_whole_memory_and_everything_new_come_back_to_the_bit():
    bench = cooling()
    core = bench.core
    again = built(Core, plain(core))
    assert plain(again) == plain(core)
    assert np.array_equal(again.estimate.temps, core.estimate.temps)
    assert (again.reading, again.link, again.session, again.dose) == (core.reading, core.link, core.session, core.dose)
    inputs = Inputs(
        Seconds(1.0),
        (
            bench.answer(bench.order),
            replace(bench.answer(), refused=Refusal.ECHO),
            replace(bench.answer(), refused=99),
            Missed(None, "no reply"),
            Connected(PRESENT, 7),
            Disconnected("gone", rejected=True),
        ),
        (Start("s", ONE, "anna"), Stop("anna", own=True), Reset("anna", service=True)),
        today_day=9000,
    )
    assert built(Inputs, plain(inputs)) == inputs
    assert set(places()) == {"Status", "Order"}


def test_numbers_that_are_none_are_words():
    assert [plain(value) for value in (math.nan, math.inf, -math.inf)] == ["nan", "inf", "-inf"]
    reading = read(status(plate_a_degc=None), Seconds(1.0))
    assert built(type(reading), plain(reading)) == reading


@dataclass(frozen=True)
class Odd:
    number: float
    zone: Zone = Zone.NOSE


def test_fields_that_are_not_those_of_the_record_are_refused():
    assert built(Odd, {"number": 1}) == Odd(1.0)
    for wrong in (
        {},
        {"number": 1.0, "more": 2},
        {"number": True},
        {"number": "much"},
        {"number": 1.0, "zone": "lip"},
        [],
        None,
    ):
        with pytest.raises(RecordError):
            built(Odd, wrong)
    with pytest.raises(RecordError, match="no plain form"):
        plain(object())
    with pytest.raises(RecordError, match="is no int"):
        built(int, 1.0)
    with pytest.raises(RecordError, match="knows no 'Leave'"):
        built(Start | Stop, {"is": "Leave"})
    with pytest.raises(RecordError):
        built(tuple[int, int], [1])


# -- judged again ------------------------------------------------------------------------------------------------------


def test_a_replay_gives_the_same_trip_or_says_what_it_gives():
    bench = cooling()
    core = bench.core
    bench.now += 0.05
    good = Inputs(Seconds(bench.now), (bench.answer(),), durable_at_s=bench.now)
    bench.now += 0.05
    bad = Inputs(Seconds(bench.now), (bench.answer(boot_id=9),), durable_at_s=bench.now)
    replay = replayed((Stretch(core, (good, bad)),), bench.config)
    ((trip, facts),) = replay.trips
    assert trip.cause == "boot_id"
    assert facts.boot_same == 0.0
    assert replay.facts_at(trip.at_s) is facts
    assert replay.facts_at(0.0) is None
    assert [moment.permit for moment in replay.moments] == [True, False]
    assert replay.moments[1].active[0].id == "boot_id"
    assert why_not_the_same(trip, replay) == ""
    assert "boot_id (stop) trips instead of tip (stop)" in why_not_the_same(replace(trip, cause="tip"), replay)
    assert "with value 0 where the record says 3" in why_not_the_same(replace(trip, value=3.0), replay)
    assert "with value 0 where the record says nan" in why_not_the_same(replace(trip, value=math.nan), replay)
    assert "instead boot_id +0.05 s from it" in why_not_the_same(replace(trip, at_s=trip.at_s - 0.05), replay)
    nothing = replayed((Stretch(core, (good,)),), bench.config)
    assert why_not_the_same(trip, nothing) == "nothing trips at the recorded moment"


def test_a_trip_without_a_value_is_the_same_again():
    bench = cooling()
    gone = Inputs(Seconds(bench.now), (Disconnected("unplugged"),), durable_at_s=bench.now)
    replay = replayed((Stretch(bench.core, (gone,)),), bench.config)
    ((trip, _),) = replay.trips
    assert why_not_the_same(trip, replay) == ""
