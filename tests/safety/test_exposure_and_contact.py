import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryodevice.quantities import Seconds
from cryodevice.safety import contact as memory
from cryodevice.safety import skin_estimate
from cryodevice.safety.contact import Contact
from cryodevice.safety.exposure import CRASH_ALLOWANCE_S, DAY_S, NOTHING, Dose, Past, ZoneExposure, after_crash
from cryodevice.safety.limits import Zone
from cryodevice.safety.readings import read
from cryodevice.wire.codes import Capability, Flag
from tests.safety.samples import WELL, status

ALL = Capability(0xFF)
TEMPS = st.one_of(st.floats(-30, 60), st.just(math.nan), st.just(math.inf), st.just(-math.inf))
GROWING = ("contact_s", "below_15_s", "below_10_s", "below_4_s", "d10_degc_s")


@pytest.mark.req("R-H10-4")
@given(steps=st.lists(st.tuples(st.floats(0, 5), TEMPS, TEMPS, st.booleans()), max_size=20))
def test_totals_only_grow_and_the_lowest_only_fall(steps):
    total = ZoneExposure()
    for dt, skin, fat, contact in steps:
        later = total.plus(Seconds(dt), skin, fat, contact=contact)
        assert all(getattr(later, name) >= getattr(total, name) for name in GROWING)
        assert later.lowest_skin_degc <= total.lowest_skin_degc
        assert later.lowest_fat_degc <= total.lowest_fat_degc
        total = later


@pytest.mark.parametrize(
    ("skin", "counted"), [(15.0, 0), (14.99, 1), (10.0, 1), (9.99, 2), (4.0, 2), (3.99, 3), (math.nan, 3)]
)
def test_thresholds_are_strictly_below(skin, counted):
    total = NOTHING.plus(Seconds(1.0), skin, 20.0, contact=False)
    assert (total.below_15_s, total.below_10_s, total.below_4_s) == tuple(float(n < counted) for n in range(3))
    assert total.d10_degc_s == pytest.approx(max(0.0, 10.0 - (0.0 if math.isnan(skin) else skin)))


@pytest.mark.req("R-H10-4")
def test_a_crash_adds_three_seconds_at_the_coldest_plate():
    after = after_crash(ZoneExposure(contact_s=5.0), 5.0)
    assert after.contact_s == 5.0 + CRASH_ALLOWANCE_S
    assert after.below_10_s == CRASH_ALLOWANCE_S
    assert after.lowest_skin_degc == 5.0


def test_the_day_adds_up_and_ages():
    one = ZoneExposure(contact_s=10.0)
    dose = Dose().with_zone(Zone.NOSE, one)
    assert Dose().closed(Seconds(1.0), held=True) == Dose()
    dose = dose.closed(Seconds(100.0), held=True).with_zone(Zone.NOSE, one)
    assert (dose.of(Zone.NOSE).contact_s, dose.day(Zone.NOSE).contact_s, dose.day_contact_s) == (10.0, 20.0, 20.0)
    assert (dose.earlier_sessions, dose.session_contact_s) == (1, 10.0)
    assert dose.aged(Seconds(100.0 + DAY_S)) is dose
    old = dose.aged(Seconds(math.nextafter(100.0 + DAY_S, math.inf)))
    assert (old.earlier_sessions, old.day(Zone.NOSE).contact_s) == (0, 10.0)


def test_touching_outside_of_a_session_is_dose_but_no_session():
    dose = Dose(past=(Past(0.0, {Zone.OTHER: ZoneExposure(contact_s=9.0)}, held=False),))
    assert (dose.earlier_sessions, dose.day_contact_s) == (0, 9.0)


def seen(at_s: float, *flags: Flag, ir: float | None = None):
    total = WELL
    for flag in flags:
        total |= flag
    return read(status(flags=total, skin_ir_degc=ir), Seconds(at_s))


def follow(contact: Contact, reading, dt: float = 0.05, skin: float = 8.0, capabilities: Capability = ALL) -> Contact:
    return memory.follow(contact, reading, capabilities, skin, Seconds(dt))


def test_contact_is_believed_at_once_and_lost_only_with_a_second_sign():
    held = (Flag.TRIGGER,)
    contact = follow(Contact(), seen(0.0, Flag.CONTACT, *held))
    assert contact.believed
    contact = follow(contact, seen(1.0, *held))
    contact = follow(contact, seen(1.999, *held, ir=40.0))
    assert contact.believed, "not absent for a second yet"
    contact = follow(contact, seen(5.0, *held, ir=11.0))
    assert contact.believed, "infra-red is not 3 K above the estimate"
    assert not follow(contact, seen(5.1, *held, ir=11.01)).believed
    assert not follow(contact, seen(5.1)).believed, "a released trigger is a second sign"


def test_a_wand_without_a_contact_sensor_touches_always():
    assert follow(Contact(), seen(0.0), capabilities=ALL & ~Capability.CONTACT).believed


def test_without_a_reading_a_believed_contact_goes_on():
    contact = follow(Contact(), seen(0.0, Flag.CONTACT))
    later = follow(contact, None, dt=2.0)
    assert later.believed
    assert later.dwell_s == pytest.approx(2.0)


def test_a_short_lift_does_not_reset_the_dwell_and_a_long_one_does():
    contact = follow(Contact(), seen(0.0, Flag.CONTACT))
    contact = follow(contact, seen(20.0, Flag.CONTACT), dt=20.0)
    assert contact.dwell_s == pytest.approx(20.0)
    contact = follow(contact, seen(20.1))
    contact = follow(contact, seen(30.0))
    assert contact.dwell_s > 19.9, "a lift of 9.9 s"
    contact = follow(contact, seen(30.1))
    assert contact.dwell_s == 0.0


def test_motion_makes_a_glide_for_two_seconds():
    contact = follow(Contact(), seen(1.0, Flag.CONTACT, Flag.MOTION))
    assert contact.dwell_s == 0.0
    assert contact.gliding(Seconds(3.0))
    assert not contact.gliding(Seconds(math.nextafter(3.0, math.inf)))
    unable = follow(Contact(), seen(1.0, Flag.CONTACT, Flag.MOTION), capabilities=ALL & ~Capability.MOTION)
    assert not unable.gliding(Seconds(1.0))


@given(plate=st.floats(0, 20), colder=st.floats(0, 10), h_s=st.integers(1, 400))
def test_a_colder_plate_never_gives_warmer_skin(plate, colder, h_s):
    zone = Zone.LEFT_CHEEK
    start = skin_estimate.begin(Seconds(0.0))
    end = Seconds(h_s * skin_estimate.STEP_S)
    warm = skin_estimate.advanced(start, end, plate, 24.0, [zone])
    cold = skin_estimate.advanced(start, end, plate - colder, 24.0, [zone])
    assert cold.skin_degc(zone) <= warm.skin_degc(zone) + 1e-9
    assert cold.fat_degc(zone) <= warm.fat_degc(zone) + 1e-9


def test_the_estimate_keeps_the_rest_of_a_step_and_assumes_the_worst_of_what_is_unknown():
    zone = Zone.NOSE
    start = skin_estimate.begin(Seconds(0.0))
    assert skin_estimate.advanced(start, Seconds(0.04), 5.0, 24.0, [zone]) is start
    assert skin_estimate.advanced(start, Seconds(-5.0), 5.0, 24.0, [zone]) is start
    pieces = start
    for tick in range(1, 101):
        pieces = skin_estimate.advanced(pieces, Seconds(tick * 0.033), 5.0, 24.0, [zone])
    whole = skin_estimate.advanced(start, Seconds(3.3), 5.0, 24.0, [zone])
    assert pieces.skin_degc(zone) == pytest.approx(whole.skin_degc(zone), abs=1e-9)
    unknown = skin_estimate.advanced(start, Seconds(3.3), math.nan, math.nan, [zone])
    assert unknown.skin_degc(zone) < whole.skin_degc(zone)


def test_a_warmer_plate_does_not_warm_the_modelled_skin():
    zone = Zone.CHIN_JAW
    start = skin_estimate.begin(Seconds(0.0), 28.0)
    covered = skin_estimate.advanced(start, Seconds(20.0), 40.0, 24.0, [zone])
    insulated = skin_estimate.advanced(start, Seconds(20.0), 30.0, 24.0, [zone])
    assert covered.skin_degc(zone) == pytest.approx(insulated.skin_degc(zone))


def test_a_plate_at_5_degc_brings_the_fat_boundary_to_10_degc_in_about_a_minute():
    zone = Zone.LEFT_CHEEK
    estimate = skin_estimate.begin(Seconds(0.0))
    at = 0.0
    while estimate.fat_degc(zone) > 10.0:
        at += 0.05
        estimate = skin_estimate.advanced(estimate, Seconds(at), 5.0, 24.0, [zone])
    assert 50.0 <= at <= 70.0


def test_a_gap_of_a_day_is_cut_and_ends_near_rest():
    estimate = skin_estimate.begin(Seconds(0.0), 28.0)
    later = skin_estimate.advanced(estimate, Seconds(86_400.0), 24.0, 24.0, [])
    assert later.at_s == pytest.approx(86_400.0)
    assert later.skin_degc(Zone.NECK) > 30.0


def test_the_baseline_only_lowers():
    zone = Zone.FOREHEAD
    estimate = skin_estimate.begin(Seconds(0.0))
    assert skin_estimate.rebased(estimate, 36.0, zone) is estimate
    assert skin_estimate.rebased(estimate, math.nan, zone) is estimate
    lowered = skin_estimate.rebased(estimate, 30.0, zone)
    assert lowered.skin_degc(zone) == pytest.approx(29.0)
    assert lowered.skin_degc(Zone.NOSE) == estimate.skin_degc(Zone.NOSE)
