"""The device's end of a Modbus line, written by hand: truthful, or told to answer anything else. No library in it."""

import struct
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryodevice.wire.blocks import pack_identity, pack_status, unpack_order
from tests.contracts.peers import Peer, PtyPeer, Step, TcpPeer, truth_for


def crc(data: bytes) -> bytes:
    """CRC-16/MODBUS, low byte first, bit by bit as the standard draws it."""
    register = 0xFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0xA001 if register & 1 else 0)
    return register.to_bytes(2, "little")


def rtu_frame(unit: int, body: bytes) -> bytes:
    return bytes([unit]) + body + crc(bytes([unit]) + body)


def tcp_frame(number: int, unit: int, body: bytes, protocol: int = 0) -> bytes:
    return struct.pack(">HHHB", number, protocol, len(body) + 1, unit) + body


@dataclass(frozen=True)
class Asked:
    """One request as it came: ``number`` is the transaction's, 0 on RTU; ``body`` is function and data."""

    unit: int
    number: int
    body: bytes
    on_tcp: bool

    @property
    def function(self) -> int:
        return self.body[0]

    def frame(self, body: bytes, unit: int | None = None, number: int | None = None) -> bytes:
        """A reply to this request, right in everything that is not given."""
        unit = self.unit if unit is None else unit
        number = self.number if number is None else number
        return tcp_frame(number, unit, body) if self.on_tcp else rtu_frame(unit, body)


ModbusScript = Callable[[Asked, bytes], Sequence[Step]]


class ModbusPeer(Peer):
    """What both kinds of Modbus line share. ``script`` holds one answer per coming request, as for ``Peer``."""

    on_tcp: bool
    unit = 1
    script: deque[ModbusScript]
    seen: list[Asked]
    refuse = 0
    """A refusal, if not 0: FC 23 and FC 16 answer with exception 3 and ``last_refusal`` reads this."""

    def heard(self, data: bytes) -> None:
        self.raw += data
        self.waiting = getattr(self, "waiting", b"") + self.spoil(data)
        while (asked := self._next()) is not None:
            if asked.unit != self.unit:
                continue
            self.seen.append(asked)
            self.start(self._answer(asked))

    def _next(self) -> Asked | None:
        raise NotImplementedError

    def truth(self, asked: Asked) -> bytes:
        return asked.frame(self.true_body(asked.body))

    def true_body(self, body: bytes) -> bytes:
        function = body[0]
        if function in {3, 4}:
            address, count = struct.unpack(">HH", body[1:5])
            words = self._words(address, count)
            return struct.pack(f">BB{count}H", function, 2 * count, *words) if words else bytes([function | 0x80, 2])
        if function in {16, 23} and self.refuse:
            return bytes([function | 0x80, 3])
        if function == 16:
            return body[:5]
        if function == 23:
            order, _ = unpack_order(struct.unpack(">8H", body[10:26]))
            assert order is not None
            return struct.pack(">BB32H", 23, 64, *pack_status(truth_for(order)))
        return bytes([function | 0x80, 1])

    def _words(self, address: int, count: int) -> list[int]:
        status = pack_status(self.resting)
        status[24] = self.refuse
        for base, block in ((0x0000, pack_identity(self.identity)), (0x0100, status)):
            if base <= address and address + count <= base + len(block):
                return block[address - base : address - base + count]
        return []


class RtuPeer(ModbusPeer, PtyPeer):
    on_tcp = False

    def _next(self) -> Asked | None:
        """Requests by their length; what is none is dropped whole, as after a silence."""
        waiting = self.waiting
        if len(waiting) < 4:
            return None
        length = {3: 8, 4: 8}.get(waiting[1])
        at = {16: 6, 23: 10}.get(waiting[1])
        if at is not None:
            if len(waiting) <= at:
                return None
            length = at + 3 + waiting[at]
        if length is not None and len(waiting) < length:
            return None
        frame, self.waiting = waiting[:length], waiting[length:] if length else b""
        if length is None or frame[-2:] != crc(frame[:-2]):
            self.waiting = b""
            return None
        return Asked(frame[0], 0, frame[1:-2], on_tcp=False)


class MbapPeer(ModbusPeer, TcpPeer):
    on_tcp = True

    def _next(self) -> Asked | None:
        if len(self.waiting) < 7:
            return None
        number, _, length, unit = struct.unpack(">HHHB", self.waiting[:7])
        if len(self.waiting) < 6 + length:
            return None
        body, self.waiting = self.waiting[7 : 6 + length], self.waiting[6 + length :]
        return Asked(unit, number, body, on_tcp=True)
