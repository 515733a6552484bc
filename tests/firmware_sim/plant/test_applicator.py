"""The thermoelectric, plate, sink and fan against the figures computed for the same module elsewhere."""

import pytest

from firmware_sim.plant.applicator import RATED_RPM, Applicator, ApplicatorParameters

SPINNING = RATED_RPM


def steady(current: float, sink_k_w: float, *, load_w: float = 0.5, seconds: float = 6000.0) -> Applicator:
    wand = Applicator(24.0, 24.0, ApplicatorParameters(fan_k_w=sink_k_w))
    wand.fan_rpm = SPINNING
    for _ in range(round(seconds / 0.1)):
        wand.advance(0.1, current, ambient_degc=24.0, plate_w=load_w, sink_w=0.0, fan_powered=True)
    return wand


def pull_down(targets: tuple[float, ...], current: float = 4.0) -> list[float]:
    wand, steps, times = Applicator(25.0, 25.0), 0, []
    wand.fan_rpm = SPINNING
    for target in targets:
        while wand.plate_degc > target:
            before = wand.plate_degc
            wand.advance(0.01, current, ambient_degc=25.0, plate_w=0.0, sink_w=0.0, fan_powered=True)
            assert 0.0 < before - wand.plate_degc < 0.02, "the plate moves all the time and never jumps"
            steps += 1
        times.append(steps * 0.01)
    return times


def test_pull_down_at_4_a() -> None:
    to_5, to_0 = pull_down((5.0, 0.0))
    assert to_5 == pytest.approx(15.0, rel=0.15)
    assert to_0 == pytest.approx(20.0, rel=0.15)


def test_more_current_cools_only_up_to_an_optimum() -> None:
    plates = [steady(current, 0.8, seconds=3000.0).plate_degc for current in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)]
    coldest = plates.index(min(plates))
    assert coldest == 2
    assert plates[: coldest + 1] == sorted(plates[: coldest + 1], reverse=True)
    assert plates[coldest:] == sorted(plates[coldest:])
    assert plates[1:] == pytest.approx([-6, -10, -9, -3, 7], abs=2.5)


def test_with_its_own_fan_the_wand_is_coldest_at_its_full_drive() -> None:
    plates = [steady(current, 0.4, seconds=2000.0).plate_degc for current in (2.0, 3.0, 4.0, 6.0)]
    assert plates == pytest.approx([-10, -18, -22, -18], abs=2.5)
    assert min(plates) == plates[2]


def test_a_cold_plate_heats_when_the_fan_is_stopped() -> None:
    plates = [steady(current, 3.0).plate_degc for current in (1.0, 3.0, 4.0)]
    assert plates == pytest.approx([12, 36, 71], abs=5.0)


def test_a_hot_sink_heats_the_plate_with_the_drive_off() -> None:
    wand = Applicator(5.0, 50.0)
    for _ in range(3000):
        wand.advance(0.01, 0.0, ambient_degc=24.0, plate_w=0.0, sink_w=0.0, fan_powered=False)
    assert wand.plate_degc > 20.0


def test_negative_current_warms() -> None:
    wand = Applicator(24.0, 24.0)
    for _ in range(500):
        wand.advance(0.01, -1.5, ambient_degc=24.0, plate_w=0.0, sink_w=0.0, fan_powered=True)
    assert wand.plate_degc > 27.0
    assert wand.sink_degc < 24.0


def test_everything_the_supply_gives_and_skin_and_air_bring_is_in_the_nodes() -> None:
    sealed = ApplicatorParameters(fan_k_w=1e12, still_k_w=1e12, plate_loss_w_k=0.0)
    wand, brought_j = Applicator(24.0, 30.0, sealed), 0.0
    before = sealed.plate_j_k * wand.plate_degc + sealed.sink_j_k * wand.sink_degc
    for step in range(2000):
        current = 4.0 if step < 1200 else -2.0
        brought_j += 0.01 * (current * wand.voltage(current) + 7.0 + 1.5)
        wand.advance(0.01, current, ambient_degc=24.0, plate_w=7.0, sink_w=1.5, fan_powered=step > 500)
    after = sealed.plate_j_k * wand.plate_degc + sealed.sink_j_k * wand.sink_degc
    assert after - before == pytest.approx(brought_j, rel=1e-6)


def test_an_idle_wand_comes_to_rest_at_the_temperature_of_the_room() -> None:
    wand = Applicator(5.0, 45.0)
    for _ in range(60_000):
        wand.advance(0.1, 0.0, ambient_degc=21.0, plate_w=0.0, sink_w=0.0, fan_powered=False)
    assert wand.plate_degc == pytest.approx(21.0, abs=0.1)
    assert wand.sink_degc == pytest.approx(21.0, abs=0.1)


def test_the_fan_spins_up_and_runs_down() -> None:
    wand, speeds = Applicator(24.0, 24.0), []
    for step in range(1000):
        wand.advance(0.01, 0.0, ambient_degc=24.0, plate_w=0.0, sink_w=0.0, fan_powered=step < 400)
        speeds.append(wand.fan_rpm)
    assert speeds[10] < 0.3 * RATED_RPM
    assert speeds[399] == pytest.approx(RATED_RPM, rel=0.01)
    assert 0.2 * RATED_RPM < speeds[500] < 0.6 * RATED_RPM
    assert speeds[-1] < 0.01 * RATED_RPM


def test_the_supply_limits_the_current() -> None:
    wand = Applicator(5.0, 45.0)
    assert wand.deliverable(4.0) == 4.0
    most = wand.deliverable(50.0)
    assert wand.voltage(most) == pytest.approx(12.0)
    assert wand.voltage(wand.deliverable(-50.0)) == pytest.approx(-12.0)
    assert 5.0 < most < 7.0
