"""Modbus lines: units, broadcasts, bad frames, frames together and in pieces, and what closes a TCP connection.

Whether something got a reply is judged by everything that comes up to the reply to a good request after it.
"""

from cryodevice.errors import LinkClosedError
from cryodevice.wire.codes import Flag
from firmware_sim.conformance import modbus_codec as codec
from firmware_sim.conformance.blocks import IDENTITY_BASE, ORDER_BASE, SCRATCH, STATUS_BASE, STATUS_COUNT, Status
from firmware_sim.conformance.clause import Group, Lines, Wants
from firmware_sim.conformance.clauses.pdu import dialect
from firmware_sim.conformance.dialect import PATIENCE_S
from firmware_sim.conformance.verdict import expect
from firmware_sim.conformance.wand import Wand

GROUP = Group("Modbus lines", Lines.MODBUS)
HALF_S = 5.0
"""How long a request on TCP may stay half (MODBUS-19)."""
_READ = codec.read(STATUS_BASE, STATUS_COUNT)


def _silent(wand: Wand, what: str, *raw: bytes) -> Status:
    """Bytes that get no reply; the status after them."""
    status, came = dialect(wand).after(*raw)
    expect(not came, f"{what} got a reply: {came[:16].hex(' ')}")
    return status


@GROUP.clause("MODBUS-01", "another unit's requests get no reply and do nothing", wants=Wants.ANY)
def other_unit(wand: Wand) -> str:
    """A read and a stop."""
    line = dialect(wand)
    before = wand.status().order_epoch
    unit = line.unit % 247 + 1
    stop = codec.read_write(STATUS_BASE, STATUS_COUNT, ORDER_BASE, wand.make().bytes)
    wand.may_count(1)
    for pdu in (_READ, stop, codec.write_one(SCRATCH, 1)):
        after = _silent(wand, f"function {pdu[0]} to unit {unit}", line.wrap(pdu, unit)[0])
        expect(after.order_epoch == before, f"a stop to unit {unit} was carried out")
    return f"unit {unit}: silence three times"


@GROUP.clause("MODBUS-01.broadcast", "a broadcast gets no reply and never touches the order block", "MODBUS-16")
def broadcast(wand: Wand) -> str:
    """A stop with a fresh token and an arming, by FC 16 and FC 23; reads."""
    line = dialect(wand)
    before = wand.status()
    stop = wand.make(token=wand.fresh_token()).bytes
    arm = wand.make(before, lease_ms=wand.long_ms).bytes
    wand.may_count(4)
    for pdu in (
        codec.write_many(ORDER_BASE, arm),
        codec.write_many(ORDER_BASE, stop),
        codec.read_write(STATUS_BASE, STATUS_COUNT, ORDER_BASE, stop),
        codec.write_one(ORDER_BASE + 1, 1),
        _READ,
    ):
        after = _silent(wand, f"a broadcast of function {pdu[0]}", line.wrap(pdu, 0)[0])
        expect(
            (after.order_epoch, after.token) == (before.order_epoch, before.token) and not after.has(Flag.LEASE_LIVE),
            f"a broadcast of function {pdu[0]} to the order block was carried out",
        )
    return "silence five times, nothing carried out"


@GROUP.clause("MODBUS-16", "a broadcast FC 6 or 16 to the scratch word is carried out in silence", wants=Wants.ANY)
def broadcast_scratch(wand: Wand) -> str:
    """Each with a word of its own."""
    line = dialect(wand)
    for pdu, word in ((codec.write_one(SCRATCH, 0x1D1D), 0x1D1D), (codec.write_many(SCRATCH, b"\x2e\x2e"), 0x2E2E)):
        _silent(wand, f"a broadcast FC {pdu[0]} to the scratch word", line.wrap(pdu, 0)[0])
        seen = line.registers(SCRATCH, 1)
        expect(seen == word.to_bytes(2, "big"), f"after a broadcast FC {pdu[0]} the scratch word reads {seen.hex()}")
    return "carried out twice"


@GROUP.clause("MODBUS-15", "a function with bit 7 set is a reply: ignored", wants=Wants.ANY)
def no_request(wand: Wand) -> str:
    """Exceptions of this very unit, as a line that echoes would bring them."""
    line = dialect(wand)
    for pdu in (bytes((0x83, 2)), bytes((0x97, 3))):
        _silent(wand, f"function 0x{pdu[0]:02X}", line.wrap(pdu)[0])
    return "silence twice"


@GROUP.clause("MODBUS-17", "requests without silence between them are each answered", "MODBUS-19", wants=Wants.ANY)
def together(wand: Wand) -> str:
    """Three in one write, told apart by their lengths."""
    line = dialect(wand)
    wanted = [(STATUS_BASE, 5), (IDENTITY_BASE, 3), (STATUS_BASE, 2)]
    sent = [line.wrap(codec.read(at, count)) for at, count in wanted]
    wand.line.send(b"".join(data for data, _ in sent))
    replies: list[codec.Reply] = []

    def enough(came: bytes) -> bool:
        replies[:] = type(line.framing)().feed(came)
        return len(replies) >= len(sent)

    line.listen(PATIENCE_S, enough)
    expect(len(replies) == len(sent), f"{len(sent)} requests in one write got {len(replies)} replies")
    lengths = [len(reply.pdu) for reply in replies]
    expect(lengths == [2 + 2 * count for _, count in wanted], f"replies of {lengths} bytes, out of order")
    expect(
        all(reply.transaction in (None, transaction) for reply, (_, transaction) in zip(replies, sent, strict=True)),
        "transaction ids are not those of the requests",
    )
    return "three replies, in order"


@GROUP.clause("MODBUS-19.pieces", "a request may come in pieces", lines=Lines.TCP, wants=Wants.ANY)
def pieces(wand: Wand) -> str:
    """Byte by byte, 2 ms apart. Not on RTU: there a computer cannot keep silence out of a frame."""
    line = dialect(wand)
    data, transaction = line.wrap(_READ)
    for at in range(len(data)):
        wand.line.send(data[at : at + 1])
        wand.wait(0.002)
    line.until(transaction, "a request in pieces")
    return f"answered in {len(data)} pieces"


@GROUP.clause(
    "MODBUS-11",
    "a bad CRC gets no reply and counts; the next good request is answered",
    lines=Lines.RTU,
    wants=Wants.ANY,
)
def bad_crc(wand: Wand) -> str:
    """A bit flipped, and the high byte first."""
    line = dialect(wand)
    good = line.wrap(_READ)[0]
    for raw in (good[:-1] + bytes((good[-1] ^ 1,)), good[:-2] + good[:-3:-1], good[:-2] + b"\0\0"):
        before = wand.status().bad_frames
        after = _silent(wand, f"a frame with CRC {raw[-2:].hex()} for {good[-2:].hex()}", raw)
        counted = (after.bad_frames - before) % 0x10000
        expect(counted == 1, f"a bad CRC counted {counted} times in bad_frames")
    return "silence three times, each counted once"


@GROUP.clause(
    "MODBUS-18", "a good request behind noise is answered, the noise counts once", lines=Lines.RTU, wants=Wants.ANY
)
def noise(wand: Wand) -> str:
    """Noise of 1, 3 and 40 bytes in front of a stop, without silence between."""
    line = dialect(wand)
    for length in (1, 3, 40):
        before, token = wand.status(), wand.fresh_token()
        stop = codec.read_write(STATUS_BASE, STATUS_COUNT, ORDER_BASE, wand.make(token=token).bytes)
        wand.may_count(1)
        data, transaction = line.wrap(stop)
        wand.line.send(b"\xf5" * length + data)
        line.until(transaction, f"a stop behind {length} bytes of noise")
        wand.wait(0.05)
        after = wand.status()
        expect(after.token == token, f"a stop behind {length} bytes of noise was not carried out")
        counted = (after.bad_frames - before.bad_frames) % 0x10000
        expect(counted == 1, f"{length} bytes of noise counted {counted} times in bad_frames")
    return "stops behind 1, 3 and 40 bytes of noise carried out"


@GROUP.clause(
    "MODBUS-18.half", "half a request does not cost the next one its answer", lines=Lines.RTU, wants=Wants.ANY
)
def half(wand: Wand) -> str:
    """The first 5 bytes of a read, silence, a good read."""
    line = dialect(wand)
    before = wand.status().bad_frames
    after = _silent(wand, "half a request", line.wrap(_READ)[0][:5])
    counted = (after.bad_frames - before) % 0x10000
    expect(counted == 1, f"half a request counted {counted} times in bad_frames")
    return "the next is answered, counted once"


@GROUP.clause(
    "MODBUS-19.header", "a header that is none closes the connection and counts", lines=Lines.TCP, wants=Wants.ANY
)
def bad_header(wand: Wand) -> str:
    """Protocol id 1; lengths 0, 1 and 255; the request before it is answered."""
    line = dialect(wand)
    for header, what in (
        (b"\0\x01\0\x01\0\x06", "protocol id 1"),
        (b"\0\x01\0\0\0\0", "length 0"),
        (b"\0\x01\0\0\0\x01", "length 1"),
        (b"\0\x01\0\0\0\xff", "length 255"),
    ):
        before = wand.status().bad_frames
        data, transaction = line.wrap(_READ)
        wand.line.send(data + header + b"\x01\x03\x01\0\0\x20")
        line.until(transaction, f"the good request before a header with {what}")
        _closed(wand, PATIENCE_S, f"a header with {what}")
        counted = (wand.status().bad_frames - before) % 0x10000
        expect(counted == 1, f"a header with {what} counted {counted} times in bad_frames")
    return "closed four times, each counted once"


def _closed(wand: Wand, within_s: float, what: str) -> None:
    """The wand closes the connection; a new one stands afterwards."""
    line = dialect(wand)
    came = bytearray()

    def keep(data: bytes) -> bool:
        came[:] = data
        return False

    try:
        line.listen(within_s, keep)
        closed = False
    except LinkClosedError:
        closed = True
    wand.line.reopen()
    line.framing.forget()
    expect(not came, f"{what} got a reply: {came[:16].hex(' ')}")
    expect(closed, f"{what} did not close the connection within {within_s:.1f} s")


@GROUP.clause(
    "MODBUS-19.half", "a request that stays half for 5 s closes the connection", lines=Lines.TCP, wants=Wants.ANY
)
def stays_half(wand: Wand) -> str:
    """Ten of its twelve bytes."""
    line = dialect(wand)
    before = wand.status().bad_frames
    began_s = wand.line.now()
    wand.line.send(line.wrap(_READ)[0][:10])
    _closed(wand, HALF_S + 1.0, "half a request")
    took_s = wand.line.now() - began_s
    expect(took_s >= HALF_S - 0.5, f"half a request closed the connection after {took_s:.1f} s, not 5 s")
    counted = (wand.status().bad_frames - before) % 0x10000
    expect(counted == 1, f"half a request counted {counted} times in bad_frames")
    return f"closed after {took_s:.1f} s, counted once"
