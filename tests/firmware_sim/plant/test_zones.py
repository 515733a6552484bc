"""Vessels that remember, and the dose that each zone has really had."""

import math

import pytest

from cryodevice.bioheat import CHEEK
from cryodevice.errors import QuantityError
from firmware_sim.plant.body import DERMIS
from firmware_sim.plant.dose import DT_S
from firmware_sim.plant.tissue import SkinUnderWand
from firmware_sim.plant.vessels import AT_ONCE, Vessels

ROOM = 24.0


def place(skin: SkinUnderWand, zone: str, *, contact: bool, h: float = 1300.0) -> None:
    skin.place(zone, contact=contact, conductance_w_m2k=h, ambient_degc=ROOM)


def run(skin: SkinUnderWand, seconds: float, plate: float = 5.0) -> list[float]:
    surfaces = []
    for _ in range(round(seconds / DT_S)):
        skin.advance(plate)
        surfaces.append(skin.surface_degc)
    return surfaces


def test_vessels_close_in_a_minute_and_open_in_the_hour() -> None:
    skin, flows = SkinUnderWand(ROOM, {"skin": CHEEK}), []
    for contact, seconds in ((True, 60.0), (True, 240.0), (False, 600.0), (False, 3000.0)):
        place(skin, "skin", contact=contact)
        run(skin, seconds)
        flows.append(skin.zones()["skin"].flow)
    assert flows[0] == pytest.approx(0.53, abs=0.05)
    assert flows[1] == pytest.approx(0.25, abs=0.02)
    assert 0.3 < flows[2] < 0.5, "warm again, and not yet perfused"
    assert skin.surface_degc > 33.0
    assert flows[3] > 0.85


def test_cooling_and_rewarming_make_a_loop_and_vessels_without_memory_make_none() -> None:
    for vessels, apart in ((Vessels(), 0.3), (AT_ONCE, 0.02)):
        skin = SkinUnderWand(ROOM, {"skin": CHEEK}, vessels=vessels)
        flow_at = {}
        for contact in (True, False):
            place(skin, "skin", contact=contact)
            for _ in range(3000):
                run(skin, 0.2)
                dermis = round(float(skin._here._state[DERMIS]))
                flow_at.setdefault((contact, dermis), skin.zones()["skin"].flow)
        loop = [flow_at[True, degc] - flow_at[False, degc] for degc in (20, 24, 28)]
        if apart > 0.1:
            assert min(loop) > apart
        else:
            assert max(map(abs, loop)) < 0.08, "one degree of dermis at most"


@pytest.mark.parametrize("least", [0.0, 0.13, 0.33, 1.0])
def test_how_far_they_close_is_the_persons(least: float) -> None:
    vessels = Vessels(least=least)
    assert vessels.wanted(0.0) == pytest.approx(least)
    assert vessels.wanted(34.0) == 1.0
    assert vessels.gains(60.0)[0] == pytest.approx(1.0 - math.exp(-1.0))


def test_the_dose_of_a_zone_is_the_sum_over_its_true_surface() -> None:
    skin = SkinUnderWand(ROOM)
    surfaces: list[float] = []
    for contact, seconds in ((True, 30.0), (False, 5.0), (True, 12.34)):
        place(skin, "left_cheek", contact=contact)
        surfaces += run(skin, seconds, 0.5)
    told = skin.zones()["left_cheek"]
    assert told.contact_s == pytest.approx(42.34)
    assert told.below_15_s == pytest.approx(DT_S * sum(surface < 15.0 for surface in surfaces))
    assert told.below_10_s == pytest.approx(DT_S * sum(surface < 10.0 for surface in surfaces))
    assert told.below_4_s == pytest.approx(DT_S * sum(surface < 4.0 for surface in surfaces))
    assert 0.0 < told.below_4_s < told.below_10_s < told.below_15_s
    assert told.d10_degc_s == pytest.approx(DT_S * sum(max(0.0, 10.0 - surface) for surface in surfaces))
    assert told.lowest_degc == min(surfaces)
    for zone, other in skin.zones().items():
        if zone != "left_cheek":
            assert (other.contact_s, other.below_15_s, other.d10_degc_s) == (0.0, 0.0, 0.0)


def test_a_zone_left_cold_goes_on_counting_watched_or_not() -> None:
    watched, left = SkinUnderWand(ROOM), SkinUnderWand(ROOM)
    for skin in (watched, left):
        place(skin, "nose", contact=True, h=3000.0)
        run(skin, 20.03, 3.0)
    place(watched, "nose", contact=False)
    place(left, "forehead", contact=True)
    for seconds in (0.51, 7.0, 60.0):
        run(watched, seconds)
        run(left, seconds)
        a, b = watched.zones()["nose"], left.zones()["nose"]
        assert (a.contact_s, a.below_15_s, a.below_10_s, a.below_4_s) == (
            b.contact_s,
            b.below_15_s,
            b.below_10_s,
            b.below_4_s,
        )
        assert a.d10_degc_s == pytest.approx(b.d10_degc_s, abs=1e-9)
        assert a.lowest_degc == pytest.approx(b.lowest_degc, abs=1e-9)
    assert b.below_10_s > 20.0


def test_skin_that_rested_in_the_cold_warms_up_in_the_room() -> None:
    skin = SkinUnderWand(ROOM, rested_degc=10.0)
    start = {zone: told.surface_degc for zone, told in skin.zones().items()}
    run(skin, 300.0)
    now = skin.zones()
    assert all(now[zone].surface_degc > degc + 0.3 for zone, degc in start.items())
    assert all(now[zone].lowest_degc == pytest.approx(degc, abs=0.01) for zone, degc in start.items())


@pytest.mark.parametrize("bad", [-0.1, 1.1, math.nan])
def test_vessels_that_make_no_sense_are_refused(bad: float) -> None:
    with pytest.raises(QuantityError):
        Vessels(least=bad)
    for name in ("closing_s", "opening_s"):
        with pytest.raises(QuantityError):
            Vessels(**{name: -1.0 if bad == 1.1 else bad})
