"""Effects of hardware and firmware faults that are not filters: switches that are held, and acts that are done."""

from collections.abc import Callable, Mapping

from firmware_sim.faults.effect import Effect
from firmware_sim.faults.parameters import Values
from firmware_sim.faults.wand import Wand
from firmware_sim.plant import Plant

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


class PowerCut(FirmwareSwitches):
    """The wand is dead until the fault ends, and boots then."""

    def __init__(self, values: Values) -> None:
        super().__init__(values, lambda _: {"unpowered": True})

    def end(self, wand: Wand, now_s: float) -> None:
        super().end(wand, now_s)
        wand.reboot("power_on")


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
        if now_s < self._next_s - 1e-9 or self.spent:
            return
        self._next_s += float(self.values.get("period_s", 0.0))
        self.fire()
        self._act(wand, self.values)


class Reboot(FirmwareSwitches):
    """A boot that is not counted; the next one is."""

    def __init__(self, values: Values) -> None:
        super().__init__(values, lambda _: {"boot_id_reused": True})

    def begin(self, wand: Wand, now_s: float) -> None:
        super().begin(wand, now_s)
        wand.reboot("power_on")
        self.count(wand)


class UptimeLie(FirmwareSwitches):
    """The uptime that is told is off by more and more, or by a step.

    Args:
        values: Parameters.
        offset_ms: By how much, so many seconds after it began.
    """

    def __init__(self, values: Values, offset_ms: Callable[[float], float]) -> None:
        self._start_ms = 0
        super().__init__(values, lambda for_s: {"uptime_offset_ms": round(offset_ms(for_s)) + self._start_ms})

    @classmethod
    def drifting(cls, values: Values) -> "UptimeLie":
        """Runs too fast or too slow."""
        rate = float(values["rate"])
        return cls(values, lambda for_s: (rate - 1.0) * 1000.0 * for_s)

    @classmethod
    def jumping(cls, values: Values) -> "UptimeLie":
        """Is off by a step."""
        return cls(values, lambda _: float(values["jump_ms"]))

    @classmethod
    def rolling(cls, values: Values) -> "UptimeLie":
        """Is just before it rolls over, whatever the true one is."""
        lie = cls(values, lambda _: -float(values["before_ms"]))
        lie.rolls = True
        return lie

    rolls = False

    def begin(self, wand: Wand, now_s: float) -> None:
        if self.rolls:
            self._start_ms = -wand.firmware.uptime_ms
        super().begin(wand, now_s)
