"""What a fault must know of frames to spoil one and leave its check right: where the check, the order, the status are.

Opens and closes frames of the three protocols; it judges none of them. A piece that is no whole frame is not opened.
"""

import struct
from random import Random
from typing import Final, NamedTuple

from cryodevice.errors import WireError
from cryodevice.wire.frame import REPLY_BIT, Frame, FrameType, decode_frame, encode_frame
from cryodevice.wire.registers import ORDER_BASE, ORDER_COUNT, STATUS_COUNT
from firmware_sim.faults.line import Protocol

_HEADER: Final = 6
"""Bytes of a Modbus TCP header before the unit."""
_ORDER_BYTES, _STATUS_BYTES = 2 * ORDER_COUNT, 2 * STATUS_COUNT
_WRITE_MANY, _READ_WRITE, _EXCEPTION = 16, 23, 0x80
_ORDER_AT: Final = {_WRITE_MANY: 7, _READ_WRITE: 11}
"""Where the order begins behind the unit, by the function that carries it."""
_WHERE_AT: Final = {_WRITE_MANY: 2, _READ_WRITE: 6}
_FOREIGN_UNIT: Final = 17


class Opened(NamedTuple):
    """A frame without its check.

    Args:
        head: Serial: zeros before the frame; Modbus TCP: transaction, protocol, length.
        body: Serial: type, sequence, payload; Modbus: unit and PDU.
    """

    head: bytes
    body: bytes


def crc16(data: bytes) -> int:
    """CRC-16/MODBUS, bit by bit."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc


def opened(protocol: Protocol, piece: bytes) -> Opened | None:
    """The frame that a piece is."""
    if protocol == "serial":
        rest = piece.lstrip(b"\0")
        try:
            frame = decode_frame(rest[:-1]) if rest[-1:] == b"\0" else None
        except WireError:
            frame = None
        if frame is None:
            return None
        return Opened(piece[: len(piece) - len(rest)], bytes((frame.type, frame.sequence)) + frame.payload)
    if protocol == "rtu":
        return Opened(b"", piece[:-2]) if len(piece) >= 4 and crc16(piece) == 0 else None
    whole = len(piece) >= _HEADER + 2 and int.from_bytes(piece[4:_HEADER], "big") == len(piece) - _HEADER
    return Opened(piece[:_HEADER], piece[_HEADER:]) if whole else None


def closed(protocol: Protocol, frame: Opened) -> bytes:
    """The piece of a frame, with a check that is right."""
    head, body = frame
    if protocol == "serial":
        return head + encode_frame(Frame(body[0], body[1], body[2:]))
    if protocol == "rtu":
        return body + crc16(body).to_bytes(2, "little")
    return head[:4] + len(body).to_bytes(2, "big") + body


def order_at(protocol: Protocol, body: bytes) -> int | None:
    """Where in a body the 8 registers of an order begin."""
    if protocol == "serial":
        return 2 if body[0] == FrameType.EXCHANGE and len(body) == 2 + _ORDER_BYTES else None
    at = _ORDER_AT.get(body[1])
    if at is None or len(body) != at + _ORDER_BYTES:
        return None
    where = _WHERE_AT[body[1]]
    return at if int.from_bytes(body[where : where + 2], "big") == ORDER_BASE else None


def status_at(protocol: Protocol, body: bytes) -> int | None:
    """Where in a body the 32 registers of a status begin."""
    if protocol == "serial":
        shows = body[0] in (FrameType.EXCHANGE | REPLY_BIT, FrameType.READ_STATUS | REPLY_BIT)
        return 2 if shows and len(body) == 2 + _STATUS_BYTES else None
    return 3 if len(body) == 3 + _STATUS_BYTES and body[2] == _STATUS_BYTES else None


def error_for(protocol: Protocol, frame: Opened, code: int) -> Opened:
    """The error reply in place of a reply: a Modbus exception, or an error frame."""
    if protocol == "serial":
        return Opened(frame.head, bytes((FrameType.ERROR, frame.body[1], code, 0)))
    return Opened(frame.head, bytes((frame.body[0], frame.body[1] | _EXCEPTION, code)))


def mistaken(protocol: Protocol, frame: Opened, what: str) -> Opened:
    """A reply that answers another question: other ``unit``, ``function`` or ``length``; its check is right."""
    head, body = frame
    serial = protocol == "serial"
    if what == "length":
        if serial:
            return Opened(head, body[:-2])
        return Opened(head, body[:2] + bytes((max(body[2] - 2, 0),)) + body[3:-2])
    at = (1 if serial else 0) if what == "unit" else (0 if serial else 1)  # a serial frame has a sequence and no unit
    spoilt = bytearray(body)
    spoilt[at] ^= 0x01
    return Opened(head, bytes(spoilt))


def foreign(protocol: Protocol, chance: Random) -> bytes:
    """A good frame of somebody else: another unit's reply, an answer nobody asked for."""
    words = chance.randbytes(40)
    if protocol == "serial":
        return encode_frame(Frame(FrameType.READ_STATUS | REPLY_BIT, chance.randrange(256), words))
    body = bytes((_FOREIGN_UNIT, 3, len(words))) + words
    return closed(protocol, Opened(struct.pack(">HHH", chance.randrange(65536), 0, 0), body))
