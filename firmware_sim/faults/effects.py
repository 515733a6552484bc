"""Effects of hardware and firmware faults that are not filters: switches that are held, and acts that are done."""

from collections.abc import Callable, Mapping
from typing import Final

from firmware_sim.faults.effect import Effect
from firmware_sim.faults.parameters import Values
from firmware_sim.faults.wand import Wand
from firmware_sim.plant import Plant

_TICK_S: Final = 0.02
_ROUNDING_S: Final = 1e-9
Settings = Mapping[str, object]
Now = Callable[[float], Settings]
"""The switches and what they are set to, so many seconds after the fault began; always the same switches."""


class Switched(Effect):
    """Holds switches of one record.

    Args:
        values: Parameters.
        now: What is set.
    """

    of = "plant"

    def __init__(self, values: Values, now: Now) -> None:
        super().__init__(values)
        self._now = now
        self._names = tuple(now(0.0))

    def begin(self, wand: Wand, now_s: float) -> None:
        self.hold(wand, now_s)

    def tick(self, wand: Wand, now_s: float) -> None:
        self.hold(wand, now_s)

    def end(self, wand: Wand, now_s: float) -> None:
        for name in self._names:
            wand.switches.release(id(self), self.of, wand.record(self.of), name)

    def hold(self, wand: Wand, now_s: float) -> None:
        """Set the switches as they are to be now."""
        for name, value in self._now(now_s - self.began_s).items():
            wand.switches.hold(id(self), self.of, wand.record(self.of), name, value)

    def rules(self, wand: Wand) -> bool:
        """Whether any of its switches is as it wants it."""
        return any(wand.switches.rules(id(self), self.of, name) for name in self._names)


class PlantSwitches(Switched):
    """Switches of the plant's disturbances; fires in each firmware tick in which they make a difference.

    Args:
        values: Parameters.
        now: What is set.
        acts: Whether it makes a difference to the plant as it is.
    """

    def __init__(self, values: Values, now: Now, acts: Callable[[Plant], bool]) -> None:
        super().__init__(values, now)
        self._acts = acts

    def tick(self, wand: Wand, now_s: float) -> None:
        super().tick(wand, now_s)
        if self.rules(wand) and self._acts(wand.plant):
            self.fire()


class FirmwareSwitches(Switched):
    """Quirks of the firmware, which itself counts how often each has made a difference."""

    of = "firmware"

    def begin(self, wand: Wand, now_s: float) -> None:
        super().begin(wand, now_s)
        self._seen = self._acted(wand)

    def tick(self, wand: Wand, now_s: float) -> None:
        super().tick(wand, now_s)
        self.count(wand)

    def end(self, wand: Wand, now_s: float) -> None:
        self.count(wand)
        super().end(wand, now_s)

    def count(self, wand: Wand) -> None:
        acted = self._acted(wand)
        if self.rules(wand):
            self.fired += acted - self._seen
        self._seen = acted

    def _acted(self, wand: Wand) -> int:
        return max(wand.firmware.acted[name] for name in self._names)


class Act(Effect):
    """Something done to the wand when the fault begins and, where it has a ``period_s``, again and again.

    Args:
        values: Parameters.
        act: What is done.
    """

    def __init__(self, values: Values, act: Callable[[Wand, Values], None]) -> None:
        super().__init__(values)
        self._act = act
        self._next_s = 0.0

    def begin(self, wand: Wand, now_s: float) -> None:
        self._next_s = now_s
        self.tick(wand, now_s)

    def tick(self, wand: Wand, now_s: float) -> None:
        if now_s < self._next_s - _ROUNDING_S or self.spent:
            return
        self._next_s += max(float(self.values.get("period_s", 0.0)), _TICK_S)
        self.fire()
        self._act(wand, self.values)
