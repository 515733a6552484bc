"""Sums, edges and evidence to the digit: what a small change of the arithmetic would not otherwise be seen by."""

import math
from dataclasses import fields, replace

import pytest

from cryodevice.errors import QuantityError
from cryodevice.quantities import Seconds
from cryodevice.safety import skin_estimate
from cryodevice.safety.contact import LOST_AFTER_S, Contact, confirmable, follow
from cryodevice.safety.exposure import DAY_S, Dose, Past, ZoneExposure
from cryodevice.safety.facts import FACT_NAMES, Facts
from cryodevice.safety.interlocks import TABLE
from cryodevice.safety.judge import judge
from cryodevice.safety.limits import Zone, check_limit, intersect, limits
from cryodevice.safety.phases import SessionState
from cryodevice.safety.plate_watch import FALL_K, HARD_SHARE, HELD_WITHIN_K, SHARE_PER_K, PlateWatch, followed, share_of
from cryodevice.safety.readings import MISSING_AFTER_S, STALE_AFTER_S, Fresh, Missing, Stale, aged, read
from cryodevice.safety.verdict import Action
from cryodevice.wire.codes import Capability, Flag
from tests.safety.samples import WELL, identity, status

ALL = Capability(0xFF)
CHEEK, NOSE = Zone.LEFT_CHEEK, Zone.NOSE
ONE = ZoneExposure(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0)
OTHER = ZoneExposure(10.0, 20.0, 30.0, 40.0, 50.0, 5.0, 8.0)


# -- exposure ----------------------------------------------------------------------------------------------------------
def test_totals_of_two_are_the_sums_and_the_lower_of_both():
    assert ONE.joined(OTHER) == ZoneExposure(11.0, 22.0, 33.0, 44.0, 55.0, 5.0, 7.0)
    assert OTHER.joined(ONE) == ONE.joined(OTHER)


def test_a_fat_boundary_nobody_knows_is_taken_as_cold_as_the_surface():
    known = ZoneExposure().plus(Seconds(1.0), 9.0, 20.0, contact=True)
    assert (known.lowest_skin_degc, known.lowest_fat_degc) == (9.0, 20.0)
    assert ZoneExposure().plus(Seconds(1.0), 9.0, math.nan, contact=True).lowest_fat_degc == 9.0


def test_a_session_that_did_not_touch_a_zone_adds_nothing_to_its_day():
    dose = Dose(session={CHEEK: ONE}, past=(Past(0.0, {NOSE: OTHER}), Past(1.0, {CHEEK: OTHER})))
    assert dose.day(CHEEK) == ONE.joined(OTHER)
    assert dose.day(NOSE) == OTHER


def test_only_a_session_that_touched_the_zone_is_since_when_it_rests():
    touched, idle = {CHEEK: ZoneExposure(contact_s=0.5)}, {CHEEK: ZoneExposure(contact_s=0.0)}
    assert Dose(past=(Past(10.0, touched),)).since_treated_s(CHEEK, 15.0) == 5.0
    for past in (Past(10.0, idle), Past(10.0, touched, held=False), Past(10.0, {NOSE: ONE})):
        assert Dose(past=(past,)).since_treated_s(CHEEK, 15.0) == DAY_S


def test_a_dose_that_is_over_keeps_its_client_its_end_and_whose_it_was():
    dose = Dose("anna").with_zone(CHEEK, ONE, at_s=40.0)
    assert dose.added_at_s == 40.0
    for held in (True, False):
        closed = dose.closed(Seconds(50.0), held=held)
        assert closed == Dose("anna", {}, (Past(40.0, {CHEEK: ONE}, held),))


def test_a_session_counts_for_a_day_to_the_second():
    dose = Dose(past=(Past(-5.0, {CHEEK: ONE}), Past(100.0, {CHEEK: ONE})))
    assert len(dose.aged(Seconds(DAY_S - 5.0)).past) == 2
    assert dose.aged(Seconds(DAY_S + 1.0)).past == (Past(100.0, {CHEEK: ONE}),)
    assert dose.aged(Seconds(DAY_S + 100.0)).past == (Past(100.0, {CHEEK: ONE}),)


# -- limits ------------------------------------------------------------------------------------------------------------
def test_a_limit_that_is_refused_carries_its_evidence():
    with pytest.raises(QuantityError) as refused:
        check_limit("sink_trip_degc", 99.0)
    assert refused.value.evidence == {"key": "sink_trip_degc", "value": 99.0, "low": 32.0, "high": 50.0}
    with pytest.raises(QuantityError) as refused:
        replace(limits(), skin_stop_degc=4.0, skin_warn_degc=4.0)
    assert refused.value.evidence == {"key": "skin_stop_degc", "other": "skin_warn_degc"}
    with pytest.raises(KeyError, match="no_limit"):
        limits({"no_limit": 1.0})


def test_the_narrower_of_wand_and_settings_is_in_force():
    wand = identity(setpoint_min_degc=9.0, cold_cutout_degc=4.0, hot_cutout_degc=36.0, sink_cutout_degc=44.0)
    both = intersect(limits(), wand)
    assert (both.plate_floor_degc, both.plate_ceiling_degc, both.sink_trip_degc) == (9.0, 36.0, 44.0)
    assert (both.plate_warn_degc, both.sink_warn_degc) == (35.0, 43.0)
    assert intersect(limits(), identity(setpoint_min_degc=2.0, cold_cutout_degc=6.5)).plate_floor_degc == 7.5
    assert intersect(limits(), identity()) == limits()


# -- judge -------------------------------------------------------------------------------------------------------------
def judged(facts: Facts, state: SessionState, *, table=TABLE, zone=CHEEK, in_force=None, since=None):
    return judge(
        table,
        facts,
        limits=in_force or IN_FORCE,
        zone=zone,
        states={state},
        since_s={} if since is None else since,
        now_s=Seconds(50.0),
        reading_fresh=True,
    )


IN_FORCE = limits()


def well(zone: Zone = CHEEK, **changes: float) -> Facts:
    """Facts that no row minds in a zone, some changed."""
    values = dict.fromkeys(FACT_NAMES, 0.0)
    for row in TABLE:
        low, high = row.safe(IN_FORCE, zone)
        value = values[row.fact]
        values[row.fact] = low if value < low else min(value, high)
    return Facts(**{**values, **changes})


def test_a_warning_alone_leaves_the_permit_and_a_hold_takes_it():
    warned = judged(well(sink_degc=46.0), SessionState.APPLYING, since={"sink_warm": Seconds(1.0)})
    assert [finding.action for finding in warned.active] == [Action.WARN]
    assert warned.permit
    assert not judged(well(trigger_held=0.0), SessionState.APPLYING).permit


def test_a_finding_says_what_was_seen_since_when_and_in_what_unit():
    verdict = judged(well(sink_degc=46.5), SessionState.APPLYING, since={"sink_warm": Seconds(12.0)})
    (found,) = verdict.active
    row = next(row for row in TABLE if row.id == "sink_warm")
    assert (found.value, found.high, found.unit, found.since_s) == (46.5, 45.0, "degC", 12.0)
    assert (found.hint, found.clear) == (row.hint, row.clear)


def test_each_zone_is_judged_by_its_own_limits():
    facts = well(static_dwell_s=15.0)
    assert judged(facts, SessionState.APPLYING, zone=CHEEK).permit
    assert [f.id for f in judged(facts, SessionState.APPLYING, zone=NOSE).active] == ["static_dwell"]
    assert judged(facts, SessionState.APPLYING, zone=CHEEK).permit


def test_another_table_is_judged_by_at_once():
    facts = well(trigger_held=0.0)
    without = tuple(row for row in TABLE if row.id != "trigger")
    assert not judged(facts, SessionState.APPLYING).permit
    assert judged(facts, SessionState.APPLYING, table=without).permit


JUDGED_WITHOUT_A_READING = {
    "identity",
    "link_lost",
    "capability",
    "simulated",
    "lease_proof",
    "tick_overrun",
    "tick_overruns",
    "stale",
    "dose_unknown",
    "ledger_late",
    "ledger_failing",
}


def test_what_needs_no_reading_is_judged_without_one_and_nothing_else_is():
    for states in ({SessionState.APPLYING}, {SessionState.IDLE}):
        verdict = judge(
            TABLE,
            Facts(),
            limits=IN_FORCE,
            zone=CHEEK,
            states=states,
            since_s={},
            now_s=Seconds(50.0),
            reading_fresh=False,
        )
        found = {finding.id for finding in (*verdict.active, *verdict.pending)}
        applies = {row.id for row in TABLE if row.states & states}
        assert found == JUDGED_WITHOUT_A_READING & applies


# -- contact -----------------------------------------------------------------------------------------------------------
def seen(at_s: float, flags: Flag, ir: float | None = None):
    return read(status(flags=WELL | flags, skin_ir_degc=ir), Seconds(at_s))


def after(contact: Contact, reading, *, capabilities=ALL, at_work=False) -> Contact:
    return follow(contact, reading, capabilities, 8.0, Seconds(0.05), at_work=at_work)


def test_infra_red_that_is_hidden_is_contact_while_the_trigger_is_held_or_a_step_is_under_way():
    off = Contact(ir_seen=True)
    assert after(off, seen(1.0, Flag.TRIGGER)).believed
    assert after(off, seen(1.0, Flag(0)), at_work=True).believed
    assert not after(off, seen(1.0, Flag(0))).believed
    assert not after(off, seen(1.0, Flag.TRIGGER, ir=30.0)).believed
    assert not after(off, seen(1.0, Flag.TRIGGER), capabilities=ALL & ~Capability.SKIN_IR).believed
    assert not after(Contact(), seen(1.0, Flag.TRIGGER)).believed, "infra-red that never saw hides nothing"


def test_a_contact_keeps_that_infra_red_has_been_seen_and_a_glide_begins_its_dwell_anew():
    contact = Contact(True, None, 12.0, ir_seen=True)
    assert after(contact, seen(1.0, Flag.CONTACT)).ir_seen is True
    assert after(contact, seen(1.0, Flag.CONTACT)).dwell_s == pytest.approx(12.05)
    assert after(contact, seen(1.0, Flag.CONTACT | Flag.MOTION)).dwell_s == 0.0


def test_contact_is_lost_after_exactly_a_second():
    contact = Contact(True, Seconds(1.0), ir_seen=False)
    assert not after(contact, seen(1.0 + LOST_AFTER_S, Flag(0))).believed
    assert after(contact, seen(math.nextafter(1.0 + LOST_AFTER_S, 0.0), Flag(0))).believed


def test_only_infra_red_that_is_there_and_has_seen_can_confirm():
    assert confirmable(Contact(ir_seen=True), ALL)
    assert not confirmable(Contact(ir_seen=False), ALL)
    assert not confirmable(Contact(ir_seen=True), ALL & ~Capability.SKIN_IR)


# -- readings ----------------------------------------------------------------------------------------------------------
def test_a_sample_ages_at_its_edges():
    sample = Fresh(8.0, Seconds(0.0))
    assert isinstance(aged(sample, Seconds(STALE_AFTER_S)), Fresh)
    assert isinstance(aged(sample, Seconds(math.nextafter(STALE_AFTER_S, 9.0))), Stale)
    assert isinstance(aged(sample, Seconds(MISSING_AFTER_S)), Stale)
    assert isinstance(aged(sample, Seconds(math.nextafter(MISSING_AFTER_S, 9.0))), Missing)


# -- plate watch -------------------------------------------------------------------------------------------------------
def driven(watch: PlateWatch, plate: float, at_s: float, *, ma: float = 4000.0, to: float = math.nan, touching=False):
    """One more reading; the sink is at the plate's, so that any share from HARD_SHARE on is hard."""
    words = status(plate_a_degc=plate, plate_b_degc=plate, drive_ma=ma, sink_degc=plate)
    return followed(watch, read(words, Seconds(at_s)), 4000.0, 200.0, touching=touching, setpoint_degc=to)


def test_drive_is_hard_from_its_share_on():
    at = 4000.0 * HARD_SHARE
    assert driven(PlateWatch(), 10.0, 1.0, ma=at).hard_since_s == 1.0
    assert driven(PlateWatch(), 10.0, 1.0, ma=at - 1.0).hard_since_s is None
    warm_sink = status(plate_a_degc=10.0, plate_b_degc=10.0, drive_ma=at, sink_degc=20.0)
    assert followed(PlateWatch(), read(warm_sink, Seconds(1.0)), 4000.0, 200.0, touching=False).hard_since_s is None
    cold_sink = status(plate_a_degc=10.0, plate_b_degc=10.0, drive_ma=at, sink_degc=0.0)
    assert followed(PlateWatch(), read(cold_sink, Seconds(1.0)), 4000.0, 200.0, touching=False).hard_since_s == 1.0
    assert SHARE_PER_K > 0.0


def test_a_plate_has_answered_when_it_fell_by_exactly_so_much():
    watch = driven(PlateWatch(), 10.0, 1.0)
    assert driven(watch, 10.0 - FALL_K, 2.0).hard_since_s == 2.0
    assert driven(watch, math.nextafter(10.0 - FALL_K, 99.0), 2.0).hard_since_s == 1.0


def test_soft_drive_forgets_how_far_the_plate_has_risen():
    risen = driven(driven(PlateWatch(), 10.0, 1.0), 11.5, 2.0)
    assert risen.risen_k == 1.5
    assert driven(risen, 11.5, 2.5, ma=100.0).risen_k == 0.0
    assert driven(driven(risen, 11.5, 2.5, ma=100.0), 12.0, 3.0).risen_k == 0.0, "it begins anew"


def test_a_plate_is_unheld_beyond_exactly_so_much_over_its_setpoint():
    to = 0.0
    assert driven(PlateWatch(), to + HELD_WITHIN_K, 1.0, to=to, touching=True).unheld_since_s is None
    above = driven(PlateWatch(), to + HELD_WITHIN_K + 1.0, 1.0, to=to, touching=True)
    assert above.unheld_since_s == 1.0
    assert driven(above, to + HELD_WITHIN_K + 1.0 - FALL_K, 2.0, to=to, touching=True).unheld_since_s == 2.0
    assert driven(above, to, 2.0, to=to, touching=True).unheld_since_s is None


def test_a_first_value_is_followed_from_itself():
    watch = driven(PlateWatch(), 10.0, 1.0)
    for channel in watch.channels:
        assert (channel.value_degc, channel.follower_degc, channel.followed_s, channel.jump_k) == (10.0, 10.0, 1.0, 0.0)


def test_a_share_is_of_a_current_however_small():
    assert share_of(read(status(drive_ma=1), Seconds(0.0)), 1.0) == 1.0
    assert share_of(read(status(drive_ma=1), Seconds(0.0)), 0.5) == 2.0
    assert math.isnan(share_of(read(status(drive_ma=1), Seconds(0.0)), 0.0))


def test_every_fact_starts_unknown():
    assert all(math.isnan(getattr(Facts(), field.name)) for field in fields(Facts))


# -- skin estimate after a restart -------------------------------------------------------------------------------------
def cold_at(*rows: tuple[float, Zone, float]) -> tuple[Past, ...]:
    """Sessions that are over: when, where, the lowest skin of it."""
    return tuple(Past(at_s, {zone: ZoneExposure(contact_s=1.0, lowest_skin_degc=degc)}) for at_s, zone, degc in rows)


def rewarmed(estimate: skin_estimate.SkinEstimate, now_s: float) -> skin_estimate.SkinEstimate:
    return skin_estimate.advanced(estimate, Seconds(now_s), math.nan, math.nan, ())


def test_a_zone_starts_from_its_coldest_and_has_rewarmed_in_room_air_since():
    by_hand = skin_estimate.rebased(skin_estimate.begin(Seconds(10.0), skin_estimate.START_UNSEEN_DEGC), 9.0, CHEEK)
    by_hand = rewarmed(skin_estimate.rebased(rewarmed(by_hand, 40.0), 13.0, NOSE), 100.0)
    for past in (cold_at((10.0, CHEEK, 8.0), (40.0, NOSE, 12.0)), cold_at((40.0, NOSE, 12.0), (10.0, CHEEK, 8.0))):
        estimate = skin_estimate.resumed(past, Seconds(100.0))
        assert estimate.at_s == 100.0
        for zone in Zone:
            assert estimate.skin_degc(zone) == pytest.approx(by_hand.skin_degc(zone), abs=1e-9)
            assert estimate.fat_degc(zone) == pytest.approx(by_hand.fat_degc(zone), abs=1e-9)
    assert estimate.skin_degc(CHEEK) < estimate.skin_degc(Zone.CHIN_JAW)


def test_what_ended_just_now_is_as_cold_as_it_was_and_what_ended_long_ago_starts_unseen():
    now = skin_estimate.resumed(cold_at((50.0, CHEEK, 8.0)), Seconds(50.0))
    assert now.skin_degc(CHEEK) == 8.0
    assert 8.0 < now.fat_degc(CHEEK) < 20.0
    assert now.skin_degc(NOSE) == skin_estimate.START_UNSEEN_DEGC
    ahead = skin_estimate.resumed(cold_at((60.0, CHEEK, 8.0)), Seconds(50.0))
    assert (ahead.at_s, ahead.skin_degc(CHEEK)) == (50.0, 8.0)
    longest = skin_estimate.MAX_CATCH_UP * skin_estimate.STEP_S
    old = skin_estimate.resumed(cold_at((0.0, CHEEK, 8.0)), Seconds(longest))
    assert old.skin_degc(CHEEK) == skin_estimate.START_UNSEEN_DEGC
    recent = skin_estimate.resumed(cold_at((0.0, CHEEK, 8.0)), Seconds(longest - 1.0))
    assert recent.skin_degc(CHEEK) != skin_estimate.START_UNSEEN_DEGC
    assert skin_estimate.resumed((), Seconds(5.0)).skin_degc(CHEEK) == skin_estimate.START_DEGC


def test_skin_that_is_colder_already_is_left_as_it_is():
    cold = skin_estimate.rebased(skin_estimate.begin(Seconds(0.0)), 9.0, CHEEK)
    assert skin_estimate.rebased(cold, 9.0, CHEEK) is cold
    assert skin_estimate.rebased(cold, 20.0, CHEEK) is cold
    assert skin_estimate.rebased(cold, 8.0, CHEEK).skin_degc(CHEEK) == 7.0


def test_a_room_that_is_known_is_the_room():
    start = skin_estimate.begin(Seconds(0.0))
    warm, cool = (skin_estimate.advanced(start, Seconds(100.0), math.nan, room, ()) for room in (30.0, 10.0))
    assumed = rewarmed(start, 100.0)
    assert warm.skin_degc(CHEEK) > assumed.skin_degc(CHEEK) > cool.skin_degc(CHEEK)


def test_one_step_is_taken_when_it_is_due_and_an_unknown_plate_is_at_zero():
    start = skin_estimate.begin(Seconds(0.0))
    step = Seconds(skin_estimate.STEP_S * 1.01)
    unknown = skin_estimate.advanced(start, step, math.nan, 20.0, (CHEEK,))
    assert unknown.skin_degc(CHEEK) == skin_estimate.advanced(start, step, 0.0, 20.0, (CHEEK,)).skin_degc(CHEEK)
    assert unknown.skin_degc(CHEEK) < start.skin_degc(CHEEK)
