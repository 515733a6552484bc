"""The whole plant: plate and skin together, what the sensors show of it, and every disturbance."""

import math
from collections.abc import Callable
from dataclasses import asdict, fields
from itertools import pairwise

import pytest

from cryodevice.bioheat import Layer, Tissue
from cryodevice.errors import QuantityError
from firmware_sim.plant import Disturbances, Plant, Samples, Truth
from firmware_sim.plant.applicator import PLATE_AREA_M2, Applicator, ApplicatorParameters
from firmware_sim.plant.tissue import SkinUnderWand

TICK_S = 0.02


def cooling(current: float = 2.0, **start: float) -> Plant:
    plant = Plant(7, **start)
    plant.relay_closed, plant.fan_on, plant.drive_a = True, True, current
    return plant


def hold(plant: Plant, plate_degc: float, seconds: float) -> None:
    """A crude controller on the true plate, so that the tests need no firmware."""
    for _ in range(round(seconds / TICK_S)):
        plant.drive_a = min(max(0.9 + 4.0 * (plant.truth().plate_degc - plate_degc), 0.0), 4.0)
        plant.advance(TICK_S)


def test_pull_down_from_25_to_5_degc_takes_15_s_without_a_jump() -> None:
    plant = cooling(4.0, ambient_degc=25.0, plate_degc=25.0)
    plates = [plant.truth().plate_degc]
    while plates[-1] > 0.0:
        plant.advance(0.01)
        plates.append(plant.truth().plate_degc)
    to_5 = next(step for step, plate in enumerate(plates) if plate <= 5.0) * 0.01
    assert to_5 == pytest.approx(15.0, rel=0.15)
    assert len(plates) * 0.01 == pytest.approx(20.0, rel=0.15)
    assert max(abs(a - b) for a, b in pairwise(plates)) < 0.03


def test_contact_bumps_a_cold_plate() -> None:
    plant = cooling(0.0, plate_degc=5.0)
    plant.zone, before = "left_cheek", plant.truth().plate_degc
    plant.advance(1.0)
    untouched = plant.truth().plate_degc - before
    plant.contact, before = True, plant.truth().plate_degc
    plant.advance(1.0)
    assert plant.truth().plate_degc - before - untouched == pytest.approx(0.7, abs=0.3)


def test_the_heat_that_a_plate_of_5_degc_takes_from_a_cheek_is_what_the_page_says() -> None:
    plant = cooling(plate_degc=5.0)
    plant.zone = "left_cheek"
    hold(plant, 5.0, 10.0)
    plant.contact, taken_w, before_s = True, [], 0.0
    for at_s in (0.1, 1.0, 5.0, 30.0):
        hold(plant, 5.0, at_s - before_s)
        before_s = at_s
        taken_w.append(plant.truth().flux_w_m2 * PLATE_AREA_M2)
    assert taken_w == pytest.approx([24.5, 13.9, 7.8, 2.7], rel=0.04)


def test_a_held_plate_cools_skin_as_the_golden_run_says_and_skin_rewarms() -> None:
    plant = cooling(plate_degc=5.0)
    plant.zone = "left_cheek"
    hold(plant, 5.0, 10.0)
    assert plant.truth().plate_degc == pytest.approx(5.0, abs=0.2)
    plant.contact = True
    hold(plant, 5.0, 30.0)
    truth = plant.truth()
    assert truth.skin_surface_degc == pytest.approx(7.04, abs=0.3)
    assert truth.skin_1mm_degc == pytest.approx(14.16, abs=0.3)
    assert truth.contact_s["left_cheek"] == pytest.approx(30.0)
    plant.contact = False
    plant.advance(5.0)
    # 12.7 with the golden run's vessels; these have had 30 s to close and still carry warmth.
    assert plant.truth().skin_surface_degc == pytest.approx(13.1, abs=0.4)
    assert plant.truth().lowest_skin_degc == pytest.approx(truth.skin_surface_degc, abs=0.05)
    plant.zone = "forehead"
    plant.advance(162.0)
    plant.zone = "left_cheek"
    assert plant.truth().skin_surface_degc == pytest.approx(28.0, abs=0.3)


def test_no_relay_no_current() -> None:
    plant = cooling(4.0)
    assert plant.truth().drive_a == 4.0
    plant.relay_closed = False
    assert plant.truth().drive_a == 0.0
    assert plant.sample().drive_ma == 0
    assert plant.sample().drive_mv == 0
    plant.advance(5.0)
    assert plant.truth().plate_degc == pytest.approx(24.0, abs=1e-9)


def test_the_bridge_keeps_within_4_a() -> None:
    plant = cooling(9.0)
    assert plant.truth().drive_a == 4.0
    plant.drive_a = -9.0
    assert plant.truth().drive_a == -4.0


def test_time_in_one_piece_is_time_in_many() -> None:
    whole, pieces = cooling(), cooling()
    for plant in (whole, pieces):
        plant.zone, plant.contact = "nose", True
    whole.advance(3.0)
    for _ in range(300):
        pieces.advance(0.01)
    assert whole.truth() == pieces.truth()
    assert whole.sample() == pieces.sample()


def test_nothing_moves_because_somebody_looks() -> None:
    plant = cooling()
    plant.contact = True
    plant.advance(2.0)
    before = plant.truth()
    for _ in range(100):
        plant.sample()
    plant.advance(0.0)
    assert plant.truth() == before


def test_what_the_skin_gives_is_what_the_wand_gets() -> None:
    slab = Tissue((Layer("slab", 60e-3, 0.37, 1109.0, 3391.0, 0.0, 0.0),), deep_degc=33.0, arterial_degc=33.0)
    sealed = ApplicatorParameters(fan_k_w=1e12, still_k_w=1e12, plate_loss_w_k=0.0)
    plant = Plant(ambient_degc=33.0, plate_degc=5.0)
    plant._skin = SkinUnderWand(33.0, {"slab": slab})
    plant._applicator = Applicator(5.0, 33.0, sealed)
    plant.zone, plant.contact = "slab", True
    plant.advance(5.0)
    truth = plant.truth()
    gained_j = sealed.plate_j_k * (truth.plate_degc - 5.0) + sealed.sink_j_k * (truth.sink_degc - 33.0)
    cells = plant._skin._zones["slab"].body.grid.capacity_j_m2k * PLATE_AREA_M2
    lost_j = float(cells @ (33.0 - plant._skin._zones["slab"].temps()))
    assert gained_j == pytest.approx(lost_j, rel=1e-6)
    assert gained_j > 5.0


def play(seed: int) -> list[Samples]:
    plant, seen = Plant(seed), []
    plant.relay_closed, plant.fan_on = True, True
    for tick in range(600):
        plant.drive_a = 3.0 * math.sin(tick / 50.0)
        plant.contact = 100 <= tick < 400
        plant.zone = "nose" if tick < 250 else "left_cheek"
        plant.disturbances.plate_a_open = 500 <= tick < 520
        plant.advance(TICK_S)
        seen.append(plant.sample())
    return seen


def test_the_same_seed_gives_the_same_samples_and_another_gives_others() -> None:
    assert play(3) == play(3)
    assert play(3) != play(4)


def test_a_fault_in_one_channel_leaves_the_others_their_noise() -> None:
    healthy, broken = Plant(5), Plant(5)
    broken.disturbances.plate_a_short = True
    broken.disturbances.sink_lost = True
    for _ in range(20):
        a, b = asdict(healthy.sample()), asdict(broken.sample())
        for name in ("plate_a_degc", "plate_a_fault", "sink_degc"):
            assert a.pop(name) != b.pop(name)
        assert a == b


def test_the_plate_channels_lag_and_are_noisy_and_agree_at_rest() -> None:
    plant = Plant(1)
    shown = []
    for _ in range(2000):
        plant.advance(TICK_S)
        sample = plant.sample()
        shown.append((sample.plate_a_degc, sample.plate_b_degc))
    for channel in zip(*shown, strict=True):
        mean = sum(channel) / len(channel)
        sigma = math.sqrt(sum((value - mean) ** 2 for value in channel) / len(channel))
        assert mean == pytest.approx(24.0, abs=0.005)
        assert sigma == pytest.approx(0.02, rel=0.2)
        assert all(round(value, 2) == value for value in channel)
    plant.relay_closed, plant.fan_on, plant.drive_a = True, True, 4.0
    plant.advance(5.0)
    lag_k = plant.sample().plate_a_degc - plant.truth().plate_degc
    assert lag_k == pytest.approx(1.5 * 0.3, abs=0.15)


def test_infra_red_sees_the_zone_and_is_blind_under_the_plate() -> None:
    plant = cooling(0.0, plate_degc=5.0)
    plant.zone = "left_cheek"
    plant.advance(1.0)
    assert plant.sample().skin_ir_degc == pytest.approx(34.0, abs=0.4)
    plant.contact = True
    plant.advance(20.0)
    assert plant.sample().skin_ir_degc is None
    plant.contact = False
    plant.advance(1.0)
    assert plant.sample().skin_ir_degc == pytest.approx(plant.truth().skin_surface_degc, abs=0.6)
    plant.zone = "forehead"
    plant.advance(1.0)
    assert plant.sample().skin_ir_degc > 33.0


def test_the_bridge_and_the_room_are_measured() -> None:
    plant = cooling(2.0)
    plant.humidity_pct = 60.0
    plant.advance(10.0)
    sample = plant.sample()
    assert sample.drive_ma == pytest.approx(2000, abs=20)
    assert 3500 < sample.drive_mv < 6000
    assert sample.ambient_degc == pytest.approx(24.0, abs=0.2)
    assert sample.humidity_pct == pytest.approx(60.0, abs=1.0)
    assert sample.fan_rpm == pytest.approx(4200, rel=0.02)
    assert sample.fan_running


def test_the_hand_is_passed_through() -> None:
    plant = Plant()
    sample = plant.sample()
    assert (sample.contact, sample.trigger, sample.estop, sample.tip, sample.motion) == (False,) * 3 + (True, False)
    plant.contact = plant.trigger = plant.estop = plant.motion = True
    plant.tip = False
    sample = plant.sample()
    assert (sample.contact, sample.trigger, sample.estop, sample.tip, sample.motion) == (True,) * 3 + (False, True)


EFFECTS: dict[str, tuple[object, Callable[[Samples, Truth], object], object]] = {
    "plate_a_offset_k": (2.0, lambda s, t: s.plate_a_degc - s.plate_b_degc, pytest.approx(2.0, abs=0.2)),
    "plate_b_offset_k": (-3.0, lambda s, t: s.plate_b_degc - s.plate_a_degc, pytest.approx(-3.0, abs=0.2)),
    "plate_a_open": (True, lambda s, t: (s.plate_a_degc, s.plate_a_fault), (None, "open")),
    "plate_a_short": (True, lambda s, t: (s.plate_a_degc, s.plate_a_fault), (None, "short")),
    "plate_b_open": (True, lambda s, t: (s.plate_b_degc, s.plate_b_fault), (None, "open")),
    "plate_b_short": (True, lambda s, t: (s.plate_b_degc, s.plate_b_fault), (None, "short")),
    "plate_a_frozen": (True, lambda s, t: s.plate_a_degc - s.plate_b_degc > 3.0, True),
    "skin_ir_offset_k": (-4.0, lambda s, t: s.skin_ir_degc - t.skin_surface_degc, pytest.approx(-4.0, abs=0.4)),
    "skin_ir_lost": (True, lambda s, t: s.skin_ir_degc, None),
    "sink_offset_k": (30.0, lambda s, t: s.sink_degc - t.sink_degc, pytest.approx(30.0, abs=1.0)),
    "sink_lost": (True, lambda s, t: s.sink_degc, None),
    "fan_stalled": (True, lambda s, t: (s.fan_running, t.fan_rpm < 100.0), (False, True)),
    "drive_stuck_a": (5.0, lambda s, t: (t.drive_a, s.drive_ma), (5.0, pytest.approx(5000, abs=60))),
    "drive_reversed": (
        True,
        lambda s, t: (t.drive_a, s.drive_ma > 1900, s.drive_mv > 2000, t.plate_degc > 30.0),
        (-2.0, True, True, True),
    ),
    "plate_heat_w": (80.0, lambda s, t: t.plate_degc > 30.0, True),
    "sink_heat_w": (300.0, lambda s, t: t.sink_degc > 40.0, True),
    "drive_loss": (0.5, lambda s, t: (t.drive_a, s.drive_ma), (1.0, pytest.approx(1000, abs=20))),
    "relay_dead": (True, lambda s, t: (t.drive_a, s.drive_mv), (0.0, 0)),
    "heater_w": (80.0, lambda s, t: (t.plate_degc > 30.0, t.drive_a), (True, 2.0)),
    "fan_loss": (0.5, lambda s, t: (s.fan_running, t.fan_rpm), (False, pytest.approx(2100))),
    "supply_v": (3.0, lambda s, t: (s.supply_v, t.drive_a < 1.9), (3.0, True)),
}


@pytest.mark.parametrize("name", list(EFFECTS))
def test_each_disturbance_shows_and_only_while_it_lasts(name: str) -> None:
    value, look, expected = EFFECTS[name]
    plant = cooling(2.0)
    plant.advance(1.0)
    assert look(plant.sample(), plant.truth()) != expected
    default = getattr(plant.disturbances, name)
    setattr(plant.disturbances, name, value)
    for _ in range(500):
        plant.advance(TICK_S)
        sample = plant.sample()
    assert look(sample, plant.truth()) == expected
    setattr(plant.disturbances, name, default)
    for _ in range(1500):
        plant.advance(TICK_S)
        sample = plant.sample()
    assert look(sample, plant.truth()) != expected


def test_a_dead_contact_sensor_denies_a_contact_that_infra_red_cannot_see_through() -> None:
    plant = cooling(2.0)
    plant.contact = True
    plant.advance(1.0)
    assert plant.sample().contact
    plant.disturbances.contact_dead = True
    plant.advance(1.0)
    sample = plant.sample()
    assert (sample.contact, sample.skin_ir_degc) == (False, None)
    assert plant.truth().contact_s["forehead"] == pytest.approx(2.0)


def test_a_welded_relay_conducts_what_the_bridge_gives() -> None:
    plant = cooling(2.0)
    plant.relay_closed = False
    plant.disturbances.relay_welded = True
    assert plant.truth().drive_a == 2.0
    plant.drive_a = 0.0
    assert plant.truth().drive_a == 0.0
    plant.disturbances.drive_stuck_a = 3.0
    assert plant.truth().drive_a == 3.0


def test_a_blocked_sink_keeps_its_heat_until_it_is_free_again() -> None:
    free, blocked = cooling(3.0), cooling(3.0)
    blocked.disturbances.sink_loss = 1.0
    for plant in (free, blocked):
        plant.fan_on = True
        plant.advance(30.0)
    warmer = blocked.truth().sink_degc - free.truth().sink_degc
    assert warmer > 1.5
    blocked.disturbances.sink_loss = 0.0
    for plant in (free, blocked):
        plant.advance(60.0)
    assert blocked.truth().sink_degc - free.truth().sink_degc < 0.6 * warmer


def test_a_stuck_bridge_still_needs_the_relay() -> None:
    plant = cooling(0.0)
    plant.disturbances.drive_stuck_a = 4.0
    assert plant.truth().drive_a == 4.0
    plant.relay_closed = False
    assert plant.truth().drive_a == 0.0


def test_every_disturbance_is_off_by_default_and_has_a_test() -> None:
    assert all(not getattr(Disturbances(), field.name) for field in fields(Disturbances))
    assert {field.name for field in fields(Disturbances)} == {*EFFECTS, "relay_welded", "contact_dead", "sink_loss"}


def test_a_frozen_channel_repeats_itself_to_the_last_digit() -> None:
    plant = cooling(3.0)
    plant.disturbances.plate_a_frozen = True
    shown = set()
    for _ in range(50):
        plant.advance(TICK_S)
        shown.add(plant.sample().plate_a_degc)
    assert len(shown) == 1


@pytest.mark.parametrize("dt", [0.005, 0.015, -0.01, math.nan, math.inf])
def test_time_comes_in_whole_sub_steps(dt: float) -> None:
    with pytest.raises(QuantityError):
        Plant().advance(dt)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("drive_a", math.nan),
        ("ambient_degc", math.inf),
        ("humidity_pct", 101.0),
        ("conductance_w_m2k", -1.0),
        ("zone", "lips"),
    ],
)
def test_inputs_that_make_no_sense_are_refused(name: str, value: object) -> None:
    plant = Plant()
    setattr(plant, name, value)
    with pytest.raises(QuantityError):
        plant.advance(0.01)
