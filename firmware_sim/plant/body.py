"""One tissue on the plant's own grid, with every step made ready for it. Has no state: all zones and plants share it.

60 cells, unlike any estimator's, and the exact step where the estimator takes backward Euler.
"""

from functools import lru_cache
from typing import Final

import numpy as np

from cryodevice.bioheat import CONSTRICTING_LAYERS, Grid, Probe, Tissue, exact_step
from cryodevice.bioheat.grid import Array
from firmware_sim.plant.dose import DT_S
from firmware_sim.plant.vessels import Vessels

LEVELS: Final = 16
"""Blood flow is rounded to 1/16 of that at rest, so that each film needs 17 matrices at most."""
BLOCK: Final = 20
"""Sub-steps between two looks at the vessels, and in one stride of a zone in air."""
PIECE: Final = 5
"""Sub-steps in a short stride, of which a block has four."""
ENVIRONMENT: Final = -5
SURFACE: Final = -3
FLUX: Final = -2
DERMIS: Final = -1
"""Places in a state, from its end."""
_CELLS: Final = (12, 24, 14, 10)
_GROWTH: Final = 1.06
_CACHED: Final = 64
_LATENT_J_KG: Final = {"fat": 50e3}
_LATENT_OTHER_J_KG: Final = 250e3
"""Heat of freezing of tissue water, J/kg of tissue (quoted from memory); fat holds a fifth as much
water (engineering default). Lipids, which crystallise near 10 degC, take part in nothing."""


class Body:
    """Cells of one tissue.

    A state is a vector: N cell temperatures, the environment, 1, and three results of the step that led to it: the
    surface, the mean heat flux into the plate, W/m2, and the mean of the dermis.
    """

    def __init__(self, tissue: Tissue) -> None:
        self.tissue = tissue
        counts = _CELLS[-len(tissue.layers) :]
        self.grid = Grid(tissue, counts, _GROWTH)
        self.size = self.grid.size
        dermis = np.repeat([layer.name == "dermis" for layer in tissue.layers], counts)
        weights = self.grid.widths_m * (dermis if dermis.any() else 1.0)
        self.dermis_weights = weights / weights.sum()
        latent = [_LATENT_J_KG.get(layer.name, _LATENT_OTHER_J_KG) * layer.density_kg_m3 for layer in tissue.layers]
        self.latent_j_m2 = np.repeat(latent, counts) * self.grid.widths_m
        self._steps: dict[tuple[int, float, int], Array] = {}
        self._grids: dict[int, Grid] = {}
        self._probes: dict[tuple[float, float], Probe] = {}

    def perfused(self, level: int) -> Grid:
        """The cells with ``level`` sixteenths of the resting flow in the layers whose vessels answer the cold."""
        grid = self._grids.get(level)
        if grid is None:
            tissue = self.tissue.with_perfusion(level / LEVELS, CONSTRICTING_LAYERS)
            grid = self._grids[level] = Grid(tissue, self.grid.cells, self.grid.growth)
        return grid

    def step(self, level: int, film_w_m2k: float, count: int = 1) -> Array:
        """Matrix of ``count`` sub-steps on a state; where it is more than one the flux is that of the whole."""
        key = (level, film_w_m2k, count)
        matrix = self._steps.get(key)
        if matrix is None:
            if len(self._steps) >= _CACHED:
                del self._steps[next(iter(self._steps))]
            matrix = self._steps[key] = self._made(level, film_w_m2k, count * DT_S)
        return matrix

    def probe(self, depth_m: float, film_w_m2k: float) -> Probe:
        """Where to read this depth under this film."""
        key = (depth_m, film_w_m2k)
        probe = self._probes.get(key)
        if probe is None:
            if len(self._probes) >= _CACHED:
                self._probes.clear()
            probe = self._probes[key] = self.grid.probe(depth_m, film_w_m2k)
        return probe

    def share(self, film_w_m2k: float) -> float:
        """Weight of the first cell in the surface temperature; the environment has the rest."""
        half = float(self.grid.faces_w_m2k[0])
        return half / (half + film_w_m2k)

    def state(self, temps: Array, environment_degc: float, film_w_m2k: float) -> Array:
        """A state at rest: no flux is known yet."""
        share = self.share(film_w_m2k)
        surface = share * float(temps[0]) + (1.0 - share) * environment_degc
        return np.concatenate((temps, (environment_degc, 1.0, surface, 0.0, float(self.dermis_weights @ temps))))

    def at_rest(self, film_w_m2k: float, environment_degc: float, vessels: Vessels) -> tuple[Array, float]:
        """State after a long time in this environment, and its blood flow."""
        flow = 1.0
        while True:
            temps = self.perfused(round(flow * LEVELS)).steady(film_w_m2k, environment_degc)
            closed = vessels.wanted(float(self.dermis_weights @ temps))
            # Colder skin has less flow and is colder still, so the level only falls until it stands.
            if round(closed * LEVELS) >= round(flow * LEVELS):
                return self.state(temps, environment_degc, film_w_m2k), min(flow, closed)
            flow = closed

    def _made(self, level: int, film_w_m2k: float, dt_s: float) -> Array:
        exact, size = exact_step(self.perfused(level), dt_s, film_w_m2k), self.size
        matrix = np.zeros((size + 5, size + 5))
        matrix[:size, :size] = exact.matrix
        matrix[:size, size] = exact.environment
        matrix[:size, size + 1] = exact.source
        matrix[size, size] = matrix[size + 1, size + 1] = 1.0
        share = self.share(film_w_m2k)
        matrix[SURFACE] = share * matrix[0]
        matrix[SURFACE, size] += 1.0 - share
        matrix[FLUX, :size] = exact.flux
        matrix[FLUX, size] = exact.flux_environment
        matrix[FLUX, size + 1] = exact.flux_source
        matrix[DERMIS] = self.dermis_weights @ matrix[:size]
        return matrix


@lru_cache(maxsize=32)
def body_of(tissue: Tissue) -> Body:
    """The one body of this tissue."""
    return Body(tissue)
