"""What the wand's sensors show of the truth: lag, noise, resolution, faults. Has no part in the physics.

Every sample draws the same number of random numbers whatever is broken, so a fault in one channel leaves the noise of
the others as it was.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import numpy as np

from cryodevice.frozen import maker
from firmware_sim.plant.disturbances import Disturbances

PLATE_SIGMA_K: Final = 0.02
"""Noise of the plate channels (engineering default: a 12-bit converter on a 10 k NTC gives 0.025 K a step)."""
SKIN_SIGMA_K: Final = 0.05
SINK_SIGMA_K: Final = 0.05
AMBIENT_SIGMA_K: Final = 0.02
HUMIDITY_SIGMA_PCT: Final = 0.1
NOMINAL_SUPPLY_V: Final = 12.0
_PLATE_A_LAG_S: Final = 0.30
_PLATE_B_LAG_S: Final = 0.35
_SKIN_LAG_S: Final = 0.1
_SINK_LAG_S: Final = 1.0
_GAIN_SIGMA: Final = 0.002
"""Noise of drive current, drive voltage and tachometer, as a share of the value: nothing flows, nothing shows."""
_DRAWN_AT_ONCE: Final = 50
"""Ticks whose noise is drawn together: the numbers are those of as many draws."""
_FAN_RUNS: Final = 0.6
"""A fan below this share of its rated speed is not running (engineering default)."""

PlateFault = Literal["open", "short"]


@dataclass(frozen=True, slots=True)
class Samples:
    """One firmware tick's readings. None: the sensor gives no value; a plate fault then says why.

    ``drive_ma`` and ``drive_mv`` are the bridge's own, + cools. Temperatures have a resolution of 0.01 degC.
    """

    plate_a_degc: float | None
    plate_b_degc: float | None
    plate_a_fault: PlateFault | None
    plate_b_fault: PlateFault | None
    skin_ir_degc: float | None
    sink_degc: float | None
    ambient_degc: float | None
    humidity_pct: float | None
    drive_ma: int
    drive_mv: int
    fan_rpm: int
    fan_running: bool
    contact: bool
    trigger: bool
    estop: bool
    tip: bool
    motion: bool
    supply_v: float = NOMINAL_SUPPLY_V


class Scene(Protocol):
    """Room and hand as a sample measures them, without lag."""

    ambient_degc: float
    humidity_pct: float
    contact: bool
    trigger: bool
    estop: bool
    tip: bool
    motion: bool


_samples = maker(Samples)


def _plate_fault(*, is_open: bool, is_short: bool) -> PlateFault | None:
    return "open" if is_open else "short" if is_short else None


class Sensors:
    """Two plate channels, skin infra-red, sink, ambient, humidity, bridge and tachometer.

    Args:
        seed: Of the noise.
        plate_degc, sink_degc, skin_degc: What the lagging sensors have settled to.
        dt_s: Length of the sub-step after which ``follow`` is called.
    """

    __slots__ = ("_gains", "_last_a", "_noise", "_plate_a", "_plate_b", "_random", "_sink", "_skin")

    def __init__(self, seed: int, plate_degc: float, sink_degc: float, skin_degc: float, dt_s: float) -> None:
        self._random = np.random.default_rng(seed)
        self._noise: Iterator[list[float]] = iter(())
        self._plate_a = self._plate_b = plate_degc
        self._sink = sink_degc
        self._skin = skin_degc
        self._last_a: float | None = None
        lags = (_PLATE_A_LAG_S, _PLATE_B_LAG_S, _SINK_LAG_S, _SKIN_LAG_S)
        self._gains = tuple(float(-np.expm1(-dt_s / lag)) for lag in lags)

    def follow(self, plate_degc: float, sink_degc: float, skin_degc: float) -> None:
        """Let the lagging sensors follow the truth for one sub-step; the infra-red window looks at ``skin_degc``."""
        a, b, sink, skin = self._gains
        self._plate_a += (plate_degc - self._plate_a) * a
        self._plate_b += (plate_degc - self._plate_b) * b
        self._sink += (sink_degc - self._sink) * sink
        self._skin += (skin_degc - self._skin) * skin

    def sample(
        self, scene: Scene, faults: Disturbances, *, drive_a: float, drive_v: float, fan_rpm: float, rated_rpm: float
    ) -> Samples:
        """One reading of everything; called once each firmware tick."""
        noise = next(self._noise, None) or self._drawn()
        a = round(self._plate_a + PLATE_SIGMA_K * noise[0] + faults.plate_a_offset_k, 2)
        b = round(self._plate_b + PLATE_SIGMA_K * noise[1] + faults.plate_b_offset_k, 2)
        if not faults.plate_a_frozen or self._last_a is None:
            self._last_a = a
        a_fault = _plate_fault(is_open=faults.plate_a_open, is_short=faults.plate_a_short)
        b_fault = _plate_fault(is_open=faults.plate_b_open, is_short=faults.plate_b_short)
        blind = scene.contact or faults.skin_ir_lost
        return _samples(
            plate_a_degc=self._last_a if a_fault is None else None,
            plate_b_degc=b if b_fault is None else None,
            plate_a_fault=a_fault,
            plate_b_fault=b_fault,
            skin_ir_degc=None if blind else round(self._skin + SKIN_SIGMA_K * noise[2] + faults.skin_ir_offset_k, 2),
            sink_degc=None
            if faults.sink_lost
            else round(self._sink + SINK_SIGMA_K * noise[3] + faults.sink_offset_k, 2),
            ambient_degc=round(scene.ambient_degc + AMBIENT_SIGMA_K * noise[4], 2),
            humidity_pct=min(max(round(scene.humidity_pct + HUMIDITY_SIGMA_PCT * noise[5], 2), 0.0), 100.0),
            drive_ma=round(drive_a * 1000.0 * (1.0 + _GAIN_SIGMA * noise[6])),
            drive_mv=round(drive_v * 1000.0 * (1.0 + _GAIN_SIGMA * noise[7])),
            fan_rpm=round(fan_rpm * (1.0 + _GAIN_SIGMA * noise[8])),
            fan_running=fan_rpm >= _FAN_RUNS * rated_rpm,
            contact=scene.contact and not faults.contact_dead,
            trigger=scene.trigger,
            estop=scene.estop,
            tip=scene.tip,
            motion=scene.motion,
            supply_v=NOMINAL_SUPPLY_V if faults.supply_v is None else faults.supply_v,
        )

    def _drawn(self) -> list[float]:
        """The noise of this tick, and that of the next ones put by."""
        self._noise = iter(self._random.standard_normal((_DRAWN_AT_ONCE, 9)).tolist())
        return next(self._noise)
