"""One thread that writes trip records, oldest trip first. What cannot be written now is kept and tried again, bounded.

``submit`` never blocks and never raises: a disk that is full or slow holds up this thread and nothing else.
"""

import threading
import time
from collections.abc import Iterator

from cryodevice.errors import CryodeviceError
from cryodevice.records.trip_file import Recorded, lines_of
from cryodevice.records.trip_shelf import TripShelf

RETRY_S = 5.0
"""Pause before a record that could not be written is tried again, s (engineering default)."""
MOST_WAITING = 8
"""Records that wait for the disk; of more, the oldest goes and is counted (engineering default)."""


class TripWriter:
    """Writes what is submitted into a shelf, in its own daemon thread; holds go into one of their own.

    Attributes:
        failure: Why records are not reaching the disk; empty while they do.
        lost: Records that were never written, since too many waited.
        dropped: Old records thrown away to make room.
        written: Name of the record written last.
    """

    def __init__(self, trips: TripShelf, holds: TripShelf) -> None:
        self._trips, self._holds = trips, holds
        self._waiting: dict[str, Recorded] = {}
        self._changed = threading.Condition()
        self._closing = False
        self._writing = ""
        self.failure = ""
        self.lost = 0
        self.dropped = 0
        self.written = ""
        self._thread = threading.Thread(target=self._run, name="trip records", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, recorded: Recorded) -> None:
        """Queue a record; one of the same name that has not been written yet is replaced, in its place."""
        with self._changed:
            self._waiting[recorded.name] = recorded
            while len(self._waiting) > MOST_WAITING:
                holds = (name for name, waiting in self._waiting.items() if waiting.is_hold)
                del self._waiting[next(holds, next(iter(self._waiting)))]
                self.lost += 1
            self._changed.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything is on the disk or a write has failed; whether everything is."""
        with self._changed:
            self._changed.wait_for(lambda: self.failure or not (self._waiting or self._writing), timeout_s)
            return not self._waiting and not self._writing

    def close(self, timeout_s: float) -> bool:
        """Write what is queued and end the thread; whether all that happened in time."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive() and not self._waiting

    def _run(self) -> None:
        while (recorded := self._next()) is not None:
            failure = self._put(recorded)
            with self._changed:
                if failure:
                    self._waiting = {recorded.name: recorded, **self._waiting}  # a newer one of this name stands
                else:
                    self.written = recorded.name
                self.failure, self._writing = failure, ""
                self._changed.notify_all()
                if failure and self._closing:
                    return

    def _next(self) -> Recorded | None:
        with self._changed:
            if self.failure:
                self._changed.wait_for(lambda: self._closing, RETRY_S)
            self._changed.wait_for(lambda: self._waiting or self._closing)
            if not self._waiting:
                return None
            self._writing = next(iter(self._waiting))
            return self._waiting.pop(self._writing)

    def _put(self, recorded: Recorded) -> str:
        shelf = self._holds if recorded.is_hold else self._trips
        try:
            self.dropped += shelf.put(recorded.name, _breathing(recorded))
        except (OSError, CryodeviceError, ValueError) as error:
            return f"the record of a trip cannot be written ({error}); check the disk of {shelf.directory}"
        return ""


def _breathing(recorded: Recorded) -> Iterator[bytes]:
    """The lines of a record, with a breath after each few so that the loop's thread never waits for the interpreter."""
    for number, line in enumerate(lines_of(recorded)):
        if number % 8 == 0:
            time.sleep(0.0005)
        yield line
