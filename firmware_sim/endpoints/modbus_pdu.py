"""The registers of a wand behind the Modbus functions: request PDU in, reply PDU out. No units, no CRC, no sockets.

After the Modbus Application Protocol 1.1b3, functions 3, 4, 6, 16 and 23. Checks run in this order: function, counts
and lengths, addresses, then the order itself; nothing is written unless all of them pass. Reading advances nothing.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import Final

from cryodevice.wire.codes import Refusal
from cryodevice.wire.registers import (
    IDENTITY_BASE,
    IDENTITY_COUNT,
    ORDER_BASE,
    ORDER_COUNT,
    SCRATCH_ADDRESS,
    STATUS_BASE,
    STATUS_COUNT,
)
from firmware_sim.firmware import Firmware

READ_HOLDING, READ_INPUT, WRITE_ONE, WRITE_MANY, READ_WRITE = 3, 4, 6, 16, 23
"""The functions there are."""
READ_MAX, WRITE_MAX, READ_WRITE_MAX = 125, 123, 121
"""Most registers that one request may read, write by function 16, write by function 23."""
EXCEPTION_BIT: Final = 0x80
_TWO = struct.Struct(">HH")
_WRITE_HEAD = struct.Struct(">HHB")
_READ_WRITE_HEAD = struct.Struct(">HHHHB")
_ORDER = struct.Struct(f">{ORDER_COUNT}H")
_ORDER_SPAN = (ORDER_BASE, ORDER_COUNT)
_SCRATCH_SPAN = (SCRATCH_ADDRESS, 1)


class ExceptionCode(IntEnum):
    """Second byte of an exception reply."""

    FUNCTION = 1
    ADDRESS = 2
    VALUE = 3


class _RefusedError(Exception):
    """The request is answered with an exception."""

    def __init__(self, code: ExceptionCode) -> None:
        super().__init__(code)
        self.code = code


class ModbusPdu:
    """Answers requests from the registers of one wand."""

    def __init__(self, firmware: Firmware) -> None:
        self._firmware = firmware
        self._functions: Mapping[int, Callable[[bytes], bytes]] = {
            READ_HOLDING: self._read_many,
            READ_INPUT: self._read_many,
            WRITE_ONE: self._write_one,
            WRITE_MANY: self._write_many,
            READ_WRITE: self._read_write,
        }
        self._blocks: Sequence[tuple[int, int, Callable[[int], Sequence[int]]]] = (
            (STATUS_BASE, STATUS_COUNT, self._status),
            (IDENTITY_BASE, IDENTITY_COUNT, lambda _: firmware.identity_words()),
            (ORDER_BASE, ORDER_COUNT, lambda _: firmware.lease.last_words or (0,) * ORDER_COUNT),
            (SCRATCH_ADDRESS, 1, lambda _: (firmware.scratch,)),
        )

    def answer(self, pdu: bytes) -> bytes | None:
        """The reply; ``None`` to what is itself a reply and no request, so that an echoing line starts no storm."""
        function = pdu[0] if pdu else EXCEPTION_BIT
        if function & EXCEPTION_BIT:
            return None
        handler = self._functions.get(function)
        if handler is None:
            return bytes((function | EXCEPTION_BIT, ExceptionCode.FUNCTION))
        try:
            return pdu[:1] + handler(pdu)
        except _RefusedError as refused:
            return bytes((function | EXCEPTION_BIT, refused.code))

    def broadcast(self, pdu: bytes) -> None:
        """A request to all units: only the scratch word can be written by it, never an order; nothing is answered."""
        if len(pdu) >= 3 and pdu[0] in (WRITE_ONE, WRITE_MANY) and int.from_bytes(pdu[1:3], "big") == SCRATCH_ADDRESS:
            self.answer(pdu)

    # --- functions --------------------------------------------------------------------------------------------------

    def _read_many(self, pdu: bytes) -> bytes:
        _value(len(pdu) == 5)
        start, count = _TWO.unpack_from(pdu, 1)
        _value(1 <= count <= READ_MAX)
        return self._reader(start, count)()

    def _write_one(self, pdu: bytes) -> bytes:
        _value(len(pdu) == 5)
        address, word = _TWO.unpack_from(pdu, 1)
        _address(address == SCRATCH_ADDRESS)
        self._firmware.scratch = word
        return pdu[1:]

    def _write_many(self, pdu: bytes) -> bytes:
        _value(len(pdu) >= 6)
        start, count, size = _WRITE_HEAD.unpack_from(pdu, 1)
        _value(1 <= count <= WRITE_MAX and size == 2 * count and len(pdu) == 6 + size)
        _address((start, count) in (_ORDER_SPAN, _SCRATCH_SPAN))
        if start == ORDER_BASE:
            self._receive(pdu[6:])
        else:
            self._firmware.scratch = int.from_bytes(pdu[6:], "big")
        return pdu[1:5]

    def _read_write(self, pdu: bytes) -> bytes:
        _value(len(pdu) >= 10)
        start, count, write_start, write_count, size = _READ_WRITE_HEAD.unpack_from(pdu, 1)
        _value(1 <= count <= READ_MAX and 1 <= write_count <= READ_WRITE_MAX)
        _value(size == 2 * write_count and len(pdu) == 10 + size)
        _address((write_start, write_count) == _ORDER_SPAN)
        read = self._reader(start, count)
        self._receive(pdu[10:])
        return read()

    # --- registers --------------------------------------------------------------------------------------------------

    def _reader(self, start: int, count: int) -> Callable[[], bytes]:
        """Reads a span that lies in one block, as byte count and words."""
        for base, size, words in self._blocks:
            if base <= start and start + count <= base + size:
                first = start - base
                return lambda: struct.pack(f">B{count}H", 2 * count, *words(count)[first : first + count])
        raise _RefusedError(ExceptionCode.ADDRESS)

    def _status(self, count: int) -> Sequence[int]:
        return self._firmware.reply_status(whole=count == STATUS_COUNT)

    def _receive(self, order: bytes) -> None:
        _value(self._firmware.receive(_ORDER.unpack(order)) is Refusal.NONE)


def _value(good: bool) -> None:  # noqa: FBT001  # reads as a sentence where it is called
    if not good:
        raise _RefusedError(ExceptionCode.VALUE)


def _address(good: bool) -> None:  # noqa: FBT001
    if not good:
        raise _RefusedError(ExceptionCode.ADDRESS)
