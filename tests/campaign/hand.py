"""A hand that holds the wand: acts on what a person sees, with delays, lifts, and lapses of its own. One seed, one hand.

What it does to end the cold it writes down as a cause, with the time the drive may still run.
"""

import asyncio
import random
from dataclasses import dataclass
from typing import Any

from cryodevice.safety.phases import COOLING, SessionState
from firmware_sim.plant.hand import Habits, Surface
from firmware_sim.plant.hand import Hand as Fingers
from tests.campaign.whole import Bed

THROUGH_DAEMON_S = 0.25
OWN_CUT_S = 0.14
"""Budgets from the hand to drive zero: through the daemon, and by the wand's own cut-out with one tick of sampling."""
SHORTEST_RELEASE_S = 0.1
"""A trigger let go for less may fall between two samples, 50 ms apart and of a firmware tick of 20 ms: nobody is timed by it."""
_NEVER = float("inf")


@dataclass(frozen=True)
class Hand:
    """How the wand is held; lifts, slips and pressure in contact are those of ``firmware_sim.plant.hand``.

    ``reaction_s``: longest delay beyond 50 ms; ``lets_go_each_s``: how long between two lapses of the trigger, about;
    ``early_s``: it touches while the plate is still coming down, for so long; ``stays_on``: it does not lift when told;
    ``obedient``: it glides where the step says so, and lifts whenever the wand does not cool.
    """

    seed: int
    surface: Surface
    habits: Habits
    reaction_s: float
    lets_go_each_s: float
    early_s: float
    stays_on: bool
    glides: bool
    stops_at_s: float | None = None
    estop_at_s: float | None = None
    obedient: bool = False

    async def __call__(self, bed: Bed) -> None:
        """Hold the wand until the end, or until it is put away."""
        rng, plant = random.Random(f"hand/{self.seed}"), bed.sim.plant  # noqa: S311
        await bed.sleep_until(0.8 + rng.random())
        plant.hand = Fingers(self.seed, plant.zone, self.habits, plant.individual.conductance)
        plant.trigger = True
        bed.told("cool")
        early_until_s = -_NEVER if not self.early_s else _NEVER
        while self.stops_at_s is None or bed.now_s < self.stops_at_s:
            await asyncio.sleep(0.05 + self.reaction_s * rng.random())
            bed.daemon.wand.catch_up()
            early_until_s = self._touch(bed, plant, rng, early_until_s)
            self._squeeze(bed, plant, rng)
        bed.told("stop")
        bed.causes.append((bed.now_s, "stop asked for", THROUGH_DAEMON_S))
        plant.trigger = False
        plant.hand.lift(plant.time_s)

    def _touch(self, bed: Bed, plant: Any, rng: random.Random, early_until_s: float) -> float:
        state, step = bed.state, bed.loop._core.session.current
        zone = step.zone.value if step is not None else plant.zone
        pressed = bed.pressing
        if state is SessionState.PRECOOL and early_until_s == _NEVER:
            self._press(bed, plant, zone)
            return bed.now_s + self.early_s
        if not pressed:
            if state in {SessionState.LIFTED, SessionState.APPLYING}:
                self._press(bed, plant, zone)
        elif early_until_s > 0.0 and bed.now_s >= early_until_s:
            self._lift(bed, plant)
            return -_NEVER
        elif state not in COOLING | (set() if self.obedient else {SessionState.PAUSED}) and not (
            self.stays_on and rng.random() < 0.98
        ):
            self._lift(bed, plant)
        return early_until_s

    def _press(self, bed: Bed, plant: Any, zone: str) -> None:
        bed.pressing = True
        step = bed.loop._core.session.current
        if step.glide if self.obedient and step is not None else self.glides:
            plant.hand.glide(plant.time_s, (zone,), self.surface)
        else:
            plant.hand.lay(plant.time_s, zone, self.surface)

    def _lift(self, bed: Bed, plant: Any) -> None:
        bed.pressing = False
        plant.hand.lift(plant.time_s)

    def _squeeze(self, bed: Bed, plant: Any, rng: random.Random) -> None:
        if plant.trigger and rng.random() < 0.1 / self.lets_go_each_s:
            plant.trigger = False
            bed.causes.append((bed.now_s, "trigger let go", THROUGH_DAEMON_S))
        elif not plant.trigger and rng.random() < 0.3 and bed.now_s - bed.causes[-1][0] >= SHORTEST_RELEASE_S:
            plant.trigger = True
        if self.estop_at_s is not None and bed.now_s >= self.estop_at_s and not plant.estop:
            plant.estop = True
            bed.causes.append((bed.now_s, "e-stop pressed", OWN_CUT_S))
