"""What one injected fault does while it is in force. Knows no time but what it is told.

The four ways to act: a switch that is held, a filter of samples, a filter of bytes, and an act that is done once or
again and again. Each is a subclass; the bench only begins, ticks and ends them.
"""

from firmware_sim.faults.counted import Counted
from firmware_sim.faults.wand import Wand
from firmware_sim.plant import Plant, Samples


class Effect(Counted):
    """One injection in force. As it stands here it does nothing."""

    def begin(self, wand: Wand, now_s: float) -> None:
        """From now on it is in force."""

    def tick(self, wand: Wand, now_s: float) -> None:
        """Just before a firmware tick while it is in force."""

    def count(self, wand: Wand) -> None:
        """Bring ``fired`` up to date, where somebody else counts."""

    def end(self, wand: Wand, now_s: float) -> None:
        """From now on nothing of it is left."""


class SampleEffect(Effect):
    """A filter of what the sensors show; those in force are passed in the order in which they came."""

    def alter(self, samples: Samples, plant: Plant, now_s: float) -> Samples:
        """One tick's samples as they are with this fault."""
        raise NotImplementedError

    def through(self, samples: Samples, plant: Plant, now_s: float) -> Samples:
        """The same, counted."""
        if self.spent:
            return samples
        altered = self.alter(samples, plant, now_s)
        if altered != samples:
            self.fire()
        return altered
