"""How cold the skin may be at worst: a tissue model for every zone, advanced every tick, bounded from below.

Skin under a plate is invisible to infra-red. The model assumes more contact, less blood and a colder plate than is
likely. It is an assumption, not a measurement, and is labelled so wherever it is shown.
"""

import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from cryodevice.bioheat import ZONES, Grid, Probe, exact_step, propagator
from cryodevice.frozen import maker
from cryodevice.quantities import Celsius, Seconds
from cryodevice.safety.exposure import Past
from cryodevice.safety.limits import Zone
from cryodevice.safety.replacing import replace

STEP_S = 0.05
"""Time step of the estimator, s; the simulator's plant uses another step and another grid."""
WORST_CONTACT_W_M2K = 5000.0
"""Contact conductance assumed while the plate is colder than the skin: the upper end for gel (clinical note 3.1)."""
PLATE_MARGIN_K = 0.5
"""Taken off the colder plate channel, K (engineering default: sensor error and lag)."""
START_DEGC = 33.0
"""Warmest skin the model starts from, degC; with infra-red one below the baseline if that is colder."""
START_UNSEEN_DEGC = 28.0
"""Skin the model starts from without infra-red: the lowest baseline that may be treated, degC."""
PERFUSION = 0.25
"""Share of resting perfusion assumed: vessels stay narrow long after cold (Khoshnevis 2015; clinical note 2.3)."""
AIR_W_M2K = 10.0
"""Skin to still air (clinical note 3.3)."""
ROOM_DEGC = 20.0
"""Room assumed while the wand does not say, degC (engineering default)."""
FAT_DEPTH_M = 1.1e-3
"""Dermis/fat boundary, m: 0.1 mm epidermis and 1.0 mm dermis (clinical note 3.1)."""
GAP_S = 0.125
"""Without a reply for longer than this the plate is taken at the lower of its last value and the floor, s."""
MAX_CATCH_UP = 20_000
"""Most steps advanced in one call; a longer gap is taken as this long (1000 s)."""
_REWARMED_S = MAX_CATCH_UP * STEP_S

Array = npt.NDArray[np.float64]

_GRID = Grid(ZONES["other"].with_perfusion(PERFUSION), (2, 6, 5, 4), 1.3)
_AIR = propagator(_GRID, STEP_S, AIR_W_M2K)
_TOUCH = exact_step(_GRID, STEP_S, WORST_CONTACT_W_M2K)
_BLOCKED = propagator(_GRID, STEP_S, 0.0)
_SURFACE_AIR = _GRID.probe(0.0, AIR_W_M2K)
_SURFACE_TOUCH = _GRID.probe(0.0, WORST_CONTACT_W_M2K)
_SURFACE_BLOCKED = _GRID.probe(0.0, 0.0)
_FAT = _GRID.probe(FAT_DEPTH_M, WORST_CONTACT_W_M2K)
_ROW = MappingProxyType({zone: index for index, zone in enumerate(Zone)})


def _profile(surface: float) -> Array:
    """Steady cell temperatures whose surface is at ``surface`` degC: linear in the environment, so solved by two."""
    cold, warm = _GRID.steady(AIR_W_M2K, 0.0), _GRID.steady(AIR_W_M2K, 30.0)
    at_cold, at_warm = _SURFACE_AIR.read(cold, 0.0), _SURFACE_AIR.read(warm, 30.0)
    share = (surface - at_cold) / (at_warm - at_cold)
    return cold + share * (warm - cold)


@dataclass(frozen=True, slots=True, eq=False)
class SkinEstimate:
    """Worst-case tissue of every zone at ``at_s``; immutable, ``advanced`` returns the next one.

    Attributes:
        temps: Cell temperatures, degC, (zones, cells).
        surface: Skin surface by zone index, degC.
        at_s: Monotonic second up to which it has been advanced, in whole steps.
    """

    temps: Array
    surface: Array
    at_s: Seconds
    fat: Array = field(default_factory=lambda: np.zeros(0))

    def cells(self, zone: Zone) -> Array:
        """Cell temperatures of a zone, degC."""
        return np.asarray(self.temps[_ROW[zone]])

    def skin_degc(self, zone: Zone) -> Celsius:
        """Worst-case skin surface of a zone."""
        return Celsius(float(self.surface[_ROW[zone]]))

    def fat_degc(self, zone: Zone) -> Celsius:
        """Worst-case dermis/fat boundary of a zone."""
        return Celsius(float(self.fat[_ROW[zone]]))

    def every(self) -> Iterator[tuple[Zone, Celsius, Celsius]]:
        """Each zone with its worst-case skin surface and dermis/fat boundary."""
        return zip(_ROW, self.surface.tolist(), self.fat.tolist(), strict=True)


_estimate = maker(SkinEstimate)


def begin(now_s: Seconds, start_degc: float = START_DEGC) -> SkinEstimate:
    """The estimate before any contact, every zone at ``start_degc``; ``rebased`` lowers it to what infra-red sees."""
    temps = np.tile(_profile(start_degc), (len(Zone), 1))
    return SkinEstimate(temps, np.full(len(Zone), start_degc), now_s, _by_zone(_FAT, temps, 0.0))


def resumed(past: Iterable[Past], now_s: Seconds) -> SkinEstimate:
    """The estimate after a restart: what was cold when it was last touched has rewarmed in room air since, no more.

    Without anything on the books skin starts as ``begin`` has it, else at 28 degC. A zone touched in the last 1000 s
    starts, when its exposure ended, as if it had long been at the lowest skin on record for it.
    """
    found = tuple(past)
    recent = sorted((each for each in found if each.ended_at_s > now_s - _REWARMED_S), key=lambda each: each.ended_at_s)
    began_s = Seconds(min(recent[0].ended_at_s, now_s)) if recent else now_s
    estimate = begin(began_s, START_UNSEEN_DEGC if found else START_DEGC)
    for each in recent:
        estimate = advanced(estimate, Seconds(each.ended_at_s), math.nan, math.nan, ())
        for zone, exposure in each.zones.items():
            estimate = _cooled(estimate, zone, exposure.lowest_skin_degc)
    return replace(advanced(estimate, now_s, math.nan, math.nan, ()), at_s=now_s)


def _cooled(estimate: SkinEstimate, zone: Zone, surface_degc: float) -> SkinEstimate:
    """A zone no warmer than the steady state with this surface."""
    row = _ROW[zone]
    if not surface_degc < float(estimate.surface[row]):
        return estimate
    temps, surface = estimate.temps.copy(), estimate.surface.copy()
    temps[row] = np.minimum(temps[row], _profile(surface_degc))
    surface[row] = surface_degc
    return SkinEstimate(temps, surface, estimate.at_s, _by_zone(_FAT, temps, 0.0))


def rebased(estimate: SkinEstimate, baseline_ir_degc: float, zone: Zone) -> SkinEstimate:
    """Lower a zone that the model has warmer than one below the infra-red baseline; never raises it."""
    return _cooled(estimate, zone, baseline_ir_degc - 1.0)


def advanced(
    estimate: SkinEstimate, now_s: Seconds, plate_degc: float, room_degc: float, touched: Collection[Zone]
) -> SkinEstimate:
    """The estimate at ``now_s``, with the plate (already the pessimistic one) on the ``touched`` zones since then.

    Whole steps only; what is left of the time is kept for the next call. A plate or room that is not a number counts
    as 0 degC and as the assumed room. The plate conducts only while it is colder than the modelled skin.
    """
    steps = int((now_s - estimate.at_s) / STEP_S + 1e-6)
    if steps <= 0:
        return estimate
    plate = (plate_degc if math.isfinite(plate_degc) else 0.0) - PLATE_MARGIN_K
    room = room_degc if math.isfinite(room_degc) else ROOM_DEGC
    rows = [_ROW[zone] for zone in touched]
    temps, surface = estimate.temps, estimate.surface
    for _ in range(min(steps, MAX_CATCH_UP)):
        after = _AIR.step(temps, room)
        seen = _by_zone(_SURFACE_AIR, after, room)
        for row in rows:
            conducting = plate < surface[row]
            move, probe = (_TOUCH, _SURFACE_TOUCH) if conducting else (_BLOCKED, _SURFACE_BLOCKED)
            after[row] = move.step(temps[row], plate)
            seen[row] = probe.read(after[row], plate)
        temps, surface = after, seen
    at_s = Seconds(estimate.at_s + steps * STEP_S)
    return _estimate(temps, surface, at_s, _by_zone(_FAT, temps, 0.0))


@dataclass(frozen=True, slots=True, eq=False)
class Ahead:
    """One temperature after each whole second of contact, as weights of the cells now, the plate, and what is fixed."""

    weights: Array
    environment: Array
    constant: Array


def touched_ahead(seconds: int) -> tuple[Ahead, Ahead]:
    """Skin surface and dermis/fat boundary after 1, 2 ... ``seconds`` s under one plate: the model's own steps."""
    size = _GRID.size
    # The step is affine; one row and column more makes it linear, and 20 of them a second.
    step = np.zeros((size + 2, size + 2))
    step[:size, :size], step[:size, size], step[:size, size + 1] = _TOUCH.matrix, _TOUCH.environment, _TOUCH.source
    step[size, size] = step[size + 1, size + 1] = 1.0
    second = np.linalg.matrix_power(step, round(1.0 / STEP_S))
    state, rows = np.eye(size + 2), []
    for _ in range(seconds):
        state = second @ state
        rows.append(state[:size])
    return _ahead(_SURFACE_TOUCH, rows), _ahead(_FAT, rows)


def _ahead(probe: Probe, rows: list[Array]) -> Ahead:
    told = np.array([probe.weights @ row for row in rows])
    size = told.shape[1] - 2
    weights = np.ascontiguousarray(told[:, :size])
    return Ahead(weights, told[:, size] + probe.environment, told[:, size + 1] + probe.constant)


def _by_zone(probe: Probe, temps: Array, environment_degc: float) -> Array:
    """One temperature of each zone; ``Probe.read`` is for a single one."""
    return np.asarray(temps @ probe.weights + (environment_degc * probe.environment + probe.constant))
