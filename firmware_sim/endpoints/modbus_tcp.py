"""Modbus TCP, the wand's side: bytes in, reply bytes out, each request under its own header. No socket, loop or clock.

After the Modbus Messaging on TCP/IP guide 1.0b. A stream whose header is none (another protocol id, an impossible
length), or whose request stays half, cannot be understood any more and is to be closed.
"""

import struct

from firmware_sim.endpoints.modbus_pdu import ModbusPdu
from firmware_sim.endpoints.slave import Slave
from firmware_sim.firmware import Firmware

PATIENCE_S = 5.0
"""How long a request may stay half (engineering default)."""
MIN_LENGTH, MAX_LENGTH = 2, 254
"""What the length field may say: unit and PDU, at least a function, at most the 253 bytes of the standard."""
_HEADER = struct.Struct(">HHHB")
_BEFORE_UNIT = 6
_BROADCAST = 0


class TcpSlave(Slave):
    """One Modbus TCP connection to a wand. Requests to other units are left alone.

    Args:
        firmware: The wand.
        unit: Its unit id, 1...247.
        patience_s: How long a request may stay half.
    """

    protocol = "tcp"

    def __init__(self, firmware: Firmware, unit: int = 1, patience_s: float = PATIENCE_S) -> None:
        self._firmware = firmware
        self._unit = unit
        self._patience_s = patience_s
        self._pdu = ModbusPdu(firmware)
        self._buffer = b""

    @property
    def patience_s(self) -> float | None:
        """Until a request that has begun is given up."""
        return self._patience_s if self._buffer else None

    def feed(self, data: bytes) -> bytes:
        """Take bytes in any pieces; returns the replies to the requests they complete, oldest first."""
        if self._firmware.deaf or self.out_of_step:
            return b""
        buffer, at, replies = self._buffer + data, 0, b""
        while not self._impossible(buffer[at : at + _BEFORE_UNIT]):
            if len(buffer) - at < _HEADER.size:
                break
            transaction, _, length, unit = _HEADER.unpack_from(buffer, at)
            end = at + _BEFORE_UNIT + length
            if len(buffer) < end:
                break
            reply = self._answer(unit, buffer[at + _HEADER.size : end])
            if reply is not None:
                replies += _HEADER.pack(transaction, 0, len(reply) + 1, unit) + reply
            at = end
        else:
            self._give_up()
            at = len(buffer)
        self._buffer = buffer[at:]
        return b"" if self._firmware.quirks.drop_replies else replies

    def silence(self) -> bytes:
        """A request stayed half too long."""
        self._give_up()
        return b""

    def _give_up(self) -> None:
        self.out_of_step = True
        self._buffer = b""
        self._firmware.bad_frames += 1

    def _impossible(self, header: bytes) -> bool:
        """Whether what is there of a header can begin none."""
        if len(header) == _BEFORE_UNIT and not MIN_LENGTH <= int.from_bytes(header[4:], "big") <= MAX_LENGTH:
            return True
        return any(header[2:4])

    def _answer(self, unit: int, pdu: bytes) -> bytes | None:
        if unit == self._unit:
            return self._pdu.answer(pdu)
        if unit == _BROADCAST:
            self._pdu.broadcast(pdu)
        return None
