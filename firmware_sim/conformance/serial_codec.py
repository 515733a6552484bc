"""The serial frame from the host's side: request to bytes, bytes to replies, after docs/wire.md 8. No line, no clock.

It can also make what a good host never sends: the clauses about bad frames need them.
"""

from typing import Final, NamedTuple

IDENTIFY, EXCHANGE, READ_STATUS, ERROR = 1, 2, 3, 0xFF
REPLY: Final = 0x80
UNKNOWN_TYPE, BAD_LENGTH, REFUSED = 2, 3, 4
LONGEST: Final = 256
"""A frame as sent, the final 0x00 included."""
LONGEST_PAYLOAD: Final = 250
_GROUP: Final = 254
_SHORTEST: Final = 4


class Frame(NamedTuple):
    """One good frame."""

    type: int
    sequence: int
    payload: bytes


def _after_byte(high: int) -> int:
    register = high << 8
    for _ in range(8):
        register = (register << 1 ^ 0x1021 if register & 0x8000 else register << 1) & 0xFFFF
    return register


_TABLE = tuple(map(_after_byte, range(256)))


def crc(data: bytes) -> int:
    """CRC-16/XMODEM, byte by byte over a table made bit by bit."""
    register = 0
    for byte in data:
        register = (register << 8 & 0xFF00) ^ _TABLE[register >> 8 ^ byte]
    return register


def stuff(data: bytes) -> bytes:
    """COBS without the final 0x00; a full group that ends the data is followed by nothing."""
    out = bytearray(b"\x01")
    code_at, full = 0, False
    for byte in data:
        if full:
            code_at, full = len(out), False
            out.append(1)
        if byte == 0:
            code_at = len(out)
            out.append(1)
            continue
        out.append(byte)
        out[code_at] += 1
        full = out[code_at] == _GROUP + 1
    return bytes(out)


def unstuff(data: bytes) -> bytes | None:
    """Inverse of ``stuff``; ``None`` for what contradicts itself."""
    out = bytearray()
    at = 0
    while at < len(data):
        code = data[at]
        group = data[at + 1 : at + code]
        if code == 0 or len(group) != code - 1 or 0 in group:
            return None
        out += group
        at += code
        if code <= _GROUP and at < len(data):
            out.append(0)
    return bytes(out)


def sealed(body: bytes) -> bytes:
    """A body with its CRC, stuffed and ended; nothing about it is checked."""
    return stuff(body + crc(body).to_bytes(2, "big")) + b"\0"


def request(kind: int, sequence: int, payload: bytes = b"") -> bytes:
    """One request as sent."""
    return sealed(bytes((kind, sequence)) + payload)


def read_frame(encoded: bytes) -> Frame | None:
    """The frame between two 0x00; ``None`` for a bad one."""
    data = unstuff(encoded)
    if data is None or len(encoded) >= LONGEST or len(data) < _SHORTEST or data[0] == 0:
        return None
    if crc(data[:-2]) != int.from_bytes(data[-2:], "big"):
        return None
    return Frame(data[0], data[1], data[2:-2])


class Frames:
    """Cuts a stream at its 0x00.

    Attributes:
        bad: Stretches that were no frame.
    """

    def __init__(self) -> None:
        self._rest = b""
        self.bad = 0

    def feed(self, data: bytes) -> list[Frame]:
        """The good frames that these bytes complete."""
        *stretches, self._rest = (self._rest + data).split(b"\0")
        found = []
        for stretch in filter(None, stretches):
            frame = read_frame(stretch)
            if frame is None:
                self.bad += 1
            else:
                found.append(frame)
        return found
