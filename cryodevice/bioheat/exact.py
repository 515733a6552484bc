"""Tissue in time without an error of the step: the matrix exponential by eigenvectors. Made once, before any tick.

Between two changes of its surroundings the equation of the cells is linear with constant coefficients, and symmetric
once each cell is weighed by the root of its capacity: so its exponential is exact to rounding, for steps of any length.
``solver`` takes backward Euler instead; the two share a grid and no way of moving in time.
"""

from dataclasses import dataclass

import numpy as np

from cryodevice.bioheat.grid import Array, Grid
from cryodevice.errors import QuantityError
from cryodevice.quantities import finite


@dataclass(frozen=True, slots=True, eq=False)
class ExactStep:
    """One time step of one grid under one surface film, environment constant.

    Attributes:
        matrix: Weights of the old cell temperatures in the new ones, (N, N).
        environment: Weights of the environment temperature in the new ones, (N,).
        source: What blood, metabolism and the deep boundary add, degC, (N,).
        flux: Weights of the old cell temperatures, W/m2 K, (N,), in the mean heat flux out of the skin in the step.
        flux_environment: Weight of the environment temperature in it, W/m2 K.
        flux_source: What does not depend on either, W/m2.
    """

    matrix: Array
    environment: Array
    source: Array
    flux: Array
    flux_environment: float
    flux_source: float

    def step(self, temps: Array, environment_degc: float) -> Array:
        """Cell temperatures, degC, one step later; ``temps`` is not changed."""
        return np.asarray(self.matrix @ temps + environment_degc * self.environment + self.source)

    def flux_w_m2(self, temps: Array, environment_degc: float) -> float:
        """Mean heat flux out of the skin, W/m2, in the step that begins with ``temps``."""
        return float(self.flux @ temps) + environment_degc * self.flux_environment + self.flux_source


def exact_step(grid: Grid, dt_s: float, h_w_m2k: float) -> ExactStep:
    """The exact step of ``dt_s`` seconds under a surface film ``h_w_m2k``.

    Costs one symmetric eigenproblem (0.2 ms for 60 cells); make it once for each pair of step and film.

    Args:
        grid: Cells of the tissue.
        dt_s: Step, seconds, > 0, at most 3600.
        h_w_m2k: Surface film, W/m2 K, 0 (insulated)...1e9.

    Raises:
        QuantityError: A number is not finite or not in its range.
    """
    if finite(dt_s, "dt_s", 0.0, 3600.0) == 0.0:
        raise QuantityError("dt_s is 0; a step takes time", what="dt_s", value=0.0)
    film = grid.film_w_m2k(h_w_m2k)
    root = np.sqrt(grid.capacity_j_m2k)
    rates, modes = np.linalg.eigh(grid.operator(h_w_m2k) / root[:, None] / root)
    out, into = modes / root[:, None], modes.T / root
    elapsed = rates * dt_s
    left = np.exp(-elapsed)
    mean = -np.expm1(-elapsed) / elapsed
    # What a constant heat of 1 W/m2 has brought at the end of the step, and on average during it.
    brought, brought_mean = mean * dt_s, (1.0 - mean) / rates
    outside = np.zeros(grid.size)
    outside[0] = film
    first = out[0] * brought_mean
    step = ExactStep(
        matrix=np.ascontiguousarray((out * left) @ (modes.T * root)),
        environment=(out * brought) @ (into @ outside),
        source=(out * brought) @ (into @ grid.source_w_m2),
        flux=film * ((out[0] * mean) @ (modes.T * root)),
        flux_environment=film * (float(first @ (into @ outside)) - 1.0),
        flux_source=film * float(first @ (into @ grid.source_w_m2)),
    )
    for array in (step.matrix, step.environment, step.source, step.flux):
        array.setflags(write=False)
    return step
