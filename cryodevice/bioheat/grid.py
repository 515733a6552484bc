"""A tissue cut into cells: widths, capacities and the conductances between them. Space only; time is in ``solver``.

Second-order finite volumes. Every layer starts and ends on a cell face, so a jump of conductivity lies between two
cells, in series, and no cell straddles it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import overload

import numpy as np
import numpy.typing as npt

from cryodevice.bioheat.layers import Tissue
from cryodevice.errors import QuantityError
from cryodevice.quantities import finite

Array = npt.NDArray[np.float64]

LARGEST_FILM_W_M2K = 1e9
"""A surface film this large is, in double precision, a surface held at the temperature of the environment."""


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """One temperature inside the tissue as a weighted sum of the cells and the environment.

    Depends on the grid, the depth and the surface film only, so it is made once and read every tick.
    """

    weights: Array
    environment: float
    constant: float

    @overload
    def read(self, temps: Array, environment_degc: float) -> float: ...
    @overload
    def read(self, temps: Array, environment_degc: Array) -> Array: ...
    def read(self, temps: Array, environment_degc: float | Array) -> float | Array:
        """Temperature, degC, of ``temps`` (N,), or one per zone of (zones, N) with ``environment_degc`` (zones,)."""
        inside = np.dot(temps, self.weights)
        if isinstance(environment_degc, np.ndarray):
            return np.asarray(inside + environment_degc * self.environment + self.constant)
        return float(inside) + environment_degc * self.environment + self.constant


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Cells of a tissue, the outermost first.

    Args:
        tissue: What is cut.
        cells: Number of cells of each layer, 1...500; tissues with as many layers share one shape.
        growth: Width of a cell over that of the one above it in the same layer, 0.5...2.

    Attributes:
        widths_m: Cell widths, (N,).
        centres_m: Depths of the cell centres, (N,).
        capacity_j_m2k: Heat capacity of each cell per area of surface, (N,).
        faces_w_m2k: Conductance across each face, (N + 1,): centre of the first cell to the surface, cell to cell,
            centre of the last cell to the deep boundary. The film outside the surface is not in it.
        blood_w_m2k: Heat from blood per area and kelvin below arterial temperature, (N,).
        source_w_m2: Heat independent of the cell temperatures: metabolism, arterial blood, deep boundary, (N,).

    Raises:
        QuantityError: ``cells`` does not fit the layers, or a number is not in its range.
    """

    tissue: Tissue
    cells: Sequence[int]
    growth: float = 1.0
    widths_m: Array = field(init=False)
    centres_m: Array = field(init=False)
    capacity_j_m2k: Array = field(init=False)
    faces_w_m2k: Array = field(init=False)
    blood_w_m2k: Array = field(init=False)
    source_w_m2: Array = field(init=False)
    _halves_w_m2k: Array = field(init=False)

    def __post_init__(self) -> None:
        layers = self.tissue.layers
        if len(self.cells) != len(layers):
            raise QuantityError(f"{len(layers)} layers need as many cell counts, not {len(self.cells)}")
        for count in self.cells:
            finite(count, "cells of a layer", 1, 500)
        finite(self.growth, "growth", 0.5, 2.0)
        shapes = [self.growth ** np.arange(count) for count in self.cells]
        widths = np.concatenate(
            [shape / shape.sum() * layer.thickness_m for shape, layer in zip(shapes, layers, strict=True)]
        )
        capacity, conductivity, blood, metabolic = (
            np.repeat([getattr(layer, name) for layer in layers], self.cells)
            for name in ("heat_capacity_j_m3k", "conductivity_w_mk", "perfusion_w_m3k", "metabolic_w_m3")
        )
        halves = 2.0 * conductivity / widths
        between = halves[:-1] * halves[1:] / (halves[:-1] + halves[1:])
        faces = np.concatenate((halves[:1], between, halves[-1:]))
        source = (metabolic + blood * self.tissue.arterial_degc) * widths
        source[-1] += faces[-1] * self.tissue.deep_degc
        for name, value in (
            ("widths_m", widths),
            ("centres_m", np.cumsum(widths) - widths / 2.0),
            ("capacity_j_m2k", capacity * widths),
            ("faces_w_m2k", faces),
            ("blood_w_m2k", blood * widths),
            ("source_w_m2", source),
            ("_halves_w_m2k", halves),
        ):
            value.setflags(write=False)
            object.__setattr__(self, name, value)

    @property
    def size(self) -> int:
        """Number of cells, N."""
        return len(self.widths_m)

    def film_w_m2k(self, h_w_m2k: float) -> float:
        """Conductance from the environment to the centre of the first cell: the film in series with half a cell.

        Args:
            h_w_m2k: Surface film, W/m2 K, 0 (insulated)...1e9.

        Raises:
            QuantityError: ``h_w_m2k`` is not finite or not in its range.
        """
        finite(h_w_m2k, "surface film h_w_m2k", 0.0, LARGEST_FILM_W_M2K)
        half = float(self.faces_w_m2k[0])
        return half * h_w_m2k / (half + h_w_m2k)

    def operator(self, h_w_m2k: float) -> Array:
        """Heat leaving each cell per kelvin of each cell, W/m2 K, (N, N): conduction, blood and the surface film."""
        inner = self.faces_w_m2k[1:-1]
        diagonal = self.blood_w_m2k.copy()
        diagonal[:-1] += inner
        diagonal[1:] += inner
        diagonal[0] += self.film_w_m2k(h_w_m2k)
        diagonal[-1] += self.faces_w_m2k[-1]
        return np.diag(diagonal) - np.diag(inner, 1) - np.diag(inner, -1)

    def steady(self, h_w_m2k: float, environment_degc: float) -> Array:
        """Cell temperatures, degC, (N,), after infinite time under a constant film and environment.

        Raises:
            QuantityError: A number is not finite or not in its range.
        """
        heat = self.source_w_m2.copy()
        heat[0] += self.film_w_m2k(h_w_m2k) * finite(environment_degc, "environment_degc")
        return np.asarray(np.linalg.solve(self.operator(h_w_m2k), heat), dtype=np.float64)

    def probe(self, depth_m: float, h_w_m2k: float) -> Probe:
        """Where to read ``depth_m`` (0 is the surface): linear between cell centre and cell face, flux-true at faces.

        Raises:
            QuantityError: A number is not finite, or the depth is below the last layer.
        """
        finite(depth_m, "depth_m", 0.0, self.tissue.depth_m)
        self.film_w_m2k(h_w_m2k)
        last = self.size - 1
        cell = min(int(np.searchsorted(np.cumsum(self.widths_m), depth_m)), last)
        offset = (depth_m - float(self.centres_m[cell])) / (float(self.widths_m[cell]) / 2.0)
        share = min(abs(offset), 1.0)
        neighbour = cell - 1 if offset < 0.0 else cell + 1
        own = float(self._halves_w_m2k[cell])
        other = h_w_m2k if neighbour < 0 else float(self._halves_w_m2k[neighbour]) if neighbour <= last else np.inf
        outside = share * (1.0 if np.isinf(other) else other / (own + other))
        weights = np.zeros(self.size)
        weights[cell] = 1.0 - outside
        if 0 <= neighbour <= last:
            weights[neighbour] = outside
        weights.setflags(write=False)
        return Probe(
            weights,
            environment=outside if neighbour < 0 else 0.0,
            constant=outside * self.tissue.deep_degc if neighbour > last else 0.0,
        )

    @overload
    def surface_degc(self, temps: Array, h_w_m2k: float, environment_degc: float) -> float: ...
    @overload
    def surface_degc(self, temps: Array, h_w_m2k: float, environment_degc: Array) -> Array: ...
    def surface_degc(self, temps: Array, h_w_m2k: float, environment_degc: float | Array) -> float | Array:
        """Temperature of the surface itself, degC; one per zone if ``temps`` is (zones, N)."""
        return self.probe(0.0, h_w_m2k).read(temps, environment_degc)

    @overload
    def at_depth(self, temps: Array, depth_m: float, h_w_m2k: float, environment_degc: float) -> float: ...
    @overload
    def at_depth(self, temps: Array, depth_m: float, h_w_m2k: float, environment_degc: Array) -> Array: ...
    def at_depth(self, temps: Array, depth_m: float, h_w_m2k: float, environment_degc: float | Array) -> float | Array:
        """Temperature at ``depth_m`` below the surface, degC; make a ``probe`` where this is asked every tick."""
        return self.probe(depth_m, h_w_m2k).read(temps, environment_degc)
