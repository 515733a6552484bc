"""Moves the three things a host wants, identity, status and order, in one of the two ways the wire knows.

Sends one request at a time and never repeats one. Judges nothing: an odd reply is handed on for a clause to judge. Both
dialects can also send bytes as they are and tell what came back before the reply to a good request sent after them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar

from cryodevice.errors import LinkTimeoutError, WireError
from firmware_sim.conformance import modbus_codec as modbus
from firmware_sim.conformance import serial_codec as serial
from firmware_sim.conformance.blocks import (
    IDENTITY_BASE,
    IDENTITY_COUNT,
    ORDER_BASE,
    STATUS_BASE,
    STATUS_COUNT,
    BlockError,
    Identity,
    Order,
    Status,
    read_identity,
    read_status,
)
from firmware_sim.conformance.line import Line

PATIENCE_S: Final = 0.6
"""How long a reply may take. The wire's own host gives up after 40 ms; a slow computer must not fail a good wand."""
SLICE_S: Final = 0.02
"""A wait is cut into pieces of this length, to see whether this computer or the line is late."""
QUIET_S: Final = 0.16
"""Silence after a time-out on Modbus: longer than the slowest reply (MODBUS-13)."""
GAP_S: Final = 0.05
"""Silence that ends any frame on RTU, on a pseudo-terminal too (MODBUS-17 has 20 ms)."""


_Block = TypeVar("_Block", Identity, Status)


class Answer(NamedTuple):
    """What an order got: a status when it was accepted, else the code of the refusal."""

    status: Status | None
    refusal: int


class Dialect(ABC):
    """One way of moving registers over one line.

    Args:
        line: Where the bytes go.

    Attributes:
        longest_s: The longest wait for a reply since it was last set to 0, without what this computer was held up.
        held_s: The longest that this computer was held up in such a wait, since it was last set to 0.
    """

    name = ""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.longest_s = self.held_s = 0.0
        self._late_s = 0.0

    @abstractmethod
    def identity(self) -> Identity:
        """Read the identity block."""

    @abstractmethod
    def status(self) -> Status:
        """Read the status block whole."""

    @abstractmethod
    def order(self, order: Order) -> Answer:
        """Send an order and read the status, in one transaction."""

    @abstractmethod
    def recover(self) -> None:
        """Bring the line in step after a time-out, or before the first request."""

    def _received(self, what: str, until_s: float) -> bytes:
        """Something, by that time. Waits in slices: one that takes longer than it was to is not the line's fault."""
        while (now_s := self.line.now()) < until_s + PATIENCE_S:  # somebody may talk for ever and say nothing
            slice_s = min(until_s, now_s + SLICE_S)
            data = self.line.receive(slice_s)
            late_s = self.line.now() - slice_s
            if late_s > 0.0:
                self._late_s += late_s
                self.held_s = max(self.held_s, late_s)
            if data:
                return data
            if slice_s >= until_s:
                break
        raise LinkTimeoutError(f"no reply to {what} within {PATIENCE_S * 1000:.0f} ms")

    def _begin_wait(self) -> float:
        self._late_s = 0.0
        return self.line.now()

    def _end_wait(self, began_s: float) -> None:
        self.longest_s = max(self.longest_s, self.line.now() - began_s - self._late_s)

    def listen(self, duration_s: float, enough: Callable[[bytes], bool] = lambda _: False) -> bytes:
        """Whatever comes in that time, or until it is enough.

        Raises:
            LinkClosedError: The other end went away; what came before is lost.
        """
        came, until_s = b"", self.line.now() + duration_s
        while data := self.line.receive(until_s):
            came += data
            if enough(came) or self.line.now() > until_s:
                break
        return came


class SerialDialect(Dialect):
    """Frames of docs/wire.md 8."""

    name = "serial"

    def __init__(self, line: Line) -> None:
        super().__init__(line)
        self._frames = serial.Frames()
        self._sequence = 0

    def identity(self) -> Identity:
        """Read the identity block."""
        return _block(read_identity, self.ask(serial.IDENTIFY).payload)

    def status(self) -> Status:
        """Read the status block whole."""
        return _block(read_status, self.ask(serial.READ_STATUS).payload)

    def order(self, order: Order) -> Answer:
        """Send an order and read the status, in one transaction."""
        reply = self.ask(serial.EXCHANGE, order.bytes)
        if reply.type != serial.ERROR:
            return Answer(_block(read_status, reply.payload), 0)
        if len(reply.payload) != 2 or reply.payload[0] != serial.REFUSED:
            raise WireError(
                f"an order got the error reply {reply.payload.hex(' ')}, which is no refusal (04 and its code)"
            )
        return Answer(None, reply.payload[1])

    def recover(self) -> None:
        """Bring the line in step."""
        self.line.send(b"\0")
        self.listen(QUIET_S)
        self._frames = serial.Frames()

    def next_sequence(self) -> int:
        """A sequence that no request of late had."""
        self._sequence = (self._sequence + 1) % 256
        return self._sequence

    def ask(self, kind: int, payload: bytes = b"", sequence: int | None = None) -> serial.Frame:
        """One request and its reply, known by its sequence; replies to requests given up are dropped."""
        mine = self.next_sequence() if sequence is None else sequence
        self.line.send(serial.request(kind, mine, payload))
        return next(frame for frame in self.until(mine, f"a request of type {kind}") if frame.sequence == mine)

    def until(self, sequence: int, what: str) -> list[serial.Frame]:
        """All frames up to the one with this sequence.

        Raises:
            LinkTimeoutError: It has not come in time.
        """
        began_s = self._begin_wait()
        found: list[serial.Frame] = []
        while all(frame.sequence != sequence for frame in found):
            found += self._frames.feed(self._received(what, began_s + PATIENCE_S))
        self._end_wait(began_s)
        return found

    def after(self, raw: bytes) -> list[serial.Frame]:
        """Send bytes as they are, then a good request; returns what came before the reply to that."""
        self.line.send(raw)
        mine = self.next_sequence()
        self.line.send(serial.request(serial.READ_STATUS, mine))
        frames = self.until(mine, f"the good request after {len(raw)} bytes of a bad one")
        return [frame for frame in frames if frame.sequence != mine]


class ModbusDialect(Dialect):
    """Functions of docs/wire.md 9, over RTU or TCP.

    Args:
        line: Where the bytes go.
        framing: Of that line.
        unit: The wand's unit id.
    """

    name = "modbus"

    def __init__(self, line: Line, framing: modbus.Framing, unit: int) -> None:
        super().__init__(line)
        self.framing = framing
        self.unit = unit
        self._transaction = 0

    def identity(self) -> Identity:
        """Read the identity block."""
        return _block(read_identity, self.registers(IDENTITY_BASE, IDENTITY_COUNT))

    def status(self) -> Status:
        """Read the status block whole."""
        return _block(read_status, self.registers(STATUS_BASE, STATUS_COUNT))

    def order(self, order: Order) -> Answer:
        """Send an order and read the status, in one transaction."""
        pdu = self.ask(modbus.read_write(STATUS_BASE, STATUS_COUNT, ORDER_BASE, order.bytes))
        if pdu[:1] == bytes((modbus.READ_WRITE,)):
            return Answer(_block(read_status, pdu[2:]), 0)
        if pdu != bytes((modbus.READ_WRITE | modbus.EXCEPTION, modbus.BAD_VALUE)):
            raise WireError(f"an order by FC 23 got the reply {pdu.hex(' ')}, neither a status nor exception 3")
        return Answer(None, self.status().last_refusal)

    def recover(self) -> None:
        """Bring the line in step."""
        self.listen(QUIET_S)
        self.framing.forget()

    def registers(self, address: int, count: int, function: int = modbus.READ_HOLDING) -> bytes:
        """The bytes of some registers.

        Raises:
            WireError: The reply is not of that function and count.
        """
        pdu = self.ask(modbus.read(address, count, function))
        if pdu[:2] != bytes((function, 2 * count)) or len(pdu) != 2 + 2 * count:
            raise WireError(f"FC {function} of {count} registers at 0x{address:04X} got {pdu[:8].hex(' ')}")
        return pdu[2:]

    def wrap(self, pdu: bytes, unit: int | None = None) -> tuple[bytes, int]:
        """A request as sent, and its transaction id."""
        self._transaction = (self._transaction + 1) & 0xFFFF
        return self.framing.wrap(pdu, self.unit if unit is None else unit, self._transaction), self._transaction

    def ask(self, pdu: bytes) -> bytes:
        """One request to this wand; the PDU of its reply."""
        data, transaction = self.wrap(pdu)
        self.line.send(data)
        return self.until(transaction, f"a request of function {pdu[0]}")[-1].pdu

    def until(self, transaction: int, what: str) -> list[modbus.Reply]:
        """All replies up to the one of this transaction; on RTU, which has none, up to the first.

        Raises:
            LinkTimeoutError: It has not come in time.
        """
        began_s = self._begin_wait()
        found: list[modbus.Reply] = []
        while not any(reply.transaction in (transaction, None) for reply in found):
            found += self.framing.feed(self._received(what, began_s + PATIENCE_S))
        self._end_wait(began_s)
        return found

    def after(self, *raw: bytes) -> tuple[Status, bytes]:
        """Send bytes as they are, each after a silence, then read the status.

        Returns the status, and whatever came that was not it.
        """
        came = b""
        for piece in raw:
            self.line.send(piece)
            came += self.listen(GAP_S)
        data, _ = self.wrap(modbus.read(STATUS_BASE, STATUS_COUNT))
        self.line.send(data)
        began_s = self._begin_wait()
        status: Status | None = None
        while status is None:
            for reply in self.framing.feed(self._received("the good request after a bad one", began_s + PATIENCE_S)):
                if len(reply.pdu) == 2 + 2 * STATUS_COUNT and reply.pdu[0] == modbus.READ_HOLDING:
                    status = _block(read_status, reply.pdu[2:])
                else:
                    came += reply.pdu
        self._end_wait(began_s)
        return status, came + self.framing.forget()


def _block(reader: Callable[[bytes], _Block], data: bytes) -> _Block:
    try:
        return reader(data)
    except BlockError as error:
        raise WireError(str(error)) from error
