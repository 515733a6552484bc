import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryodevice.errors import QuantityError
from cryodevice.quantities import Channel, Seconds
from cryodevice.safety.limits import ENVELOPE, Limits, Tighter, Zone, check_limit, intersect, limits, static_hold_s
from cryodevice.safety.readings import (
    FASTEST_COOLING_K_S,
    MISSING_AFTER_S,
    STALE_AFTER_S,
    Fresh,
    Invalid,
    Missing,
    Stale,
    aged,
    read,
    worst_case,
)
from cryodevice.wire.codes import Fault
from tests.safety.samples import identity, status

NAMES = sorted(ENVELOPE)
T0 = Seconds(100.0)


@pytest.mark.req("R-H01-1")
@pytest.mark.req("R-H11-1")
@pytest.mark.parametrize("name", NAMES)
def test_a_limit_may_be_at_its_bounds_and_not_one_ulp_beyond(name):
    bound = ENVELOPE[name]
    assert check_limit(name, bound.low) == bound.low
    assert check_limit(name, bound.high) == bound.high
    for value in (
        math.nextafter(bound.low, -math.inf),
        math.nextafter(bound.high, math.inf),
        math.nan,
        math.inf,
        -math.inf,
    ):
        with pytest.raises(QuantityError, match=name):
            check_limit(name, value)


@pytest.mark.parametrize("name", NAMES)
def test_the_default_is_allowed_and_every_row_has_a_source(name):
    bound = ENVELOPE[name]
    assert check_limit(name, bound.initial) == getattr(limits(), name)
    assert bound.source


def test_limits_in_the_wrong_order_are_refused():
    with pytest.raises(QuantityError, match=r"skin_stop_degc .* must be below skin_warn_degc"):
        limits({"skin_stop_degc": 6.0, "skin_warn_degc": 5.0})
    with pytest.raises(QuantityError, match="plate_warn_degc"):
        limits({"plate_warn_degc": 36.0, "plate_ceiling_degc": 36.0})


def test_a_name_that_is_no_limit_is_a_programming_error():
    with pytest.raises(KeyError):
        limits({"plate_flor_degc": 6.0})


def tightness(before: Limits, after: Limits) -> None:
    for name, bound in ENVELOPE.items():
        old, new = getattr(before, name), getattr(after, name)
        assert new >= old if bound.tighter is Tighter.HIGHER else new <= old, name


@pytest.mark.req("R-H01-1")
@given(
    setpoint_min=st.floats(-20, 12),
    cold=st.floats(-20, 9),
    hot=st.floats(34, 60),
    sink=st.floats(35, 80),
)
def test_the_wand_only_ever_tightens(setpoint_min, cold, hot, sink):
    wand = identity(setpoint_min_degc=setpoint_min, cold_cutout_degc=cold, hot_cutout_degc=hot, sink_cutout_degc=sink)
    tightness(limits(), intersect(limits(), wand))


def test_a_wand_whose_limits_leave_nothing_is_refused():
    with pytest.raises(QuantityError):
        intersect(limits(), identity(hot_cutout_degc=5.0))


@pytest.mark.req("R-H14-1")
@pytest.mark.parametrize(("zone", "longest_s"), [(Zone.LEFT_CHEEK, 30.0), (Zone.NECK, 20.0), (Zone.NOSE, 10.0)])
def test_static_holds_differ_by_zone_and_settings_tighten_all(zone, longest_s):
    assert static_hold_s(limits(), zone) == longest_s
    assert static_hold_s(limits({"static_hold_s": 8.0}), zone) == 8.0


def test_colder_channel_for_cold_limits_and_warmer_for_hot_ones():
    reading = read(status(plate_a_degc=8.0, plate_b_degc=9.0), T0)
    assert (reading.plate_cold_degc, reading.plate_warm_degc) == (8.0, 9.0)
    one = read(status(plate_a_degc=8.0, plate_b_degc=None), T0)
    assert (one.plate_cold_degc, one.plate_warm_degc) == (8.0, 8.0)
    none = read(status(plate_a_degc=None, plate_b_degc=None), T0)
    assert math.isnan(none.plate_cold_degc)
    assert math.isnan(none.plate_warm_degc)


@pytest.mark.parametrize(
    ("changes", "channel", "sample"),
    [
        ({"skin_ir_degc": None}, Channel.SKIN_IR, Missing()),
        ({"plate_a_degc": 85.01}, Channel.PLATE_A, Invalid("range", T0)),
        ({"plate_a_degc": 85.0}, Channel.PLATE_A, Fresh(85.0, T0)),
        ({"plate_a_degc": -40.0}, Channel.PLATE_A, Fresh(-40.0, T0)),
        ({"faults": Fault.PLATE_A_OPEN, "plate_a_degc": 8.0}, Channel.PLATE_A, Invalid("open", T0)),
        ({"faults": Fault.PLATE_A_SHORT}, Channel.PLATE_A, Invalid("short", T0)),
        ({"faults": Fault.PLATE_A_SHORT | Fault.PLATE_A_OPEN}, Channel.PLATE_A, Invalid("open", T0)),
        ({"faults": Fault.PLATE_B_OPEN, "plate_b_degc": None}, Channel.PLATE_B, Invalid("open", T0)),
        ({"faults": Fault.ESTOP}, Channel.PLATE_A, Fresh(20.0, T0)),
    ],
)
def test_every_sample_has_its_quality(changes, channel, sample):
    assert read(status(**changes), T0).sample(channel) == sample


def test_old_data_gets_worse_and_never_better():
    fresh = Fresh(8.0, T0)
    assert aged(fresh, Seconds(T0 + STALE_AFTER_S)) == fresh
    stale = aged(fresh, Seconds(math.nextafter(T0 + STALE_AFTER_S, math.inf) + 1e-9))
    assert stale == Stale(8.0, T0)
    assert aged(stale, T0) == stale
    assert aged(stale, Seconds(T0 + MISSING_AFTER_S + 0.001)) == Missing()
    assert aged(fresh, Seconds(math.nan)) == Missing()
    assert aged(Missing(), T0) == Missing()
    assert aged(Invalid("open", T0), Seconds(T0 + 9.0)) == Invalid("open", T0)


@given(value=st.floats(-40, 85), age=st.floats(0, 4), more=st.floats(0, 4))
def test_the_worst_case_only_gets_colder(value, age, more):
    fresh = Fresh(value, T0)
    sooner, later = worst_case(fresh, Seconds(T0 + age)), worst_case(fresh, Seconds(T0 + age + more))
    assert later <= sooner <= value
    assert worst_case(fresh, Seconds(T0 - 1.0)) == value
    assert sooner == pytest.approx(value - FASTEST_COOLING_K_S * age)


def test_what_was_never_good_has_no_worst_case():
    assert math.isnan(worst_case(Missing(), T0))
    assert math.isnan(worst_case(Invalid("short", T0), T0))
