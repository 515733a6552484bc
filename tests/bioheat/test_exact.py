"""The exact step against scipy's exponential of the same cells, against itself in pieces, and its balance of heat."""

import math

import numpy as np
import pytest
from scipy.linalg import expm

from cryodevice.bioheat import CHEEK, Grid, exact_step, propagator
from cryodevice.errors import QuantityError

GRID = Grid(CHEEK, (12, 24, 14, 10), 1.06)


def affine(h: float, environment: float) -> np.ndarray:
    """The equation of the cells and a constant 1 as one matrix."""
    size = GRID.size
    system = np.zeros((size + 1, size + 1))
    system[:size, :size] = -GRID.operator(h) / GRID.capacity_j_m2k[:, None]
    heat = GRID.source_w_m2.copy()
    heat[0] += GRID.film_w_m2k(h) * environment
    system[:size, size] = heat / GRID.capacity_j_m2k
    return system


@pytest.mark.parametrize("h", [0.0, 10.0, 1300.0, 1e9])
@pytest.mark.parametrize("dt", [0.01, 0.2, 30.0])
def test_a_step_is_the_exponential(h: float, dt: float) -> None:
    start = GRID.steady(10.0, 24.0)
    exact = (expm(affine(h, 5.0) * dt) @ np.append(start, 1.0))[:-1]
    assert exact_step(GRID, dt, h).step(start, 5.0) == pytest.approx(exact, abs=1e-7)


def test_many_short_steps_are_one_long_one_and_backward_euler_comes_near() -> None:
    start = GRID.steady(10.0, 24.0)
    short, euler = exact_step(GRID, 0.01, 1300.0), propagator(GRID, 0.01, 1300.0)
    temps = late = start
    for _ in range(100):
        temps, late = short.step(temps, 5.0), euler.step(late, 5.0)
    assert temps == pytest.approx(exact_step(GRID, 1.0, 1300.0).step(start, 5.0), abs=1e-9)
    assert 0.005 < np.max(np.abs(temps - late)) < 0.03


@pytest.mark.parametrize("dt", [0.01, 1.0, 100.0])
def test_the_flux_out_is_what_the_cells_lost_less_what_they_were_given(dt: float) -> None:
    step, temps = exact_step(GRID, dt, 1300.0), GRID.steady(10.0, 24.0)
    mean = np.zeros(GRID.size)
    parts = 4000
    part, now = exact_step(GRID, dt / parts, 1300.0), temps
    for _ in range(parts):
        then = part.step(now, 5.0)
        mean += (now + then) / 2.0 / parts
        now = then
    given = float(np.sum(GRID.source_w_m2 - GRID.blood_w_m2k * mean) - GRID.faces_w_m2k[-1] * mean[-1])
    lost = float(GRID.capacity_j_m2k @ (temps - step.step(temps, 5.0))) / dt
    assert step.flux_w_m2(temps, 5.0) == pytest.approx(lost + given, rel=2e-4)


def test_no_new_temperature_is_colder_than_its_causes() -> None:
    for h in (0.0, 10.0, 1300.0, 1e9):
        step = exact_step(GRID, 0.01, h)
        assert step.matrix.min() > -1e-12
        assert step.environment.min() > -1e-12


@pytest.mark.parametrize(("dt", "h"), [(0.0, 10.0), (-1.0, 10.0), (math.nan, 10.0), (0.01, -1.0), (0.01, math.inf)])
def test_bad_numbers_are_refused(dt: float, h: float) -> None:
    with pytest.raises(QuantityError):
        exact_step(GRID, dt, h)
