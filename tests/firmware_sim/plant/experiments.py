"""What the plant's skin is compared with: closed forms, the golden run, experiments. Numbers only, no verdict.

The tests hold the figures and ``tests/campaign/physics.py`` shows them. Everything here runs on the plant's own grid
and steps (``SkinUnderWand``), never on another solver. Sources: docs/physics.md 6 and 9.
"""

import math
import random
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy.special import erfcx

from cryodevice.bioheat import CHEEK, Grid, Layer, Tissue, exact_step, face
from cryodevice.quantities import Seconds
from cryodevice.safety import skin_estimate
from cryodevice.safety.limits import Zone
from firmware_sim.plant import drawn
from firmware_sim.plant.body import BLOCK, SURFACE, Body
from firmware_sim.plant.dose import DT_S
from firmware_sim.plant.tissue import SkinUnderWand
from firmware_sim.plant.vessels import AT_ONCE, Vessels

ROOM_DEGC = 24.0
ZONE = "skin"


@dataclass(frozen=True)
class Compared:
    """One figure: what it is, what it should be, what the plant has."""

    what: str
    expected: float
    ours: float

    @property
    def off(self) -> float:
        return self.ours - self.expected


def laid(skin: SkinUnderWand, *, h: float | None = None, air: float = 10.0, ambient: float = ROOM_DEGC) -> None:
    """A plate of conductance ``h`` on the skin, or air over it."""
    skin.place(ZONE, contact=h is not None, conductance_w_m2k=h or 0.0, ambient_degc=ambient, air_w_m2k=air)


def run(skin: SkinUnderWand, seconds: float, plate_degc: float = math.nan) -> float:
    flux = 0.0
    for _ in range(round(seconds / DT_S)):
        flux = skin.advance(plate_degc)
    return flux


def blow(skin: SkinUnderWand, seconds: float) -> None:
    """Air over the skin for long, in the strides of a zone that nobody watches."""
    zone = skin._zones[ZONE]
    for _ in range(round(seconds / DT_S / BLOCK)):
        zone._stride(BLOCK)


# -- closed forms (3.2) ----------------------------------------------------------------------------------------------
START_DEGC, COLD_DEGC = 33.0, -10.0
K_W_MK, VOLUMETRIC_J_M3K = 0.37, 1109.0 * 3391.0
DIFFUSIVITY = K_W_MK / VOLUMETRIC_J_M3K


def _half_space(mm: tuple[float, ...] = (0.1, 1.0, 4.0, 12.0)) -> SkinUnderWand:
    """Dermis without blood in the cells of the plant's cheek; deeper only where the cold would reach the bottom."""
    layers = tuple(Layer("dermis", each * 1e-3, K_W_MK, 1109.0, 3391.0, 0.0, 0.0) for each in mm)
    tissue = Tissue(layers, deep_degc=START_DEGC, arterial_degc=START_DEGC)
    return SkinUnderWand(START_DEGC, {ZONE: tissue}, freezes=False)


def exact_convective(h: float, depth_m: float, time_s: float) -> float:
    xi = depth_m / (2.0 * math.sqrt(DIFFUSIVITY * time_s))
    eta = h * math.sqrt(DIFFUSIVITY * time_s) / K_W_MK
    return START_DEGC + (COLD_DEGC - START_DEGC) * (math.erfc(xi) - math.exp(-xi * xi) * float(erfcx(xi + eta)))


def exact_held(depth_m: float, time_s: float) -> float:
    return COLD_DEGC + (START_DEGC - COLD_DEGC) * math.erf(depth_m / (2.0 * math.sqrt(DIFFUSIVITY * time_s)))


@lru_cache(maxsize=1)
def analytic() -> tuple[Compared, ...]:
    """Step of the surface temperature, convection, a perfused fin, two bodies in contact."""
    found = []
    for marks, mm in (((1.0, 10.0, 60.0), (0.1, 1.0, 4.0, 12.0)), ((300.0,), (0.1, 1.0, 8.0, 50.9))):
        skin, done = _half_space(mm), 0.0
        laid(skin, h=1e9, ambient=START_DEGC)
        for mark in marks:
            run(skin, mark - done, COLD_DEGC)
            done = mark
            expected = exact_held(1e-3, mark)
            found.append(Compared(f"surface held at -10, 1 mm at {mark:g} s", expected, skin.at_depth(ZONE, 1e-3)))
    for h in (100.0, 1000.0, 3000.0):
        skin, done = _half_space(), 0.0
        laid(skin, h=h, ambient=START_DEGC)
        for mark in (1.0, 10.0, 60.0):
            run(skin, mark - done, COLD_DEGC)
            done = mark
            for name, depth in (("surface", 0.0), ("1 mm", 1e-3)):
                expected = exact_convective(h, depth, mark)
                found.append(Compared(f"h {h:g}, {name} at {mark:g} s", expected, skin.at_depth(ZONE, depth)))
    return (*found, *_fin(), *_two_bodies())


def _fin() -> list[Compared]:
    """Perfused half-space at rest, surface at 5 degC: exponential, decay length 6.98 mm."""
    layers = tuple(Layer("muscle", mm * 1e-3, 0.37, 1109.0, 3391.0, 0.002, 0.0) for mm in (0.1, 1.0, 18.9, 60.0))
    body = Body(Tissue(layers))
    temps = body.grid.steady(1e9, 5.0)
    decay_m = math.sqrt(0.37 / layers[0].perfusion_w_m3k)
    return [
        Compared(
            f"perfused fin, {mm:g} mm",
            36.8 + (5.0 - 36.8) * math.exp(-mm * 1e-3 / decay_m),
            body.grid.at_depth(temps, mm * 1e-3, 1e9, 5.0),
        )
        for mm in (1.0, 7.0, 18.0)
    ]


def _two_bodies() -> list[Compared]:
    """Skin of 33 degC meets a thick body of -10 degC: the face between them goes to one temperature and stays."""
    skin_k = K_W_MK * (1567.0 / math.sqrt(K_W_MK * VOLUMETRIC_J_M3K)) ** 2
    bodies = {  # W/m K, kg/m3, J/kg K, thickness m
        "aluminium": (167.0, 2700.0, 896.0, 0.6),
        "sapphire": (35.0, 3980.0, 760.0, 0.3),
        "gel": (0.6, 1000.0, 4186.0, 0.04),
    }
    found = []
    for name, (k, density, heat, thick_m) in bodies.items():
        body = Layer(name, thick_m, k, density, heat, 0.0, 0.0)
        skin = Layer("skin", 40e-3, skin_k, 1109.0, 3391.0, 0.0, 0.0)
        grid = Grid(Tissue((body, skin), deep_degc=START_DEGC), (80, 80), 1.0)
        temps = np.where(grid.centres_m < thick_m, COLD_DEGC, START_DEGC)
        e_body, e_skin = math.sqrt(k * density * heat), 1567.0
        expected = (e_body * COLD_DEGC + e_skin * START_DEGC) / (e_body + e_skin)
        after = exact_step(grid, 20.0, 0.0).step(temps, 0.0)
        found.append(Compared(f"skin on {name}, face between them", expected, grid.at_depth(after, thick_m, 0.0, 0.0)))
    return found


# -- the golden run (3.3) --------------------------------------------------------------------------------------------
DEPTHS_M = (0.0, 0.1e-3, 1e-3, 2e-3)
GOLDEN = {  # plate 5 degC, h 1300: surface, 0.1 mm, 1 mm, 2 mm, W/m2
    1: (15.84, 22.14, 34.11, 34.69, 14095),
    5: (10.99, 14.61, 27.68, 33.84, 7786),
    10: (9.17, 11.70, 22.08, 30.94, 5419),
    30: (7.04, 8.29, 14.16, 22.60, 2651),
    60: (6.34, 7.16, 11.19, 17.86, 1738),
    120: (5.98, 6.59, 9.61, 14.93, 1279),
    300: (5.77, 6.24, 8.61, 12.85, 1002),
}
GOLDEN_OTHERS = {  # plate, h: {seconds: (surface, 1 mm)}
    (15.0, 1300.0): {5: (19.0, 30.0), 30: (16.4, 21.1), 60: (15.9, 19.2), 300: (15.5, 17.5)},
    (10.0, 1300.0): {5: (15.0, 28.8), 30: (11.7, 17.6), 60: (11.1, 15.2), 300: (10.6, 13.0)},
    (0.0, 1300.0): {5: (7.0, 26.5), 30: (2.4, 10.7), 60: (1.6, 7.2), 300: (0.9, 4.2)},
    (-5.0, 1300.0): {5: (3.0, 25.4), 30: (-2.3, 7.2), 60: (-3.2, 3.2), 300: (-4.0, -0.2)},
    (-10.0, 1300.0): {5: (-1.0, 24.2), 30: (-6.9, 3.7), 60: (-8.0, -0.8), 300: (-8.9, -4.7)},
    (-10.0, 400.0): {5: (11.5, 28.6), 30: (0.0, 10.1), 60: (-3.4, 3.8), 300: (-6.4, -2.4)},
    (-10.0, 3000.0): {5: (-5.9, 22.0), 30: (-8.7, 1.9), 60: (-9.1, -2.0), 300: (-9.5, -5.3)},
    (5.0, 3000.0): {5: (7.7, 26.2), 30: (5.9, 12.9), 60: (5.6, 10.4), 300: (5.3, 8.2)},
}
REWARM_S = {30: (38, 97, 167, 250), 300: (120, 244, 376, 520)}
REWARM_DEGC = (20.0, 25.0, 28.0, 30.0)
AIR_JETS = {  # air, h: {seconds: surface}
    (-15.0, 120.0): {15: 17.1, 30: 11.8, 60: 5.9, 180: -1.4},
    (-20.0, 150.0): {15: 12.2, 30: 6.0, 60: -0.4, 180: -7.6},
}


def cheek(vessels: Vessels = AT_ONCE) -> SkinUnderWand:
    """The golden run's cheek, below 0 degC supercooled as there."""
    return SkinUnderWand(ROOM_DEGC, {ZONE: CHEEK}, vessels=vessels, freezes=False)


@lru_cache(maxsize=2)
def golden_at_5(vessels: Vessels = AT_ONCE) -> tuple[Compared, ...]:
    """Temperatures of the golden run under a plate at 5 degC."""
    skin = cheek(vessels)
    found, done = [Compared("before contact, surface", 34.07, skin.surface_degc)], 0
    laid(skin, h=1300.0)
    for mark, (*degc, _) in GOLDEN.items():
        run(skin, mark - done, 5.0)
        done = mark
        found += [
            Compared(f"plate 5, h 1300, {mark} s, {1e3 * depth:g} mm", expected, skin.at_depth(ZONE, depth))
            for depth, expected in zip(DEPTHS_M, degc, strict=True)
        ]
    return tuple(found)


@lru_cache(maxsize=2)
def golden_others(vessels: Vessels = AT_ONCE) -> tuple[Compared, ...]:
    """Temperatures of the golden run under other plates, conductances and jets of cold air."""
    found = []
    for (plate, h), rows in GOLDEN_OTHERS.items():
        skin, done = cheek(vessels), 0
        laid(skin, h=h)
        for mark, (surface, one_mm) in rows.items():
            run(skin, mark - done, plate)
            done = mark
            for depth, expected in ((0.0, surface), (1e-3, one_mm)):
                what = f"plate {plate:g}, h {h:g}, {mark} s, {1e3 * depth:g} mm"
                found.append(Compared(what, expected, skin.at_depth(ZONE, depth)))
    for (air, h), jet in AIR_JETS.items():
        skin, done = cheek(vessels), 0
        laid(skin, air=h, ambient=air)
        for mark, surface in jet.items():
            blow(skin, mark - done)
            done = mark
            found.append(Compared(f"air {air:g}, h {h:g}, {mark} s, surface", surface, skin.surface_degc))
    return tuple(found)


@lru_cache(maxsize=2)
def golden_flux(vessels: Vessels = AT_ONCE) -> tuple[Compared, ...]:
    """Heat flux of the golden run, W/m2."""
    skin, done, found = cheek(vessels), 0, []
    laid(skin, h=1300.0)
    for mark, (*_, expected) in GOLDEN.items():
        flux = run(skin, mark - done, 5.0)
        done = mark
        found.append(Compared(f"flux at {mark} s", expected, flux))
    return tuple(found)


@lru_cache(maxsize=2)
def rewarming(vessels: Vessels = AT_ONCE) -> tuple[Compared, ...]:
    """Seconds of still air until the surface is at 20, 25, 28 and 30 degC again."""
    found = []
    for held, seconds in REWARM_S.items():
        skin = cheek(vessels)
        laid(skin, h=1300.0)
        run(skin, held, 5.0)
        laid(skin)
        done = 0
        for degc, expected in zip(REWARM_DEGC, seconds, strict=True):
            while skin.surface_degc < degc:
                skin.advance(math.nan)
                done += 1
            found.append(Compared(f"{held} s at 5 degC, back to {degc:g} degC", expected, done * DT_S))
    return tuple(found)


# -- experiments (3.4) -----------------------------------------------------------------------------------------------
def anvari(h: float, window_degc: float) -> tuple[float, float, float]:
    """V1: skin that starts at 30 degC, 1 s under sapphire; surface, and the drops 0.2 and 1 mm down over its."""
    skin = SkinUnderWand(24.0, {ZONE: CHEEK}, rested_degc=8.2)
    before = [skin.at_depth(ZONE, depth) for depth in (0.0, 0.2e-3, 1e-3)]
    laid(skin, h=h)
    run(skin, 1.0, window_degc)
    drops = [a - skin.at_depth(ZONE, depth) for a, depth in zip(before, (0.0, 0.2e-3, 1e-3), strict=True)]
    return skin.surface_degc, drops[1] / drops[0], drops[2] / drops[0]


def osczevski(fat_mm: float) -> tuple[float, float]:
    """V4: cheek long in cold wind, surface near 12 degC; (surface, thermal resistance from core to surface, m2 K/W)."""
    tissue = face(fat_mm=fat_mm)
    body, film = Body(tissue), 30.0
    state, _ = body.at_rest(film, -10.0, Vessels())
    surface = float(state[SURFACE])
    return surface, (tissue.deep_degc - surface) / (film * (surface + 10.0))


def wind_w_m2k(km_h: float, air_degc: float) -> float:
    """Air to the side of a face that meets the wind: stagnation line of a cylinder 12 cm thick, and 4 for radiation.

    Nu = 1.14 Re^0.5 Pr^0.4 (Incropera); 12 cm: curvature of cheek and forehead (engineering default).
    """
    viscosity, conductivity, thick_m = 1.33e-5 + 0.9e-7 * air_degc, 0.0243 + 7e-5 * air_degc, 0.12
    return 1.14 * math.sqrt(km_h / 3.6 * thick_m / viscosity) * 0.71**0.4 * conductivity / thick_m + 4.0


DUCHARME = {  # air degC, wind km/h: minutes to frostnip as measured; None: none in 45 min
    (-10.0, 32.0): None,
    (-20.0, 32.0): 20.0,
    (-30.0, 16.0): 14.0,
    (-30.0, 32.0): 4.0,
    (-40.0, 16.0): 2.5,
    (-40.0, 32.0): 1.5,
}


@lru_cache(maxsize=8)
def ducharme(air_degc: float, km_h: float) -> tuple[float | None, float | None, float]:
    """V5: minutes until the bare cheek is at -2 and at -4 degC (None: not in 45 or 25 min), and the last surface."""
    skin = SkinUnderWand(ROOM_DEGC, {ZONE: CHEEK}, freezes=False)
    laid(skin, air=wind_w_m2k(km_h, air_degc), ambient=air_degc)
    marks: dict[float, float] = {}
    for step in range(round((45.0 if air_degc > -20.0 else 25.0) * 60.0)):
        blow(skin, 1.0)
        for degc in (-2.0, -4.0):
            if skin.surface_degc < degc:
                marks.setdefault(degc, (step + 1) / 60.0)
        if -4.0 in marks:
            break
    return marks.get(-2.0), marks.get(-4.0), skin.surface_degc


MYRER = {  # skinfold mm, as a class: (fat mm taken, drop K, rewarming in 30 min K) 1 cm below the fat of a calf
    "<= 8": (3.0, 14.4, 5.4),
    "10-18": (7.0, 9.1, 2.2),
    ">= 20": (11.0, 5.0, -0.5),
}


@lru_cache(maxsize=3)
def myrer(fat_mm: float) -> tuple[float, float]:
    """V9: ice on a calf for 20 min, air for 30; (drop 1 cm below the fat, warming after it), K.

    Skin 1.6 mm, 50 mm of muscle at a quarter of its flow, crushed ice at 300 W/m2 K (engineering defaults).
    """
    tissue = face(dermis_mm=1.5, fat_mm=fat_mm)
    muscle = replace(tissue.layers[3], thickness_m=50e-3, perfusion_1_s=tissue.layers[3].perfusion_1_s / 4.0)
    tissue = replace(tissue, layers=(*tissue.layers[:3], muscle))
    skin = SkinUnderWand(ROOM_DEGC, {ZONE: tissue}, freezes=False)
    depth = (1.6 + fat_mm + 10.0) * 1e-3
    before = skin.at_depth(ZONE, depth)
    laid(skin, air=300.0, ambient=0.0)
    blow(skin, 1200.0)
    cold = skin.at_depth(ZONE, depth)
    laid(skin)
    blow(skin, 1800.0)
    return before - cold, skin.at_depth(ZONE, depth) - cold


# -- the daemon's estimate -------------------------------------------------------------------------------------------
@lru_cache(maxsize=2)
def estimate_margin(people: int) -> tuple[float, float, float]:
    """The daemon's skin estimate beside true skin: 30 s at 5 degC, contact of 5000 W/m2 K, on this many people.

    Returns: how far the estimate is at most above the truth, K; until when, s after contact, it ever is; and its
    smallest distance below the truth after the first second, K.
    """
    above, until_s, margin = 0.0, 0.0, math.inf
    for seed in range(people):
        person = drawn(random.Random(seed))  # noqa: S311 - chance is seeded
        tissues = person.tissues()
        for zone in (Zone.LEFT_CHEEK, Zone.NOSE, Zone.PERIORBITAL):
            rested = ROOM_DEGC + person.rested_offset_k
            skin = SkinUnderWand(ROOM_DEGC, {ZONE: tissues[zone]}, vessels=person.vessels, rested_degc=rested)
            estimate = skin_estimate.rebased(skin_estimate.begin(Seconds(0.0)), skin.surface_degc, zone)
            laid(skin, h=5000.0)
            for tick in range(1, 601):
                run(skin, 0.05, 5.0)
                estimate = skin_estimate.advanced(estimate, Seconds(0.05 * tick), 5.0, ROOM_DEGC, (zone,))
                below = skin.surface_degc - estimate.skin_degc(zone)
                if below < 0.0:
                    above, until_s = max(above, -below), max(until_s, 0.05 * tick)
                if tick > 20:
                    margin = min(margin, below)
    return above, until_s, margin
