import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryodevice.bioheat import CHEEK, CONSTRICTING_LAYERS, ZONES, Grid, Layer, Tissue, perfusion_factor, propagator
from cryodevice.errors import QuantityError

DEAD = Tissue(tuple(replace(layer, metabolic_w_m3=0.0) for layer in CHEEK.layers))
CELLS = (4, 9, 6, 5)


@settings(deadline=None, max_examples=80)
@given(
    environments=st.lists(st.floats(-60.0, 80.0), min_size=1, max_size=12),
    start=st.floats(-20.0, 60.0),
    dt=st.floats(1e-3, 600.0),
    h=st.floats(0.0, 1e5),
    factor=st.floats(0.0, 10.0),
)
def test_without_metabolism_nothing_leaves_the_range_of_its_causes(
    environments: list[float], start: float, dt: float, h: float, factor: float
) -> None:
    step = propagator(Grid(DEAD.with_perfusion(factor), CELLS, 1.3), dt, h)
    temps = np.linspace(start, DEAD.deep_degc, len(step.source))
    causes = [start, DEAD.deep_degc, DEAD.arterial_degc]
    for environment in environments:
        causes.append(environment)
        temps = step.step(temps, environment)
        assert min(causes) - 1e-6 <= temps.min()
        assert temps.max() <= max(causes) + 1e-6


@settings(deadline=None, max_examples=60)
@given(cold=st.floats(-20.0, 40.0), colder=st.floats(0.0, 30.0), h=st.floats(0.0, 1e4))
def test_a_colder_plate_never_leaves_warmer_skin(cold: float, colder: float, h: float) -> None:
    step = propagator(Grid(CHEEK, CELLS, 1.3), 0.5, h)
    one = other = Grid(CHEEK, CELLS, 1.3).steady(10.0, 24.0)
    for _ in range(10):
        one, other = step.step(one, cold), step.step(other, cold - colder)
    assert np.all(other <= one + 1e-9)


def test_zones_in_one_batch_are_the_zones_one_by_one() -> None:
    grid = Grid(CHEEK, CELLS, 1.3)
    step = propagator(grid, 0.05, 1300.0)
    plates = np.linspace(-5.0, 20.0, 9)
    batch = np.stack([grid.steady(10.0, room) for room in np.linspace(18.0, 30.0, 9)])
    singles = list(batch)
    for _ in range(50):
        batch = step.step(batch, plates)
        singles = [step.step(temps, float(plate)) for temps, plate in zip(singles, plates, strict=True)]
    assert batch == pytest.approx(np.stack(singles), abs=1e-9)
    surfaces = grid.surface_degc(batch, 1300.0, plates)
    boundary = grid.at_depth(batch, 1.1e-3, 1300.0, plates)
    for zone, (temps, plate) in enumerate(zip(singles, plates, strict=True)):
        assert surfaces[zone] == pytest.approx(grid.surface_degc(temps, 1300.0, float(plate)))
        assert boundary[zone] == pytest.approx(grid.at_depth(temps, 1.1e-3, 1300.0, float(plate)))


def test_a_step_leaves_its_input_alone_and_takes_it_read_only() -> None:
    grid = Grid(CHEEK, CELLS, 1.3)
    temps = grid.steady(10.0, 24.0)
    temps.setflags(write=False)
    before = temps.copy()
    assert propagator(grid, 0.05, 1300.0).step(temps, 5.0)[0] < before[0]
    assert np.array_equal(temps, before)


def test_the_flux_is_exactly_the_heat_the_cells_lost() -> None:
    insulated = Tissue((Layer("slab", 60e-3, 0.37, 1109.0, 3391.0, 0.0, 0.0),), deep_degc=30.0)
    grid = Grid(insulated, (60,), 1.08)
    step, temps, given_j = propagator(grid, 0.01, 1300.0), np.full(60, 30.0), 0.0
    for _ in range(300):
        temps = step.step(temps, 5.0)
        given_j += step.film_w_m2k * (temps[0] - 5.0) * step.dt_s
    assert given_j == pytest.approx(float(grid.capacity_j_m2k @ (30.0 - temps)), rel=1e-9)


def test_h_zero_is_an_insulated_surface() -> None:
    grid = Grid(CHEEK, CELLS, 1.3)
    step = propagator(grid, 0.05, 0.0)
    assert not step.environment.any()
    temps = grid.steady(0.0, -50.0)
    assert temps[0] > 36.8, "metabolism alone warms insulated skin above the deep boundary"
    assert grid.surface_degc(temps, 0.0, -50.0) == temps[0]


def test_a_number_that_is_not_finite_comes_out_as_one() -> None:
    step = propagator(Grid(CHEEK, CELLS, 1.3), 0.05, 1300.0)
    assert np.isnan(step.step(np.full(24, 30.0), math.nan)).all()


def test_probes_at_the_ends_and_across_a_layer_boundary() -> None:
    grid = Grid(CHEEK, CELLS, 1.3)
    temps = grid.steady(1300.0, 5.0)
    assert grid.at_depth(temps, 0.0, 1300.0, 5.0) == grid.surface_degc(temps, 1300.0, 5.0)
    assert grid.at_depth(temps, CHEEK.depth_m, 1300.0, 5.0) == pytest.approx(36.8)
    for cell, depth in enumerate(grid.centres_m):
        assert grid.at_depth(temps, float(depth), 1300.0, 5.0) == pytest.approx(temps[cell])
    depths = np.linspace(0.0, CHEEK.depth_m, 2000)
    profile = [grid.at_depth(temps, float(depth), 1300.0, 5.0) for depth in depths]
    assert np.all(np.diff(profile) > 0.0)
    above, at, below = (grid.at_depth(temps, 1.1e-3 + shift, 1300.0, 5.0) for shift in (-1e-6, 0.0, 1e-6))
    assert (below - at) / (at - above) == pytest.approx(0.37 / 0.21, rel=0.02), "the flux is the same on both sides"


@pytest.mark.parametrize(
    "make",
    [
        lambda bad: propagator(Grid(CHEEK, CELLS, 1.3), bad, 1300.0),
        lambda bad: propagator(Grid(CHEEK, CELLS, 1.3), 0.05, bad),
        lambda bad: Grid(CHEEK, CELLS, bad),
        lambda bad: Grid(CHEEK, CELLS, 1.3).steady(bad, 24.0),
        lambda bad: Grid(CHEEK, CELLS, 1.3).probe(bad, 10.0),
        CHEEK.with_perfusion,
        lambda bad: Layer("bad", bad, 0.2, 1000.0, 3000.0, 0.0, 0.0),
        lambda bad: Layer("bad", 1e-3, bad, 1000.0, 3000.0, 0.0, 0.0),
        lambda bad: Layer("bad", 1e-3, 0.2, bad, 3000.0, 0.0, 0.0),
        lambda bad: Layer("bad", 1e-3, 0.2, 1000.0, bad, 0.0, 0.0),
        lambda bad: Layer("bad", 1e-3, 0.2, 1000.0, 3000.0, bad, 0.0),
        lambda bad: Layer("bad", 1e-3, 0.2, 1000.0, 3000.0, 0.0, bad),
    ],
)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, -1e-9])
def test_bad_numbers_are_refused(make: object, bad: float) -> None:
    with pytest.raises(QuantityError):
        make(bad)


@pytest.mark.parametrize(
    "make",
    [
        lambda: propagator(Grid(CHEEK, CELLS, 1.3), 0.0, 10.0),
        lambda: Layer("thin", 0.0, 0.2, 1000.0, 3000.0, 0.0, 0.0),
        lambda: Tissue(()),
        lambda: Tissue(CHEEK.layers, deep_degc=math.nan),
        lambda: Tissue(CHEEK.layers, arterial_degc=math.inf),
        lambda: Grid(CHEEK, (4, 9, 6)),
        lambda: Grid(CHEEK, (4, 0, 6, 5)),
        lambda: Grid(CHEEK, CELLS).steady(10.0, math.nan),
        lambda: Grid(CHEEK, CELLS).probe(0.1, 10.0),
        lambda: Grid(CHEEK, CELLS).probe(0.0, math.nan),
        lambda: perfusion_factor(math.nan),
    ],
)
def test_what_is_no_tissue_grid_or_step_is_refused(make: object) -> None:
    with pytest.raises(QuantityError):
        make()


def test_every_zone_has_a_tissue_that_one_grid_shape_fits() -> None:
    assert set(ZONES) == {
        *("forehead", "left_cheek", "right_cheek", "nose", "chin_jaw"),
        *("periorbital", "neck", "forearm", "other"),
    }
    assert ZONES["left_cheek"] is CHEEK
    surfaces = {}
    for zone, tissue in ZONES.items():
        grid = Grid(tissue, CELLS, 1.3)
        assert grid.size == 24
        surfaces[zone] = grid.surface_degc(grid.steady(10.0, 24.0), 10.0, 24.0)
        assert 33.0 <= surfaces[zone] <= 35.5
    assert min(surfaces, key=surfaces.get) == "other"


def test_perfusion_is_scaled_in_the_layers_named_and_no_others() -> None:
    some = CHEEK.with_perfusion(0.25, CONSTRICTING_LAYERS)
    for before, after in zip(CHEEK.layers, some.layers, strict=True):
        factor = 0.25 if before.name in {"dermis", "fat"} else 1.0
        assert after == replace(before, perfusion_1_s=before.perfusion_1_s * factor)
    everywhere = CHEEK.with_perfusion(0.5)
    assert [a.perfusion_1_s for a in everywhere.layers] == [b.perfusion_1_s / 2.0 for b in CHEEK.layers]


@pytest.mark.parametrize(
    ("dermis", "factor"),
    [(-10, 0.25), (15, 0.25), (16.5, 0.265), (18, 0.28), (23, 0.40), (28, 0.70), (33, 1.0), (40, 1.0)],
)
def test_the_perfusion_curve(dermis: float, factor: float) -> None:
    assert perfusion_factor(dermis) == pytest.approx(factor)
