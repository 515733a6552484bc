"""Units as types, the only conversions between them, and the gate that keeps NaN out.

Does not know registers, limits or devices. Every number that crosses a border (TOML, JSON, register) carries its unit
in its key (``plate_degc``, ``hold_s``, ``lease_ms``); inside, the type carries it.
"""

import math
from enum import StrEnum
from typing import NewType

from cryodevice.errors import QuantityError

Celsius = NewType("Celsius", float)
"""Temperature, degree Celsius."""
Kelvin = NewType("Kelvin", float)
"""Absolute temperature or temperature difference, kelvin."""
Seconds = NewType("Seconds", float)
"""Duration or monotonic instant, seconds. Never wall-clock time."""
Milliseconds = NewType("Milliseconds", int)
"""Duration or device uptime, whole milliseconds."""
Watts = NewType("Watts", float)
Amperes = NewType("Amperes", float)

ZERO_DEGC_K = 273.15
"""0 degC in kelvin (definition of the Celsius scale)."""

DAY_S = 86_400.0
_WIRE_EPOCH_DAY = 10_957
"""2000-01-01 as days since 1970-01-01: day 0 of dates on the wire (docs/wire.md 3)."""

U16 = 1 << 16
U32 = 1 << 32


class Channel(StrEnum):
    """The measured channels of a wand, by the name they carry everywhere (log, telemetry, settings)."""

    PLATE_A = "plate_a_degc"
    PLATE_B = "plate_b_degc"
    SKIN_IR = "skin_ir_degc"
    SINK = "sink_degc"
    AMBIENT = "ambient_degc"
    HUMIDITY = "humidity_pct"
    DRIVE_CURRENT = "drive_ma"
    DRIVE_VOLTAGE = "drive_mv"
    FAN = "fan_rpm"
    SUPPLY = "supply_kpa"
    DISTANCE = "distance_mm"


def finite(value: float, what: str, low: float = -math.inf, high: float = math.inf) -> float:
    """Return ``value`` if it is a finite number inside the closed range [low, high].

    Written so that NaN fails: the test is for the good range, never for the bad one.

    Raises:
        QuantityError: The value is NaN, infinite, or outside the range; names ``what`` and the range.
    """
    if math.isfinite(value) and low <= value <= high:
        return value
    raise QuantityError(f"{what} is {value!r}; it must be a finite number in [{low}, {high}]", what=what, value=value)


def wire_day(wall_s: float) -> int:
    """The day of a wall-clock instant (seconds since 1970-01-01 UTC), as dates on the wire count: since 2000-01-01."""
    return int(wall_s // DAY_S) - _WIRE_EPOCH_DAY


def to_kelvin(temperature: Celsius) -> Kelvin:
    """Absolute temperature of a Celsius temperature."""
    return Kelvin(temperature + ZERO_DEGC_K)


def to_celsius(temperature: Kelvin) -> Celsius:
    """Celsius temperature of an absolute temperature."""
    return Celsius(temperature - ZERO_DEGC_K)


def seconds(duration: Milliseconds) -> Seconds:
    """Milliseconds as seconds."""
    return Seconds(duration / 1000.0)


def milliseconds(duration: Seconds) -> Milliseconds:
    """Seconds as whole milliseconds, rounded to nearest."""
    return Milliseconds(round(duration * 1000.0))


def u16_newer(new: int, last: int) -> bool:
    """Whether u16 counter ``new`` is ahead of ``last``: (new - last) mod 65536 in 1...32767 (docs/wire.md)."""
    return 1 <= (new - last) % U16 <= 0x7FFF
