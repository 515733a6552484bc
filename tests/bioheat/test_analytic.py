"""The solver against solutions in closed form (erf, erfc, the perfused fin) and the exact matrix exponential."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.special import erf, erfcx

from cryodevice.bioheat import CHEEK, Grid, Layer, Propagator, Tissue, propagator

TOLERANCE_K = 0.05
START_DEGC, COLD_DEGC = 33.0, -10.0
DERMIS = Layer("dermis", 60e-3, 0.37, 1109.0, 3391.0, 0.0, 0.0)
HALF_SPACE = Tissue((DERMIS,), deep_degc=START_DEGC)
DIFFUSIVITY = DERMIS.conductivity_w_mk / DERMIS.heat_capacity_j_m3k


def run(grid: Grid, h: float, marks_s: list[float], dt: float = 5e-3) -> dict[float, tuple[Propagator, np.ndarray]]:
    step = propagator(grid, dt, h)
    temps, done, seen = np.full(grid.size, START_DEGC), 0, {}
    for mark in marks_s:
        while done < round(mark / dt):
            temps = step.step(temps, COLD_DEGC)
            done += 1
        seen[mark] = (step, temps)
    return seen


def test_a_step_of_the_surface_temperature_follows_erf() -> None:
    grid = Grid(HALF_SPACE, (160,), 1.05)
    printed = {1.0: (31.960, 28617.0), 10.0: (12.535, 9049.0), 60.0: (-0.154, 3694.0), 300.0: (-5.547, 1652.0)}
    for mark, (step, temps) in run(grid, 1e9, list(printed)).items():
        expected = COLD_DEGC + (START_DEGC - COLD_DEGC) * erf(1e-3 / (2.0 * math.sqrt(DIFFUSIVITY * mark)))
        one_mm, flux = printed[mark]
        assert expected == pytest.approx(one_mm, abs=5e-4)
        assert grid.at_depth(temps, 1e-3, 1e9, COLD_DEGC) == pytest.approx(expected, abs=TOLERANCE_K)
        assert step.film_w_m2k * (temps[0] - COLD_DEGC) == pytest.approx(flux, rel=0.005)


@pytest.mark.parametrize(
    ("h", "surface", "one_mm"),
    [
        (100.0, (29.177, 22.555, 13.366), (32.958, 29.174, 19.148)),
        (1000.0, (10.342, -1.480, -6.347), (32.690, 18.187, 3.243)),
        (3000.0, (-1.072, -7.006, -8.770), (32.410, 14.722, 1.013)),
    ],
)
def test_convection_follows_erfc(h: float, surface: tuple[float, ...], one_mm: tuple[float, ...]) -> None:
    grid = Grid(HALF_SPACE, (160,), 1.05)
    k = DERMIS.conductivity_w_mk

    def exact(depth: float, time: float) -> float:
        xi, eta = depth / (2.0 * math.sqrt(DIFFUSIVITY * time)), h * math.sqrt(DIFFUSIVITY * time) / k
        share = math.erfc(xi) - math.exp(-xi * xi) * erfcx(xi + eta)
        return START_DEGC + (COLD_DEGC - START_DEGC) * share

    for place, mark in enumerate((1.0, 10.0, 60.0)):
        _, temps = run(grid, h, [mark])[mark]
        for depth, printed in ((0.0, surface[place]), (1e-3, one_mm[place])):
            assert exact(depth, mark) == pytest.approx(printed, abs=5e-4)
            assert grid.at_depth(temps, depth, h, COLD_DEGC) == pytest.approx(printed, abs=TOLERANCE_K)
        assert grid.surface_degc(temps, h, COLD_DEGC) == pytest.approx(surface[place], abs=TOLERANCE_K)


def test_a_perfused_fin_at_rest_gives_its_known_flux_and_decay() -> None:
    perfused = replace(DERMIS, thickness_m=80e-3, perfusion_1_s=0.002)
    tissue = Tissue((perfused,), deep_degc=36.8, arterial_degc=36.8)
    grid = Grid(tissue, (200,), 1.03)
    temps = grid.steady(1e9, 5.0)
    decay_m = math.sqrt(perfused.conductivity_w_mk / perfused.perfusion_w_m3k)
    assert decay_m == pytest.approx(6.98e-3, abs=5e-6)
    assert grid.film_w_m2k(1e9) * (temps[0] - 5.0) == pytest.approx(1686.0, abs=2.0)
    for depth in (1e-3, 7e-3, 30e-3):
        expected = 36.8 + (5.0 - 36.8) * math.exp(-depth / decay_m)
        assert grid.at_depth(temps, depth, 1e9, 5.0) == pytest.approx(expected, abs=TOLERANCE_K)


@pytest.mark.parametrize("h", [0.0, 10.0, 1300.0])
def test_the_steady_state_is_where_a_step_changes_nothing(h: float) -> None:
    grid = Grid(CHEEK, (4, 9, 6, 5), 1.3)
    temps = grid.steady(h, 5.0)
    assert propagator(grid, 0.05, h).step(temps, 5.0) == pytest.approx(temps, abs=1e-9)
    far = propagator(grid, 3600.0, h)
    moved = np.zeros(grid.size)
    for _ in range(40):
        moved = far.step(moved, 5.0)
    assert moved == pytest.approx(temps, abs=1e-6)


def test_the_steady_state_conserves_heat() -> None:
    grid = Grid(CHEEK, (4, 9, 6, 5), 1.3)
    temps = grid.steady(10.0, 24.0)
    out = grid.film_w_m2k(10.0) * (temps[0] - 24.0)
    made = sum(layer.metabolic_w_m3 * layer.thickness_m for layer in CHEEK.layers)
    blood = float(np.sum(grid.blood_w_m2k * (CHEEK.arterial_degc - temps)))
    deep = float(grid.faces_w_m2k[-1] * (CHEEK.deep_degc - temps[-1]))
    assert out == pytest.approx(made + blood + deep, rel=1e-9)


def exact_affine(grid: Grid, h: float, environment: float, time: float) -> np.ndarray:
    """exp(A t) of the cells and a constant 1: the exact answer of the semi-discrete equation."""
    size = grid.size
    system = np.zeros((size + 1, size + 1))
    system[:size, :size] = -grid.operator(h) / grid.capacity_j_m2k[:, None]
    heat = grid.source_w_m2.copy()
    heat[0] += grid.film_w_m2k(h) * environment
    system[:size, size] = heat / grid.capacity_j_m2k
    return expm(system * time)


def test_the_stepper_against_the_exact_exponential() -> None:
    grid = Grid(CHEEK, (12, 24, 14, 10), 1.06)
    start = grid.steady(10.0, 24.0)
    # Seconds after contact: what a 10 ms step may be off, K, at the surface (measured 0.154, 0.018, 0.0016), and
    # in the worst cell (0.163, 0.025, 0.0045).
    bounds_k = {0.1: (0.18, 0.2), 1.0: (0.025, 0.03), 10.0: (0.003, 0.006)}
    for time, (at_surface, anywhere) in bounds_k.items():
        exact = (exact_affine(grid, 1300.0, 5.0, time) @ np.append(start, 1.0))[:-1]
        errors = []
        for dt in (0.01, 0.005):
            step, temps = propagator(grid, dt, 1300.0), start
            for _ in range(round(time / dt)):
                temps = step.step(temps, 5.0)
            errors.append(temps - exact)
        coarse, fine = errors
        shown = grid.surface_degc(exact + coarse, 1300.0, 5.0) - grid.surface_degc(exact, 1300.0, 5.0)
        assert abs(shown) < at_surface
        assert np.max(np.abs(coarse)) < anywhere
        ratio = np.max(np.abs(fine)) / np.max(np.abs(coarse))
        assert ratio == pytest.approx(0.5, rel=0.1), "backward Euler is of first order"
