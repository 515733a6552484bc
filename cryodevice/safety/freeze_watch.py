"""Skin that freezes gives off heat and jumps up towards its freezing point: what infra-red sees of that off the plate.

Under the plate it cannot be seen (docs/hazards.md, *Freezing skin*). Remembers half a second; judges nothing.
"""

import math
from dataclasses import dataclass

from cryodevice.quantities import Channel, Seconds
from cryodevice.safety.readings import Reading

COLD_DEGC = 1.0
"""Only skin this cold may freeze (alarm A03 of the clinical note)."""
WITHIN_S = 0.5
"""A jump takes no longer than this, s (alarm A03 of the clinical note)."""


@dataclass(frozen=True, slots=True)
class FreezeWatch:
    """Infra-red of the last half second while it is that cold, oldest first: when, and degC."""

    seen: tuple[tuple[Seconds, float], ...] = ()

    @property
    def risen_k(self) -> float:
        """How far the newest is above the coldest of them, K; 0 while skin is warmer or hidden."""
        return self.seen[-1][1] - min(degc for _, degc in self.seen) if self.seen else 0.0


NOTHING = FreezeWatch()


def followed(watch: FreezeWatch, reading: Reading) -> FreezeWatch:
    """The watch after one more reading; skin that is hidden, lost or warmer ends it."""
    skin, now = reading.value(Channel.SKIN_IR), reading.at_s
    if math.isnan(skin) or skin > COLD_DEGC:
        return NOTHING
    return FreezeWatch((*(each for each in watch.seen if now - each[0] <= WITHIN_S), (now, skin)))
