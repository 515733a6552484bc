"""Modbus from the host's side: requests to bytes, bytes to replies, RTU and TCP. No line, no clock.

Replies are cut out of the stream but not believed: what they say is for the clauses to judge.
"""

import struct
from abc import ABC, abstractmethod
from typing import Final, NamedTuple

READ_HOLDING, READ_INPUT, WRITE_ONE, WRITE_MANY, READ_WRITE = 3, 4, 6, 16, 23
EXCEPTION: Final = 0x80
NO_FUNCTION, NO_ADDRESS, BAD_VALUE = 1, 2, 3
_HEADER = struct.Struct(">HHHB")


def read(address: int, count: int, function: int = READ_HOLDING) -> bytes:
    """FC 3 or 4."""
    return struct.pack(">BHH", function, address, count)


def write_one(address: int, word: int) -> bytes:
    """FC 6."""
    return struct.pack(">BHH", WRITE_ONE, address, word)


def write_many(address: int, data: bytes, *, count: int | None = None, size: int | None = None) -> bytes:
    """FC 16; ``count`` and ``size`` can be made to lie."""
    counted = len(data) // 2 if count is None else count
    return struct.pack(">BHHB", WRITE_MANY, address, counted, len(data) if size is None else size) + data


def read_write(read_at: int, count: int, write_at: int, data: bytes) -> bytes:
    """FC 23."""
    return struct.pack(">BHHHHB", READ_WRITE, read_at, count, write_at, len(data) // 2, len(data)) + data


def _after_byte(low: int) -> int:
    register = low
    for _ in range(8):
        register = register >> 1 ^ 0xA001 if register & 1 else register >> 1
    return register


_TABLE = tuple(map(_after_byte, range(256)))


def crc(data: bytes) -> int:
    """CRC-16/MODBUS, byte by byte over a table made bit by bit."""
    register = 0xFFFF
    for byte in data:
        register = register >> 8 ^ _TABLE[(register ^ byte) & 0xFF]
    return register


class Reply(NamedTuple):
    """One reply: its transaction id (``None`` on RTU), unit and PDU."""

    transaction: int | None
    unit: int
    pdu: bytes


class Framing(ABC):
    """How a PDU travels on one kind of line. Holds the bytes that belong to no whole reply yet."""

    rtu = False

    def __init__(self) -> None:
        self._rest = b""

    @abstractmethod
    def wrap(self, pdu: bytes, unit: int, transaction: int) -> bytes:
        """A request as sent."""

    def feed(self, data: bytes) -> list[Reply]:
        """The replies that these bytes complete."""
        self._rest += data
        found = []
        while (cut := self._first(self._rest)) is not None:
            reply, length = cut
            found.append(reply)
            self._rest = self._rest[length:]
        return found

    def forget(self) -> bytes:
        """Drop what is no whole reply; returns it."""
        rest, self._rest = self._rest, b""
        return rest

    @abstractmethod
    def _first(self, data: bytes) -> tuple[Reply, int] | None:
        """The reply at the start and its length, once it is whole."""


class Rtu(Framing):
    """Unit, PDU, CRC. The length of a reply is that of its function; a wrong CRC leaves it lying."""

    rtu = True

    def wrap(self, pdu: bytes, unit: int, transaction: int = 0) -> bytes:  # noqa: ARG002  # RTU has none
        """A request as sent."""
        body = bytes((unit,)) + pdu
        return body + crc(body).to_bytes(2, "little")

    def _first(self, data: bytes) -> tuple[Reply, int] | None:
        if len(data) < 5:
            return None
        function = data[1]
        if function & EXCEPTION:
            length = 5
        elif function in (READ_HOLDING, READ_INPUT, READ_WRITE):
            length = 5 + data[2]
        else:
            length = 8
        if len(data) < length or crc(data[:length]) != 0:
            return None
        return Reply(None, data[0], data[1 : length - 2]), length


class Tcp(Framing):
    """Transaction, protocol 0, length, unit, PDU."""

    def wrap(self, pdu: bytes, unit: int, transaction: int) -> bytes:
        """A request as sent."""
        return _HEADER.pack(transaction, 0, len(pdu) + 1, unit) + pdu

    def _first(self, data: bytes) -> tuple[Reply, int] | None:
        if len(data) < _HEADER.size:
            return None
        transaction, protocol, length, unit = _HEADER.unpack_from(data)
        end = _HEADER.size - 1 + length
        if protocol != 0 or len(data) < end:
            return None
        return Reply(transaction, unit, data[_HEADER.size : end]), end
