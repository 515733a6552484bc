"""One line to the wand as faults see it: in each direction a chain of byte filters, and the bytes still under way.

Pure: bytes and a time in, bytes with the time at which they arrive out. Nothing here opens, waits or answers. Bytes
never overtake bytes that were sent before them; a filter that swaps frames swaps them as they are sent.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from random import Random
from typing import Literal

from firmware_sim.faults.counted import Counted

Protocol = Literal["serial", "rtu", "tcp"]
Piece = tuple[float, bytes]
"""When it arrives, s, and what."""
MOST_UNDER_WAY = 1 << 20
"""Bytes that can be under way in one direction; what is sent beyond them is lost."""


def _nothing() -> None:
    return None


class ByteFilter:
    """One fault in one direction of one line. As it stands here every byte passes at once.

    A *frame* is what was sent at one go: the slaves write a reply at one go, and hosts a request.

    Args:
        effect: Whose filter it is; counts what the filter does.
        protocol: What the bytes on this line are.
        chance: All chance of this filter.
    """

    due_s: float | None = None
    """When it has bytes of its own to send; ``None``: never."""

    def __init__(self, effect: Counted, protocol: Protocol, chance: Random) -> None:
        self.effect = effect
        self.protocol = protocol
        self.chance = chance

    def begin(self, now_s: float) -> None:
        """It is in the line from now on."""

    def through(self, data: bytes, now_s: float) -> Iterable[Piece]:
        """What becomes of bytes that come at ``now_s``; counted by ``effect.fire`` where it is not the same."""
        return ((now_s, data),)

    def heard(self, data: bytes, now_s: float) -> None:
        """The other direction carries these bytes."""

    def own(self, now_s: float) -> bytes:
        """Its own bytes that are due; called when ``due_s`` has come, and sets it anew."""
        return b""

    def rest(self) -> bytes:
        """What it still holds when it is taken out."""
        return b""


class Chain:
    """One direction: filters, first in first, and what is under way."""

    def __init__(self) -> None:
        self.filters: list[ByteFilter] = []
        self._under_way: deque[Piece] = deque()
        self._bytes = 0

    @property
    def idle(self) -> bool:
        """Whether bytes may as well pass by."""
        return not self.filters and not self._under_way

    @property
    def empty(self) -> bool:
        """Whether nothing is under way."""
        return not self._under_way

    @property
    def due_s(self) -> float | None:
        """When something will arrive, or be sent, that nobody has to send."""
        due = [filter_.due_s for filter_ in self.filters if filter_.due_s is not None]
        if self._under_way:
            due.append(self._under_way[0][0])
        return min(due, default=None)

    def send(self, data: bytes, now_s: float) -> None:
        """Bytes are sent into this direction."""
        if data:
            self._pass([(now_s, data)], 0)

    def arrived(self, now_s: float) -> Iterator[bytes]:
        """Pieces that have arrived by now, in order."""
        for at, filter_ in enumerate(self.filters):
            if filter_.effect.spent:
                filter_.due_s = None
            while filter_.due_s is not None and filter_.due_s <= now_s:
                own = filter_.own(now_s)
                if own:
                    filter_.effect.fire()
                    self._pass([(now_s, own)], at + 1)
                if filter_.effect.spent:
                    filter_.due_s = None
        while self._under_way and self._under_way[0][0] <= now_s:
            _, data = self._under_way.popleft()
            self._bytes -= len(data)
            yield data

    def take_out(self, effect: Counted, now_s: float) -> None:
        """Take out the filters of one effect; what they held goes on its way."""
        for at, filter_ in reversed(tuple(enumerate(self.filters))):
            if filter_.effect is effect:
                rest = filter_.rest()
                del self.filters[at]
                if rest:
                    self._pass([(now_s, rest)], at)

    def _pass(self, pieces: list[Piece], first: int) -> None:
        for filter_ in self.filters[first:]:
            pieces = [
                out
                for at_s, data in pieces
                for out in (((at_s, data),) if filter_.effect.spent else filter_.through(data, at_s))
            ]
        for at_s, data in pieces:
            if data and self._bytes + len(data) <= MOST_UNDER_WAY:
                last_s = self._under_way[-1][0] if self._under_way else at_s
                self._under_way.append((max(at_s, last_s), data))
                self._bytes += len(data)


class LineFaults:
    """Both directions of one line.

    Args:
        name: Of the kind of line: ``serial``, ``serial_tcp``, ``modbus_rtu``, ``modbus_tcp``, ``memory``.
        protocol: What is spoken on it.
        number: Which line of that name it is.

    Attributes:
        wake: Called when ``due_s`` may have become earlier by itself; set by whoever moves the bytes.
        plug: Called with whether the plug is in when that changes; set by the same.
    """

    def __init__(self, name: str, protocol: Protocol, number: int = 0) -> None:
        self.name = name
        self.protocol: Protocol = protocol
        self.number = number
        self.to_wand = Chain()
        self.to_host = Chain()
        self.wake: Callable[[], None] = _nothing
        self.plug: Callable[[bool], None] = lambda _: None
        self._pulled = 0

    @property
    def plugged(self) -> bool:
        """Whether the plug is in."""
        return not self._pulled

    def pull(self) -> None:
        """Pull the plug, or pull it once more."""
        self._pulled += 1
        if self._pulled == 1:
            self.plug(False)

    def put_back(self) -> None:
        """Put it back, if nobody else has pulled it."""
        self._pulled -= 1
        if not self._pulled:
            self.plug(True)

    @property
    def idle(self) -> bool:
        """Whether the line may be left out: no filter, nothing under way."""
        return self.to_wand.idle and self.to_host.idle

    @property
    def due_s(self) -> float | None:
        """When something arrives by itself at either end."""
        return min((due for due in (self.to_wand.due_s, self.to_host.due_s) if due is not None), default=None)

    def from_host(self, data: bytes, now_s: float) -> None:
        """The host sends these bytes."""
        for filter_ in self.to_host.filters:
            if not filter_.effect.spent:
                filter_.heard(data, now_s)
        self.to_wand.send(data, now_s)

    def from_wand(self, data: bytes, now_s: float) -> None:
        """The wand sends these bytes."""
        self.to_host.send(data, now_s)

    def take_out(self, effect: Counted, now_s: float) -> None:
        """Take out one fault in both directions."""
        self.to_wand.take_out(effect, now_s)
        self.to_host.take_out(effect, now_s)
        self.wake()
