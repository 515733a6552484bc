"""A third look at the plate: what its own module's voltage says of its temperature, beside what the sensors say.

Current through a thermoelectric meets its resistance, and a voltage that the difference of its two sides makes:
V = I R + S (Th - Tc). So drive voltage, drive current and sink give the plate's temperature without its sensors.
Coarse, and judges nothing.
"""

import math
from dataclasses import dataclass

from cryodevice.quantities import Channel, Seconds
from cryodevice.safety.readings import Reading
from cryodevice.safety.replacing import replace

SEEBECK_V_K, SEEBECK_V_K2 = 0.0483, 1.0e-4
RESISTANCE_OHM, RESISTANCE_OHM_K = 1.75, 0.0088
KNOWN_AT_DEGC = 25.0
"""Module at that hot side, and how its figures change with it: TEC1-12706 by its data sheet at 25 and 50 degC hot side
(clinical note 4.1)."""
LEARNT_OVER_S = 1.0
"""Hard drive this long at the beginning of a session tells this wand's own resistance, s (engineering default)."""
LEARNT_SHARE = 0.3
"""Hard enough for that, as a share of the largest current (engineering default)."""
LEARNT_RATIO = (0.5, 2.0)
"""Furthest that resistance is believed to be from the data sheet's, as a ratio (engineering default)."""
SMOOTHED_S = 1.0
"""Time constant of the comparison, s: noise of 0.2 % of current and voltage is 0.4 K in one sample and 0.06 K then
(engineering default)."""
OWN_K = 1.0
"""Difference in precool that is the wand's own, spread of its module and lag of its sensors, K; no more is forgiven
(engineering default)."""
LOWEST_K = -2.0
"""Further below than this counts as this, K, so that a drive that was out for a moment buys no credit (engineering
default)."""
_SLOWEST_TICK_S = 0.2


@dataclass(frozen=True, slots=True)
class PlateModel:
    """How far the sensors show the plate warmer than its module does.

    Args:
        seen_s: When the newest reading came; -inf before the first.
        voltage_known: That reading had a drive voltage.
        ratio: Resistance of this wand over the data sheet's; 1 until it has been learnt.
        learnt_s: Hard drive that the ratio comes from so far, s.
        apart_k: Colder channel less the module's own figure, smoothed, K.
        own_k: Part of it that is the wand's own.
    """

    seen_s: Seconds = Seconds(-math.inf)  # noqa: RUF009  # a NewType call is the number itself
    voltage_known: bool = True
    ratio: float = 1.0
    learnt_s: float = 0.0
    apart_k: float = 0.0
    own_k: float = 0.0

    @property
    def residual_k(self) -> float:
        """How much warmer the sensors show the plate than its module does, less the wand's own, K; NaN unknown."""
        return self.apart_k - self.own_k if self.voltage_known else math.nan


def plate_by_module_degc(volts: float, amperes: float, sink_degc: float, ratio: float = 1.0) -> float:
    """Plate temperature that belongs to this voltage, current and sink."""
    seebeck, ohms = _figures(sink_degc)
    return sink_degc - (volts - amperes * ohms * ratio) / seebeck


def followed(model: PlateModel, reading: Reading, drive_max_ma: float, off_ma: float, *, precool: bool) -> PlateModel:
    """The comparison after one more reading.

    Args:
        model: As it was.
        reading: The newest; one in which nothing drives, or something is not known, changes nothing else.
        drive_max_ma: Largest current of this wand.
        off_ma: Current that counts as none.
        precool: The plate is being pulled down off the skin: what differs now is the wand's own, up to ``OWN_K``.
    """
    now = reading.at_s
    dt_s = min(max(now - model.seen_s, 0.0), _SLOWEST_TICK_S)
    volts, amperes = reading.value(Channel.DRIVE_VOLTAGE) / 1000.0, reading.value(Channel.DRIVE_CURRENT) / 1000.0
    sink, plate = reading.value(Channel.SINK), reading.plate_cold_degc
    model = replace(model, seen_s=now, voltage_known=not math.isnan(volts))
    driven = max(amperes, volts / RESISTANCE_OHM) * 1000.0 > off_ma  # a current sensor that is dead shows the voltage
    if not driven or not math.isfinite(volts + amperes + sink + plate):
        return model
    if model.learnt_s < LEARNT_OVER_S and amperes * 1000.0 >= LEARNT_SHARE * drive_max_ma > 0.0:
        seebeck, ohms = _figures(sink)
        model = _learnt(model, (volts - seebeck * (sink - plate)) / (amperes * ohms), dt_s)
    away_k = max(plate - plate_by_module_degc(volts, amperes, sink, model.ratio), LOWEST_K)
    apart_k = model.apart_k + (away_k - model.apart_k) * -math.expm1(-dt_s / SMOOTHED_S)
    own_k = min(max(apart_k, -OWN_K), OWN_K) if precool else model.own_k
    return replace(model, apart_k=apart_k, own_k=own_k)


def _figures(sink_degc: float) -> tuple[float, float]:
    """Seebeck coefficient, V/K, and resistance, ohm, at this hot side."""
    rise = sink_degc - KNOWN_AT_DEGC
    return SEEBECK_V_K + SEEBECK_V_K2 * rise, RESISTANCE_OHM + RESISTANCE_OHM_K * rise


def _learnt(model: PlateModel, seen: float, dt_s: float) -> PlateModel:
    """The ratio of resistance with one more look at it, while plate and sink still are near where they rested."""
    learnt_s = model.learnt_s + dt_s
    ratio = seen if learnt_s <= dt_s else model.ratio + (seen - model.ratio) * dt_s / learnt_s
    return replace(model, learnt_s=learnt_s, ratio=min(max(ratio, LEARNT_RATIO[0]), LEARNT_RATIO[1]))
