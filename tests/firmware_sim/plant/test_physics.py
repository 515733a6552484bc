"""The plant's skin against closed forms, the golden run and what has been measured on people.

Where the model is known to fall short, the shortfall itself is the figure that is held.
"""

import pytest

from firmware_sim.plant.tissue import SkinUnderWand
from firmware_sim.plant.vessels import AT_ONCE, Vessels
from tests.firmware_sim.plant import experiments as x


def furthest(rows: tuple[x.Compared, ...]) -> x.Compared:
    return max(rows, key=lambda row: abs(row.off))


def test_closed_forms_to_a_twentieth_of_a_degree() -> None:
    rows = x.analytic()
    assert len(rows) == 28
    assert abs(furthest(rows).off) <= 0.05, furthest(rows)


def test_the_printed_figures_of_the_closed_forms_are_the_closed_forms() -> None:
    printed = {100.0: (29.177, 22.555, 13.366), 1000.0: (10.342, -1.480, -6.347), 3000.0: (-1.072, -7.006, -8.770)}
    for h, surfaces in printed.items():
        assert [x.exact_convective(h, 0.0, mark) for mark in (1.0, 10.0, 60.0)] == pytest.approx(surfaces, abs=1e-3)
    assert [x.exact_held(1e-3, mark) for mark in (1.0, 10.0, 60.0, 300.0)] == pytest.approx(
        (31.960, 12.535, -0.154, -5.547), abs=1e-3
    )


def test_the_golden_run_with_vessels_that_close_at_once() -> None:
    rows = x.golden_at_5() + x.golden_others()
    assert len(rows) == 101
    assert abs(furthest(rows).off) <= 0.3, furthest(rows)
    for row in x.golden_flux():
        assert row.ours == pytest.approx(row.expected, rel=0.03), row.what
    for row in x.rewarming():
        assert row.ours == pytest.approx(row.expected, rel=0.05), row.what


def test_the_surface_right_after_the_lift() -> None:
    skin = x.cheek()
    x.laid(skin, h=1300.0)
    x.run(skin, 30.0, 5.0)
    x.laid(skin)
    for seconds, expected in ((1.0, 9.9), (4.0, 12.7)):
        x.run(skin, seconds)
        assert skin.surface_degc == pytest.approx(expected, abs=0.3)


def test_vessels_that_take_their_time_move_the_golden_run_by_little_and_its_rewarming_by_a_minute() -> None:
    slow = Vessels()
    assert abs(furthest(x.golden_at_5(slow)).off) <= 0.3
    assert max(row.ours / row.expected for row in x.golden_flux(slow)) == pytest.approx(1.04, abs=0.01)
    late = [row.ours - row.expected for row in x.rewarming(slow)]
    # After 30 s they have hardly closed; after 300 s they stay closed: "adds <= 80 s at 30 degC" (clinical note 3.3).
    assert max(late[:4]) < 10.0
    assert 60.0 < late[7] <= 80.0


# V1, Anvari 2000: 30 -> 14 to 19 degC within about 1 s under sapphire of 6 to 12 degC; cooling of the first 200 um.
def test_v1_a_cold_window_on_skin_for_a_second() -> None:
    for window in (6.0, 8.0, 10.0, 12.0):
        surface, at_200_um, at_1_mm = x.anvari(1500.0, window)
        assert 14.0 <= surface <= 19.0
        assert at_200_um == pytest.approx(0.49, abs=0.02), "half of the drop is above 200 um, not all of it"
        assert at_1_mm < 0.02
    assert x.anvari(1000.0, 6.0)[0] == pytest.approx(16.8, abs=0.2)
    assert x.anvari(1000.0, 12.0)[0] - 19.0 == pytest.approx(1.1, abs=0.2), "too warm at the lower end of dry contact"


# V4, Osczevski 1994: resistance of a cheek whose surface is at 10 to 15 degC rises to 0.07 m2 K/W. The model's cheek
# has about half of it, for its deep boundary is warm and 17 mm away: the figures held are the shortfalls.
@pytest.mark.parametrize(
    ("fat_mm", "surface", "resistance"), [(4.0, 12.0, 0.0375), (8.0, 8.7, 0.0502), (10.0, 7.6, 0.0554)]
)
def test_v4_the_resistance_of_a_cold_cheek_falls_short(fat_mm: float, surface: float, resistance: float) -> None:
    degc, found = x.osczevski(fat_mm)
    assert degc == pytest.approx(surface, abs=0.3)
    assert found == pytest.approx(resistance, rel=0.02)
    assert found < 0.07


# V5, Ducharme, facial frostnip in wind. Bands: none at -10 degC; elsewhere it is seen between -2 and -4 degC.
def test_v5_no_frostnip_at_minus_10_degc() -> None:
    at_2, _, last = x.ducharme(-10.0, 32.0)
    assert at_2 is None
    assert last == pytest.approx(4.2, abs=0.3)


def test_v5_frostnip_at_minus_20_and_minus_30_degc_when_it_was_seen() -> None:
    at_2, at_4, last = x.ducharme(-20.0, 32.0)
    assert 11.0 <= at_2 <= 20.0
    assert at_4 is None, "58 % of the people, not all"
    assert -4.0 < last < -2.0
    for (air, wind), minutes in {(-30.0, 16.0): 14.0, (-30.0, 32.0): 4.0}.items():
        at_2, at_4, _ = x.ducharme(air, wind)
        assert at_2 < minutes
        assert at_4 >= minutes * 0.93


def test_v5_frostnip_at_minus_40_degc_comes_too_late() -> None:
    """The nose froze first, and this is a cheek: late by the factors held here."""
    for (air, wind), late in {(-40.0, 16.0): 1.46, (-40.0, 32.0): 1.27}.items():
        at_2, _, _ = x.ducharme(air, wind)
        assert at_2 / x.DUCHARME[air, wind] == pytest.approx(late, abs=0.05)


# V9, Myrer 2001, ice on a calf for 20 min: drop 1 cm below the fat, then 30 min of rewarming, by skinfold.
def test_v9_ice_on_a_calf_in_the_right_order_and_too_little() -> None:
    measured = [(drop, rewarmed) for _, drop, rewarmed in x.MYRER.values()]
    ours = [x.myrer(fat_mm) for fat_mm, _, _ in x.MYRER.values()]
    drops, rewarmed = zip(*ours, strict=True)
    assert list(drops) == sorted(drops, reverse=True)
    assert list(rewarmed) == sorted(rewarmed, reverse=True)
    assert [value > 0.0 for value in rewarmed] == [value > 0.0 for _, value in measured] == [True, True, False]
    short = [found / drop for found, (drop, _) in zip(drops, measured, strict=True)]
    assert short == pytest.approx([0.60, 0.57, 0.63], abs=0.03), "40 % too little, at every thickness"
    assert rewarmed == pytest.approx((3.7, 1.1, -0.3), abs=0.2)


def test_the_cheek_of_the_simulator_is_that_of_the_golden_run() -> None:
    skin = SkinUnderWand(24.0, vessels=AT_ONCE)
    skin.place("left_cheek", contact=True, conductance_w_m2k=1300.0, ambient_degc=24.0)
    for _ in range(3000):
        skin.advance(5.0)
    assert skin.surface_degc == pytest.approx(7.04, abs=0.1)
    assert skin.at_depth("left_cheek", 1e-3) == pytest.approx(14.16, abs=0.1)


@pytest.mark.req("R-H01-5")
def test_the_estimate_of_the_daemon_lies_below_true_skin_from_half_a_second_after_contact() -> None:
    above, until_s, margin = x.estimate_margin(2)
    assert margin > 0.1
    assert until_s <= 0.4
    assert above < 1.0
