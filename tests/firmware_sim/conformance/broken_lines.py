"""Ends of lines with one method overruled each: frames, functions, units."""

from cryodevice.wire.frame import Frame, FrameReader, cobs_decode, encode_frame
from firmware_sim.endpoints.modbus_pdu import ModbusPdu
from firmware_sim.endpoints.modbus_rtu import RtuFramer, RtuSlave
from firmware_sim.endpoints.modbus_tcp import TcpSlave
from firmware_sim.endpoints.serial_slave import SerialSlave

# --- the serial line --------------------------------------------------------------------------------------------------


class AnswersBadCrc(SerialSlave):
    def feed(self, data):
        before = self._firmware.bad_frames
        replies = super().feed(data)
        if self._firmware.bad_frames > before and data.endswith(b"\0"):
            body = _body(data)
            if len(body) == 4 and body[0] == 3:
                replies += encode_frame(self._answer(Frame(3, body[1], b"")))
        return replies


def _body(data: bytes) -> bytes:
    try:
        return cobs_decode(data.strip(b"\0"))
    except Exception:  # noqa: BLE001  # no frame at all
        return b""


class AnswersReplies(SerialSlave):
    def feed(self, data):
        replies = super().feed(data)
        body = _body(data)
        if len(body) > 4 and body[0] == 0x83:
            replies += encode_frame(Frame(0xFF, body[1], b"\x02\x00"))
        return replies


class TakesLongOrders(SerialSlave):
    def _answer(self, request):
        if request.type == 2:
            request = Frame(2, request.sequence, request.payload[:16])
        return super()._answer(request)


class SilentOnUnknown(SerialSlave):
    def feed(self, data):
        body = _body(data)
        return b"" if body and body[0] == 100 else super().feed(data)


class SequenceOfItsOwn(SerialSlave):
    def _answer(self, request):
        reply = super()._answer(request)
        return Frame(reply.type, 0x2A, reply.payload) if (request.type, request.sequence) == (1, 0xFF) else reply


class SkipsCutGroups(SerialSlave):
    def feed(self, data):
        return super().feed(b"" if data.startswith(b"\xff\x01") else data)


class AnswersTypeZero(SerialSlave):
    def feed(self, data):
        replies = super().feed(data)
        body = _body(data)
        if len(body) == 4 and body[0] == 0:
            replies += encode_frame(Frame(0xFF, body[1], b"\x02\x00"))
        return replies


class CountsEach256Bytes(SerialSlave):
    def feed(self, data):
        self._firmware.bad_frames += len(data) // 600
        return super().feed(data)


class OneByteTooFew(SerialSlave):
    def feed(self, data):
        return super().feed(b"" if len(data) == 256 else data)


class CountsEmptyFrames(SerialSlave):
    def feed(self, data):
        self._firmware.bad_frames += len(data) > 1 and not any(data)
        return super().feed(data)


class ForgetsHalfFrames(SerialSlave):
    last_ms = 0

    def feed(self, data):
        if self._firmware.now_ms - self.last_ms > 500:
            self._reader = FrameReader()
        self.last_ms = self._firmware.now_ms
        return super().feed(data)


class LastOfManyOnly(SerialSlave):
    def feed(self, data):
        replies = super().feed(data)
        return replies[-70:] if len(replies) == 210 else replies


# --- Modbus -----------------------------------------------------------------------------------------------------------


class AnswersFour(ModbusPdu):
    def answer(self, pdu):
        reply = super().answer(pdu)
        return b"\x03" + reply[1:] if pdu[:1] == b"\x04" and reply and reply[0] == 4 else reply


class ObeysBroadcasts(ModbusPdu):
    def broadcast(self, pdu):
        self.answer(pdu)


class WritesOneWord(ModbusPdu):
    def _write_one(self, pdu):
        address, word = int.from_bytes(pdu[1:3], "big") - 0x200, int.from_bytes(pdu[3:5], "big")
        if 0 <= address < 8:
            words = list(self._firmware.lease.last_words or (0,) * 8)
            words[address] = word
            self._firmware.lease.last_words = tuple(words)
            return pdu[1:]
        return super()._write_one(pdu)


class PartialReadsCarry(ModbusPdu):
    def _status(self, count):
        return self._firmware.reply_status(whole=True)


class AddressBeforeCount(ModbusPdu):
    def _read_many(self, pdu):
        if len(pdu) == 5 and pdu[1:3] == b"\x04\x00":
            self._reader(int.from_bytes(pdu[1:3], "big"), 1)
        return super()._read_many(pdu)


class AnswersEveryUnit(TcpSlave):
    def _answer(self, unit, pdu):
        return super()._answer(self._unit if unit else unit, pdu)


class AnswersEveryUnitRtu(RtuSlave):
    def _answers(self, frames):
        return super()._answers([bytes((self._unit,)) + frame[1:] if frame[0] else frame for frame in frames])


class FramerWithoutCrc(RtuFramer):
    def silence(self):
        buffer = self._buffer
        frames = super().silence()
        return frames or ([buffer] if len(buffer) == 8 and buffer[:1] == b"\x01" else [])


class AnswersBadCrcRtu(RtuSlave):
    def __init__(self, firmware, unit=1):
        super().__init__(firmware, unit)
        self._framer = FramerWithoutCrc(unit)


class LosesRequestAfterNoise(RtuSlave):
    def __init__(self, firmware, unit=1):
        super().__init__(firmware, unit)
        self._framer._requests_to_the_end = lambda buffer, at: []


class FirstOfManyOnly(TcpSlave):
    def feed(self, data):
        first = 6 + int.from_bytes(data[4:6], "big")
        return super().feed(data[:first] if len(data) == 3 * first else data)


class ReadsBeforeItWrites(ModbusPdu):
    def _read_write(self, pdu):
        if pdu[1:3] != b"\x02\x00":
            return super()._read_write(pdu)
        before = self._reader(0x200, 8)()
        super()._read_write(pdu)
        return before


class NoOrderByFc16(ModbusPdu):
    def _write_many(self, pdu):
        if pdu[1:6] == b"\x02\x00\x00\x08\x10" and pdu[8:10] == pdu[-2:] == b"\0\0":
            self._reader(0x400, 1)  # nothing is there
        return super()._write_many(pdu)


class CompletesOrders(ModbusPdu):
    def _write_many(self, pdu):
        if pdu[1:6] == b"\x02\x00\x00\x07\x0e":
            pdu = b"\x10\x02\x00\x00\x08\x10" + pdu[6:] + b"\0\0"
        return super()._write_many(pdu)


class RefusesWithFour(ModbusPdu):
    def answer(self, pdu):
        reply = super().answer(pdu)
        refused = pdu[:6] == b"\x10\x02\x00\x00\x08\x10" and reply == b"\x90\x03"
        return b"\x90\x04" if refused else reply


class EchoesDiagnostics(ModbusPdu):
    def answer(self, pdu):
        return pdu if pdu[:1] == b"\x08" else super().answer(pdu)


class ReadsPastTheIdentity(ModbusPdu):
    def _reader(self, start, count):
        if (start, count) == (0, 25):
            return lambda: bytes(51)
        return super()._reader(start, count)


class ScratchOnlyByFc6(ModbusPdu):
    def _write_many(self, pdu):
        before = self._firmware.scratch
        reply = super()._write_many(pdu)
        if pdu[1:3] == b"\x02\xf0" and pdu[6:] == b"\x12\x34":
            self._firmware.scratch = before
        return reply


class WritesBeforeItLooks(ModbusPdu):
    def _read_write(self, pdu):
        if len(pdu) == 26 and pdu[1:5] == b"\x04\x00\x00\x01":
            self._receive(pdu[10:])
        return super()._read_write(pdu)


class AnswersExceptions(ModbusPdu):
    def answer(self, pdu):
        return bytes((pdu[0], 1)) if pdu[:1] == b"\x97" else super().answer(pdu)


class DeafToBroadcasts(ModbusPdu):
    def broadcast(self, pdu):
        pass


class WholeSegmentsOnly(TcpSlave):
    def feed(self, data):
        return super().feed(b"" if len(data) == 1 else data)


class HalfIsNothing(RtuSlave):
    def silence(self):
        if self._framer.pending == 5:
            self._framer._buffer = b""
        return super().silence()


class AnyProtocolId(TcpSlave):
    def _impossible(self, header):
        return super()._impossible(header[:2] + b"\0\0"[: len(header[2:4])] + header[4:])


class WaitsForEver(TcpSlave):
    @property
    def patience_s(self):
        return None
