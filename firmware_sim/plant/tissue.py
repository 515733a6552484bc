"""The skin of every zone, one of them under the wand. Knows neither sensors nor drive; keeps its own grid and step.

60 cells and 10 ms, unlike any estimator's. The zone the wand points at is stepped; the others lie in air and are
brought up to date when they are looked at, in blocks fixed by the step count, so that looking changes nothing.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import numpy as np

from cryodevice.bioheat import CONSTRICTING_LAYERS, ZONES, Grid, Propagator, Tissue, perfusion_factor, propagator
from cryodevice.bioheat.grid import Array
from cryodevice.errors import QuantityError

DT_S: Final = 0.01
"""Sub-step of the whole plant, seconds."""
AIR_W_M2K: Final = 10.0
"""Skin to still room air, convection and radiation (the golden run's)."""
_CELLS: Final = (12, 24, 14, 10)
_GROWTH: Final = 1.06
_BLOCK: Final = 20
"""Sub-steps between two looks at the vessels, and in one stride of a zone in air."""
_LEVELS: Final = 16
"""Perfusion factors are rounded to 1/16, so that each film needs 13 propagators at most."""
_CACHED: Final = 64


def _level(dermis_degc: float) -> int:
    return round(perfusion_factor(dermis_degc) * _LEVELS)


class _Body:
    """One tissue with everything that can be made ready for it; shared by all zones and plants that have it."""

    def __init__(self, tissue: Tissue) -> None:
        self.tissue = tissue
        self.grid = Grid(tissue, _CELLS[-len(tissue.layers) :], _GROWTH)
        dermis = np.repeat([layer.name == "dermis" for layer in tissue.layers], self.grid.cells)
        weights = self.grid.widths_m * (dermis if dermis.any() else 1.0)
        self.dermis = np.concatenate((weights / weights.sum(), (0.0, 0.0)))
        self._steps: dict[tuple[int, float, int], Array] = {}

    def _perfused(self, level: int) -> Grid:
        return Grid(self.tissue.with_perfusion(level / _LEVELS, CONSTRICTING_LAYERS), self.grid.cells, self.grid.growth)

    def step(self, level: int, film_w_m2k: float, count: int = 1) -> Array:
        """Matrix of ``count`` sub-steps on the state (cells, environment, 1)."""
        key = (level, film_w_m2k, count)
        matrix = self._steps.get(key)
        if matrix is None:
            if len(self._steps) >= _CACHED:
                del self._steps[next(iter(self._steps))]
            one = _augmented(propagator(self._perfused(level), DT_S, film_w_m2k))
            matrix = self._steps[key] = np.ascontiguousarray(np.linalg.matrix_power(one, count))
        return matrix

    def at_rest(self, film_w_m2k: float, environment_degc: float) -> tuple[Array, int]:
        """State after a long time in this environment, and its perfusion level."""
        level = _LEVELS
        while True:
            temps = self._perfused(level).steady(film_w_m2k, environment_degc)
            state = np.concatenate((temps, (environment_degc, 1.0)))
            closed = _level(float(self.dermis @ state))
            if closed >= level:  # colder skin has less flow and is colder still, so levels only fall until they stand
                return state, level
            level = closed


@lru_cache(maxsize=32)
def _body(tissue: Tissue) -> _Body:
    return _Body(tissue)


def _augmented(step: Propagator) -> Array:
    size = len(step.source)
    matrix = np.eye(size + 2)
    matrix[:size, :size] = step.matrix
    matrix[:size, size] = step.environment
    matrix[:size, size + 1] = step.source
    return matrix


class _Zone:
    """State of one zone at sub-step ``at``; ``resting`` zones stand still until something touches them."""

    __slots__ = ("at", "body", "film_w_m2k", "level", "resting", "state")

    def __init__(self, tissue: Tissue, ambient_degc: float) -> None:
        self.body = _body(tissue)
        self.state, self.level = self.body.at_rest(AIR_W_M2K, ambient_degc)
        self.at = 0
        self.film_w_m2k = AIR_W_M2K
        self.resting = True

    def later(self, now: int) -> tuple[Array, int]:
        """State and perfusion level at sub-step ``now`` after lying in air since ``at``.

        Keeps the state of each block's end on the way; those are the same whoever looks, and when.
        """
        state, level, at = self.state, self.level, self.at
        while at < now and not self.resting:
            stride = _BLOCK if at % _BLOCK == 0 and at + _BLOCK <= now else 1
            state = self.body.step(level, self.film_w_m2k, stride) @ state
            at += stride
            if at % _BLOCK == 0:
                level = _level(float(self.body.dermis @ state))
                self.state, self.level, self.at = state, level, at
        return state, level

    def settle(self, now: int) -> None:
        """Bring the zone to sub-step ``now``."""
        self.state, self.level = self.later(now)
        self.at = now

    def surface_degc(self, state: Array) -> float:
        """Temperature of the surface in ``state``."""
        half = float(self.body.grid.faces_w_m2k[0])
        share = half / (half + self.film_w_m2k)
        return share * float(state[0]) + (1.0 - share) * float(state[-2])


class SkinUnderWand:
    """Skin of all zones; the wand points at one of them and may touch it.

    Args:
        ambient_degc: Room in which the skin has rested.
        tissues: Tissue of each zone by name.
    """

    def __init__(self, ambient_degc: float = 24.0, tissues: Mapping[str, Tissue] = ZONES) -> None:
        self._zones = {name: _Zone(tissue, ambient_degc) for name, tissue in tissues.items()}
        self._ambient = ambient_degc
        self._now = 0
        self.zone = next(iter(tissues))
        self.contact = False
        self._contact_steps = dict.fromkeys(tissues, 0)
        self._lowest = min(zone.surface_degc(zone.state) for zone in self._zones.values())
        self._state: Array
        self._spare: Array
        self._matrix: Array
        self._film: float
        self._share: float
        self._conductance: float
        self._level: int
        self._load()

    def place(self, zone: str, *, contact: bool, conductance_w_m2k: float, ambient_degc: float) -> None:
        """Where the wand is from now on. Costs nothing while nothing changes.

        Args:
            zone: The zone pointed at.
            contact: Whether the plate touches it.
            conductance_w_m2k: Plate to skin, W/m2 K, 0...100 000; 1000 to 1500 firm and dry (fitted to Anvari 2000),
                2500 to 5000 with gel, 300 to 500 light or through hair (engineering defaults).
            ambient_degc: Air over all skin that the plate does not touch.

        Raises:
            QuantityError: No such zone.
        """
        if zone not in self._zones:
            raise QuantityError(f"no zone {zone!r}; zones are {', '.join(self._zones)}", what="zone", value=zone)
        if ambient_degc != self._ambient:
            self._change_air(ambient_degc)
        film = conductance_w_m2k if contact else AIR_W_M2K
        if zone == self.zone and contact == self.contact and film == self._film:
            return
        self._store()
        left = self._zones[self.zone]
        left.film_w_m2k, left.state[-2] = AIR_W_M2K, self._ambient
        self.zone, self.contact = zone, contact
        entered = self._zones[zone]
        entered.settle(self._now)
        entered.film_w_m2k = film
        self._load()

    def advance(self, plate_degc: float) -> float:
        """One sub-step; returns the mean heat flux during it, W/m2, from the skin into the plate (0 without contact).

        The flux is what the tissue step itself gave away, so plate and skin balance to rounding.
        """
        state, new = self._state, self._spare
        if self.contact:
            state[-2] = plate_degc
            self._contact_steps[self.zone] += 1
        np.dot(self._matrix, state, out=new)
        self._state, self._spare = new, state
        self._now += 1
        first, environment = new.item(0), new.item(-2)
        surface = self._share * first + (1.0 - self._share) * environment
        self.surface_degc = surface
        self._lowest = min(self._lowest, surface)
        if self._now % _BLOCK == 0:
            self._look_at_vessels()
        return self._conductance * (first - environment) if self.contact else 0.0

    def surface_of(self, zone: str) -> float:
        """Surface temperature of any zone now, degC."""
        skin = self._zones[zone]
        return self.surface_degc if zone == self.zone else skin.surface_degc(skin.later(self._now)[0])

    def at_depth(self, zone: str, depth_m: float) -> float:
        """Temperature now, degC, ``depth_m`` below the surface of any zone."""
        skin = self._zones[zone]
        state = self._state if zone == self.zone else skin.later(self._now)[0]
        return skin.body.grid.at_depth(state[:-2], depth_m, skin.film_w_m2k, state.item(-2))

    def lowest_degc(self) -> float:
        """Lowest surface temperature that any zone has had so far, degC."""
        for name, skin in self._zones.items():
            if name != self.zone and not skin.resting:
                self._lowest = min(self._lowest, self.surface_of(name))
        return self._lowest

    def contact_s(self) -> dict[str, float]:
        """Seconds of contact so far by zone."""
        return {zone: steps * DT_S for zone, steps in self._contact_steps.items()}

    def _change_air(self, ambient_degc: float) -> None:
        self._store()
        self._ambient = ambient_degc
        for name, skin in self._zones.items():
            skin.settle(self._now)
            skin.resting = False
            if not (self.contact and name == self.zone):
                skin.state = skin.state.copy()
                skin.state[-2] = ambient_degc
        self._load()

    def _store(self) -> None:
        """Put the running state of the zone pointed at back into its zone."""
        skin = self._zones[self.zone]
        skin.resting = skin.resting and skin.at == self._now
        skin.state, skin.level, skin.at = self._state.copy(), self._level, self._now

    def _load(self) -> None:
        """Make the zone pointed at ready to run."""
        skin = self._zones[self.zone]
        self._film = skin.film_w_m2k
        self._state, self._level = skin.state.copy(), skin.level
        self._spare = self._state.copy()
        grid = skin.body.grid
        half = float(grid.faces_w_m2k[0])
        self._share = half / (half + self._film)
        self._conductance = grid.film_w_m2k(self._film)
        self._matrix = skin.body.step(self._level, self._film)
        self.surface_degc = skin.surface_degc(self._state)

    def _look_at_vessels(self) -> None:
        body = self._zones[self.zone].body
        level = _level(float(body.dermis @ self._state))
        if level != self._level:
            self._level = level
            self._matrix = body.step(level, self._film)
