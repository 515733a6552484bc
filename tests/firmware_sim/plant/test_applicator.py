"""The thermoelectric, plate, sink, coolant and fan against the figures computed for the same module elsewhere."""

from dataclasses import replace

import pytest

from firmware_sim.plant.applicator import AIR_COOLED, LIQUID_COOLED, RATED_RPM, Applicator, ApplicatorParameters

SPINNING = RATED_RPM
COLD_FIGURES = replace(AIR_COOLED, seebeck_v_k2=0.0, resistance_ohm_k=0.0, conductance_w_k2=0.0)
"""The module as the figures of clinical note 4.1 take it: at 25 degC whatever the sink does."""


def steady(current: float, sink_k_w: float, *, load_w: float = 0.5, seconds: float = 6000.0) -> Applicator:
    wand = Applicator(24.0, 24.0, replace(COLD_FIGURES, fan_k_w=sink_k_w))
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


@pytest.mark.parametrize(("current", "held", "plate_degc"), [(3.0, True, 48), (4.0, True, 95), (4.0, False, 48)])
def test_the_wand_as_it_is_rests_where_the_page_says_when_its_fan_is_stopped(
    current: float, held: bool, plate_degc: float
) -> None:
    wand = Applicator(24.0, 24.0)
    for _ in range(30_000):
        driven = current if held else wand.deliverable(current)
        wand.advance(0.1, driven, ambient_degc=24.0, plate_w=0.5, sink_w=0.0, fan_powered=False)
    assert wand.plate_degc == pytest.approx(plate_degc, abs=1.0)
    assert driven == pytest.approx(current if held else 3.0, abs=0.05)


@pytest.mark.req("A06")
@pytest.mark.req("R-H30-1")
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
    assert wand.voltage(most) + 0.05 * most == pytest.approx(12.0)
    back = wand.deliverable(-50.0)
    assert wand.voltage(back) + 0.05 * back == pytest.approx(-12.0)
    assert 5.0 < most < 7.0
    assert wand.deliverable(50.0, 6.0) < most / 1.9, "a weak supply drives less"


@pytest.mark.parametrize("fan_k_w", [0.15, 0.4, 0.8])
def test_where_it_rests_is_where_it_comes_to_rest(fan_k_w: float) -> None:
    wand = Applicator(24.0, 24.0, replace(AIR_COOLED, fan_k_w=fan_k_w))
    wand.fan_rpm = SPINNING
    for _ in range(18_000):
        wand.advance(0.1, 4.0, ambient_degc=24.0, plate_w=0.5, sink_w=0.0, fan_powered=True)
    assert (wand.plate_degc, wand.sink_degc) == pytest.approx(wand.rests_at(4.0, 24.0, 0.5), abs=0.01)


@pytest.mark.parametrize(("fan_k_w", "optimum_a"), [(0.15, 5.42), (0.4, 4.23), (0.8, 3.10), (3.0, 1.23)])
def test_the_gain_turns_over_at_the_optimum_current(fan_k_w: float, optimum_a: float) -> None:
    wand = Applicator(24.0, 24.0, replace(AIR_COOLED, fan_k_w=fan_k_w))
    wand.fan_rpm = SPINNING
    found = wand.optimum_a(24.0, 0.5)
    assert found == pytest.approx(optimum_a, abs=0.05)
    coldest = wand.rests_at(found, 24.0, 0.5)[0]
    for less, more in ((0.9, 0.95), (1.1, 1.05)):
        assert wand.rests_at(less * found, 24.0, 0.5)[0] > wand.rests_at(more * found, 24.0, 0.5)[0] > coldest


def test_past_the_optimum_more_current_warms_the_plate_as_it_runs() -> None:
    plates = []
    for current in (3.1, 4.0):
        wand = Applicator(24.0, 24.0, replace(AIR_COOLED, fan_k_w=0.8))
        wand.fan_rpm = SPINNING
        for step in range(16_000):
            wand.advance(
                0.1, 3.1 if step < 8_000 else current, ambient_degc=24.0, plate_w=0.5, sink_w=0.0, fan_powered=True
            )
        plates.append(wand.plate_degc)
    assert plates[1] > plates[0] + 2.0


def test_the_figures_of_the_module_are_those_of_its_data_sheet_at_25_and_50_degc() -> None:
    for hot, seebeck, resistance, most_a, most_k in ((25.0, 0.0483, 1.75, 6.4, 66.0), (50.0, 0.0508, 1.97, 6.4, 75.0)):
        module = Applicator(hot, hot)
        assert module.voltage(1.0) == pytest.approx(resistance, abs=0.005)
        cold = Applicator(hot - most_k, hot)
        assert cold.voltage(0.0) == pytest.approx(seebeck * most_k, rel=0.005)
        # At its greatest current and greatest difference a module pumps nothing.
        before = cold.plate_degc
        cold.advance(0.01, most_a, ambient_degc=before, plate_w=0.0, sink_w=0.0, fan_powered=False)
        assert abs(cold.plate_degc - before) / 0.01 * 25.0 < 1.5, "W"


def test_a_hot_module_resists_more_and_cools_less() -> None:
    warm, cold = Applicator(10.0, 60.0), Applicator(10.0, 60.0, COLD_FIGURES)
    assert warm.voltage(3.0) > cold.voltage(3.0) + 0.5
    assert warm.rests_at(5.0, 24.0)[0] != pytest.approx(cold.rests_at(5.0, 24.0)[0], abs=0.05)


def test_no_sink_is_so_hot_that_the_figures_run_away() -> None:
    wand = Applicator(24.0, 24.0, replace(AIR_COOLED, fan_k_w=3.0))
    wand.fan_rpm = SPINNING
    for _ in range(20_000):
        current = wand.deliverable(4.0)
        wand.advance(0.1, current, ambient_degc=24.0, plate_w=0.5, sink_w=0.0, fan_powered=True)
    assert 40.0 < wand.plate_degc < 150.0
    assert wand.sink_degc < 300.0


def test_a_loop_cools_better_until_its_liquid_stands() -> None:
    wand, air = Applicator(24.0, 24.0, LIQUID_COOLED), Applicator(24.0, 24.0)
    for _ in range(6000):
        for each in (wand, air):
            each.advance(0.1, 4.0, ambient_degc=24.0, plate_w=0.5, sink_w=0.0, fan_powered=True)
    assert wand.plate_degc < air.plate_degc - 3.0
    assert 24.0 < wand.liquid_degc < wand.sink_degc < air.sink_degc
    flowing, degc = wand.plate_degc, []
    for second in range(6000):
        wand.advance(0.1, 4.0, ambient_degc=24.0, plate_w=0.5, sink_w=0.0, fan_powered=True, sink_loss=1.0)
        if second % 1200 == 1199:
            degc.append(wand.plate_degc)
    # Another model, with a block of 60 J/K: 55 degC in 10 min; here it is of 300.
    assert flowing < degc[0] < degc[1] < degc[-1]
    assert degc[-1] > 30.0


def test_a_loop_keeps_the_heat_it_takes() -> None:
    sealed = replace(LIQUID_COOLED, fan_k_w=1e12, still_k_w=1e12, plate_loss_w_k=0.0)
    wand, brought_j = Applicator(24.0, 30.0, sealed), 0.0

    def held_j() -> float:
        loop_j_k = sealed.loop.liquid_j_k if sealed.loop else 0.0
        return sealed.plate_j_k * wand.plate_degc + sealed.sink_j_k * wand.sink_degc + loop_j_k * wand.liquid_degc

    before = held_j()
    for step in range(2000):
        brought_j += 0.01 * 3.0 * wand.voltage(3.0)
        wand.advance(0.01, 3.0, ambient_degc=24.0, plate_w=0.0, sink_w=0.0, fan_powered=step > 500)
    assert held_j() - before == pytest.approx(brought_j, rel=1e-6)
