"""The byte filters that open frames: wrong in what they say, right in their check."""

from typing import Final

from firmware_sim.faults import frames
from firmware_sim.faults.filters import Altered, Periodic

_SETPOINT, _LEASE, _ECHO = 2, 3, 4
_FIELDS: Final = {"setpoint": _SETPOINT, "lease": _LEASE, "echo": _ECHO}
"""Registers of an order that a fault may alter."""
ORDER_FIELDS: Final = tuple(_FIELDS)


class OpenedFrames(Altered):
    """Opens what is a frame, and closes it again; everything else passes as it is."""

    def altered(self, data: bytes) -> bytes:
        frame = frames.opened(self.protocol, data)
        return data if frame is None else frames.closed(self.protocol, self.spoilt(frame))

    def spoilt(self, frame: frames.Opened) -> frames.Opened:
        """What becomes of a frame."""
        raise NotImplementedError

    def with_word(self, frame: frames.Opened, at: int, change: int) -> frames.Opened:
        """The frame with ``change`` added to the register that begins at ``at``."""
        body = bytearray(frame.body)
        body[at : at + 2] = ((int.from_bytes(body[at : at + 2], "big") + change) % 65536).to_bytes(2, "big")
        return frames.Opened(frame.head, bytes(body))


class OrderAltered(OpenedFrames):
    """One register of each order is another when it arrives."""

    def spoilt(self, frame: frames.Opened) -> frames.Opened:
        at = frames.order_at(self.protocol, frame.body)
        if at is None:
            return frame
        field = _FIELDS[self.effect.choice("field")]
        return self.with_word(frame, at + 2 * field, int(self.effect.number("added")))


class StaleEcho(OpenedFrames):
    """Each order for a lease echoes an older status than the host has judged."""

    def spoilt(self, frame: frames.Opened) -> frames.Opened:
        at = frames.order_at(self.protocol, frame.body)
        leased = at is not None and any(frame.body[at + 2 * _LEASE : at + 2 * _LEASE + 2])
        if at is None or not leased:
            return frame
        return self.with_word(frame, at + 2 * _ECHO, -int(self.effect.number("ticks")))


class StatusAltered(OpenedFrames):
    """One bit somewhere in each status is turned over."""

    def spoilt(self, frame: frames.Opened) -> frames.Opened:
        at = frames.status_at(self.protocol, frame.body)
        if at is None:
            return frame
        bit = self.chance.randrange(8 * (len(frame.body) - at))
        body = bytearray(frame.body)
        body[at + bit // 8] ^= 1 << bit % 8
        return frames.Opened(frame.head, bytes(body))


class WrongReplies(OpenedFrames):
    """Each reply answers another question."""

    def spoilt(self, frame: frames.Opened) -> frames.Opened:
        return frames.mistaken(self.protocol, frame, self.effect.choice("wrong"))


class ErrorReplies(OpenedFrames):
    """Each reply is an error."""

    def spoilt(self, frame: frames.Opened) -> frames.Opened:
        return frames.error_for(self.protocol, frame, int(self.effect.number("code")))


class ForeignFrames(Periodic):
    """Good frames of somebody else."""

    def begin(self, now_s: float) -> None:
        self.period_s = self.effect.number("period_s")
        super().begin(now_s)

    def sent(self) -> bytes:
        return frames.foreign(self.protocol, self.chance)
