"""The host's side of Modbus: orders to requests, replies to values. No line, no clock, no state.

pymodbus packs requests. What a right reply looks like is held here, byte for byte, because pymodbus unpacks a reply as
whatever it says it is and takes another function or count for a good one. The wand's side is in
``firmware_sim.endpoints``; neither imports the other. Rules: docs/wire.md section 9. How a message is framed on RTU and
on TCP is in ``modbus_framing``.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from pymodbus.constants import ExcCodes
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    ReadWriteMultipleRegistersRequest,
    WriteMultipleRegistersRequest,
)

from cryodevice.device.answers import no_wand, our_identity, refused, showing
from cryodevice.errors import OrderRefusedError, WireError
from cryodevice.wire.blocks import Identity, Order, Status, pack_order, unpack_status
from cryodevice.wire.registers import (
    FIELDS,
    IDENTITY_BASE,
    IDENTITY_COUNT,
    ORDER_BASE,
    ORDER_COUNT,
    STATUS_BASE,
    STATUS_COUNT,
)

EXCEPTION_BIT = 0x80
"""Set in the function of a reply that reports an exception."""
REFUSED = int(ExcCodes.ILLEGAL_VALUE)
"""Exception to FC 23 that says the order was refused; the reason is in ``last_refusal`` (MODBUS-05)."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request, and what a right reply to it looks like.

    Args:
        name: What it is, for a message.
        body: Function and data.
        head: What a right reply begins with: function and byte count, or all of it where it is an echo.
        size: Length of a right reply, function included, bytes.
    """

    name: str
    body: bytes
    head: bytes
    size: int

    @property
    def function(self) -> int:
        """The function code."""
        return self.body[0]

    @property
    def shows_order(self) -> bool:
        """Whether a right reply shows the order it answers, so that a late one is known by it."""
        return self.body[0] == _EXCHANGE.body[0]


class ExceptionReplyError(WireError):
    """The wand answered this request, with an exception; ``code`` says which."""

    def __init__(self, request: Request, code: int) -> None:
        name = ExcCodes(code).name.replace("_", " ").lower() if code in set(ExcCodes) else "unknown code"
        super().__init__(f"exception {code} ({name}) to {request.name}", exception=code, function=request.function)
        self.code = code


def _reading(name: str, pdu: ModbusPDU, count: int) -> Request:
    function = pdu.function_code
    return Request(name, bytes([function]) + pdu.encode(), bytes([function, 2 * count]), 2 + 2 * count)


# Identify by FC 3 and status by FC 4: no two reads of ours have function and count in common, so that on RTU, which
# numbers nothing, the late reply of one is never the shape of another's.
IDENTIFY = _reading(
    "identify", ReadHoldingRegistersRequest(address=IDENTITY_BASE, count=IDENTITY_COUNT), IDENTITY_COUNT
)
READ_STATUS = _reading("read_status", ReadInputRegistersRequest(address=STATUS_BASE, count=STATUS_COUNT), STATUS_COUNT)
READ_STATUS_AGAIN = _reading(
    "read_status", ReadHoldingRegistersRequest(address=STATUS_BASE, count=STATUS_COUNT), STATUS_COUNT
)
"""The same by FC 3, for the turn after one that went wrong: even a reply later than the quiet is none to this."""
READ_REFUSAL = _reading(
    "read last_refusal", ReadInputRegistersRequest(address=FIELDS["last_refusal"].address, count=1), 1
)


_ORDER = struct.Struct(f">{ORDER_COUNT}H")
_NO_WORDS = [0] * ORDER_COUNT
_EXCHANGE = _reading(
    "exchange",
    ReadWriteMultipleRegistersRequest(
        read_address=STATUS_BASE, read_count=STATUS_COUNT, write_address=ORDER_BASE, write_registers=_NO_WORDS
    ),
    STATUS_COUNT,
)
_WRITE = bytes([16]) + WriteMultipleRegistersRequest(address=ORDER_BASE, registers=_NO_WORDS).encode()
# Every order has the same beginning: pymodbus packs it once.
_EXCHANGE_BEGINS, _WRITE_BEGINS = _EXCHANGE.body[: -_ORDER.size], _WRITE[: -_ORDER.size]
_ECHO_SIZE = 5


def exchange_request(order: Order) -> Request:
    """FC 23: write the 8 order registers, read the 32 status registers (MODBUS-03).

    Raises:
        WireError: A value of the order does not fit its register.
    """
    body = _EXCHANGE_BEGINS + _ORDER.pack(*pack_order(order))
    return Request(_EXCHANGE.name, body, _EXCHANGE.head, _EXCHANGE.size)


def write_request(order: Order) -> Request:
    """FC 16: write the 8 order registers. Its right reply is an echo and shows no status, so no tick uses it.

    Raises:
        WireError: A value of the order does not fit its register.
    """
    body = _WRITE_BEGINS + _ORDER.pack(*pack_order(order))
    return Request("write order", body, body[:_ECHO_SIZE], _ECHO_SIZE)


def verify(request: Request, reply: bytes) -> None:
    """See that ``reply`` (function and data) answers the request: function, count or echo, length (MODBUS-12).

    Raises:
        ExceptionReplyError: It answers with an exception.
        WireError: It is no answer to this request.
    """
    if reply.startswith(request.head) and len(reply) == request.size:
        return
    if len(reply) == 2 and reply[0] == request.function | EXCEPTION_BIT:
        raise ExceptionReplyError(request, reply[1])
    raise WireError(
        f"the reply to {request.name} begins with {reply[: len(request.head)].hex(' ')} and is {len(reply)} bytes long,"
        f" where {request.head.hex(' ')} and {request.size} bytes belong",
        reply=reply.hex(),
    )


def words_of(request: Request, reply: bytes) -> Sequence[int]:
    """Registers in the reply to a read, verified.

    Raises:
        WireError: As ``verify`` does.
    """
    verify(request, reply)
    return struct.unpack(f">{(len(reply) - 2) // 2}H", reply[2:])


def identity_of(reply: bytes) -> Identity:
    """Identity in the answer to ``IDENTIFY``, of a wand this host may talk to (VERSION-01).

    Raises:
        IdentityError: An exception, another function or count, magic or major version: not our wand.
    """
    try:
        words = words_of(IDENTIFY, reply)
    except WireError as error:
        raise no_wand(error) from error
    return our_identity(words)


def status_of(request: Request, reply: bytes) -> Status:
    """Status in the answer to a read of it.

    Raises:
        WireError: As ``verify`` does.
    """
    return unpack_status(words_of(request, reply))


def status_after(request: Request, reply: bytes, order: Order) -> Status:
    """Status in the answer to the exchange of ``order``, which it must show in force.

    Raises:
        ExceptionReplyError: An exception; ``REFUSED`` means that the order was refused.
        WireError: Another function or count, or a status that does not show this order: it is not its answer.
    """
    return showing(unpack_status(words_of(request, reply)), order)


def refusal_of(reply: bytes, order: Order) -> OrderRefusedError:
    """The error to raise for a refused order, from the answer to ``READ_REFUSAL``.

    Raises:
        WireError: As ``verify`` does, or the wand names no reason.
    """
    code = words_of(READ_REFUSAL, reply)[0]
    if not code:
        raise WireError(f"exception {REFUSED} to exchange, and no refusal is on the wand's record", last_refusal=code)
    return refused(code, order)
