"""The byte filters that need not know what the bytes mean: loss, delay, noise, and frames in another order."""

import math
from collections import deque
from collections.abc import Iterable
from typing import Final

from firmware_sim.faults.line import ByteFilter, Piece

_MS: Final = 1e-3
_FLOOD_S: Final = 0.01
_BEHIND_S: Final = 1.0
"""A flood that nobody has looked at for longer does not make up for it."""


class Loss(ByteFilter):
    """Frames vanish, each with the probability ``share``."""

    def through(self, data: bytes, now_s: float) -> Iterable[Piece]:
        if self.chance.random() >= self.effect.number("share"):
            return ((now_s, data),)
        self.effect.fire()
        return ()


class Silent(ByteFilter):
    """Nothing passes."""

    def through(self, data: bytes, now_s: float) -> Iterable[Piece]:
        self.effect.fire()
        return ()


class Delay(ByteFilter):
    """Frames come later by ``delay_ms`` and, each anew, up to ``jitter_ms`` more."""

    def through(self, data: bytes, now_s: float) -> Iterable[Piece]:
        late_ms = self.effect.number("delay_ms") + self.effect.number("jitter_ms") * self.chance.random()
        if late_ms > 0.0:
            self.effect.fire()
        return ((now_s + late_ms * _MS, data),)


class Late(ByteFilter):
    """Frames come ``delay_ms`` late."""

    def through(self, data: bytes, now_s: float) -> Iterable[Piece]:
        self.effect.fire()
        return ((now_s + self.effect.number("delay_ms") * _MS, data),)


class Drip(ByteFilter):
    """Bytes come one by one, ``gap_ms`` apart."""

    free_s = 0.0

    def through(self, data: bytes, now_s: float) -> Iterable[Piece]:
        gap_s = self.effect.number("gap_ms") * _MS
        first_s = max(now_s, self.free_s)
        self.free_s = first_s + len(data) * gap_s
        self.effect.fire()
        return [(first_s + at * gap_s, data[at : at + 1]) for at in range(len(data))]


class BitErrors(ByteFilter):
    """Each bit is turned over with the probability ``rate``; counts the frames that were hit."""

    def through(self, data: bytes, now_s: float) -> Iterable[Piece]:
        bits, at = 8 * len(data), self._next()
        if at >= bits:
            return ((now_s, data),)
        spoilt = bytearray(data)
        while at < bits:
            spoilt[at // 8] ^= 1 << at % 8
            at += 1 + self._next()
        self.effect.fire()
        return ((now_s, bytes(spoilt)),)

    def _next(self) -> int:
        """Good bits before the next bad one."""
        rate = self.effect.number("rate")
        return 0 if rate >= 1.0 else int(math.log(1.0 - self.chance.random()) / math.log1p(-rate))


class Altered(ByteFilter):
    """Frames become others at once."""

    def through(self, data: bytes, now_s: float) -> Iterable[Piece]:
        altered = self.altered(data)
        if altered != data:
            self.effect.fire()
        return ((now_s, altered),)

    def altered(self, data: bytes) -> bytes:
        """What becomes of a frame."""
        raise NotImplementedError


class BytesLost(Altered):
    """Each byte vanishes with the probability ``share``."""

    def altered(self, data: bytes) -> bytes:
        share = self.effect.number("share")
        return bytes(byte for byte in data if self.chance.random() >= share)


class StuckBit(Altered):
    """One bit of every byte is 1."""

    def altered(self, data: bytes) -> bytes:
        mask = 1 << int(self.effect.number("bit"))
        return bytes(byte | mask for byte in data)


class Truncated(Altered):
    """The end of a frame is missing."""

    def altered(self, data: bytes) -> bytes:
        return data[: -int(self.effect.number("bytes"))]


class Doubled(Altered):
    """Each frame comes twice."""

    def altered(self, data: bytes) -> bytes:
        return data + data


class NoiseBefore(Altered):
    """Noise in front of each frame."""

    def altered(self, data: bytes) -> bytes:
        return self.chance.randbytes(int(self.effect.number("bytes"))) + data


class WrongBaud(Altered):
    """The two ends have different rates: other bytes, and another number of them."""

    def altered(self, data: bytes) -> bytes:
        return self.chance.randbytes(math.ceil(len(data) * self.effect.number("ratio")))


class Merged(ByteFilter):
    """Frames come ``frames`` at a time."""

    def __init__(self, *made: object) -> None:
        super().__init__(*made)  # type: ignore[arg-type]
        self._held: list[bytes] = []

    def through(self, data: bytes, now_s: float) -> Iterable[Piece]:
        self._held.append(data)
        if len(self._held) < self.effect.number("frames"):
            return ()
        self.effect.fire()
        return ((now_s, self.rest()),)

    def rest(self) -> bytes:
        data, self._held = b"".join(self._held), []
        return data


class Swapped(Merged):
    """Each frame waits for the next and comes after it."""

    def through(self, data: bytes, now_s: float) -> Iterable[Piece]:
        if not self._held:
            self._held.append(data)
            return ()
        self.effect.fire()
        return ((now_s, data), (now_s, self.rest()))


class Repeated(ByteFilter):
    """The first frame instead of each that follows."""

    first: bytes | None = None

    def through(self, data: bytes, now_s: float) -> Iterable[Piece]:
        if self.first is None:
            self.first = data
        elif data != self.first:
            self.effect.fire()
        return ((now_s, self.first),)


class Echo(ByteFilter):
    """What the other end sends comes back at once."""

    def __init__(self, *made: object) -> None:
        super().__init__(*made)  # type: ignore[arg-type]
        self._heard: deque[bytes] = deque()

    def heard(self, data: bytes, now_s: float) -> None:
        self._heard.append(data)
        self.due_s = now_s

    def own(self, now_s: float) -> bytes:
        data = self._heard.popleft()
        self.due_s = now_s if self._heard else None
        return data


class Again(ByteFilter):
    """Each frame comes once more ``delay_ms`` later, whatever has come in between."""

    def __init__(self, *made: object) -> None:
        super().__init__(*made)  # type: ignore[arg-type]
        self._copies: deque[Piece] = deque()

    def through(self, data: bytes, now_s: float) -> Iterable[Piece]:
        self._copies.append((now_s + self.effect.number("delay_ms") * _MS, data))
        self.due_s = self._copies[0][0]
        return ((now_s, data),)

    def own(self, now_s: float) -> bytes:
        _, data = self._copies.popleft()
        self.due_s = self._copies[0][0] if self._copies else None
        return data


class Periodic(ByteFilter):
    """Sends by itself, again and again.

    Attributes:
        period_s: How often.
    """

    period_s = _FLOOD_S

    def begin(self, now_s: float) -> None:
        self.due_s = now_s + self.period_s

    def own(self, now_s: float) -> bytes:
        due_s = self.due_s if self.due_s is not None and now_s - self.due_s < _BEHIND_S else now_s
        self.due_s = due_s + self.period_s
        return self.sent()

    def sent(self) -> bytes:
        """What is sent this time."""
        raise NotImplementedError


class Flood(Periodic):
    """Random bytes without end."""

    def sent(self) -> bytes:
        return self.chance.randbytes(round(self.effect.number("bytes_s") * _FLOOD_S))
