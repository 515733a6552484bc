"""When a request counts as the recorded one, and what of the recorded reply must then be said anew. Pure.

``bytes``: every byte is the same; the reply is the recorded one. ``frames``: the number of the frame (serial sequence,
Modbus transaction) is the host's affair; the reply carries the host's. ``orders``: so are the number, echo and token of
an order; replies show the host's own number and token, and a lease counted from the status that the host named.
"""

from collections.abc import Mapping
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
    "orders": "the numbers of frames, and number, echo and token of orders may differ; fewer polls are allowed",
}

_WORD: Final = 2
_NUMBER, _ECHO, _TOKEN = (2 * (FIELDS[name].address - ORDER_BASE) for name in ("order_number", "echo", "order_token"))
"""Where in an order the words stand that are the host's own."""
_SHOWN_NUMBER, _SHOWN_TOKEN, _LEASE_LEFT = (
    2 * (FIELDS[name].address - STATUS_BASE) for name in ("order_sequence", "token", "lease_remaining_ms")
)
"""Where a status shows them, and the lease."""


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
        self._echo_late = 0

    def same(self, recorded: bytes, live: bytes) -> bool:
        """Whether the host asks what was recorded."""
        return recorded == live or (self._mode != "bytes" and self._key(recorded) == self._key(live))

    def answer(self, recorded: bytes, live: bytes) -> None:
        """The host has asked it: from now on replies speak of its numbers."""
        then, now = opened(self._protocol, recorded), opened(self._protocol, live)
        if self._mode == "bytes" or then is None or now is None:
            return
        self._numbers[self._number(then)] = self._number(now)
        at = order_at(self._protocol, then.body)
        if self._mode == "orders" and at is not None:
            for words, offset in ((self._orders, _NUMBER), (self._tokens, _TOKEN)):
                words[_word(then.body, at + offset)] = _word(now.body, at + offset)
            late = _word(now.body, at + _ECHO) - _word(then.body, at + _ECHO)
            self._echo_late = ((late + 0x8000) % 0x10000 - 0x8000) * TICK_MS

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
        told = bytearray(body)
        left_ms = _word(body, at + _LEASE_LEFT)
        number, token = _word(body, at + _SHOWN_NUMBER), _word(body, at + _SHOWN_TOKEN)
        for offset, word in (
            (_SHOWN_NUMBER, self._orders.get(number, number)),
            (_SHOWN_TOKEN, self._tokens.get(token, token)),
            (_LEASE_LEFT, left_ms and min(max(left_ms + self._echo_late, 1), 0xFFFF)),
        ):
            told[at + offset : at + offset + _WORD] = word.to_bytes(_WORD, "big")
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


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + _WORD], "big")
