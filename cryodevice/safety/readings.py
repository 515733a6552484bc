"""One reading of the wand, with the quality and age of every channel in it.

Does not judge; ``interlocks`` does. Old data gets worse, never frozen: a sample is fresh, stale, missing or invalid,
and only a fresh one has a value that may permit anything. NaN stands for "no value I would trust".
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from types import MappingProxyType

from cryodevice.frozen import maker
from cryodevice.quantities import Channel, Seconds
from cryodevice.wire.blocks import Status
from cryodevice.wire.codes import Fault

STALE_AFTER_S = Seconds(0.3)
"""A sample older than this is stale: the link-lost time of docs/architecture.md (engineering default)."""
MISSING_AFTER_S = Seconds(5.0)
"""A stale sample older than this says nothing any more (engineering default)."""
FASTEST_COOLING_K_S = 2.0
"""Fastest plausible fall of the plate, K/s. Full drive on a shorted bridge was reckoned at 1.4 K/s, and 20 W net on the
lightest plate considered (12 J/K) at 1.67 K/s; rounded up (engineering default)."""


@dataclass(frozen=True, slots=True)
class Fresh:
    """A good value sampled at ``at_s`` (monotonic seconds)."""

    value: float
    at_s: Seconds


@dataclass(frozen=True, slots=True)
class Stale:
    """The last good value, too old to permit anything."""

    value: float
    at_s: Seconds


@dataclass(frozen=True, slots=True)
class Missing:
    """No value: not fitted, not sampled in time, or too long ago."""


@dataclass(frozen=True, slots=True)
class Invalid:
    """A value came and cannot be true; ``reason`` is open, short or range."""

    reason: str
    at_s: Seconds


Sample = Fresh | Stale | Missing | Invalid

PLAUSIBLE: Mapping[Channel, tuple[float, float]] = MappingProxyType(
    {
        Channel.PLATE_A: (-40.0, 85.0),  # NTC range whose ratio is told from open and short (engineering default)
        Channel.PLATE_B: (-40.0, 85.0),
        Channel.SKIN_IR: (-20.0, 60.0),  # thermopile over skin; live skin lies in 0...42 (engineering default)
        Channel.SINK: (-40.0, 110.0),
        Channel.AMBIENT: (-20.0, 60.0),
        Channel.HUMIDITY: (0.0, 100.0),
        Channel.DRIVE_CURRENT: (-20_000.0, 20_000.0),
        Channel.DRIVE_VOLTAGE: (-32_000.0, 32_000.0),
        Channel.FAN: (0.0, 20_000.0),
        Channel.SUPPLY: (0.0, 60_000.0),
        Channel.DISTANCE: (0.0, 2_000.0),
    }
)
"""Closed range outside which a channel's value cannot be true."""

_ROWS = tuple((channel, *PLAUSIBLE[channel]) for channel in Channel)
_values_of = attrgetter(*Channel)
_MISSING = Missing()
_PLATE_FAULTS = (  # of two, the one that stands last is named: open
    (Channel.PLATE_A, Fault.PLATE_A_SHORT, "short"),
    (Channel.PLATE_A, Fault.PLATE_A_OPEN, "open"),
    (Channel.PLATE_B, Fault.PLATE_B_SHORT, "short"),
    (Channel.PLATE_B, Fault.PLATE_B_OPEN, "open"),
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one round trip brought back; made by ``read``.

    Args:
        status: As the wand sent it.
        at_s: When it was received, on the daemon's monotonic clock.
        good: The channels that are good, and their values.
        lost: The other channels, and what became of them.
        plate_cold_degc: The colder good plate channel, for cold limits; NaN if neither is good.
        plate_warm_degc: The warmer good plate channel, for hot limits; NaN if neither is good.
    """

    status: Status
    at_s: Seconds
    good: Mapping[Channel, float]
    lost: Mapping[Channel, Missing | Invalid]
    plate_cold_degc: float
    plate_warm_degc: float

    def sample(self, channel: Channel) -> Sample:
        """The channel as received, with its quality."""
        return self.lost.get(channel) or Fresh(self.good[channel], self.at_s)

    def value(self, channel: Channel) -> float:
        """The channel's value as received, NaN unless it was good."""
        return self.good.get(channel, math.nan)


_reading = maker(Reading)


def read(status: Status, at_s: Seconds) -> Reading:
    """Give every channel of a status its quality."""
    good: dict[Channel, float] = {}
    lost: dict[Channel, Missing | Invalid] = {}
    for (channel, low, high), value in zip(_ROWS, _values_of(status), strict=True):
        if value is None:
            lost[channel] = _MISSING
        elif low <= value <= high:
            good[channel] = float(value)
        else:
            lost[channel] = Invalid("range", at_s)
    if status.faults:
        for channel, fault, reason in _PLATE_FAULTS:
            if fault in status.faults:
                lost[channel] = Invalid(reason, at_s)
                good.pop(channel, None)
    plates = [good[channel] for channel in (Channel.PLATE_A, Channel.PLATE_B) if channel in good]
    cold, warm = min(plates, default=math.nan), max(plates, default=math.nan)
    return _reading(status, at_s, MappingProxyType(good), MappingProxyType(lost), cold, warm)


def aged(sample: Sample, now_s: Seconds) -> Sample:
    """The same sample as it must be seen at ``now_s``: fresh turns stale, stale turns missing; nothing gets better."""
    if isinstance(sample, Missing | Invalid):
        return sample
    age = now_s - sample.at_s
    if not age <= MISSING_AFTER_S:
        return Missing()
    if isinstance(sample, Stale) or not age <= STALE_AFTER_S:
        return Stale(sample.value, sample.at_s)
    return sample


def worst_case(sample: Sample, now_s: Seconds) -> float:
    """Coldest value the channel may plausibly have now, degC; NaN if it was never good.

    Assumes the fastest plausible cooling since the last good value. A time before the sample counts as no time.
    """
    if isinstance(sample, Missing | Invalid):
        return math.nan
    return sample.value - FASTEST_COOLING_K_S * max(0.0, now_s - sample.at_s)
