"""The skin under the wand, the plate held at one temperature by the test."""

import pytest

from cryodevice.bioheat import ZONES, Layer, Tissue
from cryodevice.errors import QuantityError
from firmware_sim.plant.dose import DT_S
from firmware_sim.plant.tissue import SkinUnderWand

ROOM = 24.0


def place(skin: SkinUnderWand, zone: str, *, contact: bool, h: float = 1300.0, ambient: float = ROOM) -> None:
    skin.place(zone, contact=contact, conductance_w_m2k=h, ambient_degc=ambient)


def run(skin: SkinUnderWand, seconds: float, plate: float = 5.0) -> float:
    flux = 0.0
    for _ in range(round(seconds / DT_S)):
        flux = skin.advance(plate)
    return flux


def test_a_zone_that_nobody_watches_is_where_a_watched_one_is() -> None:
    watched, left = SkinUnderWand(ROOM), SkinUnderWand(ROOM)
    for skin in (watched, left):
        place(skin, "left_cheek", contact=True)
        run(skin, 20.13)
    place(watched, "left_cheek", contact=False)
    place(left, "nose", contact=False)
    for seconds in (0.01, 0.05, 0.57, 3.0, 60.03, 200.0):
        run(watched, seconds)
        run(left, seconds)
        expected = watched.surface_degc
        assert left.surface_of("left_cheek") == pytest.approx(expected, abs=1e-6)
        assert left.at_depth("left_cheek", 1e-3) == pytest.approx(watched.at_depth("left_cheek", 1e-3), abs=1e-6)
    place(left, "left_cheek", contact=False)
    run(left, 1.0)
    run(watched, 1.0)
    assert left.surface_degc == pytest.approx(watched.surface_degc, abs=1e-6)


def test_looking_changes_nothing() -> None:
    seen, unseen = SkinUnderWand(ROOM), SkinUnderWand(ROOM)
    for skin in (seen, unseen):
        place(skin, "nose", contact=True)
        run(skin, 7.03)
        place(skin, "chin_jaw", contact=True)
    for _ in range(200):
        run(seen, 0.07)
        run(unseen, 0.07)
        seen.surface_of("nose")
        seen.lowest_degc()
        seen.at_depth("nose", 1e-3)
    for skin in (seen, unseen):
        place(skin, "nose", contact=False)
        run(skin, 0.11)
    assert seen.surface_degc == unseen.surface_degc
    assert seen.lowest_degc() == unseen.lowest_degc()


def test_each_zone_keeps_its_own_cold_and_its_own_seconds() -> None:
    skin = SkinUnderWand(ROOM)
    place(skin, "left_cheek", contact=True)
    run(skin, 10.0)
    place(skin, "right_cheek", contact=True)
    run(skin, 1.0)
    assert skin.surface_of("forehead") > 33.0
    assert skin.surface_of("right_cheek") == pytest.approx(15.84, abs=0.3)
    # Golden: 7.0 -> 9.9 degC in the first second of air at 2651 W/m2; here the plate took 5419 W/m2 at 9.17 degC.
    assert skin.surface_of("left_cheek") == pytest.approx(9.17 + (9.9 - 7.04) * 5419 / 2651, abs=0.5)
    seconds = skin.contact_s()
    assert set(seconds) == set(ZONES)
    assert seconds["left_cheek"] == pytest.approx(10.0)
    assert seconds["right_cheek"] == pytest.approx(1.0)
    assert seconds["nose"] == 0.0


def test_the_lowest_skin_is_remembered_wherever_it_was() -> None:
    skin = SkinUnderWand(ROOM)
    place(skin, "left_cheek", contact=True)
    run(skin, 30.0)
    lowest = skin.surface_degc
    place(skin, "nose", contact=False)
    run(skin, 120.0)
    assert skin.surface_of("left_cheek") > 20.0
    assert skin.lowest_degc() == pytest.approx(lowest)


def test_a_colder_room_cools_every_zone_whether_watched_or_not() -> None:
    skin = SkinUnderWand(ROOM)
    place(skin, "forehead", contact=False, ambient=-20.0)
    run(skin, 200.0)
    cheek = SkinUnderWand(ROOM)
    place(cheek, "left_cheek", contact=False, ambient=-20.0)
    run(cheek, 200.0)
    assert cheek.surface_degc < 30.0
    assert skin.surface_of("left_cheek") == pytest.approx(cheek.surface_degc, abs=1e-6)
    assert skin.lowest_degc() == pytest.approx(min(skin.surface_of(zone) for zone in ZONES))
    assert skin.lowest_degc() < 30.0


def test_skin_that_has_rested_in_a_cold_room_stays_as_it_is() -> None:
    skin = SkinUnderWand(-25.0)
    start = skin.surface_of("nose")
    assert 5.0 < start < 25.0
    assert skin.zones()["nose"].flow < 0.9, "its vessels have closed"
    place(skin, "nose", contact=False, ambient=-25.0)
    run(skin, 60.0)
    assert skin.surface_degc == pytest.approx(start, abs=0.05)


def test_a_change_of_air_does_not_reach_skin_under_the_plate() -> None:
    still, windy = SkinUnderWand(ROOM), SkinUnderWand(ROOM)
    for skin in (still, windy):
        place(skin, "nose", contact=True)
        run(skin, 5.0)
    place(windy, "nose", contact=True, ambient=-20.0)
    assert run(windy, 5.0) == pytest.approx(run(still, 5.0), rel=1e-12)
    assert windy.surface_degc == pytest.approx(still.surface_degc, abs=1e-9)
    assert windy.surface_of("left_cheek") < still.surface_of("left_cheek")


def test_many_conductances_leave_a_bounded_number_of_matrices() -> None:
    skin = SkinUnderWand(ROOM)
    for h in range(300, 500):
        place(skin, "neck", contact=True, h=float(h))
        run(skin, 0.01)
    assert len(skin._zones["neck"].body._steps) <= 64
    place(skin, "neck", contact=False)
    run(skin, 1.0)
    assert skin.surface_degc < 33.0


def test_better_contact_takes_more_heat() -> None:
    fluxes = []
    for h in (0.0, 300.0, 1300.0, 3000.0):
        skin = SkinUnderWand(ROOM)
        place(skin, "neck", contact=True, h=h)
        fluxes.append(run(skin, 1.0))
    assert fluxes[0] == 0.0
    assert fluxes == sorted(fluxes)


def test_the_heat_that_leaves_the_skin_is_the_heat_the_plate_gets() -> None:
    slab = Tissue((Layer("slab", 60e-3, 0.37, 1109.0, 3391.0, 0.0, 0.0),), deep_degc=33.0, arterial_degc=33.0)
    skin = SkinUnderWand(33.0, {"slab": slab})
    place(skin, "slab", contact=True, ambient=33.0)
    given_j = sum(skin.advance(5.0) for _ in range(500)) * DT_S
    body = skin._zones["slab"].body
    lost_j = float(body.grid.capacity_j_m2k @ (33.0 - skin._zones["slab"].temps()))
    assert given_j == pytest.approx(lost_j, rel=1e-6)
    assert given_j > 10_000.0


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(QuantityError, match="left_cheek"):
        place(SkinUnderWand(ROOM), "lips", contact=True)
