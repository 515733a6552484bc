"""Modbus RTU, the wand's side: bytes and silences in, reply bytes out. No port, no loop, no clock.

After the Modbus Serial Line guide 1.02. A frame whose function tells its length is taken as soon as its CRC is right,
so that frames without a silence between them are frames all the same. Everything else is judged whole when the line
falls silent. Where the whole is no frame, good requests to this wand that stand at its end are still answered: noise in
front of a stop must not lose the stop.
"""

import struct
from array import array
from collections.abc import Iterator

from firmware_sim.endpoints import modbus_pdu
from firmware_sim.endpoints.modbus_pdu import ModbusPdu
from firmware_sim.endpoints.slave import Slave
from firmware_sim.firmware import Firmware

SILENCE_S = 0.005
"""Silence that ends a frame. The standard's 3.5 characters are 1.75 ms from 19200 baud up, but a pty has no bit time,
and neither the event loop nor the kernel is that punctual (engineering default)."""
PAUSE_S = 0.020
"""Silence that ends what so far can only be the beginning of a request to this wand: a sender or a kernel that is held
up for a few milliseconds has not ended its frame (engineering default)."""
MAX_FRAME = 256
_MIN_FRAME = 4
_BROADCAST = 0
_FIXED = {1: 8, 2: 8, 3: 8, 4: 8, 5: 8, 6: 8, 7: 4, 8: 8, 11: 4, 12: 4, 17: 4, 22: 10, 24: 6}
"""Bytes of a whole request by its function; diagnostics as the standard's sub-functions have it."""
_COUNTED = {15: (6, 9), 16: (6, 9), 20: (2, 5), 21: (2, 5), 23: (10, 13)}
"""Where the byte count stands in a whole request, and how many bytes there are beside the counted ones."""
_OURS = (
    modbus_pdu.READ_HOLDING,
    modbus_pdu.READ_INPUT,
    modbus_pdu.WRITE_ONE,
    modbus_pdu.WRITE_MANY,
    modbus_pdu.READ_WRITE,
)


def _after_byte(crc: int) -> int:
    for _ in range(8):
        crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc


_BYTE = tuple(map(_after_byte, range(256)))
_PAIR = array("H", [low >> 8 ^ _BYTE[(low ^ high) & 0xFF] for high in range(256) for low in _BYTE])
"""The CRC takes two bytes at a stroke: it has 16 bits, so a pair leaves nothing of it but the table's entry. An array
is 128 KiB in one piece and stays in the processor's cache; a tuple of numbers would not."""


def crc16_modbus(data: bytes) -> int:
    """CRC-16/MODBUS: polynomial 0x8005 reflected, initial value 0xFFFF. Sent low byte first."""
    crc, table = 0xFFFF, _PAIR
    for pair in struct.unpack_from(f"<{len(data) // 2}H", data):
        crc = table[crc ^ pair]
    return crc >> 8 ^ _BYTE[(crc ^ data[-1]) & 0xFF] if len(data) % 2 else crc


def with_crc(body: bytes) -> bytes:
    """A frame of unit and PDU."""
    return body + crc16_modbus(body).to_bytes(2, "little")


def good(frame: bytes) -> bool:
    """Whether a frame has a length that frames have and a CRC that is right."""
    return _MIN_FRAME <= len(frame) <= MAX_FRAME and crc16_modbus(frame) == 0  # over its own CRC too: 0 if it is right


def request_length(data: bytes, at: int) -> int | None:
    """Bytes of the request that begins at ``at``; ``None`` if its function tells none, or not yet."""
    if len(data) < at + 2:
        return None
    function = data[at + 1]
    if function in _COUNTED:
        where, beside = _COUNTED[function]
        return data[at + where] + beside if len(data) > at + where else None
    return _FIXED.get(function)


class RtuFramer:
    """Tells frames apart.

    Attributes:
        bad_frames: Stretches between two silences that were no frame, or began with none.
    """

    def __init__(self, unit: int) -> None:
        self._unit = unit
        self._buffer = b""
        self._waiting = False
        self.bad_frames = 0

    @property
    def pending(self) -> int:
        """How many bytes lie here that more bytes or silence must judge; 256 at most."""
        return len(self._buffer)

    @property
    def begun(self) -> bool:
        """Whether all that lies here is the beginning of a request to this unit that is not complete yet."""
        start = self._buffer[:2]
        return not self._waiting and start[:1] == bytes([self._unit]) and (len(start) < 2 or start[1] in _OURS)

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that are known to be complete, CRC included."""
        buffer = self._buffer + data
        frames, at = [], 0
        while not self._waiting and (length := request_length(buffer, at)) is not None:
            if len(buffer) < at + length:
                break
            frame = buffer[at : at + length]
            if not good(frame):
                self._waiting = True
                break
            frames.append(frame)
            at += length
        buffer = buffer[at:]
        if len(buffer) > MAX_FRAME:  # no frame any more; what stands at its end may be one
            self._waiting = True
            buffer = buffer[-MAX_FRAME:]
        self._buffer = buffer
        return frames

    def silence(self) -> list[bytes]:
        """Judge what has come since the last frame."""
        buffer, self._buffer, self._waiting = self._buffer, b"", False
        if not buffer:
            return []
        if good(buffer):
            return [buffer]
        self.bad_frames += 1
        for at in range(1, len(buffer) - _MIN_FRAME + 1):
            if frames := self._requests_to_the_end(buffer, at):
                return frames
        return []

    def _requests_to_the_end(self, buffer: bytes, at: int) -> list[bytes]:
        """Good requests to this wand that fill the buffer from ``at`` to its end; none if anything else is there."""
        frames = []
        while at < len(buffer):
            length = request_length(buffer, at)
            if length is None or buffer[at] != self._unit or buffer[at + 1] not in _OURS:
                return []
            frame = buffer[at : at + length]
            if len(frame) != length or not good(frame):
                return []
            frames.append(frame)
            at += length
        return frames


class RtuSlave(Slave):
    """One Modbus RTU line to a wand. Requests to other units are left alone.

    Args:
        firmware: The wand.
        unit: Its unit id, 1...247.
    """

    protocol = "rtu"

    def __init__(self, firmware: Firmware, unit: int = 1) -> None:
        self._firmware = firmware
        self._unit = unit
        self._pdu = ModbusPdu(firmware)
        self._framer = RtuFramer(unit)

    @property
    def patience_s(self) -> float | None:
        """Until the frame that has begun is judged."""
        if not self._framer.pending:
            return None
        return PAUSE_S if self._framer.begun else SILENCE_S

    def feed(self, data: bytes) -> bytes:
        """Take bytes in any pieces; returns the replies to the requests they complete, oldest first."""
        return b"" if self._firmware.deaf else self._answer_all(self._framer.feed(data))

    def silence(self) -> bytes:
        """The line has been silent for ``patience_s``; returns the replies to what that completes."""
        return self._answer_all(self._framer.silence())

    def _answer_all(self, frames: list[bytes]) -> bytes:
        self._firmware.bad_frames += self._framer.bad_frames
        self._framer.bad_frames = 0
        replies = b"".join(self._answers(frames))
        return b"" if self._firmware.quirks.drop_replies else replies

    def _answers(self, frames: list[bytes]) -> Iterator[bytes]:
        for frame in frames:
            unit, pdu = frame[0], frame[1:-2]
            if unit == self._unit:
                reply = self._pdu.answer(pdu)
                if reply is not None:
                    yield with_crc(frame[:1] + reply)
            elif unit == _BROADCAST:
                self._pdu.broadcast(pdu)
