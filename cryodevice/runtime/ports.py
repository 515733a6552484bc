"""What the loop needs from above, as protocols: durable exposure, a log of alarms, trips.

Records implements them, ``app`` injects them. Nothing here may block: a call hands work over and returns.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from cryodevice.quantities import Celsius, Seconds
from cryodevice.safety.exposure import Dose, Others, Past, ZoneExposure
from cryodevice.safety.limits import Zone
from cryodevice.safety.verdict import Lockout
from cryodevice.treatment.core import Core, Inputs

OUTSIDE = "touched outside of a session"
"""``ended_why`` of a record that is dose and no session."""


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session that was running when the last record was written; after a restart it has ended and its dose stands."""

    session_id: str
    client: str
    zone: Zone
    coldest_plate_degc: Celsius
    exposure: Mapping[Zone, ZoneExposure]


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the store knew when it was opened.

    Args:
        known: False when the store is missing its history, corrupt or newer than this program: dose unknown.
        why_unknown: A sentence for a person when ``known`` is False.
        dose: Earlier exposure of the anonymous client in the rolling day, a crashed session's included.
        others: The same of every other client, by client.
        interrupted: The session a crash ended, if one was open.
        lockout: The latched lockout, if one stands.
    """

    known: bool
    why_unknown: str = ""
    dose: Dose = field(default_factory=Dose)
    interrupted: OpenSession | None = None
    lockout: Lockout | None = None
    others: Others = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """The running session's totals, to be made durable. ``ended_why`` empty while it runs.

    ``simulated``: the wand was one without a wand; the dose counts all the same.
    """

    session_id: str
    client: str
    zone: Zone
    coldest_plate_degc: Celsius
    exposure: Mapping[Zone, ZoneExposure]
    at_s: Seconds
    ended_why: str = ""
    simulated: bool = False


class ExposureStore(Protocol):
    """Durable exposure and lockout. Every submit returns at once; durability is seen in ``durable_at_s``."""

    def load(self) -> Ledger:
        """Open and read; called once, before the loop starts, off the loop."""
        ...

    def submit_session(self, record: SessionRecord) -> None:
        """Queue a session record; only the newest of one session matters."""
        ...

    def submit_lockout(self, lockout: Lockout | None) -> None:
        """Queue the latched lockout, or its clearing."""
        ...

    def aged_again(self) -> tuple[tuple[Past, Past], ...]:
        """Earlier sessions as ``load`` gave them and as they are known now that the wall clock is trusted.

        Each is older than it was given, or nothing has changed and it is not among them.
        """
        ...

    @property
    def durable_at_s(self) -> Seconds:
        """``at_s`` of the newest session record known to be on the disk; -inf before the first."""
        ...

    @property
    def failure(self) -> str:
        """Why the store cannot write, empty while it can."""
        ...

    def close(self) -> None:
        """Write what is queued, then close. Blocking, bounded to a few seconds."""
        ...


@dataclass(frozen=True, slots=True)
class AlarmEntry:
    """One line of the alarm log: what became of an occurrence, and who did it, empty for nobody.

    ``what`` is a ``safety.alarms.Change``, ``alarm`` a row of the alarm table, ``cause`` what raised it.
    """

    wall_s: float
    what: str
    number: int
    alarm: str
    cause: str
    priority: str
    latched: bool
    says: str
    who: str = ""


@dataclass(frozen=True, slots=True)
class AlarmHistory:
    """What the alarm log held when it was opened.

    Args:
        open: The raising of each occurrence that latched and that nobody had acknowledged.
        count: Number of the newest occurrence.
        lost: Why nobody knows; empty when it could be read.
    """

    open: tuple[AlarmEntry, ...] = ()
    count: int = 0
    lost: str = ""


class AlarmLog(Protocol):
    """Where alarms are written. ``append`` returns at once and drops nothing."""

    def append(self, entry: AlarmEntry) -> None:
        """Queue one line."""
        ...

    @property
    def failure(self) -> str:
        """Why lines are not reaching the disk, empty while they are."""
        ...


@dataclass(frozen=True, slots=True)
class TripNote:
    """The newest trip on record: name of its record, its cause, and when, in seconds since 1970 UTC."""

    record: str
    cause: str
    wall_s: float


class TripRecorder(Protocol):
    """Keeps what a trip is explained from. Nothing of it raises or waits."""

    def follow(self, before: Core, inputs: Inputs, after: Core) -> None:
        """One decision: what was remembered before it, what was new, what is remembered now."""
        ...

    @property
    def latest(self) -> TripNote | None:
        """The newest trip on record, None before the first."""
        ...

    @property
    def failure(self) -> str:
        """Why trips are not being recorded; empty while they are."""
        ...
