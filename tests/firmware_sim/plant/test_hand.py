"""A hand by a seed: lifts, slips and glides, and what the plant makes of them."""

import math
from itertools import pairwise

import pytest

from cryodevice.errors import QuantityError
from firmware_sim.plant import Habits, Hand, Plant
from firmware_sim.plant.individual import Conductance

CHEEKS = ("left_cheek", "right_cheek")


def watched(hand: Hand, seconds: float, step_s: float = 0.02) -> list:
    return [hand.at(step * step_s) for step in range(round(seconds / step_s))]


def test_a_hand_does_nothing_until_it_is_told() -> None:
    hand = Hand(1, "nose")
    assert {(grip.contact, grip.zone, grip.motion) for grip in watched(hand, 60.0)} == {(False, "nose", False)}


def test_the_same_seed_is_the_same_hand_however_often_it_is_asked() -> None:
    def course(seed: int, step_s: float) -> list:
        hand = Hand(seed)
        hand.glide(0.0, CHEEKS)
        watched(hand, 120.0, step_s)
        return [hand.at(at) for at in (120.0, 130.0, 150.0)]

    assert course(3, 0.01) == course(3, 0.5)
    assert course(3, 0.5) != course(4, 0.5)


def test_lifts_come_as_often_and_last_as_long_as_its_habits_say() -> None:
    hand = Hand(5, habits=Habits(lifts_per_min=6.0, lift_s=0.5))
    hand.lay(0.0, "left_cheek")
    contact = [grip.contact for grip in watched(hand, 3600.0, 0.05)]
    lifts = sum(a and not b for a, b in pairwise(contact))
    in_air_s = 0.05 * contact.count(False)
    assert lifts == pytest.approx(6.0 * (3600.0 - in_air_s) / 60.0, rel=0.15)
    assert in_air_s / lifts == pytest.approx(0.5, rel=0.2)


@pytest.mark.parametrize(("surface", "low", "high"), [("light", 300, 900), ("dry", 450, 3000), ("gel", 1200, 5000)])
def test_conductance_is_that_of_the_surface_and_changes_as_the_hand_does(surface: str, low: float, high: float) -> None:
    hand = Hand(2, habits=Habits(lifts_per_min=0.0, slips_per_min=60.0), conductance=Conductance(1300.0, 3200.0, 400.0))
    hand.lay(0.0, "nose", surface)
    grips = watched(hand, 600.0)
    found = sorted({grip.conductance_w_m2k for grip in grips})
    assert len(found) > 10
    assert low <= found[0] < found[-1] <= high
    assert all(b / a > 1.03 for a, b in pairwise(found)), "on a ladder, so that steps can be made ready"
    assert {grip.gel for grip in grips} == {surface == "gel"}


def test_a_glide_goes_from_zone_to_zone_in_motion_and_a_static_hand_stays() -> None:
    hand = Hand(8, habits=Habits(lifts_per_min=0.0))
    hand.glide(0.0, ("left_cheek", "right_cheek", "chin_jaw"))
    grips = watched(hand, 120.0)
    assert {grip.zone for grip in grips} == {"left_cheek", "right_cheek", "chin_jaw"}
    assert all(grip.motion and grip.contact for grip in grips)
    hand.lay(120.0, "nose")
    assert {(grip.zone, grip.motion) for grip in (hand.at(120.0 + 0.1 * step) for step in range(600))} == {
        ("nose", False)
    }
    hand.lift(180.0)
    assert {hand.at(180.0 + step).contact for step in range(60)} == {False}


def test_the_plant_follows_the_hand_in_every_sub_step() -> None:
    plant, asked = Plant(plate_degc=8.0), Hand(11, habits=Habits(lifts_per_min=20.0))
    plant.hand = Hand(11, habits=Habits(lifts_per_min=20.0))
    plant.hand.lay(0.0, "left_cheek")
    asked.lay(0.0, "left_cheek")
    touched = 0
    for step in range(2000):
        plant.advance(0.01)
        grip = asked.at(step * 0.01)
        touched += grip.contact
        assert (plant.contact, plant.zone, plant.conductance_w_m2k) == (grip.contact, grip.zone, grip.conductance_w_m2k)
    truth = plant.truth()
    assert truth.contact_s["left_cheek"] == pytest.approx(touched * 0.01)
    assert 5.0 < truth.contact_s["left_cheek"] < 20.0
    plant.hand.lift(plant.time_s)
    plant.advance(0.01)
    assert not plant.contact


def test_a_hand_moves_the_same_in_long_strides_as_in_short_ones() -> None:
    lowest = []
    for stride in (0.01, 0.02, 1.0):
        plant = Plant(plate_degc=3.0)
        plant.hand = Hand(4)
        plant.hand.glide(0.0, CHEEKS, "gel")
        for _ in range(round(40.0 / stride)):
            plant.advance(stride)
        lowest.append((plant.zones(), plant.truth()))
    assert lowest[0] == lowest[1] == lowest[2]


def test_hands_that_make_no_sense_are_refused() -> None:
    with pytest.raises(QuantityError, match="light"):
        Hand(1).lay(0.0, "nose", "velvet")
    with pytest.raises(QuantityError, match="zone"):
        Hand(1).glide(0.0, ())
    for name in ("lifts_per_min", "slips_per_min", "crossings_per_min", "lift_s", "spread"):
        with pytest.raises(QuantityError):
            Habits(**{name: math.nan})
