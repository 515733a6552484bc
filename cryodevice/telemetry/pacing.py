"""When to publish, when to try again, and which MQTT to speak: three small rules without a clock of their own."""

from dataclasses import dataclass
from typing import Literal

from cryodevice.runtime.snapshot import Snapshot
from cryodevice.telemetry.compose import withheld_by

Version = Literal["5", "3.1.1"]

FIRST_DELAY_S = 0.25
LONGEST_DELAY_S = 10.0
"""Reconnecting waits a quarter of a second at first and ten at last (engineering default)."""


@dataclass(slots=True)
class Backoff:
    """Delays that double to a cap; each is between half of its full length and all of it, by ``chance``."""

    attempts: int = 0

    def next(self, chance: float) -> float:
        """Seconds to wait before the next attempt; ``chance`` in 0...1 spreads clients that fell together."""
        full = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(self.attempts, 10))
        self.attempts += 1
        return full * (0.5 + 0.5 * chance)

    def reset(self) -> None:
        """Start again from the shortest delay."""
        self.attempts = 0


@dataclass(slots=True)
class VersionChoice:
    """MQTT 5 first. 3.1.1 when the broker says it does not speak 5, or keeps silent and never has spoken it."""

    version: Version = "5"
    five_has_worked: bool = False

    def worked(self) -> None:
        """The broker accepted this version."""
        self.five_has_worked = self.five_has_worked or self.version == "5"

    def refused(self) -> None:
        """The broker said that it does not speak this version."""
        self.version = "3.1.1" if self.version == "5" else "5"

    def silent(self) -> None:
        """The line opened and the broker did not answer: stalled, or too old to answer what it cannot read."""
        if not self.five_has_worked:
            self.refused()
        else:
            self.version = "5"


@dataclass(slots=True)
class Decimator:
    """Passes ticks at ``hz`` on average, on a fixed grid, so that jitter of the ticks does not thin them out."""

    hz: float
    next_s: float | None = None

    def due(self, at_s: float) -> bool:
        """Whether the tick at ``at_s`` (monotonic seconds) is to be published."""
        period = 1.0 / self.hz
        if self.next_s is None or abs(at_s - self.next_s) > 2.0 * period:
            self.next_s = at_s
        # A tick a quarter of a period early is nearer to its place on the grid than the next one will be.
        if at_s < self.next_s - 0.25 * period:
            return False
        self.next_s += period
        return True


def state_key(snapshot: Snapshot) -> object:
    """What makes a ``state`` worth publishing at once: everything in it that is no running number."""
    session, reading = snapshot.session, snapshot.reading
    wand = reading.status if reading else None
    return (
        snapshot.link_up,
        snapshot.link_why,
        (session.session_id, session.state, session.step, session.steps, session.zone, session.setpoint_degc),
        session.ended_why,
        snapshot.permit,
        tuple(withheld_by(snapshot)),
        tuple((finding.id, finding.action) for finding in snapshot.findings),
        snapshot.lockout,
        (wand.state, wand.trip_code, wand.flags, wand.faults, wand.last_refusal, wand.boot_id) if wand else None,
    )


def info_key(snapshot: Snapshot) -> object:
    """What makes an ``info`` worth publishing again."""
    return snapshot.identity, snapshot.limits
