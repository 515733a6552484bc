"""The byte filters of the faults of the link that need not know what the bytes mean."""

import math
from collections.abc import Iterable

from firmware_sim.faults.line import ByteFilter, Piece

_MS = 1e-3


class Loss(ByteFilter):
    """Frames vanish, each with the probability ``share``."""

    def through(self, data: bytes, now_s: float) -> Iterable[Piece]:
        share = self.effect.number("share")
        if share < 1.0 and self.chance.random() >= share:
            return ((now_s, data),)
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
    """Replies come ``delay_ms`` late."""

    def through(self, data: bytes, now_s: float) -> Iterable[Piece]:
        self.effect.fire()
        return ((now_s + self.effect.number("delay_ms") * _MS, data),)


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
