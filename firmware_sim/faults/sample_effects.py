"""What the other broken sensors and inputs show: each a filter of one tick's samples."""

from dataclasses import replace
from typing import Any

from firmware_sim.faults.effect import SampleEffect
from firmware_sim.faults.parameters import Values
from firmware_sim.faults.wand import Wand
from firmware_sim.plant import Plant, Samples


class FieldEffect(SampleEffect):
    """Changes some fields of the samples.

    Args:
        values: Parameters.
        fields: Their names.
    """

    def __init__(self, values: Values, *fields: str) -> None:
        super().__init__(values)
        self._fields = fields

    def alter(self, samples: Samples, plant: Plant, now_s: float) -> Samples:
        shown = {name: self.shown(getattr(samples, name), now_s - self.began_s) for name in self._fields}
        return replace(samples, **shown)

    def shown(self, value: Any, for_s: float) -> Any:
        """What a field shows instead of ``value``."""
        raise NotImplementedError


class Fixed(SampleEffect):
    """Shows always the same.

    Args:
        values: Parameters.
        fields: Fields of the samples, and what they show.
    """

    def __init__(self, values: Values, **fields: object) -> None:
        super().__init__(values)
        self._fields: dict[str, Any] = fields

    def alter(self, samples: Samples, plant: Plant, now_s: float) -> Samples:
        return replace(samples, **self._fields)


class Offset(FieldEffect):
    """Shifted by ``offset_k`` or ``offset_ma``; no value stays none."""

    def shown(self, value: Any, for_s: float) -> Any:
        if isinstance(value, int):
            return value + round(self.number("offset_ma"))
        return None if value is None else round(value + self.number("offset_k"), 2)


class Stuck(FieldEffect):
    """The last value there was, to the last digit."""

    def begin(self, wand: Wand, now_s: float) -> None:
        self._kept: dict[int, Any] = {}

    def alter(self, samples: Samples, plant: Plant, now_s: float) -> Samples:
        for at, name in enumerate(self._fields):
            value = getattr(samples, name)
            if value is not None:
                self._kept.setdefault(at, value)
        shown = {name: self._kept[at] for at, name in enumerate(self._fields) if at in self._kept}
        return replace(samples, **shown)


class Flicker(FieldEffect):
    """An input that is there drops out for a part of each period."""

    def shown(self, value: Any, for_s: float) -> Any:
        period_s = self.number("period_ms") / 1000.0
        return value and for_s % period_s < period_s * self.number("share_on") - 1e-9
