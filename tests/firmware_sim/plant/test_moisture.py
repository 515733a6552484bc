"""Dew and frost on the plate: when they come, what they weigh, what they cost, and what they do to skin."""

import pytest

from firmware_sim.plant import Plant
from firmware_sim.plant.applicator import PLATE_AREA_M2
from firmware_sim.plant.moisture import MOST_G_M2, Moisture, dew_point_degc, saturated_pa
from firmware_sim.plant.tissue import WET_NUCLEATION_DEGC


def stand(film: Moisture, plate: float, seconds: float, *, humidity: float = 50.0, open_: bool = True) -> float:
    """Leave a plate of constant temperature in the air; returns the heat brought into it, J."""
    brought = 0.0
    for _ in range(round(seconds / 0.2)):
        brought += 0.2 * film.advance(
            0.2, plate_degc=plate, plate_j_k=25.0, ambient_degc=23.0, humidity_pct=humidity, open_=open_
        )
    return brought


def test_the_dew_point_of_a_treatment_room() -> None:
    assert dew_point_degc(23.0, 50.0) == pytest.approx(12.0, abs=0.1)
    assert dew_point_degc(24.0, 100.0) == pytest.approx(24.0)
    for ambient, humidity in ((24.0, 45.0), (5.0, 60.0), (30.0, 80.0)):
        dew = dew_point_degc(ambient, humidity)
        vapour = saturated_pa(ambient, over_ice=False) * humidity / 100.0
        assert saturated_pa(dew, over_ice=dew < 0.0) == pytest.approx(vapour, rel=1e-6)


def test_a_plate_wets_below_the_dew_point_only() -> None:
    dry, wet = Moisture(), Moisture()
    stand(dry, 12.5, 600.0)
    stand(wet, 11.0, 600.0)
    assert dry.dew_g_m2 == dry.frost_g_m2 == 0.0
    assert wet.dew_g_m2 > 0.5
    assert not dry.wet
    assert wet.wet


def test_below_zero_it_is_frost_and_a_warm_plate_melts_and_dries_it() -> None:
    film = Moisture()
    stand(film, -5.0, 600.0)
    assert film.frost_g_m2 > 10.0
    assert film.dew_g_m2 == pytest.approx(0.0, abs=1e-9)
    frost = film.frost_g_m2
    assert stand(film, 4.0, 60.0) < 0.0, "melting cools the plate"
    assert film.frost_g_m2 == 0.0
    assert film.dew_g_m2 == pytest.approx(frost, rel=0.2)
    stand(film, 35.0, 3600.0)
    assert film.dew_g_m2 == 0.0


def test_condensing_brings_its_heat_and_nothing_condenses_under_skin() -> None:
    film = Moisture()
    brought = stand(film, 5.0, 300.0)
    assert brought == pytest.approx(2500.0 * film.dew_g_m2 * PLATE_AREA_M2, rel=1e-9)
    before = film.dew_g_m2
    assert stand(film, 5.0, 300.0, open_=False) == 0.0
    assert film.dew_g_m2 == before


def test_what_is_too_much_runs_off() -> None:
    film = Moisture()
    stand(film, 2.0, 4 * 3600.0, humidity=95.0)
    assert film.dew_g_m2 == pytest.approx(MOST_G_M2)


def test_a_wand_shows_its_dew_as_truth_and_dew_makes_a_contact_wet() -> None:
    plant = Plant(3, plate_degc=4.0)
    plant.relay_closed = plant.fan_on = True
    assert plant.truth().dew_g_m2 == 0.0
    for _ in range(3000):
        plant.drive_a = min(max(0.9 + 4.0 * (plant.truth().plate_degc - 4.0), 0.0), 4.0)
        plant.advance(0.02)
    truth = plant.truth()
    assert truth.dew_point_degc == pytest.approx(11.3, abs=0.1)
    assert truth.dew_g_m2 > 0.3
    assert truth.frost_g_m2 == 0.0
    plant.contact = True
    plant.advance(0.02)
    low, high = WET_NUCLEATION_DEGC
    assert low <= plant._skin._here.nucleates_degc <= high
    dry = Plant(3, plate_degc=20.0)
    dry.contact = True
    dry.advance(0.02)
    assert dry._skin._here.nucleates_degc < low
    dry.contact, dry.gel = False, True
    dry.advance(0.02)
    dry.contact = True
    dry.advance(0.02)
    assert low <= dry._skin._here.nucleates_degc <= high
