"""The wand's side of the serial protocol: request bytes in, reply bytes out. No port, no loop, no clock.

A good request gets one reply with its own sequence number. A bad frame is counted and gets none; a frame that is itself
a reply gets none either, so that a line which echoes starts no storm. The caller moves the wand's time to the arrival
of the bytes before it feeds them.
"""

import struct

from cryodevice.wire.codes import Refusal
from cryodevice.wire.frame import REPLY_BIT, ErrorCode, Frame, FrameReader, FrameType, encode_frame
from cryodevice.wire.registers import ORDER_COUNT
from firmware_sim.endpoints.slave import Slave
from firmware_sim.firmware import Firmware

_ORDER = struct.Struct(f">{ORDER_COUNT}H")


class SerialSlave(Slave):
    """One end of one line to a wand. Several lines to the same wand each need their own."""

    def __init__(self, firmware: Firmware) -> None:
        self._firmware = firmware
        self._reader = FrameReader()

    def feed(self, data: bytes) -> bytes:
        """Take bytes in any pieces; returns the replies to the requests they complete, oldest first."""
        firmware = self._firmware
        if firmware.deaf:
            return b""
        bad_before = self._reader.bad_frames
        frames = self._reader.feed(data)
        firmware.bad_frames += self._reader.bad_frames - bad_before
        replies = b"".join(encode_frame(self._answer(frame)) for frame in frames if not frame.type & REPLY_BIT)
        return b"" if firmware.quirks.drop_replies else replies

    def _answer(self, request: Frame) -> Frame:
        match request.type:
            case FrameType.IDENTIFY:
                length, handler = 0, self._identify
            case FrameType.READ_STATUS:
                length, handler = 0, self._read_status
            case FrameType.EXCHANGE:
                length, handler = _ORDER.size, self._exchange
            case _:
                return _error(request, ErrorCode.UNKNOWN_TYPE)
        return handler(request) if len(request.payload) == length else _error(request, ErrorCode.BAD_LENGTH)

    def _identify(self, request: Frame) -> Frame:
        return _reply(request, self._firmware.identity_words())

    def _read_status(self, request: Frame) -> Frame:
        return _reply(request, self._firmware.reply_status())

    def _exchange(self, request: Frame) -> Frame:
        refusal = self._firmware.receive(_ORDER.unpack(request.payload))
        if refusal is not Refusal.NONE:
            return _error(request, ErrorCode.REFUSED, refusal)
        return _reply(request, self._firmware.reply_status())


def _reply(request: Frame, words: list[int]) -> Frame:
    return Frame(request.type | REPLY_BIT, request.sequence, struct.pack(f">{len(words)}H", *words))


def _error(request: Frame, code: ErrorCode, refusal: Refusal = Refusal.NONE) -> Frame:
    return Frame(FrameType.ERROR, request.sequence, bytes((code, refusal)))
