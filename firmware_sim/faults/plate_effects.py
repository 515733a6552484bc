"""What a broken plate channel shows: each a filter of one tick's samples. The physics under them stays as it is."""

import math
from dataclasses import replace
from random import Random
from typing import Any, Final

from firmware_sim.faults.effect import SampleEffect
from firmware_sim.faults.wand import Wand
from firmware_sim.plant import Plant, Samples

_TICK_S: Final = 0.02
_NO_NUMBERS: Final = {"nan": math.nan, "inf": math.inf, "minus_inf": -math.inf, "sentinel": -327.68}
NO_NUMBERS: Final = tuple(_NO_NUMBERS)
_PIVOT_DEGC: Final = 25.0
"""Where a converter whose scale is wrong is still right: the temperature at which it was adjusted."""


def channels(choice: str) -> tuple[str, ...]:
    """The plate channels that a choice of ``a``, ``b`` or ``both`` names."""
    return ("a", "b") if choice == "both" else (choice,)


class PlateBroken(SampleEffect):
    """No temperature, and the converter says why."""

    why = "open"

    def alter(self, samples: Samples, plant: Plant, now_s: float) -> Samples:
        fields: dict[str, Any] = {}
        for channel in channels(self.choice("channel")):
            fields |= {f"plate_{channel}_degc": None, f"plate_{channel}_fault": self.why}
        return replace(samples, **fields)


class PlateShort(PlateBroken):
    """The same for a short circuit."""

    why = "short"


class PlateAltered(SampleEffect):
    """Something else than was measured; without a value there is nothing to change."""

    def begin(self, wand: Wand, now_s: float) -> None:
        self.kept: dict[str, float] = {}
        self.chance = Random(self.seed)

    def alter(self, samples: Samples, plant: Plant, now_s: float) -> Samples:
        fields: dict[str, Any] = {}
        for channel in channels(str(self.values.get("channel", "both"))):
            name = f"plate_{channel}_degc"
            measured = getattr(samples, name)
            if measured is not None:
                fields[name] = round(self.shown(channel, measured, plant, now_s - self.began_s), 2)
        return replace(samples, **fields) if fields else samples

    def shown(self, channel: str, degc: float, plant: Plant, for_s: float) -> float:
        """What the channel shows instead of ``degc``, ``for_s`` after the fault began."""
        raise NotImplementedError

    def follow(self, channel: str, start_degc: float, target_degc: float, lag_s: float) -> float:
        """Its own temperature, which began at ``start_degc`` and follows ``target_degc`` with a lag."""
        last = self.kept.get(channel, start_degc)
        self.kept[channel] = last + (target_degc - last) * -math.expm1(-_TICK_S / lag_s)
        return self.kept[channel]


class PlateStuck(PlateAltered):
    """The first value, to the last digit."""

    def shown(self, channel: str, degc: float, plant: Plant, for_s: float) -> float:
        return self.kept.setdefault(channel, degc)


class PlateOffset(PlateAltered):
    """Shifted by a fixed step."""

    def shown(self, channel: str, degc: float, plant: Plant, for_s: float) -> float:
        return degc + self.number("offset_k")


class PlateDrift(PlateAltered):
    """Shifted by more and more."""

    def shown(self, channel: str, degc: float, plant: Plant, for_s: float) -> float:
        limit = self.number("limit_k")
        return degc + min(max(self.number("rate_k_s") * for_s, -limit), limit)


class PlateSwing(PlateAltered):
    """Up and down faster than any plate can."""

    def shown(self, channel: str, degc: float, plant: Plant, for_s: float) -> float:
        height = self.number("height_k")
        phase = for_s * self.number("rate_k_s") / height % 4.0
        return degc + height * (phase if phase < 1.0 else 2.0 - phase if phase < 3.0 else phase - 4.0)


class PlateNoise(PlateAltered):
    """Noise as of a loose contact on top of its own."""

    def shown(self, channel: str, degc: float, plant: Plant, for_s: float) -> float:
        return degc + self.chance.gauss(0.0, self.number("sigma_k"))


class PlateNoNumber(PlateAltered):
    """What is no temperature."""

    def shown(self, channel: str, degc: float, plant: Plant, for_s: float) -> float:
        return _NO_NUMBERS[self.choice("value")]


class PlateOff(PlateAltered):
    """Off the plate, in the air beside it."""

    def shown(self, channel: str, degc: float, plant: Plant, for_s: float) -> float:
        return self.follow(channel, degc, plant.ambient_degc, self.number("lag_s"))


class PlateSluggish(PlateAltered):
    """Behind the plate by more than it should be."""

    def shown(self, channel: str, degc: float, plant: Plant, for_s: float) -> float:
        return self.follow(channel, degc, degc, self.number("lag_s"))


class PlateScale(PlateAltered):
    """A wrong scale; right at 25 degC only."""

    def shown(self, channel: str, degc: float, plant: Plant, for_s: float) -> float:
        return _PIVOT_DEGC + (degc - _PIVOT_DEGC) * self.number("factor")


class PlateFahrenheit(PlateAltered):
    """Degrees Fahrenheit under the name of degC."""

    def shown(self, channel: str, degc: float, plant: Plant, for_s: float) -> float:
        return degc * 1.8 + 32.0


class PlateCoarse(PlateAltered):
    """Whole steps only, as of a converter that has lost its lower bits."""

    def shown(self, channel: str, degc: float, plant: Plant, for_s: float) -> float:
        return degc - degc % self.number("step_k")


class PlateSwapped(SampleEffect):
    """The two channels are exchanged."""

    def alter(self, samples: Samples, plant: Plant, now_s: float) -> Samples:
        return replace(
            samples,
            plate_a_degc=samples.plate_b_degc,
            plate_b_degc=samples.plate_a_degc,
            plate_a_fault=samples.plate_b_fault,
            plate_b_fault=samples.plate_a_fault,
        )


class PlateSinkSwapped(SampleEffect):
    """The cold and the hot side are exchanged."""

    def alter(self, samples: Samples, plant: Plant, now_s: float) -> Samples:
        fields: dict[str, Any] = {}
        for channel in channels(self.choice("channel")):
            fields |= {
                "sink_degc": getattr(samples, f"plate_{channel}_degc"),
                f"plate_{channel}_degc": samples.sink_degc,
            }
        return replace(samples, **fields)
