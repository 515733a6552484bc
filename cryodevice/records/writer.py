"""One thread, one connection, group commit: writes what is queued, newest of a key only, one transaction at a time.

Does not know what it writes. ``submit`` never blocks on the disk and never raises; a failed write is kept and tried
again, on a new connection, because after a failed fsync the old one can no longer be believed.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path

from cryodevice.runtime.failpoints import failpoint

RETRY_S = 0.5
"""Pause before a failed write is tried again, s (engineering default: well under the 2 s a record may be old)."""


@dataclass(frozen=True, slots=True)
class Write:
    """One thing to be written.

    Args:
        apply: Runs in the writer's thread inside its transaction.
        durable: Runs in the writer's thread once the commit has returned; quick, never raises.
        settle: Also move the write-ahead log into the file afterwards.
    """

    apply: Callable[[sqlite3.Connection], None]
    durable: Callable[[], None] = lambda: None
    settle: bool = False


class GroupWriter:
    """The only writer of one SQLite file, in its own daemon thread.

    Args:
        path: The file, which exists.
        connect: Opens it; called in the writer's thread, again after every failure.
        failpoint: Told before and after each commit.
    """

    def __init__(
        self,
        path: Path,
        connect: Callable[[Path], sqlite3.Connection],
        failpoint: Callable[[str], None] = failpoint,
    ) -> None:
        self._path = path
        self._connect = connect
        self._failpoint = failpoint
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] = (0, 0)
        self._pending: dict[Hashable, Write] = {}
        self._changed = threading.Condition()
        self._closing = False
        self._writing = False
        self.failure = ""
        self.commits = 0
        self._thread = threading.Thread(target=self._run, name=f"writer of {path.name}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, write: Write, key: Hashable | None = None) -> None:
        """Queue a write. One with the same key that has not been written yet is replaced, in its place."""
        with self._changed:
            self._pending[object() if key is None else key] = write
            self._changed.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Wait until nothing is queued or a write has failed; whether everything is on the disk."""
        with self._changed:
            self._changed.wait_for(self._settled, timeout_s)
            return not self._pending and not self._writing

    def close(self, timeout_s: float) -> bool:
        """Write what is queued, close the file, end the thread; whether all that happened in time."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout_s)
        return not self._thread.is_alive() and not self._pending

    def _settled(self) -> bool:
        return bool(self.failure) or not (self._pending or self._writing)

    def _run(self) -> None:
        closing = False
        while not closing:
            with self._changed:
                if self.failure and not self._closing:
                    self._changed.wait_for(lambda: self._closing, RETRY_S)
                self._changed.wait_for(lambda: self._pending or self._closing)
                closing = self._closing
                batch, self._pending, self._writing = self._pending, {}, bool(self._pending)
            failure = self._commit(batch) if batch else self.failure
            with self._changed:
                if failure:
                    self._pending = {**batch, **self._pending}  # a newer write of a key replaces the one that failed
                self.failure, self._writing = failure, False
                self._changed.notify_all()
        self._disconnect()

    def _commit(self, batch: dict[Hashable, Write]) -> str:
        try:
            connection = self._connected()
            connection.execute("BEGIN IMMEDIATE")
            for write in batch.values():
                write.apply(connection)
            self._failpoint("ledger.before_commit")
            connection.execute("COMMIT")
            self._failpoint("ledger.after_commit")
            self._still_ours()
        except Exception as error:  # noqa: BLE001 - the thread outlives any failure; it withholds the lease meanwhile
            self._disconnect()
            return f"{self._path} cannot be written ({error}); check the disk, its free space and permissions"
        self.commits += 1
        for write in batch.values():
            write.durable()
        if any(write.settle for write in batch.values()):
            try:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            except sqlite3.Error:
                self._disconnect()  # what was committed is safe in the log; the next write opens the file anew
        return ""

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._connect(self._path)
            self._identity = self._on_disk()
        return self._connection

    def _still_ours(self) -> None:
        if self._on_disk() != self._identity:
            raise OSError("the file was replaced while in use")

    def _on_disk(self) -> tuple[int, int]:
        status = self._path.stat()
        return status.st_dev, status.st_ino

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()  # rolls an open transaction back
