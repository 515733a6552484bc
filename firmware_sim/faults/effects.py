"""Effects of hardware and firmware faults that are not filters: switches that are held, and acts that are done."""

from collections.abc import Callable, Mapping

from firmware_sim.faults.effect import Effect
from firmware_sim.faults.parameters import Value, Values
from firmware_sim.faults.wand import Wand

Settings = Mapping[str, object]


class PlantSwitches(Effect):
    """Holds switches of the plant's disturbances; fires in each firmware tick in which that makes a difference.

    Args:
        values: Parameters.
        settings: The switches and what they are set to.
        acts: Whether it makes a difference now.
    """

    of = "plant"

    def __init__(self, values: Values, settings: Settings, acts: Callable[[Wand], bool]) -> None:
        super().__init__(values)
        self.settings = dict(settings)
        self._acts = acts

    def begin(self, wand: Wand, now_s: float) -> None:
        self._hold(wand)

    def end(self, wand: Wand, now_s: float) -> None:
        for name in self.settings:
            wand.switches.release(id(self), self.of, wand.record(self.of), name)

    def tick(self, wand: Wand, now_s: float) -> None:
        if self._rules(wand) and self._acts(wand):
            self.fire()

    def _hold(self, wand: Wand) -> None:
        for name, value in self.settings.items():
            wand.switches.hold(id(self), self.of, wand.record(self.of), name, value)

    def _rules(self, wand: Wand) -> bool:
        return any(wand.switches.rules(id(self), self.of, name) for name in self.settings)


class FirmwareSwitches(PlantSwitches):
    """Holds quirks of the firmware, which itself counts how often each has made a difference."""

    of = "firmware"

    def __init__(self, values: Values, settings: Settings) -> None:
        super().__init__(values, settings, lambda _: False)
        self._seen = 0

    def begin(self, wand: Wand, now_s: float) -> None:
        super().begin(wand, now_s)
        self._seen = self._acted(wand)

    def tick(self, wand: Wand, now_s: float) -> None:
        self._count(wand)

    def end(self, wand: Wand, now_s: float) -> None:
        self._count(wand)
        super().end(wand, now_s)

    def _count(self, wand: Wand) -> None:
        acted = self._acted(wand)
        if self._rules(wand):
            self.fired += acted - self._seen
        self._seen = acted

    def _acted(self, wand: Wand) -> int:
        return max(wand.firmware.acted[name] for name in self.settings)


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
        if now_s < self._next_s or self.spent:
            return
        period: Value = self.values.get("period_s", 0.0)
        self._next_s += float(period)
        self.fire()
        self._act(wand, self.values)
