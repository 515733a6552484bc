"""People differ: how thick their skin is, how well perfused, how it meets a plate. Typical, or drawn by a seed.

Sources: [U] ultrasound of facial skin, PMC9205051 table 2 (men, women); [C] Chopra 2015, histology; [F] ultrasound of
facial fat, Yonsei; [K] PMC5459687 table 4; [J] Janssen 2005; [A] fitted to Anvari 2000; the rest, and the shape and
width of every distribution that the sources give only as a range, are engineering defaults.
"""

import math
import random
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Self

from cryodevice.bioheat import Tissue, face
from cryodevice.bioheat.layers import DEEP_DEGC
from cryodevice.quantities import finite
from firmware_sim.plant.vessels import TYPICAL, Vessels


@dataclass(frozen=True, slots=True)
class Skin:
    """Thickness of the layers of one zone, mm."""

    epidermis_mm: float
    dermis_mm: float
    fat_mm: float


@dataclass(frozen=True, slots=True)
class Conductance:
    """How this skin meets a plate, W/m2 K: firm and dry, with gel, light or through hair."""

    dry_w_m2k: float
    gel_w_m2k: float
    light_w_m2k: float


@dataclass(frozen=True, slots=True)
class _Site:
    """What is measured of a zone, mm: epidermis and dermis of (men, women) by ultrasound, fat."""

    epidermis: tuple[float, float]
    dermis: tuple[float, float]
    fat: float


_CHEEK: Final = _Site((0.19, 0.20), (1.14, 0.87), 4.0)  # zygoma [U]; fat [F]
_SITES: Final = {
    "forehead": _Site((0.22, 0.20), (1.17, 0.86), 2.0),  # [U], [F]
    "left_cheek": _CHEEK,
    "right_cheek": _CHEEK,
    "nose": _Site((0.20, 0.19), (1.03, 0.93), 1.6),  # nasal dorsum [U]; [F]
    "chin_jaw": _Site((0.21, 0.18), (1.02, 0.91), 5.1),  # submandibular [U]; peri-oral [F]
    "periorbital": _Site((0.18, 0.17), (0.67, 0.58), 1.6),  # eyelid [U]; lower end of [F]
    "neck": _Site((0.19, 0.17), (0.98, 0.99), 4.0),  # [U]; fat an engineering default
    "forearm": _CHEEK,  # engineering default
    "other": _Site((0.19, 0.20), (1.14, 0.87), 8.0),  # engineering default: the thickest fat, hence the coldest skin
}
_EPIDERMIS_SHARE: Final = 0.1 / 0.195
"""Living epidermis of the golden run's cheek (0.10 mm) over what ultrasound sees there with the horny layer (0.195)."""
_EPIDERMIS_MM: Final = (0.03, 0.22)
"""Thinnest by histology [C], thickest by ultrasound [U]."""
_DERMIS_SIGMA, _FAT_SIGMA, _PERFUSION_SIGMA = 0.10, 0.30, 0.35
_MEETS: Final = Conductance(1300.0, 3000.0, 400.0)


@dataclass(frozen=True, slots=True)
class Individual:
    """What differs between people.

    Args:
        skin: Layers of each zone by its name.
        dermis_w_mk, fat_w_mk: Conductivity, W/m K.
        perfusion: Resting blood flow over the typical, 0.1...10.
        vessels: How far and how fast it falls in the cold.
        core_degc: Arterial blood and deep tissue, degC, 30...42.
        rested_offset_k: Air in which the skin has rested, less the room it is treated in, K: who comes in from the
            street starts colder.
        conductance: How the plate meets the skin.

    Raises:
        QuantityError: A number is not finite or not in its range.
    """

    skin: tuple[tuple[str, Skin], ...]
    dermis_w_mk: float = 0.37
    fat_w_mk: float = 0.21
    perfusion: float = 1.0
    vessels: Vessels = TYPICAL
    core_degc: float = DEEP_DEGC
    rested_offset_k: float = 0.0
    conductance: Conductance = _MEETS

    def __post_init__(self) -> None:
        finite(self.perfusion, "perfusion", 0.1, 10.0)
        finite(self.core_degc, "core_degc", 30.0, 42.0)
        finite(self.rested_offset_k, "rested_offset_k", -60.0, 60.0)
        for name in ("dry_w_m2k", "gel_w_m2k", "light_w_m2k"):
            finite(getattr(self.conductance, name), name, 0.0, 1e5)
        self.tissues()

    @classmethod
    def typical(cls) -> Self:
        """The person of the golden run: means of men and women, the cheek exactly that of ``cryodevice.bioheat``."""
        return cls(tuple((zone, _mean(site)) for zone, site in _SITES.items()))

    def tissues(self) -> dict[str, Tissue]:
        """The layers of each zone, made into tissue."""
        return {
            zone: _tissue(skin, self.dermis_w_mk, self.fat_w_mk, self.core_degc, self.perfusion)
            for zone, skin in self.skin
        }


@lru_cache(maxsize=64)
def _tissue(skin: Skin, dermis_w_mk: float, fat_w_mk: float, core_degc: float, perfusion: float) -> Tissue:
    return face(
        epidermis_mm=skin.epidermis_mm,
        dermis_mm=skin.dermis_mm,
        fat_mm=skin.fat_mm,
        dermis_w_mk=dermis_w_mk,
        fat_w_mk=fat_w_mk,
        core_degc=core_degc,
    ).with_perfusion(perfusion)


def _mean(site: _Site) -> Skin:
    """Mean of men and women; the cheek's 1.005 mm of dermis is the golden run's 1.0."""
    return Skin(
        round(sum(site.epidermis) / 2.0 * _EPIDERMIS_SHARE, 3), round(sum(site.dermis) / 2.0 - 0.005, 3), site.fat
    )


def drawn(rng: random.Random) -> Individual:
    """Somebody: every number from its published range, by ``rng`` alone.

    Epidermis log-uniform from histology to ultrasound; dermis of a man or a woman, 10 % up and down; fat 30 %, within
    half and twice the site's mean; blood flow 35 %, within half and twice; what cold leaves of it 0.13 to 0.33 [J];
    closing in 30 to 120 s, opening in 1200 to 3600 s; core 36.8 degC, 0.3 K up and down; conductivities over their
    published range [K]; dry contact 1000 to 1500 [A], gel 2500 to 5000, light 300 to 500 W/m2 K.
    """
    sex = rng.randrange(2)
    epidermis = math.exp(rng.uniform(*map(math.log, _EPIDERMIS_MM))) / _mean(_CHEEK).epidermis_mm
    dermis, fat = _around(rng, _DERMIS_SIGMA, 1.25), _around(rng, _FAT_SIGMA, 2.0)
    skin = tuple(
        (
            zone,
            Skin(
                round(min(max(_mean(site).epidermis_mm * epidermis, _EPIDERMIS_MM[0]), _EPIDERMIS_MM[1]), 3),
                round(site.dermis[sex] * dermis, 3),
                round(site.fat * fat, 2),
            ),
        )
        for zone, site in _SITES.items()
    )
    return Individual(
        skin,
        dermis_w_mk=round(rng.uniform(0.29, 0.37), 3),
        fat_w_mk=round(rng.uniform(0.16, 0.22), 3),
        perfusion=round(_around(rng, _PERFUSION_SIGMA, 2.0), 3),
        vessels=Vessels(
            least=round(rng.uniform(0.13, 0.33), 3),
            closing_s=round(rng.uniform(30.0, 120.0), 1),
            opening_s=round(rng.uniform(1200.0, 3600.0)),
        ),
        core_degc=round(min(max(rng.gauss(DEEP_DEGC, 0.3), 36.2), 37.4), 2),
        rested_offset_k=round(rng.uniform(-12.0, 4.0), 1),
        conductance=Conductance(
            round(rng.uniform(1000.0, 1500.0)), round(rng.uniform(2500.0, 5000.0)), round(rng.uniform(300.0, 500.0))
        ),
    )


def person_of(seed: int) -> random.Random:
    """Of whom ``drawn`` makes the person of a seed: the same one in a scenario, and in a wand that is served."""
    return random.Random(f"person/{seed}")  # noqa: S311  # chance is seeded


def _around(rng: random.Random, sigma: float, furthest: float) -> float:
    """A factor around 1, log-normal, no further than ``furthest`` up or down."""
    return min(max(math.exp(rng.gauss(0.0, sigma)), 1.0 / furthest), furthest)
