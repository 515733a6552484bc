"""What is foretold of a limit is what the model then does, second by second, and no worse plate gives more time."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryodevice.quantities import Seconds
from cryodevice.safety import look_ahead, skin_estimate
from cryodevice.safety.exposure import ZoneExposure
from cryodevice.safety.interlocks import TABLE
from cryodevice.safety.limits import Zone, limits
from cryodevice.safety.look_ahead import HORIZON_S, Spent, curves, seconds_left

ZONE, ROOM = Zone.LEFT_CHEEK, 22.0
TIGHT = limits({"fat_boundary_degc": 14.0, "zone_below_10_s": 9.0, "zone_d10_degc_s": 15.0, "zone_below_15_s": 20.0})
NOTHING = Spent(ZoneExposure(), ZoneExposure(), (0.0, 30.0), 0.0, 0.0, 0.0)


def cooled(seconds: float, plate_degc: float) -> skin_estimate.SkinEstimate:
    return skin_estimate.advanced(skin_estimate.begin(Seconds(0.0)), Seconds(seconds), plate_degc, ROOM, {ZONE})


@pytest.mark.parametrize("after_s", [1, 2, 10, 60])
def test_the_curves_are_the_models_own_steps(after_s):
    now = cooled(3.0, 8.0)
    then = skin_estimate.advanced(now, Seconds(3.0 + after_s), 6.0, ROOM, {ZONE})
    skin, fat = curves(now, ZONE, 6.0)
    assert skin[0] == now.skin_degc(ZONE)
    assert fat[0] == now.fat_degc(ZONE)
    assert skin[after_s] == pytest.approx(then.skin_degc(ZONE), abs=1e-9)
    assert fat[after_s] == pytest.approx(then.fat_degc(ZONE), abs=1e-9)


def test_a_limit_comes_when_it_was_foretold():
    """The same tissue and the same totals, tick by tick, until each limit is passed."""
    plate, dt = 3.0, Seconds(skin_estimate.STEP_S)
    estimate = cooled(2.0, plate)
    told = seconds_left(estimate, ZONE, plate, TIGHT, NOTHING)
    total, met, now = ZoneExposure(), {}, 2.0
    while now < 2.0 + 60.0:
        now += dt
        estimate = skin_estimate.advanced(estimate, Seconds(now + 1e-7), plate, ROOM, {ZONE})
        skin = estimate.skin_degc(ZONE)
        total = total.plus(dt, skin, estimate.fat_degc(ZONE), contact=True)
        for name, past in (
            ("skin_warn", skin < TIGHT.skin_warn_degc),
            ("fat_boundary", estimate.fat_degc(ZONE) < TIGHT.fat_boundary_degc),
            ("zone_below_15", total.below_15_s > TIGHT.zone_below_15_s),
            ("zone_below_10", total.below_10_s > TIGHT.zone_below_10_s),
            ("zone_below_4", total.below_4_s > TIGHT.zone_below_4_s),
            ("zone_d10", total.d10_degc_s > TIGHT.zone_d10_degc_s),
        ):
            if past:
                met.setdefault(name, now - 2.0)
    assert set(met) == {"skin_warn", "fat_boundary", "zone_below_15", "zone_below_10", "zone_below_4", "zone_d10"}
    for name, at_s in met.items():
        assert told[name] == pytest.approx(at_s, abs=0.6), name
        assert told[name] <= at_s + 0.3, f"{name} is not promised later than it comes"


def test_what_has_been_used_up_is_not_there_any_more():
    had = ZoneExposure(contact_s=590.0, below_10_s=8.5, d10_degc_s=16.0)
    day = ZoneExposure(contact_s=1195.0)
    told = seconds_left(cooled(5.0, 8.0), ZONE, 8.0, TIGHT, Spent(had, day, (31.0, 30.0), 80.0, 715.0, 1199.0))
    assert (told["zone_d10"], told["static_dwell"]) == (0.0, 0.0)
    assert told["zone_below_10"] == pytest.approx(0.5)
    assert (told["step_contact"], told["zone_contact"], told["zone_day"]) == (10.0, 10.0, 5.0)
    assert (told["session_contact"], told["day_contact"]) == (5.0, 1.0)
    assert list(told.values()) == sorted(told.values())
    assert set(told) <= {row.id for row in TABLE}


def test_a_limit_that_is_passed_already_is_at_hand():
    assert seconds_left(cooled(20.0, 2.0), ZONE, 2.0, limits(), NOTHING)["skin_warn"] == 0.0


def test_a_plate_warmer_than_the_skin_brings_no_limit_of_temperature_near():
    told = seconds_left(cooled(20.0, 20.0), ZONE, 30.0, limits(), NOTHING)
    assert set(told) == {"static_dwell", "step_contact"}
    skin, _ = curves(cooled(20.0, 20.0), ZONE, 30.0)
    assert float(skin.max()) <= float(skin[0]) + 1.0, "and does not warm it"


def test_a_glide_has_no_dwell_and_the_far_is_left_out():
    told = seconds_left(
        cooled(1.0, 15.0), ZONE, 15.0, limits(), Spent(ZoneExposure(), ZoneExposure(), None, 0.0, 0.0, 0.0)
    )
    assert "static_dwell" not in told
    assert all(left <= HORIZON_S for left in told.values())
    assert "zone_contact" not in told


@settings(max_examples=30, deadline=None)
@given(st.floats(-5.0, 25.0), st.floats(0.0, 5.0), st.floats(0.0, 40.0))
def test_a_colder_plate_never_gives_more_time(plate, colder, cooled_s):
    estimate = cooled(cooled_s, 8.0)
    milder = seconds_left(estimate, ZONE, plate, TIGHT, NOTHING)
    harder = seconds_left(estimate, ZONE, plate - colder, TIGHT, NOTHING)
    for name, left in milder.items():
        assert harder[name] <= left + 1e-9, name


def test_the_horizon_is_longer_than_any_contact():
    assert limits().step_contact_s < HORIZON_S == look_ahead.HORIZON_S
