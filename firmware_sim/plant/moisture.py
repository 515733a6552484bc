"""Water of the air on the cold plate: dew, and frost below 0 degC. Knows no skin and no drive.

It decides how easily skin under the plate freezes, and costs the plate some of its cold. What it does to the contact
conductance is left out: a film of dew is a hundred times thinner than the gaps that it would have to fill.
"""

import math
from typing import Final

from cryodevice.quantities import ZERO_DEGC_K
from firmware_sim.plant.applicator import PLATE_AREA_M2

FACE_W_M2K: Final = 5.0
"""Plate face to still air by convection alone, W/m2 K (engineering default)."""
_AIR_J_M3K: Final = 1206.0
_LEWIS: Final = 0.9
"""(thermal over water-vapour diffusivity of air, 0.85) to the power of 2/3."""
_VAPOUR_J_G: Final = 2500.0
_MELTING_J_G: Final = 334.0
MOST_G_M2: Final = 200.0
"""Water that stays on the face; more of it runs off (engineering default)."""
SEEDS_G_M2: Final = 0.1
"""From this much on the contact is wet (engineering default: a tenth of a micrometre)."""


def saturated_pa(degc: float, *, over_ice: bool) -> float:
    """Pressure of water vapour over ice, or over water at any temperature, Pa (Sonntag 1990)."""
    if over_ice:
        return 611.2 * math.exp(22.46 * degc / (272.62 + degc))
    return 611.2 * math.exp(17.62 * degc / (243.12 + degc))


def dew_point_degc(ambient_degc: float, humidity_pct: float) -> float:
    """Temperature at which this air begins to wet a surface, degC; relative humidity is over water at all degC."""
    share = max(humidity_pct, 0.01) / 100.0
    exponent = math.log(share) + 17.62 * ambient_degc / (243.12 + ambient_degc)
    if exponent >= 0.0:
        return 243.12 * exponent / (17.62 - exponent)
    return 272.62 * exponent / (22.46 - exponent)


def _vapour_g_m3(pressure_pa: float, degc: float) -> float:
    return 1e3 * pressure_pa / (461.5 * (degc + ZERO_DEGC_K))


class Moisture:
    """Water and ice on the face of the plate.

    Attributes:
        dew_g_m2, frost_g_m2: What is there.
    """

    __slots__ = ("dew_g_m2", "frost_g_m2")

    def __init__(self) -> None:
        self.dew_g_m2 = 0.0
        self.frost_g_m2 = 0.0

    @property
    def wet(self) -> bool:
        """Whether skin that the plate now meets would find water or ice on it."""
        return self.dew_g_m2 + self.frost_g_m2 >= SEEDS_G_M2

    def advance(
        self, dt_s: float, *, plate_degc: float, plate_j_k: float, ambient_degc: float, humidity_pct: float, open_: bool
    ) -> float:
        """Let ``dt_s`` pass; returns the heat that this brings into the plate, W, for as long.

        Args:
            dt_s: Seconds, at most 1.
            plate_degc: Temperature of the plate.
            plate_j_k: Its heat capacity, J/K.
            ambient_degc: Temperature of the air.
            humidity_pct: Its relative humidity.
            open_: Whether the face is in the air; nothing condenses under skin.
        """
        heat_j = 0.0
        if open_:
            air_pa = saturated_pa(ambient_degc, over_ice=False) * humidity_pct / 100.0
            face_pa = saturated_pa(plate_degc, over_ice=plate_degc < 0.0)
            excess = _vapour_g_m3(air_pa, ambient_degc) - _vapour_g_m3(face_pa, plate_degc)
            gained = FACE_W_M2K / _AIR_J_M3K / _LEWIS * excess * dt_s
            there = self.dew_g_m2 + self.frost_g_m2
            gained = min(max(gained, -there), MOST_G_M2 - there)
            heat_j += gained * PLATE_AREA_M2 * _VAPOUR_J_G
            self.dew_g_m2 += gained
            if self.dew_g_m2 < 0.0:  # ice goes into the air as well
                self.frost_g_m2, self.dew_g_m2 = max(self.frost_g_m2 + self.dew_g_m2, 0.0), 0.0
        # No more freezes or melts than brings the plate to 0 degC.
        able = -plate_degc * plate_j_k / _MELTING_J_G / PLATE_AREA_M2
        frozen = min(self.dew_g_m2, able) if able > 0.0 else -min(self.frost_g_m2, -able)
        self.dew_g_m2 -= frozen
        self.frost_g_m2 += frozen
        heat_j += frozen * PLATE_AREA_M2 * _MELTING_J_G
        return heat_j / dt_s
