"""The host's side of the serial wire: requests to bytes, reply frames to values. No line, no clock, no state.

The wand's side is in ``firmware_sim.endpoints``; neither imports the other. Rules: docs/wire.md section 8.
"""

import struct
from collections.abc import Sequence

from cryodevice.device.answers import no_wand, our_identity, refused, showing
from cryodevice.errors import WireError
from cryodevice.wire.blocks import Identity, Order, Status, pack_order, unpack_status
from cryodevice.wire.frame import REPLY_BIT, ErrorCode, Frame, FrameType, encode_frame
from cryodevice.wire.registers import IDENTITY_COUNT, STATUS_COUNT

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
        raise no_wand(error) from error
    return our_identity(words)


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
        raise refused(frame.payload[1], order)
    return showing(status_of(frame), order)


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
