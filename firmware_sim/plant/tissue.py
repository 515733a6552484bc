"""The skin of every zone, one of them under the wand. Knows neither sensors nor drive.

The zone the wand points at is stepped; the others lie in air and are brought up to date when they are looked at, in
blocks fixed by the step count, so that looking changes nothing.
"""

import math
import random
from collections.abc import Mapping
from typing import Final

from cryodevice.bioheat import Tissue
from cryodevice.errors import QuantityError
from firmware_sim.plant.body import body_of
from firmware_sim.plant.dose import ZoneTruth
from firmware_sim.plant.individual import Individual
from firmware_sim.plant.vessels import TYPICAL, Vessels
from firmware_sim.plant.zone import Zone

AIR_W_M2K: Final = 10.0
"""Skin to still room air, convection and radiation (the golden run's)."""
_NOT_IN_A_BLOCK_K: Final = 2.0
_STILL_W_M2K: Final = 30.0
"""Air no stronger than this, 80 K colder than skin, cools it by less than that within a block of 0.2 s."""
DRY_NUCLEATION_DEGC: Final = (-12.0, -4.0)
WET_NUCLEATION_DEGC: Final = (-3.0, -1.0)
"""Surface temperature at which ice begins, drawn for each contact: dry skin may supercool to -10 or -15 (Wilson and
Goldman 1970, Molnar 1973), a wet or frosted plate is itself the seed (docs/physics.md 3)."""


class SkinUnderWand:
    """Skin of all zones; the wand points at one of them and may touch it.

    Args:
        ambient_degc: The room.
        tissues: Tissue of each zone by name; those of the typical person if not given.
        vessels: How blood flow follows the cold.
        rested_degc: Air in which the skin had come to rest before; the room if not given.
        seed: Of the supercooling that each contact allows.
        freezes: Whether ice forms at all; without, skin below 0 degC is supercooled, as in the golden run.
    """

    def __init__(
        self,
        ambient_degc: float = 24.0,
        tissues: Mapping[str, Tissue] | None = None,
        *,
        vessels: Vessels = TYPICAL,
        rested_degc: float | None = None,
        seed: int = 0,
        freezes: bool = True,
    ) -> None:
        self._freezes = freezes
        self._chance = random.Random(f"{seed} ice")  # noqa: S311 - chance is seeded
        stacks = Individual.typical().tissues() if tissues is None else tissues
        rested, dry = ambient_degc if rested_degc is None else rested_degc, self._supercooling(wet=False)
        self._zones = {name: Zone(body_of(tissue), vessels, AIR_W_M2K, rested, dry) for name, tissue in stacks.items()}
        self._ambient, self._air = ambient_degc, AIR_W_M2K
        self._conductance = AIR_W_M2K
        self._now = 0
        self.zone = next(iter(stacks))
        self.contact = False
        self._here = self._zones[self.zone]
        for skin in self._zones.values():
            skin.lie(AIR_W_M2K, ambient_degc, touched=False)

    @property
    def surface_degc(self) -> float:
        """Surface of the zone pointed at, degC."""
        return self._here.surface_degc

    def place(
        self,
        zone: str,
        *,
        contact: bool,
        conductance_w_m2k: float,
        ambient_degc: float,
        air_w_m2k: float = AIR_W_M2K,
        wet: bool = False,
    ) -> None:
        """Where the wand is from now on. Costs nothing while nothing changes.

        Args:
            zone: The zone pointed at.
            contact: Whether the plate touches it.
            conductance_w_m2k: Plate to skin, W/m2 K, 0...100 000; 1000 to 1500 firm and dry (fitted to Anvari 2000),
                2500 to 5000 with gel, 300 to 500 light or through hair (engineering defaults).
            ambient_degc: Air over all skin that the plate does not touch.
            air_w_m2k: Skin to that air, W/m2 K.
            wet: Whether gel, dew or frost lies between plate and skin when they meet.

        Raises:
            QuantityError: No such zone.
        """
        if zone not in self._zones:
            raise QuantityError(f"no zone {zone!r}; zones are {', '.join(self._zones)}", what="zone", value=zone)
        if ambient_degc != self._ambient or air_w_m2k != self._air:
            self._change_air(ambient_degc, air_w_m2k)
        if zone == self.zone and contact == self.contact and (not contact or conductance_w_m2k == self._conductance):
            return
        met = contact and not (self.contact and zone == self.zone)
        self._here.lie(air_w_m2k, ambient_degc, touched=False)
        self.zone, self.contact, self._conductance = zone, contact, conductance_w_m2k
        self._here = entered = self._zones[zone]
        entered.settle(self._now)
        if met:
            entered.nucleates_degc = self._supercooling(wet=wet)
        if contact:
            entered.lie(conductance_w_m2k, ambient_degc, touched=True)
        else:
            entered.lie(air_w_m2k, ambient_degc, touched=False)

    def advance(self, plate_degc: float) -> float:
        """One sub-step; returns the mean heat flux during it, W/m2, from the skin into the plate (0 without contact).

        The flux is what the tissue step itself gave away, so plate and skin balance to rounding.
        """
        self._now += 1
        here = self._here
        if self.contact:
            return here.step(plate_degc)
        if here.resting:
            here.at = self._now
        else:
            here.step(self._ambient)
        return 0.0

    def surface_of(self, zone: str) -> float:
        """Surface temperature of any zone now, degC."""
        return self._seen(zone).surface_degc

    def at_depth(self, zone: str, depth_m: float) -> float:
        """Temperature now, degC, ``depth_m`` below the surface of any zone."""
        return self._seen(zone).at_depth(depth_m)

    def lowest_degc(self) -> float:
        """Lowest surface temperature that any zone has had so far, degC."""
        lowest = self._here.dose.lowest_degc
        for skin in self._zones.values():
            if skin is not self._here:
                skin.catch_up(self._now)
                lowest = min(lowest, skin.dose.lowest_degc)
        # Since the end of its last block such air has cooled no skin by so much.
        near = lowest + _NOT_IN_A_BLOCK_K if self._air <= _STILL_W_M2K else math.inf
        for name, skin in self._zones.items():
            if skin.surface_degc < near:
                lowest = min(lowest, self._seen(name).dose.lowest_degc)
        return lowest

    def contact_s(self) -> dict[str, float]:
        """Seconds of contact so far by zone."""
        return {name: skin.contact_s() for name, skin in self._zones.items()}

    def zones(self) -> dict[str, ZoneTruth]:
        """What has been done to each zone, and how it is now."""
        return {name: self._seen(name).truth() for name in self._zones}

    def names(self) -> tuple[str, ...]:
        """The zones there are."""
        return tuple(self._zones)

    def _supercooling(self, *, wet: bool) -> float:
        drawn = self._chance.uniform(*(WET_NUCLEATION_DEGC if wet else DRY_NUCLEATION_DEGC))
        return drawn if self._freezes else -math.inf

    def _seen(self, zone: str) -> Zone:
        skin = self._zones[zone]
        return skin if skin is self._here else skin.seen(self._now)

    def _change_air(self, ambient_degc: float, air_w_m2k: float) -> None:
        self._ambient, self._air = ambient_degc, air_w_m2k
        for skin in self._zones.values():
            if not skin.touched:
                skin.settle(self._now)
                skin.lie(air_w_m2k, ambient_degc, touched=False)
