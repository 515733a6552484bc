"""The hand that holds the wand: what it means to do, and the lifts, slips and glides that come with it, by a seed.

It moves only the wand. Trigger and e-stop are what somebody decides, not what happens.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from cryodevice.errors import QuantityError
from cryodevice.quantities import finite
from firmware_sim.plant.individual import Conductance

Surface = Literal["dry", "gel", "light"]
_SURFACES: Final = ("dry", "gel", "light")
_RANGE_W_M2K: Final = (300.0, 5000.0)
_RUNG: Final = 1.05
"""Conductances stand on a ladder of 5 %, so that the steps made ready for one contact serve others."""


@dataclass(frozen=True, slots=True)
class Habits:
    """How somebody holds a wand; engineering defaults, for no source has watched one.

    Attributes:
        lifts_per_min: Times in a minute of contact that the plate comes off by itself, a Poisson process.
        lift_s: Mean length of such a lift, s, exponential.
        slips_per_min: Times in a minute of contact that the pressure, and so the conductance, changes.
        spread: How much: standard deviation of its logarithm.
        crossings_per_min: Times in a minute of gliding that the plate crosses into another of the zones glided over.
    """

    lifts_per_min: float = 2.0
    lift_s: float = 1.0
    slips_per_min: float = 6.0
    spread: float = 0.3
    crossings_per_min: float = 6.0

    def __post_init__(self) -> None:
        for name in ("lifts_per_min", "slips_per_min", "crossings_per_min"):
            finite(getattr(self, name), name, 0.0, 600.0)
        finite(self.lift_s, "lift_s", 0.01, 600.0)
        finite(self.spread, "spread", 0.0, 2.0)


@dataclass(frozen=True, slots=True)
class Grip:
    """Where the wand is: what a hand sets on the plant."""

    contact: bool
    zone: str
    conductance_w_m2k: float
    gel: bool
    motion: bool


class Hand:
    """One hand. ``lay``, ``glide`` and ``lift`` are what it means; ``at`` is what comes of it.

    Args:
        seed: Of every chance; the same seed and the same calls give the same grips.
        zone: Where the wand is pointed at first.
        habits: How it holds a wand.
        conductance: How the skin that it treats meets a plate.
    """

    def __init__(
        self,
        seed: int,
        zone: str = "forehead",
        habits: Habits | None = None,
        conductance: Conductance | None = None,
    ) -> None:
        self._chance = random.Random(f"{seed} hand")  # noqa: S311 - chance is seeded
        self._habits = habits or Habits()
        self._typical = conductance or Conductance(1300.0, 3000.0, 400.0)
        self._zones: tuple[str, ...] = (zone,)
        self._zone = zone
        self._surface: Surface = "dry"
        self._pressing = self._gliding = False
        self._due: dict[str, float] = {}
        self.next_s = 0.0
        self._grip = Grip(contact=False, zone=zone, conductance_w_m2k=1300.0, gel=False, motion=False)

    def lay(self, now_s: float, zone: str, surface: Surface = "dry") -> None:
        """Press the plate on a zone and hold it there.

        Raises:
            QuantityError: No such surface.
        """
        self._press(now_s, (zone,), surface, gliding=False)

    def glide(self, now_s: float, zones: Sequence[str], surface: Surface = "gel") -> None:
        """Move the plate over these zones, in contact.

        Raises:
            QuantityError: No such surface, or no zone.
        """
        if not zones:
            raise QuantityError("a glide needs at least one zone")
        self._press(now_s, tuple(zones), surface, gliding=True)

    def lift(self, now_s: float) -> None:
        """Take the plate off the skin."""
        self._pressing = self._gliding = False
        self._due = {}
        self._hold(contact=False)
        self.next_s = now_s

    def at(self, now_s: float) -> Grip:
        """Where the wand is now, after everything that was due has happened. ``next_s`` says when to ask again."""
        while self._due:
            name, due_s = min(self._due.items(), key=lambda item: item[1])
            if due_s > now_s:
                break
            self._happen(name, due_s)
        self.next_s = min(self._due.values(), default=math.inf)
        return self._grip

    def _press(self, now_s: float, zones: tuple[str, ...], surface: Surface, *, gliding: bool) -> None:
        if surface not in _SURFACES:
            raise QuantityError(
                f"no surface {surface!r}; there are {', '.join(_SURFACES)}", what="surface", value=surface
            )
        self._zones, self._surface, self._gliding, self._pressing = zones, surface, gliding, True
        self._zone = zones[0]
        self._touch(now_s)
        self.next_s = now_s

    def _happen(self, name: str, due_s: float) -> None:
        match name:
            case "lift":
                self._due = {"touch": due_s + self._chance.expovariate(1.0 / self._habits.lift_s)}
                self._hold(contact=False)
            case "touch":
                self._touch(due_s)
            case "slip":
                self._plan("slip", self._habits.slips_per_min, due_s)
                self._hold(contact=True, conductance_w_m2k=self._pressure())
            case _:
                self._plan("cross", self._habits.crossings_per_min, due_s)
                self._zone = self._chance.choice([zone for zone in self._zones if zone != self._zone])
                self._hold(contact=True, conductance_w_m2k=self._pressure())

    def _touch(self, now_s: float) -> None:
        """The plate meets the skin: everything that may happen in contact is drawn anew."""
        habits = self._habits
        self._due = {}
        self._plan("lift", habits.lifts_per_min, now_s)
        self._plan("slip", habits.slips_per_min, now_s)
        if self._gliding and len(self._zones) > 1:
            self._plan("cross", habits.crossings_per_min, now_s)
        self._hold(contact=True, conductance_w_m2k=self._pressure())

    def _plan(self, name: str, per_min: float, now_s: float) -> None:
        if per_min > 0.0:
            self._due[name] = now_s + self._chance.expovariate(per_min / 60.0)

    def _pressure(self) -> float:
        """A conductance around this person's for this surface, 300 to 5000 W/m2 K, on the ladder."""
        typical = getattr(self._typical, f"{self._surface}_w_m2k")
        low, high = _RANGE_W_M2K
        drawn = min(max(typical * self._chance.lognormvariate(0.0, self._habits.spread), low), high)
        return _rung(drawn)

    def _hold(self, *, contact: bool, conductance_w_m2k: float | None = None) -> None:
        kept = self._grip.conductance_w_m2k if conductance_w_m2k is None else conductance_w_m2k
        self._grip = Grip(contact, self._zone, kept, self._surface == "gel", self._gliding)


def _rung(value: float) -> float:
    """The rung of the ladder at or below a value in the range."""
    low, high = _RANGE_W_M2K
    return min(round(low * _RUNG ** math.floor(math.log(value / low) / math.log(_RUNG)), 1), high)
