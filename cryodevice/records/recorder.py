"""The flight recorder: keeps the last half minute of decisions in memory, and on a trip has it written, with 5 s after.

Each tick it keeps a reference to what is immutable anyway and copies nothing. The record is written twice: at the trip,
so that a kill in the next 5 s does not lose it, and whole after them. A hold is written once, after its 5 s; one of the
same cause in them is in that record. Implements ``runtime.ports.TripRecorder``.
"""

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import structlog

from cryodevice.records.trip_file import KIND, Recorded
from cryodevice.records.trip_shelf import Entry, TripShelf, name_of
from cryodevice.records.trip_writer import TripWriter
from cryodevice.runtime.ports import TripNote
from cryodevice.treatment.core import Config, Core, Inputs
from cryodevice.treatment.evidence import facts_of
from cryodevice.treatment.replay import Stretch
from cryodevice.treatment.trip import Trip, hold_of, trip_of

BEFORE_S = 30.0
AFTER_S = 5.0
RUN_S = 5.0
"""Decisions are kept in runs of this length, each with what was remembered before it: a record begins with one."""
MOST_IN_RUN = 300
MOST_RUNS = 16
"""Bounds the memory also where decisions come faster than ticks."""
MOST_OPEN = 8
"""Trips whose 5 s run at the same time; a further one is written as it is, without them (engineering default)."""
CLOSE_S = 3.0
HOLDS_NAME = "holds"
MOST_HOLDS, MOST_HOLD_BYTES = 30, 12 << 20
"""Holds that are kept, under the trips (engineering default)."""

_log = structlog.get_logger("cryodevice.recorder")


@dataclass(slots=True)
class _Run:
    """Decisions that follow one another; ``follows`` the run before without a break."""

    core: Core
    began_s: float
    follows: bool
    inputs: list[Inputs] = field(default_factory=list)


class FlightRecorder:
    """Records the trips of one daemon.

    Args:
        directory: Where the records go, by custom ``trips`` in the state directory.
        config: What the controller is configured with.
        settings_sha256: Of the settings in force.
        wall: Seconds since 1970 UTC.
        shelf: Where records are put; one for ``directory`` if None.
    """

    def __init__(
        self,
        directory: Path,
        config: Config,
        settings_sha256: str,
        wall: Callable[[], float],
        shelf: TripShelf | None = None,
    ) -> None:
        self._shelf = shelf or TripShelf(directory)
        self._holds = holds_of(directory)
        self._config = config
        self._settings_sha256 = settings_sha256
        self._wall = wall
        self._runs: deque[_Run] = deque(maxlen=MOST_RUNS)
        self._last: Core | None = None
        self._open: list[Recorded] = []
        self._next = {False: 1, True: 1}
        self._latest: TripNote | None = None
        self._broken = ""
        self.writer = TripWriter(self._shelf, self._holds)

    def open(self) -> None:
        """See what is there already and start the writer. Blocking; never raises: a wand without records is as safe."""
        try:
            for is_hold, shelf in ((False, self._shelf), (True, self._holds)):
                shelf.sweep()
                entries = shelf.entries()
                if entries:
                    self._next[is_hold] = entries[-1].number + 1
                    self._latest = self._latest if is_hold else _note_of(entries[-1])
        except OSError as error:
            self._broken = f"trip records cannot be read: {error}"
        self.writer.start()

    @property
    def latest(self) -> TripNote | None:
        """The newest trip on record."""
        return self._latest

    @property
    def failure(self) -> str:
        """Why trips are not being recorded; empty while they are."""
        return self.writer.failure or self._broken

    def follow(self, before: Core, inputs: Inputs, after: Core) -> None:
        """One decision. Returns at once and never raises."""
        try:
            self._follow(before, inputs, after)
        except Exception as error:  # noqa: BLE001  # a recorder that fails is said to; the loop goes on
            self._broken = f"trips are not recorded: {type(error).__name__}: {error}"

    def close(self) -> None:
        """Write the trips whose time after is not over yet, as far as it got. Blocks at most 3 s."""
        for recorded in self._open:
            self.writer.submit(self._taken(recorded, complete=False))
        self._open = []
        if not self.writer.close(CLOSE_S):
            _log.error("a trip record was not written", why=self.failure or "the disk is too slow")

    def _follow(self, before: Core, inputs: Inputs, after: Core) -> None:
        now = after.now_s
        run = self._runs[-1] if self._runs else None
        unbroken = before is self._last
        if run is None or not unbroken or now - run.began_s >= RUN_S or len(run.inputs) >= MOST_IN_RUN:
            run = _Run(before, now, follows=unbroken)
            self._runs.append(run)
            while len(self._runs) > 1 and self._runs[1].began_s <= now - BEFORE_S - AFTER_S:
                self._runs.popleft()
        run.inputs.append(inputs)
        self._last = after
        table = self._config.table
        trip = trip_of(before, after, table) or hold_of(before, after, table)
        if trip is not None:
            self._tripped(trip, inputs, after)
        if self._open and now - self._open[0].trip.at_s >= AFTER_S:
            self.writer.submit(self._taken(self._open.pop(0), complete=True))

    def _tripped(self, trip: Trip, inputs: Inputs, core: Core) -> None:
        is_hold = trip.action == "hold"
        if is_hold and any(each.is_hold and each.trip.cause == trip.cause for each in self._open):
            return
        wall_s = self._wall()
        name = name_of(self._next[is_hold], wall_s, trip.cause)
        self._next[is_hold] += 1
        recorded = Recorded(
            name=name,
            trip=trip,
            wall_s=wall_s,
            active=core.verdict.active,
            facts=facts_of(core, self._config, inputs),
            identity=core.link.identity,
            limits=core.limits,
            config=self._config,
            settings_sha256=self._settings_sha256,
            stretches=(),
        )
        if not is_hold:
            self._latest = TripNote(name, trip.cause, wall_s)
            self.writer.submit(self._taken(recorded, complete=False))
        if len(self._open) < MOST_OPEN:
            self._open.append(recorded)

    def _taken(self, recorded: Recorded, *, complete: bool) -> Recorded:
        """The record with the decisions as they are in memory now."""
        return replace(recorded, stretches=self._stretches(recorded.trip.at_s - BEFORE_S), complete=complete)

    def _stretches(self, from_s: float) -> tuple[Stretch, ...]:
        runs = list(self._runs)
        while len(runs) > 1 and runs[1].began_s <= from_s:
            del runs[0]
        found: list[tuple[Core, list[Inputs]]] = []
        for run in runs:
            if not found or not run.follows:
                found.append((run.core, []))
            found[-1][1].extend(run.inputs)
        return tuple(Stretch(core, tuple(inputs)) for core, inputs in found)


def holds_of(directory: Path) -> TripShelf:
    """Where the holds of a directory of trips are."""
    return TripShelf(directory / HOLDS_NAME, MOST_HOLDS, MOST_HOLD_BYTES)


def _note_of(entry: Entry) -> TripNote | None:
    """The newest record's head, in short; None when it is damaged."""
    try:
        with entry.path.open("rb") as file:
            head = json.loads(file.readline(1 << 20))
        if head["record"] != KIND:
            return None
        return TripNote(entry.path.name, str(head["trip"]["cause"]), float(head["wall_s"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
