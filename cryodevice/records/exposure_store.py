"""The durable exposure ledger: what each client's skin has had, and the lockout that stands, across any crash.

Implements ``runtime.ports.ExposureStore``. Judges nothing: it says what is known, what is on the disk and why not.
"""

import math
import os
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType

from cryodevice import __version__
from cryodevice.errors import NewerStateError, QuantityError, StoreError
from cryodevice.quantities import Seconds
from cryodevice.records import ledger_file, schema, upgrade
from cryodevice.records.schema import StoredSession
from cryodevice.records.writer import GroupWriter, Write
from cryodevice.runtime.clock import steady_s
from cryodevice.runtime.ports import OUTSIDE, Ledger, OpenSession, SessionRecord
from cryodevice.runtime.wall_trust import synchronised as wall_is_kept
from cryodevice.safety.exposure import ANONYMOUS, DAY_S, NOTHING, Dose, Others, Past, after_crash
from cryodevice.safety.verdict import Lockout

CLOSE_S = 3.0
"""Longest wait for the last write when closing, s (engineering default)."""
RESTARTED = "daemon restart"
"""Why a session that was open at start has ended."""


@dataclass(frozen=True, slots=True)
class BootTime:
    """Which boot of the machine this is, and seconds since it, suspend included; no id means unknown."""

    boot_id: str
    at_s: float


@cache
def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def this_boot() -> BootTime:
    """The machine's boot time (Linux)."""
    return BootTime(_boot_id(), steady_s())


class SqliteExposureStore:
    """The ledger in one SQLite file.

    Args:
        path: The file, by custom ``exposure.db`` in the state directory; created there on the first start.
        wall: Seconds since 1970 UTC.
        client: Whose dose is the one in hand after ``load``; everybody else's is beside it.
        boot: Boot id and seconds since boot; ages records within one boot, where the wall clock may be set.
        synchronised: Whether the wall clock is kept by somebody; ages records of an earlier boot only then.

    Attributes:
        upgraded_from: Copy of the older ledger that ``load`` has brought to the present schema, None otherwise.
    """

    def __init__(
        self,
        path: Path,
        wall: Callable[[], float],
        client: str = ANONYMOUS,
        *,
        boot: Callable[[], BootTime] = this_boot,
        synchronised: Callable[[], bool] = wall_is_kept,
    ) -> None:
        self._path = path.resolve()
        self._wall = wall
        self._client = client
        self._boot = boot
        self._synchronised = synchronised
        self._loaded: list[tuple[Past, StoredSession]] = []
        self._lock: int | None = None
        self._writer: GroupWriter | None = None
        self._started: dict[str, float] = {}
        self._durable_at_s = Seconds(-math.inf)
        self._refused = ""
        self._failure = "the exposure store is not open"
        self.upgraded_from: Path | None = None

    def load(self) -> Ledger:
        """Take the file, check all of it, read it, and durably close a session that a crash left open.

        Raises:
            StoreError: Another process holds the ledger, or this store was opened before.
            NewerStateError: A newer program wrote the ledger; nothing was touched.
        """
        if self._lock is not None:
            raise StoreError(f"{self._path} is already open", path=str(self._path))
        ledger_file.refuse_newer(self._path)
        self._boot()  # the kernel's file is read here, once, and not by the first record on the event loop
        try:
            self._lock = ledger_file.hold(self._path)
            ledger_file.refuse_newer(self._path)  # again, now that nobody can change it
            if ledger_file.is_new(self._path):
                ledger_file.create(self._path, self._wall())
            self.upgraded_from = upgrade.bring_up(self._path)
            contents = ledger_file.read(self._path)
            ledger_file.mark(self._path)
        except StoreError as error:
            if self._lock is None or isinstance(error, NewerStateError):
                self.close()
                raise
            self._failure = error.message
            return Ledger(known=False, why_unknown=error.message)
        except (OSError, sqlite3.Error) as error:
            self._failure = (
                f"{self._path} cannot be created or written ({error}); check the disk, its free space and the "
                "permissions of the directory, then start again. Treatment stays locked"
            )
            return Ledger(known=False, why_unknown=self._failure)
        return self._take_over(contents)

    def submit_session(self, record: SessionRecord) -> None:
        """Queue a record; the newest of a session replaces one not yet written. Returns at once, never raises."""
        wall_s, boot = self._wall(), self._boot()
        stored = StoredSession(
            record.session_id,
            record.client,
            record.zone,
            record.coldest_plate_degc,
            self._started.setdefault(record.session_id, wall_s),
            wall_s,
            boot.boot_id,
            boot.at_s,
            record.ended_why,
            record.exposure,
            self._synchronised(),
            record.simulated,
        )
        self._submit_stored(stored, partial(self._durable, record.at_s))

    def submit_lockout(self, lockout: Lockout | None) -> None:
        """Queue the latched lockout or its clearing; every one is kept. Returns at once, never raises."""
        if self._writer is None:
            return
        try:
            row = schema.lockout_row(lockout, self._wall())
        except QuantityError as error:
            self._refused = f"a lockout was refused: {error.message}"
            return
        self._writer.submit(Write(lambda connection: schema.write_lockout(connection, row)))

    @property
    def durable_at_s(self) -> Seconds:
        """``at_s`` of the newest session record whose commit has returned from the disk; -inf before the first."""
        return self._durable_at_s

    @property
    def failure(self) -> str:
        """Why records are not reaching the disk, empty while they are."""
        return self._refused or (self._failure if self._writer is None else self._writer.failure)

    def close(self) -> None:
        """Write what is queued and let go of the file. Blocks at most 3 s; what is not written by then is lost."""
        writer, self._writer = self._writer, None
        self._failure = "the exposure store is closed"
        if writer is not None and not writer.close(CLOSE_S):
            self._failure = writer.failure or f"{self._path} could not be written within {CLOSE_S:g} s of closing"
            return  # the thread may still be at the file; the kernel frees the lock when the process ends
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _take_over(self, contents: ledger_file.Contents) -> Ledger:
        self._writer = GroupWriter(self._path, ledger_file.connect)
        self._writer.start()
        sessions = [_closed_after_crash(session) for session in contents.sessions]
        interrupted = [closed for closed, was in zip(sessions, contents.sessions, strict=True) if closed is not was]
        if contents.written_by != __version__:
            self._writer.submit(Write(lambda connection: schema.sign(connection, __version__)))
        for session in interrupted:
            self._submit_stored(session, lambda: None)
        self._writer.flush(CLOSE_S)
        dose, others = self._doses(sessions)
        return Ledger(
            known=True,
            dose=dose,
            others=others,
            interrupted=_open_session(interrupted[-1]) if interrupted else None,
            lockout=contents.lockout,
        )

    def _doses(self, sessions: Iterable[StoredSession]) -> tuple[Dose, Others]:
        now_s = steady_s()
        ages = [(session, self._age_s(session)) for session in sessions]
        self._loaded = [
            (Past(now_s - age, session.exposure, session.ended_why != OUTSIDE), session)
            for session, age in ages
            if age <= DAY_S
        ]
        books: dict[str, list[Past]] = {}
        for past, session in self._loaded:
            books.setdefault(session.client, []).append(past)
        dose = Dose(self._client, past=tuple(books.pop(self._client, ())))
        return dose, MappingProxyType({client: tuple(found) for client, found in books.items()})

    def aged_again(self) -> tuple[tuple[Past, Past], ...]:
        """Earlier sessions that are known to be older than when they were loaded; see ``ExposureStore``."""
        now_s = steady_s()
        known = [(past, replace(past, ended_at_s=now_s - self._age_s(session))) for past, session in self._loaded]
        return tuple((past, older) for past, older in known if older.ended_at_s < past.ended_at_s - 1.0)

    def _age_s(self, session: StoredSession) -> float:
        """Time since a session was last added to, never more than is certain.

        Within one boot its own clock tells. Of an earlier boot it is certain that this boot came after it; more is
        known only where the wall clock was kept then and is kept now. One that seems to lie in the future has just
        ended.
        """
        boot = self._boot()
        if boot.boot_id and boot.boot_id == session.boot_id:
            return max(0.0, boot.at_s - session.updated_boot_s)
        since_boot_s = boot.at_s if boot.boot_id and session.boot_id else 0.0
        if session.synchronised and self._synchronised():
            return max(since_boot_s, self._wall() - session.updated_wall_s)
        return since_boot_s

    def _submit_stored(self, stored: StoredSession, durable: Callable[[], None]) -> None:
        if self._writer is None:
            return
        try:
            rows = schema.session_rows(stored)
        except QuantityError as error:
            self._refused = f"the record of session {stored.session_id!r} was refused: {error.message}"
            return
        self._refused = ""
        self._writer.submit(
            Write(lambda connection: schema.write_session(connection, rows), durable, settle=bool(stored.ended_why)),
            key=stored.session_id,
        )

    def _durable(self, at_s: Seconds) -> None:
        self._durable_at_s = max(self._durable_at_s, at_s)


def _closed_after_crash(session: StoredSession) -> StoredSession:
    """The session itself if it has ended, else as the crash left it: with the allowance, ended by the restart."""
    if session.ended_why:
        return session
    totals = after_crash(session.exposure.get(session.zone, NOTHING), session.coldest_plate_degc)
    exposure = MappingProxyType({**session.exposure, session.zone: totals})
    return replace(session, exposure=exposure, ended_why=RESTARTED)


def _open_session(session: StoredSession) -> OpenSession:
    return OpenSession(session.session_id, session.client, session.zone, session.coldest_plate_degc, session.exposure)
