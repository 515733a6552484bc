"""The serial frame: COBS(type, sequence, payload, CRC-16/XMODEM) 0x00. Bytes in, frames out; no line, no clock.

A bad frame gets no reply, only a count: ``FrameReader`` counts it and stays in step with the next 0x00.
"""

import binascii
from dataclasses import dataclass, field
from enum import IntEnum

from cryodevice.errors import WireError
from cryodevice.frozen import maker

MAX_ENCODED = 256
"""Longest frame on the line, delimiter included, bytes."""
DELIMITER = b"\x00"
REPLY_BIT = 0x80
_MIN_DECODED = 4
_CODES = tuple(bytes((length + 1,)) for length in range(254))


class FrameType(IntEnum):
    """Request types; a reply carries the request's type with bit 7 set."""

    IDENTIFY = 0x01
    EXCHANGE = 0x02
    READ_STATUS = 0x03
    ERROR = 0xFF


class ErrorCode(IntEnum):
    """First payload byte of an error reply."""

    UNKNOWN_TYPE = 2
    BAD_LENGTH = 3
    REFUSED = 4


@dataclass(frozen=True, slots=True)
class Frame:
    """One good frame: ``type`` 1...255, ``sequence`` 0...255."""

    type: int
    sequence: int
    payload: bytes


_frame = maker(Frame)


def crc16_xmodem(data: bytes) -> int:
    """CRC-16/XMODEM: polynomial 0x1021, initial 0, no reflection, no final xor.

    Check value: '123456789' gives 0x31C3.
    """
    return binascii.crc_hqx(data, 0)


def cobs_encode(data: bytes) -> bytes:
    """Consistent overhead byte stuffing (Cheshire and Baker 1999), without the delimiter.

    The shortest form: a full group of 254 bytes that ends the data is not followed by 0x01 (FRAME-04).
    """
    blocks = data.split(b"\x00")
    if len(data) < 254:  # no group can be full
        return b"".join([_CODES[len(block)] + block for block in blocks])
    out = bytearray()
    for index, block in enumerate(blocks):
        rest = block
        while len(rest) >= 254:
            out += b"\xff" + rest[:254]
            rest = rest[254:]
        if rest or not block or index < len(blocks) - 1:
            out.append(len(rest) + 1)
            out += rest
    return bytes(out)


def cobs_decode(data: bytes) -> bytes:
    """Inverse of ``cobs_encode``.

    Raises:
        WireError: A zero byte inside, or a code byte that points past the end.
    """
    out = bytearray(data)
    after_full: list[int] = []
    position, length = 0, len(data)
    while position < length:
        code = data[position]
        end = position + code
        if code == 0 or end > length:
            raise WireError("bad COBS", frame=data.hex())
        out[position] = 0  # a group's code stands where the zero between it and the group before belongs
        if code == 0xFF and end < length:
            after_full.append(end)  # no zero there
        position = end
    for end in reversed(after_full):
        del out[end]
    return bytes(out[1:])


def encode_frame(frame: Frame) -> bytes:
    """Bytes of one frame, delimiter included.

    Raises:
        WireError: Type not in 1...255, sequence not in 0...255, or longer than 256 bytes encoded.
    """
    if not (1 <= frame.type <= 0xFF and 0 <= frame.sequence <= 0xFF):
        raise WireError("a frame has a type in 1...255 and a sequence in 0...255", frame=frame)
    body = bytes((frame.type, frame.sequence)) + frame.payload
    encoded = cobs_encode(body + crc16_xmodem(body).to_bytes(2, "big")) + DELIMITER
    if len(encoded) > MAX_ENCODED:
        raise WireError(f"frame of {len(encoded)} bytes is longer than {MAX_ENCODED}", payload=frame.payload.hex())
    return encoded


def decode_frame(encoded: bytes) -> Frame:
    """One frame from the bytes between two delimiters.

    Raises:
        WireError: Too long, bad COBS, too short, bad CRC, or type 0.
    """
    if len(encoded) >= MAX_ENCODED:
        raise WireError(f"frame longer than {MAX_ENCODED} bytes", frame=encoded.hex())
    decoded = cobs_decode(encoded)
    if len(decoded) < _MIN_DECODED:
        raise WireError("frame too short", frame=encoded.hex())
    body, crc = decoded[:-2], int.from_bytes(decoded[-2:], "big")
    if crc16_xmodem(body) != crc:
        raise WireError("bad CRC", frame=encoded.hex(), crc=f"{crc:04x}", computed=f"{crc16_xmodem(body):04x}")
    if body[0] == 0:
        raise WireError("frame type 0 is invalid", frame=encoded.hex())
    return _frame(body[0], body[1], body[2:])


@dataclass(slots=True)
class FrameReader:
    """Feed it bytes as they come, in any pieces; it gives back the good frames and counts the bad ones.

    Empty frames are ignored. A run longer than the longest frame is one bad frame and is dropped as it arrives, so the
    buffer never holds more than one frame.
    """

    bad_frames: int = 0
    _buffer: bytearray = field(default_factory=bytearray)
    _overrun: bool = False

    def feed(self, data: bytes) -> list[Frame]:
        """Frames completed by ``data``, oldest first."""
        frames: list[Frame] = []
        *ends, rest = data.split(DELIMITER)
        for end in ends:
            self._close(end, frames)
        if rest and not self._overrun:
            self._buffer += rest
            self._overrun = len(self._buffer) >= MAX_ENCODED
            if self._overrun:
                self._buffer.clear()
        return frames

    def _close(self, end: bytes, frames: list[Frame]) -> None:
        """A delimiter has come after ``end``."""
        encoded = bytes(self._buffer) + end if self._buffer else end
        self._buffer.clear()
        overrun, self._overrun = self._overrun, False
        if overrun:
            self.bad_frames += 1
        elif encoded:
            try:
                frames.append(decode_frame(encoded))
            except WireError:
                self.bad_frames += 1
