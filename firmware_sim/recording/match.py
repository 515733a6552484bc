"""When a request counts as the recorded one, and what of the recorded reply must then be said anew. Pure.

``bytes``: every byte is the same; the reply is the recorded one. ``frames``: the number of the frame (serial sequence,
Modbus transaction) is the host's affair; the reply carries the host's. ``orders``: so are the number, echo and token of
an order; replies show the host's own number and token, and a lease counted from the status that the host named.
"""

from collections.abc import Mapping
from typing import Final, Literal

from firmware_sim.faults.line import Protocol
from firmware_sim.recording.frames import Frames
from firmware_sim.recording.layout import (
    ORDER_BYTES,
    Parts,
    in_order,
    in_status,
    order_at,
    put_together,
    status_at,
    take_apart,
)

Mode = Literal["bytes", "frames", "orders"]
MODES: Final[Mapping[Mode, str]] = {
    "bytes": "every byte must be the same",
    "frames": "the numbers of frames may differ",
    "orders": "the numbers of frames, and number, echo and token of orders may differ; fewer polls are allowed",
}
_TICK_MS: Final = 20
_WORD: Final = 2
_OWN: Final = (in_order("order_number"), in_order("echo"), in_order("order_token"))
"""Where in an order the words stand that are the host's own."""


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
        self._words: dict[int, dict[int, int]] = {at: {} for at in _OWN}
        self._echo_late = 0

    def same(self, recorded: bytes, live: bytes) -> bool:
        """Whether the host asks what was recorded."""
        return recorded == live or (self._mode != "bytes" and self._key(recorded) == self._key(live))

    def answer(self, recorded: bytes, live: bytes) -> None:
        """The host has asked it: from now on replies speak of its numbers."""
        then, now = take_apart(self._protocol, recorded), take_apart(self._protocol, live)
        if self._mode == "bytes" or then is None or now is None:
            return
        if then.number is not None and now.number is not None:
            self._numbers[then.number] = now.number
        at = order_at(self._protocol, then.body)
        if self._mode == "orders" and at is not None:
            for offset, words in self._words.items():
                words[_word(then.body, at + offset)] = _word(now.body, at + offset)
            echo = at + in_order("echo")
            late = (_word(now.body, echo) - _word(then.body, echo) + 0x8000) % 0x10000 - 0x8000
            self._echo_late = late * _TICK_MS

    def reply(self, recorded: bytes) -> bytes:
        """What the host hears instead of the recorded bytes; one with a broken frame in it stays as it is."""
        if self._mode == "bytes":
            return recorded
        frames = Frames(self._protocol)
        return b"".join(map(self._renumbered, frames.feed(recorded))) + b"".join(map(self._renumbered, frames.flush()))

    def _renumbered(self, frame: bytes) -> bytes:
        parts = take_apart(self._protocol, frame)
        if parts is None:
            return frame
        number = parts.number if parts.number is None else self._numbers.get(parts.number, parts.number)
        return put_together(self._protocol, Parts(number, self._shown(parts.body)))

    def _shown(self, body: bytes) -> bytes:
        at = status_at(self._protocol, body)
        if self._mode != "orders" or at is None:
            return body
        told = bytearray(body)
        for field, order in (("order_sequence", "order_number"), ("token", "order_token")):
            where = at + in_status(field)
            word = _word(body, where)
            told[where : where + _WORD] = self._words[in_order(order)].get(word, word).to_bytes(_WORD, "big")
        where = at + in_status("lease_remaining_ms")
        left_ms = _word(body, where)
        if left_ms:
            told[where : where + _WORD] = min(max(left_ms + self._echo_late, 1), 0xFFFF).to_bytes(_WORD, "big")
        return bytes(told)

    def _key(self, frame: bytes) -> bytes:
        parts = take_apart(self._protocol, frame)
        if parts is None:
            return b"\0bad" + frame
        body = parts.body
        at = order_at(self._protocol, body)
        if self._mode != "orders" or at is None:
            return body
        order = bytearray(body[at : at + ORDER_BYTES])
        for offset in _OWN:
            order[offset : offset + _WORD] = bytes(_WORD)
        return body[:at] + bytes(order)


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + _WORD], "big")
