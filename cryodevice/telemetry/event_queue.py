"""Events that wait for the broker, in order: the first is kept until it is known to have arrived.

Lives in memory: what it drops, or holds when the process dies, is lost to MQTT (never to the record).
"""

from collections import deque

from cryodevice.runtime.bus import Bus
from cryodevice.runtime.snapshot import NumberedEvent

EVENTS_KEPT = 1000
"""Events that wait for a broker; the oldest beyond are dropped and counted (engineering default)."""


class EventQueue:
    """A bounded, drop-oldest queue whose first event, once looked at, stays until ``done``."""

    def __init__(self, bus: Bus[NumberedEvent], depth: int = EVENTS_KEPT) -> None:
        self._subscription = bus.subscribe(depth)
        self._waiting: deque[NumberedEvent] = deque(maxlen=depth)
        self._first: NumberedEvent | None = None
        self._overflowed = 0

    @property
    def dropped(self) -> int:
        """Events lost to MQTT since start."""
        self._pull()
        return self._overflowed + self._subscription.dropped

    def __len__(self) -> int:
        self._pull()
        return len(self._waiting) + (self._first is not None)

    def first(self) -> NumberedEvent | None:
        """The oldest event, the same until ``done``; ``None`` when there is none."""
        if self._first is None:
            self._pull()
            self._first = self._waiting.popleft() if self._waiting else None
        return self._first

    def done(self) -> None:
        """The first event has arrived, or never can."""
        self._first = None

    def close(self) -> None:
        """Take no more events."""
        self._subscription.close()

    def _pull(self) -> None:
        for event in self._subscription.drain():
            self._overflowed += len(self._waiting) == self._waiting.maxlen
            self._waiting.append(event)
