"""The host's side of the serial wire: requests to bytes, reply frames to values. No line, no clock, no state.

The wand's side is in ``firmware_sim.endpoints``; neither imports the other. Rules: docs/wire.md section 8.
"""

import struct
from collections.abc import Sequence

from cryodevice.errors import IdentityError, OrderRefusedError, WireError
from cryodevice.wire.blocks import Identity, Order, Status, pack_order, unpack_identity, unpack_status
from cryodevice.wire.codes import Refusal
from cryodevice.wire.frame import REPLY_BIT, ErrorCode, Frame, FrameType, encode_frame
from cryodevice.wire.registers import IDENTITY_COUNT, STATUS_COUNT, WIRE_MAGIC, WIRE_VERSION

_ERROR_LENGTH = 2


def identify_request(sequence: int) -> bytes:
    """Bytes that ask who is there; ``sequence`` 0...255 is the frame's."""
    return encode_frame(Frame(FrameType.IDENTIFY, sequence, b""))


def status_request(sequence: int) -> bytes:
    """Bytes that ask for a status."""
    return encode_frame(Frame(FrameType.READ_STATUS, sequence, b""))


def exchange_request(sequence: int, order: Order) -> bytes:
    """Bytes that carry an order and ask for a status.

    Raises:
        WireError: A value of the order does not fit its register.
    """
    return encode_frame(Frame(FrameType.EXCHANGE, sequence, struct.pack(">8H", *pack_order(order))))


def answers(frame: Frame, request: FrameType, sequence: int) -> bool:
    """Whether this frame is the reply, good or error, to the request outstanding (FRAME-11, FRAME-15)."""
    return frame.sequence == sequence and frame.type in (request | REPLY_BIT, FrameType.ERROR)


def identity_of(frame: Frame) -> Identity:
    """Identity in the answer to an identify request, of a wand this host may talk to (VERSION-01).

    Raises:
        IdentityError: An error reply, another length, magic or major version: not our wand.
    """
    try:
        words = _words(frame, IDENTITY_COUNT)
    except WireError as error:
        raise IdentityError(f"what answers is not a wand: {error.message}", **error.evidence) from error
    identity = unpack_identity(words)
    if identity.magic != WIRE_MAGIC:
        raise IdentityError(
            f"what answers is not a wand: magic 0x{identity.magic:04X} where 0x{WIRE_MAGIC:04X} stands in one",
            magic=identity.magic,
        )
    if identity.wire_version >> 8 != WIRE_VERSION >> 8:
        raise IdentityError(
            f"the wand speaks wire version {_version(identity.wire_version)} and this program"
            f" {_version(WIRE_VERSION)}: update the older of the two",
            wire_version=identity.wire_version,
            serial_number=identity.serial_number,
        )
    return identity


def status_of(frame: Frame) -> Status:
    """Status in the answer to a read.

    Raises:
        WireError: An error reply, or another length.
    """
    return unpack_status(_words(frame, STATUS_COUNT))


def status_after(frame: Frame, order: Order) -> Status:
    """Status in the answer to ``order``, which it must show in force (LEASE-02, LEASE-05, LEASE-23).

    Raises:
        OrderRefusedError: Refused; ``evidence['refusal']`` is the code.
        WireError: Another error reply, another length, or a status that does not show this order: it is not its answer.
    """
    if frame.type == FrameType.ERROR and len(frame.payload) == _ERROR_LENGTH and frame.payload[0] == ErrorCode.REFUSED:
        raise _refused(frame.payload[1], order)
    status = status_of(frame)
    # A stop with a token that is not in force leaves the order sequence as it is; that the lease is over is its answer.
    shown = status.lease_remaining_ms == 0 if order.is_stop else status.order_sequence == order.sequence
    if not shown:
        raise WireError(
            f"the reply does not show order {order.sequence}: it shows {status.order_sequence},"
            f" lease {status.lease_remaining_ms} ms",
            order_sequence=status.order_sequence,
            sent=order.sequence,
            lease_remaining_ms=status.lease_remaining_ms,
        )
    return status


def _words(frame: Frame, count: int) -> Sequence[int]:
    if frame.type == FrameType.ERROR:
        raise WireError(f"error reply {_error_text(frame.payload)}", payload=frame.payload.hex())
    if len(frame.payload) != 2 * count:
        raise WireError(f"a reply of {len(frame.payload)} bytes where {2 * count} belong", payload=frame.payload.hex())
    return struct.unpack(f">{count}H", frame.payload)


def _error_text(payload: bytes) -> str:
    code = payload[0] if payload else None
    known = {member.value: member.name.replace("_", " ").lower() for member in ErrorCode}
    return f"{code} ({known.get(code, 'unknown code')})" if code is not None else "without a code"


def _refused(code: int, order: Order) -> OrderRefusedError:
    name = Refusal(code).name.replace("_", " ").lower() if code in set(Refusal) else "unknown reason"
    return OrderRefusedError(
        f"the wand refused order {order.sequence}: {name} ({code})", refusal=code, sequence=order.sequence
    )


def _version(version: int) -> str:
    return f"{version >> 8}.{version & 0xFF}"
