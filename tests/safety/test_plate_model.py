"""The module's voltage as a third look at the plate: what it gives back, what it forgives, and what it does not."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryodevice.quantities import Seconds
from cryodevice.safety.limits import RESIDUAL_K
from cryodevice.safety.plate_model import (
    LEARNT_RATIO,
    LOWEST_K,
    OWN_K,
    PlateModel,
    followed,
    plate_by_module_degc,
)
from cryodevice.safety.readings import read
from tests.safety.samples import status

MAX_MA, OFF_MA, TICK_S = 4000.0, 200.0, 0.05


def volts(amperes: float, sink: float, plate: float, *, ratio: float = 1.0, share: float = 1.0) -> float:
    """By hand from the data sheet's figures: 25 degC hot side 0.0483 V/K, 1.75 ohm; 50 degC 0.0508 V/K, 1.97 ohm."""
    seebeck = (0.0483 + (0.0508 - 0.0483) * (sink - 25.0) / 25.0) * share
    ohms = (1.75 + (1.97 - 1.75) * (sink - 25.0) / 25.0) * ratio
    return seebeck * (sink - plate) + amperes * ohms


def seen(
    seconds,
    *,
    true=lambda _s: 5.0,
    shown=None,
    amperes=1.0,
    sink=30.0,
    precool=False,
    model=None,
    began_s=10.0,
    every_s=TICK_S,
    words=None,
    **wand,
):
    """The model after readings of a plate at ``true(s)`` that both sensors show at ``shown(s)``."""
    model = model or PlateModel()
    for number in range(round(seconds / every_s)):
        at = number * every_s
        plate = (shown or true)(at)
        said = {
            "plate_a_degc": plate,
            "plate_b_degc": plate + 0.05,
            "sink_degc": sink,
            "drive_ma": amperes * 1000.0,
            "drive_mv": volts(amperes, sink, true(at), **wand) * 1000.0,
        }
        reading = read(status(**{**said, **(words or {})}), Seconds(began_s + at))
        model = followed(model, reading, MAX_MA, OFF_MA, precool=precool)
    return model


@given(st.floats(0.0, 4.0), st.floats(10.0, 55.0), st.floats(-10.0, 35.0))
def test_the_plate_is_what_the_voltage_was_made_of(amperes, sink, plate):
    assert plate_by_module_degc(volts(amperes, sink, plate), amperes, sink) == pytest.approx(plate, abs=1e-9)


def test_sensors_that_agree_with_the_module_leave_nothing():
    assert seen(20.0).residual_k == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("rate_k_s", [0.02, 0.1, 0.3, 1.0])
def test_a_drift_that_the_regulator_follows_is_seen_at_any_rate(rate_k_s):
    """The sensors stay at 5 degC, the plate does not."""
    model = seen((RESIDUAL_K + rate_k_s) / rate_k_s, true=lambda s: 5.0 - rate_k_s * s, shown=lambda _s: 5.0)
    assert model.residual_k == pytest.approx(RESIDUAL_K, abs=0.4 * rate_k_s + 0.01)


def test_sensors_that_show_too_cold_leave_no_credit_beyond_its_bound():
    cold = seen(20.0, true=lambda _s: 15.0, shown=lambda _s: 5.0)
    assert cold.apart_k == pytest.approx(LOWEST_K, abs=0.01)
    then = seen(5.0, true=lambda _s: 2.5, shown=lambda _s: 5.0, model=cold, began_s=30.0)
    assert then.residual_k > RESIDUAL_K


def test_what_differs_in_precool_is_the_wands_own_but_only_a_kelvin_of_it():
    small = seen(5.0, true=lambda _s: 4.4, shown=lambda _s: 5.0, precool=True)
    assert small.residual_k == 0.0
    assert small.own_k == pytest.approx(0.6, abs=0.02)
    assert seen(5.0, true=lambda _s: 4.4, shown=lambda _s: 5.0, model=small, began_s=15.0).residual_k < 0.1
    large = seen(8.0, true=lambda _s: 1.9, shown=lambda _s: 5.0, precool=True)
    assert large.own_k == OWN_K
    assert large.residual_k > RESIDUAL_K


@pytest.mark.parametrize("ratio", [0.7, 1.0, 1.6])
def test_a_wand_of_another_resistance_is_learnt_while_it_begins(ratio):
    begun = seen(2.0, true=lambda s: 24.0 - s, sink=24.5, amperes=4.0, ratio=ratio, precool=True)
    assert begun.ratio == pytest.approx(ratio, abs=0.005)
    assert abs(seen(10.0, ratio=ratio, model=begun, began_s=12.0).residual_k) < 0.1
    later = seen(5.0, true=lambda _s: 2.0, shown=lambda _s: 5.0, ratio=ratio, model=begun, began_s=12.0)
    assert later.residual_k > RESIDUAL_K
    assert later.ratio == begun.ratio, "learnt once a session"


@settings(max_examples=25, deadline=None)
@given(st.floats(-5.0, 30.0), st.floats(0.0, 10.0), st.floats(-5.0, 30.0), st.booleans())
def test_sensors_that_show_warmer_never_leave_less(shown, warmer, true, precool):
    less, more = (
        seen(1.0, true=lambda _s: true, shown=lambda _s, degc=degc: degc, precool=precool)
        for degc in (shown, shown + warmer)
    )
    assert less.residual_k <= more.residual_k + 1e-9


def test_a_resistance_no_wand_has_is_not_believed():
    assert seen(2.0, sink=24.5, true=lambda _s: 24.0, amperes=1.5, ratio=9.0).ratio == LEARNT_RATIO[1]
    assert seen(2.0, sink=24.5, true=lambda _s: 24.0, amperes=4.0, ratio=0.1).ratio == LEARNT_RATIO[0]


def test_gentle_drive_teaches_nothing():
    assert seen(5.0, amperes=1.1, ratio=1.5).ratio == 1.0
    assert seen(5.0, amperes=1.3, ratio=1.5).ratio != 1.0


def test_without_drive_nothing_is_said():
    standing = seen(3.0, true=lambda _s: 3.0, shown=lambda _s: 5.0)
    off = seen(60.0, model=standing, began_s=13.0, words={"drive_ma": 100, "drive_mv": 0})
    assert off.apart_k == standing.apart_k


def test_a_dead_current_sensor_is_seen_by_the_voltage():
    assert seen(1.0, words={"drive_ma": 0}).residual_k > RESIDUAL_K


@pytest.mark.parametrize(
    "missing", [{"sink_degc": None}, {"plate_a_degc": None, "plate_b_degc": None}, {"drive_ma": None}]
)
def test_what_is_not_known_changes_nothing(missing):
    standing = seen(3.0, true=lambda _s: 3.0, shown=lambda _s: 5.0)
    after = seen(3.0, model=standing, began_s=13.0, words=missing)
    assert (after.apart_k, after.own_k, after.ratio) == (standing.apart_k, standing.own_k, standing.ratio)
    assert math.isfinite(after.residual_k)


def test_a_voltage_that_is_not_known_is_not_taken_for_a_good_one():
    assert math.isnan(seen(1.0, words={"drive_mv": None}).residual_k)


def test_a_long_gap_counts_as_one_slow_tick():
    once = seen(TICK_S, true=lambda _s: 0.0, shown=lambda _s: 5.0, model=seen(1.0), began_s=500.0)
    assert once.apart_k == pytest.approx(5.0 * -math.expm1(-0.2), rel=0.01)
