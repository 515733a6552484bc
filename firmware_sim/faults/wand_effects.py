"""Effects of firmware faults that must know the wand they act on: what it has, how long it runs, that it boots."""

from collections.abc import Callable
from typing import Final

from cryodevice.wire.codes import Capability
from firmware_sim.faults.effects import FirmwareSwitches
from firmware_sim.faults.parameters import Values
from firmware_sim.faults.wand import Wand

_ROUNDING_S: Final = 1e-9


class PowerCut(FirmwareSwitches):
    """The wand is dead until the fault ends, and boots then."""

    def __init__(self, values: Values) -> None:
        super().__init__(values, lambda _: {"unpowered": True})

    def end(self, wand: Wand, now_s: float) -> None:
        super().end(wand, now_s)
        wand.reboot("power_on")


class Hung(FirmwareSwitches):
    """The whole program hangs, until a watchdog that works resets the wand."""

    def __init__(self, values: Values) -> None:
        super().__init__(values, lambda _: {"hung": True, "relay_timer_dead": values["relay_timer"] == "dead"})
        self._bites = values["watchdog"] == "works"
        self._bitten = False

    @property
    def spent(self) -> bool:
        """Also once it has been reset."""
        return self._bitten or super().spent

    def tick(self, wand: Wand, now_s: float) -> None:
        super().tick(wand, now_s)
        self._bitten = self._bites and now_s >= self.began_s + self.number("watchdog_s") - _ROUNDING_S

    def end(self, wand: Wand, now_s: float) -> None:
        super().end(wand, now_s)
        if self._bitten:
            wand.reboot("watchdog")


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
        more: Quirks beside it.
    """

    def __init__(self, values: Values, offset_ms: Callable[[float], float], **more: float) -> None:
        self._start_ms = 0
        super().__init__(values, lambda for_s: {"uptime_offset_ms": round(offset_ms(for_s)) + self._start_ms, **more})

    @classmethod
    def drifting(cls, values: Values) -> "UptimeLie":
        """Runs too fast or too slow."""
        rate = float(values["rate"])
        return cls(values, lambda for_s: (rate - 1.0) * 1000.0 * for_s, clock_rate=rate)

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


class MissingCapability(FirmwareSwitches):
    """One of the capabilities it was made with is left out."""

    def __init__(self, values: Values) -> None:
        self._said = 0
        super().__init__(values, lambda _: {"capabilities": self._said})

    def begin(self, wand: Wand, now_s: float) -> None:
        self._said = wand.firmware.capabilities & ~Capability[self.choice("capability").upper()]
        super().begin(wand, now_s)
