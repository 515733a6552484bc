"""The ledger as files: who holds it, how it is created, read without being touched, and put aside.

Keeps no state and starts no thread. Beside ``exposure.db`` (and SQLite's ``-wal`` and ``-shm``) stand
``exposure.lock``, held by the running daemon, and ``exposure.exists``, which says that a ledger was here.
"""

import contextlib
import fcntl
import os
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryodevice.errors import StoreError
from cryodevice.records import schema, wal_check
from cryodevice.records.schema import APPLICATION_ID, OLDEST_READ, SCHEMA_VERSION, StoredSession
from cryodevice.safety.verdict import Lockout

BUSY_S = 1.0
"""How long SQLite waits for a foreign lock on the file, s (engineering default)."""
WAY_OUT = (
    "The dose is unknown and treatment stays locked; the file was not touched. A service person looks at it, "
    "then stops the daemon and puts it aside with 'cryodevice records quarantine' to start a new ledger"
)
_SIDE_FILES = ("-wal", "-shm")


@dataclass(frozen=True, slots=True)
class Contents:
    """All that a sound ledger holds, oldest session first."""

    sessions: tuple[StoredSession, ...] = ()
    lockout: Lockout | None = None
    version: int = SCHEMA_VERSION


def marker(path: Path) -> Path:
    """The file that says a ledger was created here."""
    return path.with_suffix(".exists")


def hold(path: Path) -> int:
    """Take the ledger for this process until the descriptor returned is closed; the kernel frees it after a crash.

    Raises:
        StoreError: Another process holds it.
        OSError: The directory cannot be created or written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if not isinstance(error, BlockingIOError):
            raise
        raise StoreError(
            f"{path} is in use by another cryodevice; two daemons cannot share one ledger. "
            "Stop the other one or give this one its own state directory",
            path=str(path),
        ) from error
    return descriptor


def is_new(path: Path) -> bool:
    """Whether no ledger was ever here: neither the file, nor what SQLite keeps beside it, nor the marker."""
    return not any(file.exists() for file in (path, marker(path), *_beside(path)))


def create(path: Path, wall_s: float) -> None:
    """Create an empty ledger, whole or not at all.

    Raises:
        sqlite3.Error: It cannot be written.
        OSError: It cannot be written.
    """
    draft = path.with_suffix(".new")
    for leftover in (draft, *_beside(draft)):
        leftover.unlink(missing_ok=True)
    os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    with contextlib.closing(sqlite3.connect(draft, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=FULL")
        connection.executescript(
            f"PRAGMA journal_mode=WAL; BEGIN; PRAGMA application_id={APPLICATION_ID}; "
            f"PRAGMA user_version={SCHEMA_VERSION}; {schema.TABLES} COMMIT;"
        )
        connection.execute("INSERT INTO meta VALUES (?, ?)", (SCHEMA_VERSION, wall_s))
    _sync(draft)
    draft.rename(path)
    _sync(path.parent)


def mark(path: Path) -> None:
    """Leave the marker, so that a deleted ledger is never taken for a fresh start.

    Raises:
        OSError: It cannot be written.
    """
    if not marker(path).exists():
        marker(path).write_text(f"A dose ledger was created here: {path.name}. Its loss locks treatment.\n")
        _sync(marker(path))
        _sync(path.parent)


def read(path: Path) -> Contents:
    """Check and read a ledger over a read-only connection; its bytes stay as they are.

    Raises:
        StoreError: Missing, damaged, newer than this program, or unreadable; the sentence names the file.
    """
    try:
        return _read(path)
    except sqlite3.OperationalError as error:
        raise StoreError(
            f"{path} cannot be read ({error}): check the disk, its free space and the permissions of the directory, "
            "then start again. The dose is unknown and treatment stays locked",
            path=str(path),
        ) from error
    except (sqlite3.DatabaseError, StoreError, ValueError, TypeError) as error:
        raise StoreError(f"{path}: {error}. {WAY_OUT}", path=str(path)) from error
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error}); treatment stays locked", path=str(path)) from error


def connect(path: Path) -> sqlite3.Connection:
    """The one writing connection: WAL, every commit on the disk before it returns. Never creates the file.

    Raises:
        sqlite3.Error: It cannot be opened for writing.
    """
    connection = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=BUSY_S)
    try:
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA journal_mode=WAL")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def upgrade(path: Path, contents: Contents) -> None:
    """Bring a ledger that was read to this program's schema, whole or not at all.

    Raises:
        sqlite3.Error: It cannot be written; the ledger is as it was.
    """
    with contextlib.closing(connect(path)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        schema.upgrade(connection, contents.sessions)
        connection.execute("COMMIT")


def quarantine(path: Path, now: datetime | None = None) -> Path:
    """Put a ledger aside with a timestamp, so that the next start makes a new, empty one. For a service person.

    Returns:
        Where the ledger is now.

    Raises:
        StoreError: A daemon is running on it, or there is nothing to put aside.
        OSError: A file cannot be renamed.
    """
    path = path.resolve()
    held = hold(path)
    try:
        stamp = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
        aside = path.with_name(f"{path.name}.quarantined-{stamp}")
        count = 1
        while aside.exists():
            count += 1
            aside = path.with_name(f"{path.name}.quarantined-{stamp}-{count}")
        if is_new(path):
            raise StoreError(f"{path} does not exist and never did; nothing to put aside", path=str(path))
        # The marker goes last: until then a crash in between still leaves a locked wand.
        for file, target in (
            *zip((path, *_beside(path)), (aside, *_beside(aside)), strict=True),
            (marker(path), aside.with_name(aside.name + ".exists")),
        ):
            if file.exists():
                file.rename(target)
                _sync(path.parent)
        return aside
    finally:
        os.close(held)


def _read(path: Path) -> Contents:
    if not path.exists():
        raise StoreError("the ledger was here and is gone")
    log = path.with_name(path.name + "-wal")
    if log.exists() and (wrong := wal_check.damage(log.read_bytes())):
        raise StoreError(wrong)
    with contextlib.closing(
        sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=BUSY_S)
    ) as connection:
        version = _check(connection)
        return Contents(schema.read_sessions(connection), schema.read_lockout(connection), version)


def _check(connection: sqlite3.Connection) -> int:
    found = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "user_version", "journal_mode")
    }
    if found["user_version"] > SCHEMA_VERSION:
        raise StoreError(
            f"written by a newer cryodevice (schema {found['user_version']}, this one knows {SCHEMA_VERSION})"
        )
    version = max(int(found["user_version"]), OLDEST_READ)
    wanted = {"application_id": APPLICATION_ID, "user_version": version, "journal_mode": "wal"}
    if found != wanted:
        raise StoreError(f"not a sound exposure ledger ({found})")
    problems = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
    if problems != ["ok"]:
        raise StoreError(f"damaged ({'; '.join(map(str, problems))})")
    if connection.execute("SELECT schema_version FROM meta").fetchall() != [(version,)]:
        raise StoreError("damaged (its schema version is missing)")
    return version


def _beside(path: Path) -> tuple[Path, ...]:
    return tuple(path.with_name(path.name + suffix) for suffix in _SIDE_FILES)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
