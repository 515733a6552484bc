"""The serial line: frames, bad frames, replies. What comes before the reply to a good request tells of a bad one."""

from firmware_sim.conformance import serial_codec as codec
from firmware_sim.conformance.clause import Group, Lines, Wants
from firmware_sim.conformance.dialect import SerialDialect
from firmware_sim.conformance.verdict import FailedError, expect
from firmware_sim.conformance.wand import Wand

GROUP = Group("Serial frames", Lines.SERIAL, session=False)
_READ = bytes((codec.READ_STATUS,))


def _line(wand: Wand) -> SerialDialect:
    if not isinstance(wand.dialect, SerialDialect):
        raise FailedError("no serial line")  # the runner asks these clauses on a serial line only
    return wand.dialect


def _bad(wand: Wand, raw: bytes, what: str, counts: int = 1) -> None:
    """Bytes that get no reply, counted so often; the good request after them is answered."""
    line = _line(wand)
    before = wand.status().bad_frames
    came = line.after(raw)
    expect(not came, f"{what} got a reply of type 0x{came[0].type:02X}" if came else "")
    counted = (wand.status().bad_frames - before) % 0x10000
    expect(counted == counts, f"{what} counted {counted} times in bad_frames, not {counts}")


@GROUP.clause("FRAME-11", "a reply has the request's type with bit 7 set and its sequence", "FRAME-06", wants=Wants.ANY)
def reply_type(wand: Wand) -> str:
    """All three requests, sequences at the ends of their range."""
    line = _line(wand)
    stop = wand.make().bytes
    wand.may_count(1)
    for sequence in (0, 0x2A, 0xFF):
        for kind, payload, size in (
            (codec.IDENTIFY, b"", 48),
            (codec.EXCHANGE, stop, 64),
            (codec.READ_STATUS, b"", 64),
        ):
            reply = line.ask(kind, payload, sequence)
            expect(
                reply.type == kind | codec.REPLY,
                f"the reply to type {kind} has type 0x{reply.type:02X}, not 0x{kind | codec.REPLY:02X}",
            )
            expect(len(reply.payload) == size, f"the reply to type {kind} has {len(reply.payload)} bytes, not {size}")
    return "0x81, 0x82, 0x83 with 48, 64, 64 bytes; sequences 0, 42, 255"


@GROUP.clause("FRAME-02", "a CRC that does not match gets no reply and counts", "FRAME-08", wants=Wants.ANY)
def bad_crc(wand: Wand) -> str:
    """Its lowest bit, its highest, all of them; and low byte first."""
    sequence = _line(wand).next_sequence()
    body = _READ + bytes((sequence,))
    good = codec.crc(body)
    for wrong in (good ^ 1, good ^ 0x8000, good ^ 0xFFFF, (good & 0xFF) << 8 | good >> 8):
        if wrong != good:
            _bad(wand, codec.stuff(body + wrong.to_bytes(2, "big")) + b"\0", f"a CRC of 0x{wrong:04X} for 0x{good:04X}")
    return "four wrong ones: silence, each counted once"


@GROUP.clause("FRAME-08.cobs", "COBS that contradicts itself gets no reply and counts", "FRAME-03", wants=Wants.ANY)
def bad_cobs(wand: Wand) -> str:
    """A group longer than what is left."""
    good = codec.request(codec.READ_STATUS, _line(wand).next_sequence())
    _bad(wand, bytes((good[0] + 1,)) + good[1:], "a group that is longer than the frame")
    _bad(wand, b"\xff\x01\x02\x03\x00", "a group of 254 bytes of which 3 are there")
    return "silence, each counted once"


@GROUP.clause("FRAME-08.short", "fewer than 4 bytes, or type 0, get no reply and count", wants=Wants.ANY)
def bad_short(wand: Wand) -> str:
    """With CRCs that are right."""
    _bad(wand, codec.sealed(b"\x03"), "a frame of 3 bytes")
    _bad(wand, codec.stuff(b"\x03\x2a") + b"\0", "a frame of 2 bytes")
    _bad(wand, codec.sealed(b"\x00\x2a"), "type 0")
    return "silence, each counted once"


@GROUP.clause("FRAME-08.long", "more than 256 bytes are one bad frame, however long", "FRAME-09", wants=Wants.ANY)
def bad_long(wand: Wand) -> str:
    """257 as sent, then 700; the next frame is good."""
    longest = bytes((0x70, 1)) + b"\x55" * (codec.LONGEST_PAYLOAD + 1)
    _bad(wand, codec.sealed(longest), "a good frame but for its 257 bytes")
    _bad(wand, b"\x55" * 700 + b"\0", "700 bytes without a 0x00")
    return "257 and 700 bytes: silence, each counted once"


@GROUP.clause("FRAME-05", "a frame of 256 bytes as sent is good", "FRAME-04", wants=Wants.ANY)
def longest(wand: Wand) -> str:
    """A payload of 250 bytes without a zero, of a type that is not known."""
    reply = _line(wand).ask(0x70, b"\x55" * codec.LONGEST_PAYLOAD)
    expect(
        reply.type == codec.ERROR and reply.payload[:1] == bytes((codec.UNKNOWN_TYPE,)),
        f"a good frame of 256 bytes got type 0x{reply.type:02X} {reply.payload[:4].hex(' ')}",
    )
    return "answered"


@GROUP.clause("FRAME-07", "empty frames are ignored, and after garbage the line is in step", wants=Wants.ANY)
def empty(wand: Wand) -> str:
    """Zeros count nothing; garbage up to a 0x00 counts once."""
    _bad(wand, b"\0" * 5, "five empty frames", counts=0)
    _bad(wand, b"\x11\x22\x33\0", "garbage")
    return "zeros not counted, garbage counted once"


@GROUP.clause("FRAME-10", "a frame may come in pieces, and waits for its end", wants=Wants.ANY)
def pieces(wand: Wand) -> str:
    """Byte by byte, then with a pause of 700 ms in the middle."""
    line = _line(wand)
    for pause_s, cuts in ((0.002, range(1, 6)), (0.7, (3,))):
        sequence = line.next_sequence()
        raw = codec.request(codec.READ_STATUS, sequence)
        ends = [*cuts, len(raw)]
        for start, end in zip((0, *ends), ends, strict=False):
            if start:
                wand.wait(pause_s)
            wand.line.send(raw[start:end])
        line.until(sequence, f"a request in pieces {pause_s * 1000:.0f} ms apart")
    return "answered in both"


@GROUP.clause("FRAME-12.unknown", "an unknown type gets one error reply (02 00)", "FRAME-13", wants=Wants.ANY)
def unknown_type(wand: Wand) -> str:
    """Types 4, 100, 127."""
    line = _line(wand)
    for kind in (4, 100, 127):
        reply = line.ask(kind, b"\x01\x02")
        expect(
            (reply.type, reply.payload) == (codec.ERROR, bytes((codec.UNKNOWN_TYPE, 0))),
            f"type {kind} got type 0x{reply.type:02X} {reply.payload.hex(' ')}, not 0xFF 02 00",
        )
    return "02 00 three times"


@GROUP.clause("FRAME-12.reply", "a frame with bit 7 is no request: ignored, not counted", wants=Wants.ANY)
def no_request(wand: Wand) -> str:
    """Types 0x81, 0x83, 0xFF."""
    for kind in (0x81, 0x83, 0xFF):
        _bad(wand, codec.request(kind, _line(wand).next_sequence(), b"\x04\x01"), f"type 0x{kind:02X}", counts=0)
    return "silence three times"


@GROUP.clause("FRAME-12.each", "requests sent together are each answered, in order", wants=Wants.ANY)
def together(wand: Wand) -> str:
    """Three in one write."""
    line = _line(wand)
    sequences = [line.next_sequence() for _ in range(3)]
    wand.line.send(b"".join(codec.request(codec.READ_STATUS, sequence) for sequence in sequences))
    seen = [frame.sequence for frame in line.until(sequences[-1], "the last of three requests")]
    expect(seen == sequences, f"requests {sequences} in one write got replies {seen}")
    return "three replies"


@GROUP.clause(
    "FRAME-13", "a payload of the wrong length gets an error reply (03 00) and changes nothing", wants=Wants.ANY
)
def wrong_length(wand: Wand) -> str:
    """A stop with a word less, a byte more, a word more; reads with a payload."""
    line, stop = _line(wand), wand.make(token=wand.fresh_token()).bytes
    before = wand.status()
    wand.may_count(3)
    for kind, payload in (
        (codec.EXCHANGE, stop[:-2]),
        (codec.EXCHANGE, stop + b"\0"),
        (codec.EXCHANGE, stop + b"\0\0"),
        (codec.IDENTIFY, b"\0"),
        (codec.READ_STATUS, b"\0\0"),
    ):
        reply = line.ask(kind, payload)
        expect(
            (reply.type, reply.payload) == (codec.ERROR, bytes((codec.BAD_LENGTH, 0))),
            f"type {kind} with {len(payload)} bytes got type 0x{reply.type:02X} {reply.payload[:4].hex(' ')}, "
            "not 0xFF 03 00",
        )
    after = wand.status()
    expect(
        (after.order_epoch, after.token, after.refusals) == (before.order_epoch, before.token, before.refusals),
        "a request of the wrong length changed epoch, token or refusals",
    )
    return "03 00 five times, nothing changed"
