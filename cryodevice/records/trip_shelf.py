"""The directory of trip records: numbers them, puts a file there whole or not at all, and throws the oldest away.

Blocking; for the writer's thread and for commands, never on the loop. What a record holds is not its business.
"""

import contextlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

MOST_RECORDS = 100
MOST_BYTES = 32 << 20
"""All records together, bytes: a hundred at 20 Hz (engineering default)."""
_NAME = re.compile(r"(\d{6,9})-\d{8}T\d{6}Z-[a-z0-9_]+\.jsonl")


@dataclass(frozen=True, slots=True)
class Entry:
    """One record in the directory."""

    number: int
    path: Path
    size: int


def name_of(number: int, wall_s: float, cause: str) -> str:
    """Name of a record: it sorts by number, and says when and why."""
    try:
        stamp = datetime.fromtimestamp(wall_s, UTC).strftime("%Y%m%dT%H%M%SZ")
    except (ValueError, OverflowError, OSError):
        stamp = "00000000T000000Z"
    return f"{number:06d}-{stamp}-{re.sub(r'[^a-z0-9_]', '_', cause.lower())[:40] or 'unknown'}.jsonl"


class TripShelf:
    """The records of one state directory.

    Args:
        directory: Where they are; made with the first record.
        most_records: How many are kept.
        most_bytes: How many bytes are kept; the newest record stays whatever its size.
    """

    def __init__(self, directory: Path, most_records: int = MOST_RECORDS, most_bytes: int = MOST_BYTES) -> None:
        self.directory = directory
        self._most_records = most_records
        self._most_bytes = most_bytes

    def entries(self) -> list[Entry]:
        """What is there, oldest first; what is no record is left alone.

        Raises:
            OSError: The directory cannot be read.
        """
        found = []
        with contextlib.suppress(FileNotFoundError):
            for path in self.directory.iterdir():
                named = _NAME.fullmatch(path.name)
                if named is not None and path.is_file():
                    found.append(Entry(int(named[1]), path, path.stat().st_size))
        return sorted(found, key=lambda entry: (entry.number, entry.path.name))

    @staticmethod
    def dropped(entries: list[Entry]) -> int:
        """How many were thrown away to make room, as their numbers tell."""
        return entries[-1].number - len(entries) if entries else 0

    def put(self, name: str, lines: Iterable[bytes]) -> int:
        """Write a record so that it is there whole, on the disk, or not at all; then make room.

        Returns:
            How many old ones were thrown away.

        Raises:
            OSError: It could not be written; nothing of it is left.
        """
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = self.directory / f".{name}.tmp"
        try:
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.writelines(lines)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.directory / name)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        self._sync()
        return self._make_room()

    def sweep(self) -> None:
        """Throw away what a kill has left half written.

        Raises:
            OSError: The directory cannot be read or written.
        """
        with contextlib.suppress(FileNotFoundError):
            for path in self.directory.glob(".*.jsonl.tmp"):
                path.unlink(missing_ok=True)

    def _make_room(self) -> int:
        entries = self.entries()
        gone, total = 0, sum(entry.size for entry in entries)
        for entry in entries[:-1]:
            if len(entries) - gone <= self._most_records and total <= self._most_bytes:
                break
            entry.path.unlink(missing_ok=True)
            gone, total = gone + 1, total - entry.size
        return gone

    def _sync(self) -> None:
        descriptor = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
