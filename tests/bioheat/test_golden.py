"""The golden run: a cheek at rest in a 24 degC room, then a plate; figures computed by another solver."""

from functools import lru_cache

import numpy as np
import pytest

from cryodevice.bioheat import (
    CHEEK,
    CONSTRICTING_LAYERS,
    Grid,
    Propagator,
    perfusion_factor,
    propagator,
)

TOLERANCE_K = 0.3
DT_S, AIR, ROOM = 0.02, 10.0, 24.0
CELLS, GROWTH = (6, 14, 10, 8), 1.15
GRID = Grid(CHEEK, CELLS, GROWTH)
DERMIS = np.where((GRID.centres_m > 0.1e-3) & (GRID.centres_m < 1.1e-3), GRID.widths_m, 0.0)
DERMIS /= DERMIS.sum()

PLATE_5 = {  # surface, 0.1 mm, 1 mm, 2 mm, W/m2
    1: (15.84, 22.14, 34.11, 34.69, 14095),
    5: (10.99, 14.61, 27.68, 33.84, 7786),
    10: (9.17, 11.70, 22.08, 30.94, 5419),
    30: (7.04, 8.29, 14.16, 22.60, 2651),
    60: (6.34, 7.16, 11.19, 17.86, 1738),
    120: (5.98, 6.59, 9.61, 14.93, 1279),
    300: (5.77, 6.24, 8.61, 12.85, 1002),
}
OTHERS = {  # plate, h: {seconds: (surface, 1 mm)}
    (15.0, 1300.0): {5: (19.0, 30.0), 30: (16.4, 21.1), 60: (15.9, 19.2), 300: (15.5, 17.5), 600: (15.5, 17.2)},
    (10.0, 1300.0): {5: (15.0, 28.8), 30: (11.7, 17.6), 60: (11.1, 15.2), 300: (10.6, 13.0), 600: (10.6, 12.7)},
    (0.0, 1300.0): {5: (7.0, 26.5), 30: (2.4, 10.7), 60: (1.6, 7.2), 300: (0.9, 4.2), 600: (0.8, 3.7)},
    (-10.0, 400.0): {5: (11.5, 28.6), 30: (0.0, 10.1), 60: (-3.4, 3.8), 300: (-6.4, -2.4)},
    (-10.0, 3000.0): {5: (-5.9, 22.0), 30: (-8.7, 1.9), 60: (-9.1, -2.0), 300: (-9.5, -5.3)},
    (5.0, 3000.0): {5: (7.7, 26.2), 30: (5.9, 12.9), 60: (5.6, 10.4), 300: (5.3, 8.2), 600: (5.3, 7.8)},
}


@lru_cache(maxsize=256)
def _step(percent: int, h: float) -> Propagator:
    return propagator(Grid(CHEEK.with_perfusion(percent / 100.0, CONSTRICTING_LAYERS), CELLS, GROWTH), DT_S, h)


def _next(temps: np.ndarray, h: float, environment: float) -> np.ndarray:
    return _step(round(100.0 * perfusion_factor(float(DERMIS @ temps))), h).step(temps, environment)


def under_plate(plate: float, h: float, marks: list[int]) -> dict[int, np.ndarray]:
    temps, done, seen = GRID.steady(AIR, ROOM), 0, {}
    for mark in marks:
        while done < round(mark / DT_S):
            temps = _next(temps, h, plate)
            done += 1
        seen[mark] = temps
    return seen


def test_the_baseline() -> None:
    temps = GRID.steady(AIR, ROOM)
    surface = GRID.surface_degc(temps, AIR, ROOM)
    assert surface == pytest.approx(34.07, abs=0.1)
    assert AIR * (surface - ROOM) == pytest.approx(101.0, abs=1.0)


def test_a_plate_at_5_degc_over_time_and_depth() -> None:
    for mark, temps in under_plate(5.0, 1300.0, list(PLATE_5)).items():
        *degc, flux = PLATE_5[mark]
        for depth, expected in zip((0.0, 0.1e-3, 1e-3, 2e-3), degc, strict=True):
            assert GRID.at_depth(temps, depth, 1300.0, 5.0) == pytest.approx(expected, abs=TOLERANCE_K)
        surface = GRID.surface_degc(temps, 1300.0, 5.0)
        assert 1300.0 * (surface - 5.0) == pytest.approx(flux, rel=0.03)


@pytest.mark.parametrize(("plate", "h"), list(OTHERS))
def test_other_plates_and_contacts(plate: float, h: float) -> None:
    rows = OTHERS[plate, h]
    for mark, temps in under_plate(plate, h, list(rows)).items():
        surface, one_mm = rows[mark]
        assert GRID.surface_degc(temps, h, plate) == pytest.approx(surface, abs=TOLERANCE_K)
        assert GRID.at_depth(temps, 1e-3, h, plate) == pytest.approx(one_mm, abs=TOLERANCE_K)


@pytest.mark.parametrize(("held", "expected"), [(30, (38, 97, 167, 250)), (300, (120, 244, 376, 520))])
def test_rewarming_in_room_air(held: int, expected: tuple[int, ...]) -> None:
    temps, done = under_plate(5.0, 1300.0, [held])[held], 0
    for target, seconds in zip((20.0, 25.0, 28.0, 30.0), expected, strict=True):
        while GRID.surface_degc(temps, AIR, ROOM) < target:
            temps = _next(temps, AIR, ROOM)
            done += 1
        assert done * DT_S == pytest.approx(seconds, rel=0.05)


def test_the_surface_right_after_the_lift() -> None:
    temps = under_plate(5.0, 1300.0, [30])[30]
    for steps, expected in ((round(1 / DT_S), 9.9), (round(4 / DT_S), 12.7)):
        for _ in range(steps):
            temps = _next(temps, AIR, ROOM)
        assert GRID.surface_degc(temps, AIR, ROOM) == pytest.approx(expected, abs=TOLERANCE_K)
