"""Ice in the skin: when it begins, what it gives back, how it goes, and that it is never there above 0 degC."""

import itertools

import numpy as np
import pytest

from cryodevice.bioheat import CHEEK, Layer, Tissue
from firmware_sim.plant.body import Body
from firmware_sim.plant.dose import DT_S
from firmware_sim.plant.ice import FREEZING_DEGC, Ice
from firmware_sim.plant.tissue import DRY_NUCLEATION_DEGC, WET_NUCLEATION_DEGC, SkinUnderWand

DEAD = Tissue(
    tuple(Layer("dermis", mm * 1e-3, 0.37, 1109.0, 3391.0, 0.0, 0.0) for mm in (0.1, 1.0, 8.0, 50.9)),
    deep_degc=5.0,
    arterial_degc=5.0,
)


def touched(plate: float, h: float = 3000.0, *, wet: bool = True, seed: int = 3) -> SkinUnderWand:
    skin = SkinUnderWand(24.0, {"skin": CHEEK}, seed=seed)
    skin.place("skin", contact=True, conductance_w_m2k=h, ambient_degc=24.0, wet=wet)
    skin.advance(plate)
    return skin


def until_ice(skin: SkinUnderWand, plate: float, within_s: float) -> list[float]:
    """Surface at each sub-step up to the first with ice."""
    surfaces = [skin.surface_degc]
    while skin.zones()["skin"].ice_s == 0.0:
        assert len(surfaces) < within_s / DT_S, "no ice"
        skin.advance(plate)
        surfaces.append(skin.surface_degc)
    return surfaces


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("wet", "band"), [(True, WET_NUCLEATION_DEGC), (False, DRY_NUCLEATION_DEGC)])
def test_skin_supercools_as_far_as_the_contact_allows_and_jumps_back(wet: bool, band: tuple, seed: int) -> None:
    skin = touched(-14.0, 5000.0, wet=wet, seed=seed)
    before = until_ice(skin, -14.0, 30.0)[:-1]
    assert all(a > b for a, b in itertools.pairwise(before)), "no plateau on the way down"
    assert band[0] - 1.0 < before[-1] < band[1]
    after = [skin.surface_degc]
    for _ in range(10):
        skin.advance(-14.0)
        after.append(skin.surface_degc)
    assert max(after) > before[-1] + 0.15
    assert max(after) < FREEZING_DEGC


@pytest.mark.parametrize("cold", [-2.0, -5.0, -10.0])
def test_the_exotherm_of_skin_that_is_left_alone_ends_half_a_degree_below_zero(cold: float) -> None:
    body = Body(DEAD)
    ice = Ice(body, np.full(body.size, cold))
    for _ in range(100):
        ice.step(16, 0.0, cold)
    # Where ice has come, the heat of freezing has warmed the cell to where the rest of its water does not freeze.
    assert -0.75 < ice.temps[0] < FREEZING_DEGC
    assert -0.75 < ice.temps[40] < FREEZING_DEGC


def test_the_heat_of_freezing_is_in_the_balance() -> None:
    skin = SkinUnderWand(5.0, {"skin": DEAD})
    skin.place("skin", contact=True, conductance_w_m2k=5000.0, ambient_degc=5.0, wet=True)
    given_j = sum(skin.advance(-20.0) for _ in range(1000)) * DT_S
    body = skin._zones["skin"].body
    sensible_j = float(body.grid.capacity_j_m2k @ (5.0 - skin._zones["skin"].temps()))
    ice_mm = skin.zones()["skin"].ice_mm
    latent_j = 250e3 * 1109.0 * ice_mm * 1e-3
    assert ice_mm > 0.3
    assert given_j == pytest.approx(sensible_j + latent_j, rel=1e-3)


def test_ice_grows_inwards_and_melts_away_again() -> None:
    skin, depths = touched(-10.0), []
    for _ in range(5):
        for _ in range(200):
            skin.advance(-10.0)
        depths.append(skin.zones()["skin"].ice_mm)
    assert depths == sorted(depths)
    assert 0.05 < depths[-1] < 0.3
    frozen = skin.zones()["skin"]
    skin.place("skin", contact=False, conductance_w_m2k=0.0, ambient_degc=24.0)
    seconds = 0.0
    while skin.zones()["skin"].ice_mm > 0.0:
        assert skin.surface_degc < 0.0, "melting skin stays at its freezing point"
        for _ in range(50):
            skin.advance(-10.0)
        seconds += 0.5
        assert seconds < 60.0
    assert seconds > 3.0
    thawed = skin.zones()["skin"]
    assert frozen.ice_s + seconds - 0.5 <= thawed.ice_s <= frozen.ice_s + seconds
    for _ in range(500):
        skin.advance(-10.0)
    assert skin.surface_degc > 2.0


def test_a_plate_above_zero_never_freezes_and_frozen_skin_needs_no_looking_after() -> None:
    skin = touched(1.0, 5000.0)
    for _ in range(6000):
        skin.advance(1.0)
    assert skin.zones()["skin"].ice_s == 0.0
    seen, unseen = touched(-10.0), touched(-10.0)
    for each in (seen, unseen):
        for _ in range(250):
            each.advance(-10.0)
        each._zones["other"] = each._zones["skin"]._copy()
        each.place("other", contact=False, conductance_w_m2k=0.0, ambient_degc=24.0)
    for _ in range(60):
        for each in (seen, unseen):
            for _ in range(7):
                each.advance(0.0)
        seen.zones()
    assert seen.zones() == unseen.zones()


def test_each_contact_draws_its_own_supercooling_from_the_seed() -> None:
    def drawn(seed: int, *, wet: bool) -> list[float]:
        skin, found = SkinUnderWand(24.0, {"skin": CHEEK}, seed=seed), []
        for contact in (True, False) * 8:
            skin.place("skin", contact=contact, conductance_w_m2k=1300.0, ambient_degc=24.0, wet=wet)
            found.append(skin._here.nucleates_degc)
        return found[::2]

    for wet, (low, high) in ((True, WET_NUCLEATION_DEGC), (False, DRY_NUCLEATION_DEGC)):
        found = drawn(1, wet=wet)
        assert len(set(found)) == 8
        assert low <= min(found) <= max(found) <= high
        assert found == drawn(1, wet=wet) != drawn(2, wet=wet)
