"""From raw samples to the values of a tick: sensor ranges, slow sensors that have gone silent, fault bits of sensors.

Judges sensors only; whether a temperature is dangerous is for the cut-outs.
"""

from dataclasses import dataclass

from cryodevice.wire.codes import Fault
from firmware_sim.firmware.constants import SENSOR_MAX_DEGC, SENSOR_MIN_DEGC, SINK_SENSOR_MAX_DEGC
from firmware_sim.plant.sensors import Samples

SLOW_PERIOD_MS = 100
"""Period of the infra-red and sink sensors; two missed make the value not available (docs/wire.md, engineering
default for the period)."""
AMBIENT_PERIOD_MS = 1000
"""Period of the ambient and humidity sensor (engineering default)."""

_A_OPEN, _A_SHORT = int(Fault.PLATE_A_OPEN), int(Fault.PLATE_A_SHORT)
_B_OPEN, _B_SHORT = int(Fault.PLATE_B_OPEN), int(Fault.PLATE_B_SHORT)


@dataclass(slots=True)
class SlowChannel:
    """A sensor slower than the tick: holds its last value until two of its periods are missed."""

    period_ms: int
    low: float
    high: float
    _value: float | None = None
    _at_ms: int = 0

    def take(self, value: float | None, now_ms: int) -> float | None:
        """The value in force now, or ``None`` when it is not available."""
        if value is not None and self.low <= value <= self.high:
            self._value = value
            self._at_ms = now_ms
        elif now_ms - self._at_ms >= 2 * self.period_ms:
            self._value = None
        return self._value


def plate_channel(value: float | None, fault: str | None, open_bit: int, short_bit: int) -> tuple[float | None, int]:
    """Value and fault bit of one plate channel; a value outside the sensor's range is a broken sensor, not a value."""
    if fault is None and value is not None and SENSOR_MIN_DEGC <= value <= SENSOR_MAX_DEGC:
        return value, 0
    shorted = fault == "short" or (fault is None and value is not None and value > SENSOR_MAX_DEGC)
    return None, short_bit if shorted else open_bit


class Measurements:
    """The measured values of the last completed tick. ``None`` is *not available*.

    Attributes:
        plate_a_degc, plate_b_degc, skin_ir_degc, sink_degc, ambient_degc, humidity_pct: Values in force.
        sensor_faults: Fault bits of the plate sensors.
        readings: The raw sample.
    """

    __slots__ = (
        "_ambient",
        "_humidity",
        "_sink",
        "_skin",
        "ambient_degc",
        "humidity_pct",
        "plate_a_degc",
        "plate_b_degc",
        "readings",
        "sensor_faults",
        "sink_degc",
        "skin_ir_degc",
    )

    def __init__(self) -> None:
        self._skin = SlowChannel(SLOW_PERIOD_MS, SENSOR_MIN_DEGC, SENSOR_MAX_DEGC)
        self._sink = SlowChannel(SLOW_PERIOD_MS, SENSOR_MIN_DEGC, SINK_SENSOR_MAX_DEGC)
        self._ambient = SlowChannel(AMBIENT_PERIOD_MS, SENSOR_MIN_DEGC, SENSOR_MAX_DEGC)
        self._humidity = SlowChannel(AMBIENT_PERIOD_MS, 0.0, 100.0)
        self.plate_a_degc: float | None = None
        self.plate_b_degc: float | None = None
        self.skin_ir_degc: float | None = None
        self.sink_degc: float | None = None
        self.ambient_degc: float | None = None
        self.humidity_pct: float | None = None
        self.sensor_faults = 0
        self.readings: Samples | None = None

    def take(self, readings: Samples, now_ms: int) -> None:
        """Take one tick's sample."""
        self.readings = readings
        self.plate_a_degc, a = plate_channel(readings.plate_a_degc, readings.plate_a_fault, _A_OPEN, _A_SHORT)
        self.plate_b_degc, b = plate_channel(readings.plate_b_degc, readings.plate_b_fault, _B_OPEN, _B_SHORT)
        self.sensor_faults = a | b
        self.skin_ir_degc = self._skin.take(readings.skin_ir_degc, now_ms)
        self.sink_degc = self._sink.take(readings.sink_degc, now_ms)
        self.ambient_degc = self._ambient.take(readings.ambient_degc, now_ms)
        self.humidity_pct = self._humidity.take(readings.humidity_pct, now_ms)

    def plate(self) -> tuple[float, float] | None:
        """Colder and warmer plate channel; one channel alone stands for both, none is ``None``."""
        a = self.plate_b_degc if self.plate_a_degc is None else self.plate_a_degc
        b = self.plate_a_degc if self.plate_b_degc is None else self.plate_b_degc
        if a is None or b is None:
            return None
        return (a, b) if a <= b else (b, a)
