"""What each fault of the link shows: some exchanges over a serial line, and what the host hears and the wand gets."""

from cryodevice.wire.codes import Refusal
from cryodevice.wire.frame import FrameType
from tests.firmware_sim.faults.bed import REQUESTS, Bed, Talk
from tests.firmware_sim.faults.cases import Case

REPLY_BYTES = 72
"""Of a status with COBS and its end, at least."""


def talk(bed: Bed) -> Talk:
    return bed.talk()


def plugged(bed: Bed) -> tuple[Talk, list[bool]]:
    seen = bed.talk()
    plugs, bed.plugs[:] = list(bed.plugs), []
    return seen, plugs


def altered(talk: Talk) -> bool:
    """Whether a status under a good check is not the one the wand sent."""
    said = [frame.payload for frame in talk.frames if frame.type == FrameType.EXCHANGE | 0x80]
    sent = [b"".join(word.to_bytes(2, "big") for word in words) for words in talk.truly]
    return len(said) == REQUESTS and all(
        sum((a ^ b).bit_count() for a, b in zip(one, other, strict=True)) == 1
        for one, other in zip(said, sent, strict=True)
    )


def foreign_epoch(bed: Bed) -> int:
    """Orders accepted since the last look that were not the host's."""
    bed.run(0.3)
    accepted, ours = bed.truth["orders_accepted"], bed.host.sequence
    last, now = bed.since("foreign", accepted - ours)
    return now - last


def token(bed: Bed) -> tuple[int, bool]:
    bed.run(0.3)
    seen = bed.host.status().token, bed.truth["lease_live"]
    bed.host.stop()
    return seen


def delays(talk: Talk) -> list[float]:
    return [got - sent for got, sent in zip(talk.got_s, talk.sent_s, strict=False)]


LINES = {
    "loss_to_wand": Case(talk, lambda t: (t.accepted, t.frames) == (0, [])),
    "loss_to_host": Case(talk, lambda t: (t.accepted, t.frames) == (REQUESTS, [])),
    "blackout": Case(talk, lambda t: (t.accepted, t.frames) == (0, [])),
    "disconnect": Case(plugged, lambda x: (x[0].accepted, x[0].frames, x[1]) == (0, [], [False])),
    "connection_resets": Case(plugged, lambda x: x[1] == [False, True] * 4, {"period_s": 0.1}),
    "late_replies": Case(talk, lambda t: len(t.frames) == REQUESTS and min(delays(t)) > 0.1, {"delay_ms": 105}),
    "latency": Case(
        talk, lambda t: len(t.frames) == REQUESTS and min(delays(t)) > 0.1, {"delay_ms": 105, "jitter_ms": 10}
    ),
    "byte_drip": Case(talk, lambda t: max(map(len, t.got)) <= 3 and len(t.frames) == REQUESTS, {"gap_ms": 1.0}),
    "bit_errors": Case(talk, lambda t: t.frames == [] and len(t.got) == REQUESTS, {"rate": 0.05}),
    "bytes_lost": Case(talk, lambda t: t.frames == [] and all(len(piece) < 70 for piece in t.got), {"share": 0.2}),
    "stuck_bit": Case(talk, lambda t: all(byte & 0x40 for piece in t.got for byte in piece)),
    "frames_truncated": Case(talk, lambda t: all(piece[-1:] != b"\0" for piece in t.got)),
    "frames_doubled": Case(talk, lambda t: t.sequences == [n for n in t.asked for _ in "12"]),
    "frames_swapped": Case(talk, lambda t: t.sequences[:2] == t.asked[1::-1]),
    "frames_merged": Case(talk, lambda t: len(t.got) == 1 and t.sequences == t.asked[:2]),
    "noise_bytes": Case(talk, lambda t: all(len(piece) >= REPLY_BYTES + 7 for piece in t.got), {"bytes": 9}),
    "garbage_flood": Case(talk, lambda t: 2500 < t.bytes < 4000),
    "wrong_baud": Case(talk, lambda t: t.frames == [] and {len(piece) for piece in t.got} <= {35, 36}),
    "reply_stuck": Case(talk, lambda t: len(set(t.got)) == 1),
    "echo": Case(talk, lambda t: all(piece.startswith(sent) for piece, sent in zip(t.got, t.sent, strict=True))),
    "replayed_orders": Case(talk, lambda t: sorted(t.sequences) == sorted(t.asked * 2), {"delay_ms": 70}),
    "foreign_frames": Case(talk, lambda t: len(t.frames) == REQUESTS + 3),
    "status_altered": Case(talk, altered),
    "order_altered": Case(lambda bed: (bed.talk(), bed.truth["setpoint_degc"])[1], lambda degc: degc == 7.0),
    "stale_echo": Case(
        talk, lambda t: [f.payload for f in t.frames] == [bytes((4, Refusal.ECHO))] * REQUESTS, {"ticks": 60}
    ),
    "wrong_replies": Case(talk, lambda t: t.sequences == [n ^ 1 for n in t.asked]),
    "error_replies": Case(
        talk, lambda t: [(f.type, f.payload[0]) for f in t.frames] == [(0xFF, 3)] * REQUESTS, {"code": 3}
    ),
    "foreign_stop": Case(foreign_epoch, lambda n: n == 1),
    "token_stolen": Case(token, lambda x: x == (0x0BAD, False)),
    "foreign_orders": Case(token, lambda x: x == (0x0BAD, True)),
}
