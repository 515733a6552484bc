"""Sensors that deceive: what the plate watch remembers of a jump, of repetition, and of drive without an answer."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryodevice.quantities import Seconds
from cryodevice.safety.limits import IDLE_S, PLATE_NOISE_K, PLATE_SAME_S, RISEN_K, UNANSWERED_S, UNHELD_S
from cryodevice.safety.plate_watch import (
    FALL_K,
    FASTEST_K_S,
    IDLE_ABOVE_K,
    JUMP_K,
    PlateWatch,
    followed,
    share_of,
)
from cryodevice.safety.readings import read
from tests.safety.samples import status

MAX_MA, OFF_MA, TICK_S = 4000.0, 200.0, 0.05


def watched(
    values, *, drive_ma=3900, sink_degc=30.0, touching=False, watch=None, began_s=10.0, every_s=TICK_S, to=math.nan
):
    """The watch after readings of both channels, one a tick; a value is one temperature or two."""
    watch = watch or PlateWatch()
    for number, value in enumerate(values):
        a, b = value if isinstance(value, tuple) else (value, value)
        words = status(plate_a_degc=a, plate_b_degc=b, drive_ma=drive_ma, sink_degc=sink_degc)
        reading = read(words, Seconds(began_s + number * every_s))
        watch = followed(watch, reading, MAX_MA, OFF_MA, touching=touching, setpoint_degc=to)
    return watch


def falling(seconds: float, k_s: float = -1.0, start: float = 24.0) -> list[float]:
    return [start + k_s * number * TICK_S for number in range(round(seconds / TICK_S) + 1)]


def test_a_plate_that_falls_as_driven_shows_nothing():
    watch = watched(falling(15.0))
    assert (watch.jump_k, watch.same_s) == (0.0, 0.0)
    assert watch.unanswered_s <= FALL_K / 1.0 + TICK_S + 1e-9
    assert watch.risen_k == 0.0


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("step_k", [3.0, -3.0, 20.0])
def test_a_jump_of_one_channel_is_seen_until_metal_could_have_followed(which, step_k):
    after = (8.0 + step_k, 8.0) if which == 0 else (8.0, 8.0 + step_k)
    watch = watched([8.0, 8.0, after])
    assert watch.jump_k == pytest.approx(abs(step_k) - JUMP_K - FASTEST_K_S * TICK_S)
    ticks = math.ceil((abs(step_k) - JUMP_K) / FASTEST_K_S / TICK_S)
    assert watched([8.0, 8.0, *[after] * (ticks - 1)]).jump_k > 0.0
    assert watched([8.0, 8.0, *[after] * (ticks + 2)]).jump_k == 0.0


@pytest.mark.parametrize("rate_k_s", [6.0, 8.0, 16.0, 24.0, -8.0])
@pytest.mark.parametrize("every_s", [TICK_S, 0.1])
def test_a_channel_that_moves_faster_than_metal_is_seen_however_small_its_steps(rate_k_s, every_s):
    values = [8.0 + rate_k_s * number * every_s for number in range(round(1.0 / every_s))]
    assert watched(values, every_s=every_s).jump_k > 0.0


def test_a_spike_of_one_sample_is_forgotten_with_the_next():
    assert watched([8.0, 8.0, 28.0]).jump_k > 0.0
    assert watched([8.0, 8.0, 28.0, 8.0]).jump_k == 0.0


def test_a_gap_gives_a_plate_time_to_move():
    assert watched([8.0, 12.0], every_s=1.0).jump_k == 0.0


def test_a_value_after_none_follows_from_nothing():
    assert watched([8.0, (None, 8.0), (30.0, 8.0)]).jump_k == 0.0


def test_each_channel_that_repeats_itself_while_driven_is_counted():
    ticks = round((PLATE_SAME_S + 0.1) / TICK_S)
    for values in ([(8.0, 8.0 + number % 2 * 0.01) for number in range(ticks)], [8.0] * ticks):
        assert watched(values).same_s > PLATE_SAME_S
    assert watched([8.0 + number % 2 * 0.01 for number in range(ticks)]).same_s == 0.0


@pytest.mark.parametrize(("drive_ma", "counted"), [(0, False), (200, False), (201, True), (-201, True), (None, True)])
def test_repetition_counts_while_current_flows_or_may_flow(drive_ma, counted):
    assert (watched([8.0] * 50, drive_ma=drive_ma).same_s > 0.0) is counted


def test_drive_without_an_answer_is_counted_whatever_the_setpoint():
    watch = watched([24.0 + number % 2 * 0.01 for number in range(round((UNANSWERED_S + 0.2) / TICK_S))])
    assert watch.unanswered_s > UNANSWERED_S


def test_rising_under_drive_is_wrong_way():
    watch = watched(falling(3.0, k_s=+1.0))
    assert watch.risen_k > RISEN_K


@pytest.mark.parametrize("how", [{"touching": True}, {"drive_ma": 1000}, {"drive_ma": None}, {"sink_degc": None}])
def test_nothing_is_expected_of_a_plate_on_skin_or_driven_gently_or_of_unknown_drive(how):
    watch = watched(falling(12.0, k_s=+0.4), **how)
    assert (watch.unanswered_s, watch.risen_k) == (0.0, 0.0)


def test_skin_that_was_touched_begins_the_count_anew():
    held = [24.0 + number % 2 * 0.01 for number in range(100)]
    watch = watched(held)
    assert watch.unanswered_s > 4.0
    watch = watched(held[:1], watch=watch, touching=True, began_s=20.0)
    assert watched(held[:2], watch=watch, began_s=21.0).unanswered_s == pytest.approx(TICK_S)


def test_the_share_of_a_wand_that_names_no_largest_current_is_unknown():
    assert math.isnan(share_of(read(status(drive_ma=100), Seconds(0.0)), 0.0))


@given(st.lists(st.floats(-20.0, 45.0), min_size=2, max_size=60), st.integers(-4000, 4000), st.booleans())
def test_the_facts_are_numbers_for_any_plate(values, drive_ma, touching):
    watch = watched(values, drive_ma=drive_ma, touching=touching)
    for fact in (watch.jump_k, watch.same_s, watch.unanswered_s, watch.risen_k):
        assert 0.0 <= fact < math.inf


@given(st.lists(st.floats(-FASTEST_K_S, FASTEST_K_S), min_size=2, max_size=100))
def test_no_plate_that_moves_as_metal_can_is_ever_taken_for_a_jump(rates):
    degc, values = 10.0, []
    for rate in rates:
        degc += rate * TICK_S
        values.append(degc)
    watch = PlateWatch()
    for number, value in enumerate(values):
        watch = watched([value], watch=watch, began_s=10.0 + number * TICK_S)
        assert watch.jump_k == 0.0


@pytest.mark.parametrize("touching", [False, True])
def test_a_plate_above_its_setpoint_must_come_closer_under_hard_drive_on_the_skin_too(touching):
    held = [10.0 + number % 2 * 0.01 for number in range(round((UNHELD_S + 0.2) / TICK_S))]
    assert watched(held, touching=touching, to=8.0).unheld_s > UNHELD_S
    assert watched(held, touching=touching, to=9.3).unheld_s == 0.0, "it is held"
    assert watched(held, touching=touching, to=8.0, drive_ma=1000).unheld_s == 0.0, "it is driven gently"
    assert watched(held, touching=touching).unheld_s == 0.0, "it is not to be anywhere"
    assert watched(falling(5.0, start=24.0), touching=touching, to=8.0).unheld_s <= FALL_K + TICK_S + 1e-9


def test_a_plate_told_to_cool_that_nothing_drives_is_counted():
    still = [20.0] * 81
    assert watched(still, drive_ma=0, to=8.0).idle_s == pytest.approx(4.0)
    assert IDLE_S < 4.0
    assert watched(still, drive_ma=-0.9 * OFF_MA, to=8.0).idle_s > IDLE_S
    assert watched(still, drive_ma=1.1 * OFF_MA, to=8.0).idle_s == 0.0
    assert watched(still, drive_ma=0).idle_s == 0.0, "told nothing"
    assert watched([8.0 + IDLE_ABOVE_K] * 81, drive_ma=0, to=8.0).idle_s == 0.0, "near enough to need none"
    assert (
        watched(still[:2], drive_ma=2000, to=8.0, watch=watched(still, drive_ma=0, to=8.0), began_s=20.0).idle_s == 0.0
    )


@pytest.mark.parametrize("which", [0, 1])
def test_a_loose_contact_is_seen_in_either_channel(which):
    noise = [(-1) ** number * 0.4 for number in range(60)]
    values = [(8.0 + noise[n], 8.0) if which == 0 else (8.0, 8.0 + noise[n]) for n in range(60)]
    assert watched(values).noise_k > PLATE_NOISE_K


def test_neither_a_plate_in_motion_nor_one_spike_nor_a_gap_is_noise():
    assert watched(falling(10.0, k_s=-3.0)).noise_k == pytest.approx(0.0, abs=1e-9)
    assert watched([8.0] * 5 + [28.0] + [8.0] * 3).noise_k < PLATE_NOISE_K
    assert watched([8.0, 8.0, None, 12.0, 12.0, 12.0]).noise_k < PLATE_NOISE_K
    assert watched([8.0, None, 8.0, None, 8.0]).noise_k == 0.0
