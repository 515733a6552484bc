"""Freezing of one zone: nucleation gives back the heat of supercooling, ice grows from cell to cell and melts again.

Enthalpy instead of temperature, implicit in time, by Newton's method on the three diagonals. Some ten times as slow as
a step without ice; it runs only while there is ice. Knows neither plate nor wand, only a film and an environment.
"""

import math
from typing import Final

import numpy as np

from cryodevice.bioheat.grid import Array
from firmware_sim.plant.body import Body
from firmware_sim.plant.dose import DT_S

FREEZING_DEGC: Final = -0.53
"""Freezing point of tissue fluid (-0.53 to -0.55: Keatinge and Cannon 1960, quoted from memory)."""
_ITERATIONS: Final = 20
_CLOSE_K: Final = 1e-6


class Ice:
    """Cells of which some hold ice.

    In a cell with ice at ``T`` the share ``1 - freezing point / T`` of its water is frozen: what remains is a solution
    whose freezing point is ``T`` (ideal dilute solution). So the first ice at -5 degC warms its cell to -0.57 degC.

    Args:
        body: The tissue.
        temps: Cell temperatures, degC, at nucleation; the first cell freezes.
    """

    def __init__(self, body: Body, temps: Array) -> None:
        self._body = body
        self._capacity: list[float] = body.grid.capacity_j_m2k.tolist()
        self._latent: list[float] = body.latent_j_m2.tolist()
        self.temps: list[float] = temps.tolist()
        self._heat: list[float] = [c * t for c, t in zip(self._capacity, self.temps, strict=True)]
        self._iced = [False] * body.size
        self._iced[0] = True
        self.temps[0] = self._temperature(0)

    def copy(self) -> "Ice":
        """The same ice, to be moved on without moving this."""
        other = object.__new__(Ice)
        other._body, other._capacity, other._latent = self._body, self._capacity, self._latent
        other.temps, other._heat, other._iced = self.temps.copy(), self._heat.copy(), self._iced.copy()
        return other

    @property
    def gone(self) -> bool:
        """Whether nothing is frozen any more."""
        return not any(self._iced)

    def ice_mm(self) -> float:
        """Ice as the thickness of a layer frozen through, mm."""
        shares = [self._share(t) if iced else 0.0 for t, iced in zip(self.temps, self._iced, strict=True)]
        return 1e3 * float(np.dot(shares, self._body.grid.widths_m))

    def step(self, level: int, film_w_m2k: float, environment_degc: float) -> float:
        """One sub-step; returns the heat flux out of the surface, W/m2. Blood stands still where there is ice."""
        grid = self._body.perfused(level)
        film = grid.film_w_m2k(film_w_m2k)
        faces: list[float] = grid.faces_w_m2k.tolist()
        blood: list[float] = grid.blood_w_m2k.tolist()
        source: list[float] = grid.source_w_m2.tolist()
        arterial = self._body.tissue.arterial_degc
        for cell, iced in enumerate(self._iced):
            if iced:
                source[cell] -= blood[cell] * arterial
                blood[cell] = 0.0
        source[0] += film * environment_degc
        faces[0] = film
        temps = self._solved(faces, blood, source)
        self._take(temps, faces, blood, source)
        self._spread()
        return film * (temps[0] - environment_degc)

    def _solved(self, faces: list[float], blood: list[float], source: list[float]) -> list[float]:
        """New temperatures: backward Euler on enthalpy, linearised anew until it stands."""
        size, temps = len(self.temps), self.temps
        upper, right = [0.0] * size, [0.0] * size
        for _ in range(_ITERATIONS):
            for cell in range(size):
                slope, heat = self._slope(cell, temps[cell])
                diagonal = slope / DT_S + faces[cell] + faces[cell + 1] + blood[cell]
                wanted = (slope * temps[cell] - heat + self._heat[cell]) / DT_S + source[cell]
                if cell:
                    diagonal -= faces[cell] * upper[cell - 1]
                    wanted += faces[cell] * right[cell - 1]
                upper[cell] = faces[cell + 1] / diagonal
                right[cell] = wanted / diagonal
            new = right.copy()
            for cell in range(size - 2, -1, -1):
                new[cell] += upper[cell] * new[cell + 1]
            moved = max(abs(a - b) for a, b in zip(new, temps, strict=True))
            temps = new
            if moved < _CLOSE_K:
                break
        return temps

    def _take(self, temps: list[float], faces: list[float], blood: list[float], source: list[float]) -> None:
        """Move heat between the cells by these temperatures, so that none is lost whatever the linearisation left."""
        last = len(temps) - 1
        for cell, own in enumerate(temps):
            net = source[cell] - (faces[cell] + faces[cell + 1] + blood[cell]) * own
            if cell:
                net += faces[cell] * temps[cell - 1]
            if cell < last:
                net += faces[cell + 1] * temps[cell + 1]
            self._heat[cell] += DT_S * net
            self.temps[cell] = self._temperature(cell)

    def _spread(self) -> None:
        """Ice melts above the freezing point; below it, it grows into the cells beside it."""
        before, temps = self._iced, self.temps
        last = len(before) - 1
        self._iced = [
            temps[cell] < FREEZING_DEGC
            and (before[cell] or (cell > 0 and before[cell - 1]) or (cell < last and before[cell + 1]))
            for cell in range(last + 1)
        ]
        for cell, iced in enumerate(self._iced):
            if iced and not before[cell]:
                temps[cell] = self._temperature(cell)

    @staticmethod
    def _share(degc: float) -> float:
        return 1.0 - FREEZING_DEGC / degc if degc < FREEZING_DEGC else 0.0

    def _slope(self, cell: int, degc: float) -> tuple[float, float]:
        """Derivative of the heat of a cell by its temperature, J/m2 K, and that heat, J/m2."""
        capacity = self._capacity[cell]
        if not self._iced[cell] or degc >= FREEZING_DEGC:
            return capacity, capacity * degc
        latent = self._latent[cell]
        return capacity - latent * FREEZING_DEGC / (degc * degc), capacity * degc - latent * self._share(degc)

    def _temperature(self, cell: int) -> float:
        """Temperature of a cell that holds this heat."""
        capacity, heat = self._capacity[cell], self._heat[cell]
        if not self._iced[cell] or heat >= capacity * FREEZING_DEGC:
            return heat / capacity
        latent = self._latent[cell]
        brine = latent + heat
        product = latent * FREEZING_DEGC
        root = math.sqrt(brine * brine - 4.0 * capacity * product)
        return 2.0 * product / (brine + root) if brine > 0.0 else (brine - root) / (2.0 * capacity)
