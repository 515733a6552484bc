"""Tissue in time: backward Euler as one dense matrix. Knows neither what touches the skin nor when it is called.

For a fixed step and surface film the step is linear, so it is inverted once; after that a step is one product.
Backward Euler never overshoots: without metabolism each new temperature is a weighted mean, with no negative weight,
of the old ones, the environment, arterial blood and the deep boundary.
"""

from dataclasses import dataclass

import numpy as np

from cryodevice.bioheat.grid import Array, Grid
from cryodevice.errors import QuantityError
from cryodevice.quantities import finite


@dataclass(frozen=True, slots=True, eq=False)
class Propagator:
    """One time step of one grid under one surface film.

    Attributes:
        matrix: Weights of the old cell temperatures, (N, N).
        environment: Weights of the environment temperature, (N,).
        source: What blood, metabolism and the deep boundary add, degC, (N,).
        dt_s: Length of the step, seconds.
        h_w_m2k: Surface film, W/m2 K.
        film_w_m2k: Environment to centre of the first cell, W/m2 K: ``film_w_m2k * (new[0] - environment)`` is exactly
            the mean heat flux, W/m2, out of the skin during the step.
    """

    matrix: Array
    environment: Array
    source: Array
    dt_s: float
    h_w_m2k: float
    film_w_m2k: float

    def step(self, temps: Array, environment_degc: float | Array) -> Array:
        """Cell temperatures, degC, one step later; ``temps`` is not changed.

        Args:
            temps: (N,), or (zones, N) for zones of the same tissue.
            environment_degc: The temperature beyond the film during the step: a number, or (zones,).

        A number that is not finite comes out as not finite; the caller's closed ranges must then fail.
        """
        new: Array = temps @ self.matrix.T
        if isinstance(environment_degc, np.ndarray):
            new += environment_degc[..., None] * self.environment
        else:
            new += environment_degc * self.environment
        new += self.source
        return new


def propagator(grid: Grid, dt_s: float, h_w_m2k: float) -> Propagator:
    """The backward-Euler step of ``dt_s`` seconds under a surface film ``h_w_m2k``.

    Costs an inversion (some 0.1 ms for 24 cells); make it once for each pair of step and film.

    Args:
        grid: Cells of the tissue.
        dt_s: Step, seconds, > 0, at most 3600. Error against the exact solution at the surface, step 10 ms, film
            1300 W/m2 K, plate 30 K colder: 0.16 K at 0.1 s, 0.02 K at 1 s, 0.002 K at 10 s after contact.
        h_w_m2k: Surface film, W/m2 K, 0 (insulated)...1e9.

    Raises:
        QuantityError: A number is not finite or not in its range.
    """
    if finite(dt_s, "dt_s", 0.0, 3600.0) == 0.0:
        raise QuantityError("dt_s is 0; a step takes time", what="dt_s", value=0.0)
    film = grid.film_w_m2k(h_w_m2k)
    stored = grid.capacity_j_m2k / dt_s
    inverse: Array = np.asarray(np.linalg.inv(np.diag(stored) + grid.operator(h_w_m2k)), dtype=np.float64)
    arrays = (np.ascontiguousarray(inverse * stored), inverse[:, 0] * film, inverse @ grid.source_w_m2)
    for array in arrays:
        array.setflags(write=False)
    return Propagator(*arrays, dt_s=dt_s, h_w_m2k=h_w_m2k, film_w_m2k=film)
