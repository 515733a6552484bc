"""Modbus messages on a line: RTU with its CRC, TCP with its header. Finds the frame that may answer; judges it not.

pymodbus makes and opens each frame; it is given exactly one, cut out here, because its own search loses the good reply
behind a noise byte and throws away what follows a frame.
"""

import struct
from typing import Protocol

from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU

from cryodevice.device.modbus_codec import EXCEPTION_BIT, Request
from cryodevice.errors import WireError
from cryodevice.quantities import Seconds

_KEPT = 300
"""Bytes kept to explain a silence, more than the longest frame."""
_EXCEPTION_SIZE = 5
_HEADER = struct.Struct(">HHHB")
_LEAST, _MOST = 3, 254
"""What the length in a TCP header may be: unit, function and one byte more; at most 253 bytes of function and data."""


class Framing(Protocol):
    """One kind of Modbus line. Holds the bytes of the request outstanding."""

    gap_s: Seconds
    """Silence to keep between a reply and the next request, s."""
    numbered: bool
    """Whether each message has a number, and a fresh connection none of the last one's messages."""
    stray_frames: int
    """Good frames that belong to another request."""
    bad_frames: int
    """Runs of bytes that were no frame."""

    def begin(self, request: Request) -> bytes:
        """The frame to send; forgets what was heard before."""
        ...

    def feed(self, data: bytes) -> bytes | None:
        """Take in bytes; function and data of the first frame that may answer, when it has come.

        Raises:
            WireError: The stream cannot be followed any further.
        """
        ...

    def end(self) -> str:
        """Give up on the request; says what did come, empty when it was nothing or means nothing."""
        ...


class RtuFraming:
    """Modbus RTU. A frame counts only whole: our unit, the head and length of the right reply or of an exception, CRC.

    It is looked for behind whatever came before it, so that a glitch when the line turns round, or an adapter that
    echoes, costs nothing. It is not looked for inside a frame that may still become right.

    Args:
        unit: The wand's unit id.
        gap_s: Silence between frames, see ``wire.modbus.silence_s``.
    """

    numbered = False

    def __init__(self, unit: int, gap_s: Seconds) -> None:
        self.gap_s = gap_s
        self.stray_frames = self.bad_frames = 0
        self._unit = unit
        self._framer = FramerRTU(DecodePDU(is_server=False))
        self._sizes: dict[bytes, int] = {}
        self._sent = b""
        self._received = bytearray()
        self._first = bytearray()
        self._skipped = False

    def begin(self, request: Request) -> bytes:
        """The frame to send; see ``Framing.begin``."""
        self._received.clear()
        self._first.clear()
        self._skipped = False
        self._sizes = {
            bytes([self._unit]) + request.head: 3 + request.size,
            bytes([self._unit, request.function | EXCEPTION_BIT]): _EXCEPTION_SIZE,
        }
        self._sent = self._framer.encode(request.body, self._unit, 0)
        return self._sent

    def feed(self, data: bytes) -> bytes | None:
        """Take in bytes; see ``Framing.feed``."""
        self._first += data[: _KEPT - len(self._first)]
        received = self._received
        received += data
        begin = 0
        while True:
            at, size = self._next_head(begin)
            if at + size > len(received):
                self._skipped = self._skipped or at > 0
                del received[:at]
                return None
            if body := self._opened(bytes(received[at : at + size])):
                self.bad_frames += self._skipped or size < len(received)
                received.clear()
                return body
            begin = at + 1

    def end(self) -> str:
        """Give up on the request; see ``Framing.end``."""
        heard = bytes(self._first)
        self.bad_frames += bool(heard)
        if heard.startswith(self._sent):
            return "the line echoes what is sent and nothing else comes"
        return self._stranger(heard)

    def _next_head(self, begin: int) -> tuple[int, int]:
        """Where the next frame that may answer begins, and its length; beyond the end when there is none yet."""
        received = self._received
        found = [(at, size) for head, size in self._sizes.items() if (at := received.find(head, begin)) >= 0]
        if found:
            return min(found)
        # A head may stand half received at the end.
        longest = max(map(len, self._sizes))
        for at in range(max(begin, len(received) - longest + 1), len(received)):
            if any(head.startswith(received[at:]) for head in self._sizes):
                return at, longest
        return len(received), longest

    def _opened(self, frame: bytes) -> bytes:
        return self._framer.decode(frame)[3]

    def _stranger(self, heard: bytes) -> str:
        """What a whole frame that does not answer tells about the line."""
        kind = self._framer.decoder.lookupPduClass(heard) if len(heard) >= FramerRTU.MIN_SIZE else None
        size = kind.calculateRtuFrameSize(heard) if kind else 0
        if not size or len(heard) < size or not self._opened(heard[:size]):
            return ""
        if heard[0] != self._unit:
            return f"unit {heard[0]} spoke where unit {self._unit} was asked"
        return f"a reply of function {heard[1]} and {size} bytes came where function {self._sent[1]} was asked"


class TcpFraming:
    """Modbus TCP. A frame counts only with the number of the request outstanding, protocol 0 and our unit.

    Args:
        unit: The wand's unit id.
    """

    gap_s = Seconds(0.0)
    numbered = True

    def __init__(self, unit: int) -> None:
        self.stray_frames = self.bad_frames = 0
        self._unit = unit
        self._number = 0
        self._framer = FramerSocket(DecodePDU(is_server=False))
        self._received = bytearray()

    def begin(self, request: Request) -> bytes:
        """The frame to send; see ``Framing.begin``."""
        self._received.clear()
        self._number = self._number % 0xFFFF + 1
        return self._framer.encode(request.body, self._unit, self._number)

    def feed(self, data: bytes) -> bytes | None:
        """Take in bytes; see ``Framing.feed``."""
        received = self._received
        received += data
        while len(received) >= _HEADER.size:
            number, protocol, length, unit = _HEADER.unpack_from(received)
            if protocol or not _LEAST <= length <= _MOST:
                self.bad_frames += 1
                raise WireError(
                    "what comes is not Modbus TCP: is another kind of server on that port?",
                    received=bytes(received[:_KEPT]).hex(),
                )
            if len(received) < 6 + length:
                return None
            frame = bytes(received[: 6 + length])
            del received[: 6 + length]
            if number != self._number:
                self.stray_frames += 1
                continue
            if unit != self._unit:
                raise WireError(f"unit {unit} answered where unit {self._unit} was asked", unit=unit)
            self.bad_frames += bool(received)
            return self._framer.decode(frame)[3]
        return None

    def end(self) -> str:
        """Give up on the request; see ``Framing.end``."""
        if self._received:
            self.bad_frames += 1
        return ""
