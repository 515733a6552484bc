"""The alarm log: what became of every alarm, in one SQLite file, written off the loop; says what was left open.

Implements ``runtime.ports.AlarmLog``. A file that cannot be read is put aside and a new one begun, and that is said:
a broken log must not keep a daemon from watching, nor may what it held be forgotten in silence.
"""

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path
from typing import Any

from cryodevice.errors import StoreError
from cryodevice.records.writer import GroupWriter, Write
from cryodevice.runtime.ports import AlarmEntry, AlarmHistory
from cryodevice.safety.alarms import Change

SCHEMA_VERSION = 1
APPLICATION_ID = 0x4357_414C
"""``PRAGMA application_id``: "CWAL"."""
KEPT = 100_000
"""Lines kept; older ones go as new ones come (engineering default)."""
CLOSE_S = 3.0
BUSY_S = 1.0
_TABLE = """
CREATE TABLE alarm_log (
  line INTEGER PRIMARY KEY, wall_s REAL NOT NULL, what TEXT NOT NULL, number INTEGER NOT NULL, alarm TEXT NOT NULL,
  cause TEXT NOT NULL, priority TEXT NOT NULL, latched INTEGER NOT NULL, says TEXT NOT NULL, who TEXT NOT NULL) STRICT
"""
_SIDE_FILES = ("", "-wal", "-shm")


class SqliteAlarmLog:
    """The log in one file, of the process that holds the state directory.

    Args:
        path: The file; created where there is none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        self._writer: GroupWriter | None = None
        self._failure = ""

    def load(self) -> AlarmHistory:
        """Open, check and read; called once, off the loop. Never raises: what is wrong is in what it returns."""
        lost = ""
        try:
            if self._path.exists():
                try:
                    history = _history(self._path)
                except (sqlite3.Error, StoreError) as error:
                    lost = f"the alarm log could not be read ({error}); it was put aside as {_put_aside(self._path)}"
                else:
                    self._start()
                    return history
            _create(self._path)
        except (OSError, sqlite3.Error) as error:
            self._failure = (
                f"the alarm log {self._path} cannot be written ({error}): check the disk and its permissions"
            )
            return AlarmHistory(lost=lost or self._failure)
        self._start()
        return AlarmHistory(lost=lost)

    def append(self, entry: AlarmEntry) -> None:
        """Queue one line. Returns at once, never raises, drops nothing while the file is open."""
        if self._writer is not None:
            self._writer.submit(Write(lambda connection: _write(connection, entry)))

    @property
    def failure(self) -> str:
        """Why lines are not reaching the disk, empty while they are."""
        return self._failure if self._writer is None else self._writer.failure

    def close(self) -> None:
        """Write what is queued and let go of the file; blocks at most 3 s. Harmless again."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close(CLOSE_S)

    def _start(self) -> None:
        self._writer = GroupWriter(self._path, _connect, failpoint=lambda _name: None)
        self._writer.start()


def newest(path: Path, count: int) -> list[AlarmEntry]:
    """The newest lines of a log, oldest first; also while a daemon writes it.

    Raises:
        StoreError: There is none, or it cannot be read.
    """
    if not path.exists():
        raise StoreError(f"there is no alarm log at {path}: no daemon of this version has run here", path=str(path))
    try:
        with _to_read(path) as connection:
            rows = connection.execute("SELECT * FROM alarm_log ORDER BY line DESC LIMIT ?", (count,))
            return [_entry(row) for row in rows][::-1]
    except sqlite3.Error as error:
        raise StoreError(f"the alarm log {path} cannot be read: {error}", path=str(path)) from error


def _history(path: Path) -> AlarmHistory:
    """What is open and how many occurrences there were."""
    with _to_read(path) as connection:
        found = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
        if found != [APPLICATION_ID, SCHEMA_VERSION]:
            raise StoreError(f"it is no alarm log of this version: {found}")
        problems = [row[0] for row in connection.execute("PRAGMA quick_check(3)")]
        if problems != ["ok"]:
            raise StoreError("; ".join(map(str, problems)))
        standing: dict[str, AlarmEntry] = {}
        for row in connection.execute("SELECT * FROM alarm_log ORDER BY line"):
            entry = _entry(row)
            if entry.what == Change.RAISED and entry.latched:
                standing[entry.cause] = entry
            elif entry.what in (Change.RAISED, Change.ACKNOWLEDGED, Change.OVER):
                standing.pop(entry.cause, None)
        count = connection.execute("SELECT coalesce(max(number), 0) FROM alarm_log").fetchone()[0]
        return AlarmHistory(tuple(standing.values()), int(count))


def _entry(row: tuple[Any, ...]) -> AlarmEntry:
    _line, wall_s, what, number, alarm, cause, priority, latched, says, who = row
    return AlarmEntry(wall_s, what, number, alarm, cause, priority, bool(latched), says, who)


def _write(connection: sqlite3.Connection, entry: AlarmEntry) -> None:
    connection.execute("INSERT INTO alarm_log VALUES (NULL,?,?,?,?,?,?,?,?,?)", astuple(entry))
    connection.execute("DELETE FROM alarm_log WHERE line <= (SELECT max(line) FROM alarm_log) - ?", (KEPT,))


def _create(path: Path) -> None:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(
            f"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; BEGIN; PRAGMA application_id={APPLICATION_ID}; "
            f"PRAGMA user_version={SCHEMA_VERSION}; {_TABLE}; COMMIT;"
        )


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=BUSY_S)
    connection.execute("PRAGMA synchronous=FULL")
    return connection


@contextlib.contextmanager
def _to_read(path: Path) -> Iterator[sqlite3.Connection]:
    """Leaves no file behind: one that another user left could not be written by the daemon."""
    path = path.resolve()
    how = "mode=ro" if path.with_name(path.name + "-wal").exists() else "mode=ro&immutable=1"
    with contextlib.closing(
        sqlite3.connect(f"{path.as_uri()}?{how}", uri=True, isolation_level=None, timeout=BUSY_S)
    ) as connection:
        yield connection


def _put_aside(path: Path) -> str:
    aside = f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    for suffix in _SIDE_FILES:
        file = path.with_name(path.name + suffix)
        if file.exists():
            file.rename(path.with_name(aside + suffix))
    return aside
