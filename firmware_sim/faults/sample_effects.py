"""What broken sensors show: each a filter of one tick's samples. The physics under them stays as it is."""

from dataclasses import replace
from typing import Any

from firmware_sim.faults.effect import SampleEffect
from firmware_sim.plant import Plant, Samples


def channels(choice: str) -> tuple[str, ...]:
    """The plate channels that a choice of ``a``, ``b`` or ``both`` names."""
    return ("a", "b") if choice == "both" else (choice,)


class PlateBroken(SampleEffect):
    """A plate channel gives no temperature, and the converter says why."""

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
    """A plate channel shows something else than it measured; without a value there is nothing to change."""

    def alter(self, samples: Samples, plant: Plant, now_s: float) -> Samples:
        fields: dict[str, Any] = {}
        for channel in channels(self.choice("channel")):
            name = f"plate_{channel}_degc"
            shown = getattr(samples, name)
            if shown is not None:
                fields[name] = round(self.shown(channel, shown, plant, now_s - self.began_s), 2)
        return replace(samples, **fields) if fields else samples

    def shown(self, channel: str, degc: float, plant: Plant, for_s: float) -> float:
        """What the channel shows instead of ``degc``, ``for_s`` after the fault began."""
        raise NotImplementedError


class PlateOffset(PlateAltered):
    """Shifted by a fixed step."""

    def shown(self, channel: str, degc: float, plant: Plant, for_s: float) -> float:
        return degc + self.number("offset_k")
