"""When a request counts as the recorded one, and what of the recorded reply must then be said anew. Pure.

``bytes``: every byte is the same; the reply is the recorded one. ``frames``: the number of the frame (serial sequence,
Modbus transaction) is the host's affair; the reply carries the host's. ``orders``: so are the number, echo and token of
an order; replies show the host's own number and token, a lease counted from the status that the host named, and as many
orders as the host has sent. It may poll, which drives nothing, more or less often than was recorded. The wand's time
goes on with the host's: a status tells the sequence and uptime that this wand would have now.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

from cryodevice.wire.registers import FIELDS, ORDER_BASE, STATUS_BASE
from firmware_sim.faults.frames import Opened, closed, opened, order_at, status_at
from firmware_sim.faults.line import Protocol
from firmware_sim.firmware.constants import TICK_MS
from firmware_sim.recording.frames import Frames

Mode = Literal["bytes", "frames", "orders"]
MODES: Final[Mapping[Mode, str]] = {
    "bytes": "every byte must be the same",
    "frames": "the numbers of frames may differ",
    "orders": "so may number, echo and token of orders, and how often it polls",
}

_WORD: Final = 2
_ROUNDING_S: Final = 1e-6
_NUMBER, _MODE, _LEASE, _ECHO, _TOKEN, _KEY = (
    2 * (FIELDS[name].address - ORDER_BASE)
    for name in ("order_number", "mode", "lease_ms", "echo", "order_token", "reset_key")
)
"""Where words of an order stand; number, echo and token are the host's own."""
_SEQUENCE, _UPTIME, _NUMBER_SHOWN, _TOKEN_SHOWN, _EPOCH, _LEASE_LEFT = (
    2 * (FIELDS[name].address - STATUS_BASE)
    for name in ("sequence", "uptime_ms", "order_sequence", "token", "order_epoch", "lease_remaining_ms")
)
_SHOWN: Final = (_SEQUENCE, _UPTIME, _UPTIME + _WORD, _NUMBER_SHOWN, _TOKEN_SHOWN, _EPOCH, _LEASE_LEFT)
"""Where a status shows its time, those words, how many orders there were, and the lease."""


class Matcher:
    """One connection's requests against the recorded ones.

    Args:
        protocol: What is spoken.
        mode: What may differ.
    """

    def __init__(self, protocol: Protocol, mode: Mode) -> None:
        self._protocol: Protocol = protocol
        self._mode = mode
        self._numbers: dict[int, int] = {}
        self._orders: dict[int, int] = {}
        self._tokens: dict[int, int] = {}
        self._echo_later = self._more_orders = self._more_ticks = 0

    def same(self, recorded: bytes, live: bytes) -> bool:
        """Whether the host asks what was recorded."""
        return recorded == live or (self._mode != "bytes" and self._key(recorded) == self._key(live))

    def answer(self, recorded: bytes, live: bytes, replies: Sequence[bytes]) -> None:
        """The host has asked it: from now on replies speak of its numbers.

        Args:
            recorded: The request then.
            live: The same now.
            replies: What was heard then; an order that was refused has set no lease.
        """
        then, now = opened(self._protocol, recorded), opened(self._protocol, live)
        if self._mode == "bytes" or then is None or now is None:
            return
        self._numbers[self._number(then)] = self._number(now)
        at = order_at(self._protocol, then.body)
        if self._mode == "orders" and at is not None:
            for words, offset in ((self._orders, _NUMBER), (self._tokens, _TOKEN)):
                words[_word(then.body, at + offset)] = _word(now.body, at + offset)
            if not replies or self._accepted(replies):
                self._echo_later = _word(now.body, at + _ECHO) - _word(then.body, at + _ECHO)

    def polls(self, recorded: bytes) -> bool:
        """Whether a request drives nothing, so that a host may repeat it more or fewer times than was recorded."""
        asked = opened(self._protocol, recorded)
        if asked is None or self._mode != "orders":
            return False
        at = order_at(self._protocol, asked.body)
        return at is None or not any(_word(asked.body, at + offset) for offset in (_MODE, _LEASE, _KEY))

    def at(self, then_s: float, now_s: float) -> None:
        """Replies recorded at ``then_s`` of the wand's time are given at ``now_s``."""
        self._more_ticks = _ticks(now_s) - _ticks(then_s)

    def repeat(self, recorded: bytes, replies: Sequence[bytes], times: int) -> None:
        """The host has sent this request more often than recorded (``times`` 1), or less often (-1)."""
        asked = opened(self._protocol, recorded)
        if asked is not None and order_at(self._protocol, asked.body) is not None:
            self._more_orders += times * self._accepted(replies)

    def _accepted(self, replies: Sequence[bytes]) -> bool:
        """Whether a status is among the replies."""
        told = [opened(self._protocol, reply) for reply in replies]
        return any(one is not None and status_at(self._protocol, one.body) is not None for one in told)

    def reply(self, recorded: bytes) -> bytes:
        """What the host hears instead of the recorded bytes; one with a broken frame in it stays as it is."""
        if self._mode == "bytes":
            return recorded
        frames = Frames(self._protocol)
        return b"".join(map(self._renumbered, frames.feed(recorded))) + b"".join(map(self._renumbered, frames.flush()))

    def _renumbered(self, frame: bytes) -> bytes:
        told = opened(self._protocol, frame)
        if told is None:
            return frame
        number = self._number(told)
        return closed(
            self._protocol, self._with_number(told, self._shown(told.body), self._numbers.get(number, number))
        )

    def _number(self, frame: Opened) -> int:
        """Sequence or transaction of a frame; 0 where frames have none."""
        if self._protocol == "serial":
            return frame.body[1]
        return int.from_bytes(frame.head[:_WORD], "big")

    def _with_number(self, frame: Opened, body: bytes, number: int) -> Opened:
        """The frame with another body and number."""
        if self._protocol == "serial":
            return Opened(frame.head, body[:1] + bytes((number,)) + body[2:])
        if self._protocol == "tcp":
            return Opened(number.to_bytes(_WORD, "big") + frame.head[_WORD:], body)
        return Opened(frame.head, body)

    def _shown(self, body: bytes) -> bytes:
        at = status_at(self._protocol, body)
        if self._mode != "orders" or at is None:
            return body
        then = {offset: _word(body, at + offset) for offset in _SHOWN}
        later_ms = ((self._echo_later - self._more_ticks + 0x8000) % 0x10000 - 0x8000) * TICK_MS
        left_ms, high = then[_LEASE_LEFT], then[_UPTIME]
        uptime_ms = (high << 16 | then[_UPTIME + _WORD]) + self._more_ticks * TICK_MS
        now = {
            _SEQUENCE: then[_SEQUENCE] + self._more_ticks,
            _UPTIME: uptime_ms >> 16,
            _UPTIME + _WORD: uptime_ms,
            _NUMBER_SHOWN: self._orders.get(then[_NUMBER_SHOWN], then[_NUMBER_SHOWN]),
            _TOKEN_SHOWN: self._tokens.get(then[_TOKEN_SHOWN], then[_TOKEN_SHOWN]),
            _EPOCH: then[_EPOCH] + self._more_orders,
            _LEASE_LEFT: left_ms and min(max(left_ms + later_ms, 1), 0xFFFF),
        }
        told = bytearray(body)
        for offset, word in now.items():
            told[at + offset : at + offset + _WORD] = (word & 0xFFFF).to_bytes(_WORD, "big")
        return bytes(told)

    def _key(self, frame: bytes) -> bytes:
        asked = opened(self._protocol, frame)
        if asked is None:
            return b"\0bad" + frame
        body = bytearray(self._with_number(asked, asked.body, 0).body)
        at = order_at(self._protocol, asked.body)
        if self._mode == "orders" and at is not None:
            for offset in (_NUMBER, _ECHO, _TOKEN):
                body[at + offset : at + offset + _WORD] = bytes(_WORD)
        return bytes(body)


def _ticks(wand_s: float) -> int:
    """Firmware ticks that are over at a time of the wand."""
    return int((wand_s + _ROUNDING_S) * 1000 / TICK_MS)


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + _WORD], "big")
