"""Modbus functions: which registers are read and written by what, and which exception the rest gets. RTU and TCP."""

import struct

from cryodevice.wire.codes import Refusal
from firmware_sim.conformance import modbus_codec as codec
from firmware_sim.conformance.blocks import (
    IDENTITY_BASE,
    IDENTITY_COUNT,
    ORDER_BASE,
    ORDER_COUNT,
    RESET_KEY,
    SCRATCH,
    STATUS_BASE,
    STATUS_COUNT,
)
from firmware_sim.conformance.clause import Group, Lines, Wants
from firmware_sim.conformance.dialect import ModbusDialect
from firmware_sim.conformance.verdict import FailedError, expect
from firmware_sim.conformance.wand import Wand

GROUP = Group("Modbus functions", Lines.MODBUS)
NOWHERE = 0x0400


def dialect(wand: Wand) -> ModbusDialect:
    """The Modbus line of the wand."""
    if not isinstance(wand.dialect, ModbusDialect):
        raise FailedError("no Modbus line")  # the runner asks these clauses on Modbus only
    return wand.dialect


def _exception(wand: Wand, pdu: bytes, code: int, what: str) -> None:
    reply = dialect(wand).ask(pdu)
    expected = bytes((pdu[0] | codec.EXCEPTION, code))
    expect(reply == expected, f"{what} got {reply[:8].hex(' ')}, not exception {code} ({expected.hex(' ')})")


def _unchanged(wand: Wand, before: tuple[object, ...], what: str) -> None:
    expect(_state(wand) == before, f"{what} changed the order block, the epoch, the token or the number")


def _state(wand: Wand) -> tuple[object, ...]:
    status = wand.status()
    block = dialect(wand).registers(ORDER_BASE, ORDER_COUNT)
    return block, status.order_epoch, status.token, status.order_sequence, status.refusals


@GROUP.clause("MODBUS-02", "every block is read as holding and as input registers, whole and in part", wants=Wants.ANY)
def blocks(wand: Wand) -> str:
    """FC 3, 4; the order block shows the last accepted order."""
    line = dialect(wand)
    identity = line.registers(IDENTITY_BASE, IDENTITY_COUNT)
    stop = wand.make()
    wand.accepted(stop, "a stop")
    for function in (codec.READ_HOLDING, codec.READ_INPUT):
        seen = line.registers(IDENTITY_BASE, IDENTITY_COUNT, function)
        expect(seen == identity, f"the identity by FC {function} differs from that by FC 3")
        seen = line.registers(IDENTITY_BASE + 10, 2, function)
        expect(seen == identity[20:24], f"registers 0x000A and 0x000B alone differ from the whole by FC {function}")
        seen = line.registers(ORDER_BASE, ORDER_COUNT, function)
        expect(
            seen == stop.bytes,
            f"the order block by FC {function} is {seen.hex(' ')}, the last order {stop.bytes.hex(' ')}",
        )
        token = line.registers(STATUS_BASE + 22, 1, function)
        expect(token == stop.token.to_bytes(2, "big"), f"the token alone by FC {function} is {token.hex()}")
    return "identity, order, token: equal by FC 3 and 4, whole and in part"


@GROUP.clause("MODBUS-03", "FC 23 writes first, then reads", wants=Wants.ANY)
def exchange(wand: Wand) -> str:
    """A stop that reads the order block in the same request."""
    stop = wand.make(token=wand.fresh_token())
    wand.may_count(1)
    reply = dialect(wand).ask(codec.read_write(ORDER_BASE, ORDER_COUNT, ORDER_BASE, stop.bytes))
    expect(
        reply == bytes((codec.READ_WRITE, 2 * ORDER_COUNT)) + stop.bytes,
        f"FC 23 that writes the order block and reads it got {reply.hex(' ')}, written was {stop.bytes.hex(' ')}",
    )
    return "the block read is the one written"


@GROUP.clause("MODBUS-04.fc16", "FC 16 writes the order whole", wants=Wants.ANY)
def fc16(wand: Wand) -> str:
    """A stop with a fresh token."""
    token = wand.fresh_token()
    wand.may_count(1)
    reply = dialect(wand).ask(codec.write_many(ORDER_BASE, wand.make(token=token).bytes))
    expected = struct.pack(">BHH", codec.WRITE_MANY, ORDER_BASE, ORDER_COUNT)
    expect(reply == expected, f"a stop by FC 16 got {reply.hex(' ')}, not {expected.hex(' ')}")
    seen = wand.status().token
    expect(seen == token, f"the stop by FC 16 was not applied: token 0x{seen:04X}, not 0x{token:04X}")
    return "applied"


@GROUP.clause("MODBUS-04.part", "any other span that touches the order is exception 2", wants=Wants.ANY)
def parts(wand: Wand) -> str:
    """By FC 16 and 23: too short, too long, beside."""
    stop = wand.make(token=wand.fresh_token()).bytes
    before = _state(wand)
    wand.may_count(8)
    for at, data in (
        (ORDER_BASE, stop[:14]),
        (ORDER_BASE, stop[:2]),
        (ORDER_BASE, stop + b"\0\0"),
        (ORDER_BASE - 1, stop),
        (ORDER_BASE + 1, stop),
        (ORDER_BASE + 7, RESET_KEY.to_bytes(2, "big")),
    ):
        what = f"{len(data) // 2} registers at 0x{at:04X}"
        _exception(wand, codec.write_many(at, data), codec.NO_ADDRESS, f"FC 16 of {what}")
        _exception(
            wand, codec.read_write(STATUS_BASE, STATUS_COUNT, at, data), codec.NO_ADDRESS, f"FC 23 that writes {what}"
        )
    _unchanged(wand, before, "a write that got exception 2")
    return "exception 2 twelve times, nothing written"


@GROUP.clause("MODBUS-04.fc6", "FC 6 in the order block is exception 2", wants=Wants.ANY)
def fc6(wand: Wand) -> str:
    """At its first, second and last word."""
    before = _state(wand)
    wand.may_count(3)
    for at, word in ((ORDER_BASE, 0x0101), (ORDER_BASE + 3, 0), (ORDER_BASE + 7, RESET_KEY)):
        _exception(wand, codec.write_one(at, word), codec.NO_ADDRESS, f"FC 6 at 0x{at:04X}")
    _unchanged(wand, before, "an FC 6 in the order block")
    return "exception 2 three times, nothing written"


@GROUP.clause("MODBUS-05", "a refused order is exception 3, its reason in last_refusal", wants=Wants.ANY)
def refused(wand: Wand) -> str:
    """By FC 16 and FC 23, for two reasons."""
    for spoilt, refusal in (({"mode": 3}, Refusal.MODE), ({"key": 0x0BAD}, Refusal.RESET)):
        for function in (codec.WRITE_MANY, codec.READ_WRITE):
            data = wand.make(wand.status(), **spoilt).bytes
            pdu = (
                codec.write_many(ORDER_BASE, data)
                if function == codec.WRITE_MANY
                else codec.read_write(STATUS_BASE, STATUS_COUNT, ORDER_BASE, data)
            )
            _exception(wand, pdu, codec.BAD_VALUE, f"a refused order by FC {function}")
            seen = wand.status().last_refusal
            expect(seen == refusal, f"last_refusal is {seen} after an order refused with {refusal:d}")
    return "exception 3, refusals 8 and 9"


@GROUP.clause("MODBUS-06", "other functions are exception 1", wants=Wants.ANY)
def functions(wand: Wand) -> str:
    """1, 2, 5, 7, 8, 11, 15, 17, 22, 43 and two that nobody has."""
    asked = {
        1: b"\0\0\0\x01",
        2: b"\0\0\0\x01",
        5: b"\0\0\xff\0",
        7: b"",
        8: b"\0\0\x12\x34",
        11: b"",
        15: b"\0\0\0\x08\x01\xff",
        17: b"",
        22: b"\0\0\0\xff\0\xff",
        43: b"\x0e\x01\0",
        65: b"",
        100: b"\0\0",
    }
    for function, rest in asked.items():
        _exception(wand, bytes((function,)) + rest, codec.NO_FUNCTION, f"function {function}")
        wand.wait(0.03)  # on RTU only silence ends a request whose function tells no length
    return f"exception 1 for {', '.join(map(str, asked))}"


@GROUP.clause(
    "MODBUS-07", "a count of 0, too high, or that disagrees with its bytes is exception 3", "MODBUS-10", wants=Wants.ANY
)
def counts(wand: Wand) -> str:
    """Also at an address that is none: counts are checked first."""
    stop = wand.make().bytes
    before = _state(wand)
    wand.may_count(9)
    lying_23 = bytearray(codec.read_write(STATUS_BASE, STATUS_COUNT, ORDER_BASE, stop))
    lying_23[8] = ORDER_COUNT - 1
    for pdu, what in (
        (codec.read(STATUS_BASE, 0), "FC 3 of 0 registers"),
        (codec.read(STATUS_BASE, 126), "FC 3 of 126 registers"),
        (codec.read(STATUS_BASE, 0, codec.READ_INPUT), "FC 4 of 0 registers"),
        (codec.read(NOWHERE, 0xFFFF), "FC 3 of 65535 registers nowhere"),
        (codec.write_many(ORDER_BASE, b""), "FC 16 of 0 registers"),
        (codec.write_many(ORDER_BASE, stop, count=7), "FC 16 of 7 registers with 16 bytes"),
        (codec.write_many(NOWHERE, b""), "FC 16 of 0 registers nowhere"),
        (codec.read_write(STATUS_BASE, 0, ORDER_BASE, stop), "FC 23 that reads 0 registers"),
        (codec.read_write(STATUS_BASE, 126, ORDER_BASE, stop), "FC 23 that reads 126 registers"),
        (codec.read_write(STATUS_BASE, STATUS_COUNT, ORDER_BASE, b""), "FC 23 that writes 0 registers"),
        (bytes(lying_23), "FC 23 of 7 registers with 16 bytes"),
    ):
        _exception(wand, pdu, codec.BAD_VALUE, what)
    _unchanged(wand, before, "a request that got exception 3 for its counts")
    return "exception 3 eleven times, nothing written"


@GROUP.clause(
    "MODBUS-08", "an address without a register, and any write to identity or status, is exception 2", wants=Wants.ANY
)
def addresses(wand: Wand) -> str:
    """Reads before, after and across the blocks; writes by FC 6 and 16."""
    before = wand.dialect.identity()
    for pdu, what in (
        (codec.read(NOWHERE, 1), "FC 3 nowhere"),
        (codec.read(0xFFFF, 2), "FC 3 past the last address"),
        (codec.read(IDENTITY_BASE, IDENTITY_COUNT + 1), "FC 3 one past the identity"),
        (codec.read(STATUS_BASE + 1, STATUS_COUNT), "FC 3 one past the status"),
        (codec.read(STATUS_BASE - 1, 2, codec.READ_INPUT), "FC 4 from before the status"),
        (codec.read(ORDER_BASE + 7, 2), "FC 3 one past the order"),
        (codec.read(SCRATCH, 2), "FC 3 one past the scratch word"),
        (codec.write_one(NOWHERE, 1), "FC 6 nowhere"),
        (codec.write_one(STATUS_BASE + 22, 1), "FC 6 in the status"),
        (codec.write_one(IDENTITY_BASE + 8, 1), "FC 6 in the identity"),
        (codec.write_many(STATUS_BASE, b"\0" * 64), "FC 16 to the status"),
        (codec.write_many(IDENTITY_BASE, b"\0" * 48), "FC 16 to the identity"),
        (codec.write_many(SCRATCH, b"\0\1\0\2"), "FC 16 of two registers at the scratch word"),
    ):
        _exception(wand, pdu, codec.NO_ADDRESS, what)
    expect(wand.dialect.identity() == before, "a write to the identity was carried out")
    return "exception 2 thirteen times"


@GROUP.clause(
    "MODBUS-09", "the scratch word is written by FC 6 and 16, reads back, and does nothing else", wants=Wants.ANY
)
def scratch(wand: Wand) -> str:
    """FC 23 reads it and does not write it."""
    line = dialect(wand)
    before = _state(wand)
    for pdu, word in ((codec.write_one(SCRATCH, 0xA5C3), 0xA5C3), (codec.write_many(SCRATCH, b"\x12\x34"), 0x1234)):
        reply = line.ask(pdu)
        expect(reply == pdu[:5], f"FC {pdu[0]} at the scratch word got {reply.hex(' ')}, not {pdu[:5].hex(' ')}")
        seen = line.registers(SCRATCH, 1)
        expect(seen == word.to_bytes(2, "big"), f"the scratch word reads {seen.hex()}, written was {word:04x}")
    pdu = codec.read_write(STATUS_BASE, STATUS_COUNT, SCRATCH, b"\x55\x55")
    _exception(wand, pdu, codec.NO_ADDRESS, "FC 23 that writes the scratch word")
    expect(line.registers(SCRATCH, 1) == b"\x12\x34", "FC 23 wrote the scratch word")
    _unchanged(wand, before, "the scratch word")
    return "reads back, FC 23 got exception 2"


@GROUP.clause(
    "MODBUS-10", "in an FC 23 the addresses of both parts are checked before anything is written", wants=Wants.ANY
)
def both_parts(wand: Wand) -> str:
    """A good stop with a read that is none."""
    before = _state(wand)
    stop = wand.make(token=wand.fresh_token()).bytes
    wand.may_count(2)
    for at, count in ((NOWHERE, 1), (STATUS_BASE + 1, STATUS_COUNT)):
        pdu = codec.read_write(at, count, ORDER_BASE, stop)
        _exception(wand, pdu, codec.NO_ADDRESS, f"a good stop by FC 23 with a read of {count} at 0x{at:04X}")
    bad = wand.make(boot_id=wand.identity.boot_id ^ 1, mode=3).bytes
    _exception(
        wand, codec.read_write(NOWHERE, 1, ORDER_BASE, bad), codec.NO_ADDRESS, "an order that is no good, read nowhere"
    )
    _unchanged(wand, before, "an FC 23 with a bad read")
    return "exception 2, nothing written"


@GROUP.clause("MODBUS-14", "a status read in part cannot be echoed")
def partial(wand: Wand) -> str:
    """31 registers, sequence and uptime among them."""
    line = dialect(wand)
    wand.ticks(3)
    words = line.registers(STATUS_BASE, STATUS_COUNT - 1)
    lease = wand.long_ms
    order = wand.make(lease_ms=lease, echo=int.from_bytes(words[:2], "big"))
    wand.refused(order, Refusal.ECHO, "the echo of a status of which 31 registers were read")
    return "3"
