"""Where the numbers stand in a frame that differ from run to run: frame number, order, status. Facts of the wire."""

from dataclasses import dataclass
from typing import Final

from cryodevice.errors import WireError
from cryodevice.wire.frame import Frame, FrameType, decode_frame, encode_frame
from cryodevice.wire.registers import FIELDS, ORDER_BASE, ORDER_COUNT, STATUS_BASE, STATUS_COUNT
from firmware_sim.endpoints.modbus_rtu import crc16_modbus, with_crc
from firmware_sim.faults.line import Protocol

ORDER_BYTES: Final = 2 * ORDER_COUNT
STATUS_BYTES: Final = 2 * STATUS_COUNT
_WRITE_MANY, _READ_WRITE = 16, 23
_READS: Final = (3, 4, _READ_WRITE)
_REPLIES: Final = (FrameType.EXCHANGE | 0x80, FrameType.READ_STATUS | 0x80)
_TRANSACTION: Final = 2
_RTU_SHORTEST: Final = 4
_MBAP_SHORTEST: Final = 8


def in_order(name: str) -> int:
    """First byte of a field in an order."""
    return 2 * (FIELDS[name].address - ORDER_BASE)


def in_status(name: str) -> int:
    """First byte of a field in a status."""
    return 2 * (FIELDS[name].address - STATUS_BASE)


@dataclass(frozen=True, slots=True)
class Parts:
    """One good frame taken apart.

    Args:
        number: Frame sequence or transaction; ``None`` where the protocol numbers nothing.
        body: What it carries, without number and check.
    """

    number: int | None
    body: bytes


def take_apart(protocol: Protocol, frame: bytes) -> Parts | None:
    """The parts of a frame, ``None`` if it is no good one."""
    if protocol == "serial":
        try:
            good = decode_frame(frame.removesuffix(b"\0"))
        except WireError:
            return None
        return Parts(good.sequence, bytes((good.type,)) + good.payload)
    if protocol == "tcp":
        short = len(frame) < _MBAP_SHORTEST
        return None if short else Parts(int.from_bytes(frame[:_TRANSACTION], "big"), frame[_TRANSACTION:])
    good_crc = len(frame) >= _RTU_SHORTEST and crc16_modbus(frame) == 0
    return Parts(None, frame[:-2]) if good_crc else None


def put_together(protocol: Protocol, parts: Parts) -> bytes:
    """The frame of such parts."""
    if protocol == "serial":
        return encode_frame(Frame(parts.body[0], parts.number or 0, parts.body[1:]))
    if protocol == "tcp":
        return (parts.number or 0).to_bytes(_TRANSACTION, "big") + parts.body
    return with_crc(parts.body)


def order_at(protocol: Protocol, body: bytes) -> int | None:
    """Where the order begins in the body of a request, if it carries one."""
    if protocol == "serial":
        return 1 if body[0] == FrameType.EXCHANGE and len(body) == 1 + ORDER_BYTES else None
    pdu = _pdu_at(protocol)
    offset = {_WRITE_MANY: 1, _READ_WRITE: 5}.get(body[pdu])
    if offset is None:
        return None
    span = body[pdu + offset : pdu + offset + 5]
    begins = pdu + offset + 5
    right = span == ORDER_BASE.to_bytes(2, "big") + bytes((0, ORDER_COUNT, ORDER_BYTES))
    return begins if right and len(body) == begins + ORDER_BYTES else None


def status_at(protocol: Protocol, body: bytes) -> int | None:
    """Where the status begins in the body of a reply, if it carries one."""
    if protocol == "serial":
        return 1 if body[0] in _REPLIES and len(body) == 1 + STATUS_BYTES else None
    pdu = _pdu_at(protocol)
    right = body[pdu] in _READS and len(body) == pdu + 2 + STATUS_BYTES and body[pdu + 1] == STATUS_BYTES
    return pdu + 2 if right else None


def _pdu_at(protocol: Protocol) -> int:
    """Where the function code stands: after the unit, and on TCP after the rest of the header."""
    return 1 if protocol == "rtu" else 5
