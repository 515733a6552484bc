"""When to publish, when to try again, and which MQTT to speak: three small rules without a clock of their own."""

from dataclasses import dataclass
from typing import Literal

from cryodevice.runtime.snapshot import Snapshot
from cryodevice.telemetry.compose import withheld_by

Version = Literal["5", "3.1.1"]

FIRST_DELAY_S = 0.25
LONGEST_DELAY_S = 10.0
"""Reconnecting waits a quarter of a second at first and ten at last (engineering default)."""


SHORT_LIFE_S, MOST_SHORT_LIVES = 5.0, 5
SUSPECTED_STAY_S, FIRST_STAY_S, LONGEST_STAY_S = 60.0, 300.0, 3600.0
"""Staying away from a broker that has let a client of the same id in, doubled each time (engineering default)."""


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
class Rivalry:
    """Whether another client uses our client id, and how long to leave it the place: two would take turns for ever.

    A broker lets the newcomer in and puts the other out. With MQTT 5 it may say so; Mosquitto 2.0.11 and iotcore 0.4
    were seen to close without a word. Five connections in a row that ended as soon as they stood are taken for it.
    """

    short_lives: int = 0
    yielded: int = 0

    def ended(self, lived_s: float, *, taken_over: bool) -> float:
        """Seconds to stay away after a connection that stood has ended; 0 where nothing speaks for a rival."""
        self.short_lives = self.short_lives + 1 if lived_s < SHORT_LIFE_S else 0
        if not taken_over and self.short_lives < MOST_SHORT_LIVES:
            return 0.0
        self.short_lives = 0
        first_s = FIRST_STAY_S if taken_over else SUSPECTED_STAY_S
        stay_away_s = min(LONGEST_STAY_S, first_s * 2.0 ** min(self.yielded, 10))
        self.yielded += 1
        return stay_away_s


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
        (snapshot.alarms.sounding, snapshot.alarms.blind, snapshot.alarms.pause_left_s > 0.0),
        tuple((one.number, one.present, one.acknowledged) for one in snapshot.alarms.standing),
        (wand.state, wand.trip_code, wand.flags, wand.faults, wand.last_refusal, wand.boot_id) if wand else None,
    )


def info_key(snapshot: Snapshot) -> object:
    """What makes an ``info`` worth publishing again."""
    return snapshot.identity, snapshot.limits
