"""The catalogue of the link: what a line does to bytes, and what it does to frames with their check left right."""

from collections.abc import Callable
from typing import Final

from firmware_sim.faults import filters, frame_filters
from firmware_sim.faults.effect import Effect
from firmware_sim.faults.effects import Act
from firmware_sim.faults.kinds import FaultKind
from firmware_sim.faults.line import ByteFilter
from firmware_sim.faults.link_effect import DIRECTION, LINE, LinkEffect, Unplugged, reset_lines
from firmware_sim.faults.parameters import Parameter, Values

_SHARE: Final = Parameter("share", 1.0, 0.0, 1.0)
_DELAY: Final = Parameter("delay_ms", 100.0, 0.0, 60_000.0, "ms")


def _kind(
    name: str,
    rows: str,
    summary: str,
    new: Callable[[Values], Effect],
    *parameters: Parameter,
    count: int | None = None,
) -> FaultKind:
    return FaultKind(name, "link", tuple(rows.split()), summary, new, (*parameters, LINE), count)


def _both(kind: type[ByteFilter]) -> Callable[[Values], Effect]:
    """A filter whose direction is a parameter."""
    return lambda values: LinkEffect(values, kind)


def _one(kind: type[ByteFilter], direction: str) -> Callable[[Values], Effect]:
    return lambda values: LinkEffect(values, kind, direction)


KINDS: Final = (
    _kind("loss_to_wand", "L03", "Frames from the host vanish, each with this probability.", _one(filters.Loss, "to_wand"), _SHARE),
    _kind("loss_to_host", "L02", "Frames from the wand vanish, each with this probability.", _one(filters.Loss, "to_host"), _SHARE),
    _kind("blackout", "L01 L13", "Nothing passes in either direction, and nobody is told.", _one(filters.Silent, "both")),
    _kind("disconnect", "L01", "The plug is out until the fault ends: the port goes away and comes back.", Unplugged),
    _kind(
        "connection_resets", "L14 L01", "The line is cut and comes back at once, again and again.",
        lambda values: Act(values, reset_lines), Parameter("period_s", 1.0, 0.02, 3600.0, "s"),
    ),
    _kind(
        "late_replies", "L04 P01", "Each reply comes late, and what follows it waits for it.",
        _one(filters.Late, "to_host"), Parameter("delay_ms", 450.0, 0.0, 60_000.0, "ms"),
    ),
    _kind(
        "latency", "L04", "Frames take this long, and up to the jitter longer, each anew.", _both(filters.Delay),
        _DELAY, Parameter("jitter_ms", 0.0, 0.0, 60_000.0, "ms"), DIRECTION,
    ),
    _kind("byte_drip", "L07", "Bytes come one by one.", _both(filters.Drip), Parameter("gap_ms", 2.0, 0.1, 1000.0, "ms"), DIRECTION),
    _kind(
        "bit_errors", "L05", "Each bit is turned over with this probability; counted are the frames that were hit.",
        _both(filters.BitErrors), Parameter("rate", 1e-3, 1e-9, 1.0), DIRECTION,
    ),
    _kind("bytes_lost", "L05 L07", "Each byte vanishes with this probability.", _both(filters.BytesLost), Parameter("share", 0.01, 0.0, 1.0), DIRECTION),
    _kind("stuck_bit", "L05", "One bit of every byte is 1.", _both(filters.StuckBit), Parameter("bit", 6, 0, 7, whole=True), DIRECTION),
    _kind("frames_truncated", "L07 P04", "The end of each frame is missing.", _both(filters.Truncated), Parameter("bytes", 1, 1, 255, whole=True), DIRECTION),
    _kind("frames_doubled", "P02 L07", "Each frame comes twice.", _both(filters.Doubled), DIRECTION),
    _kind("frames_swapped", "P02", "Each second frame comes before the one it followed.", _both(filters.Swapped), DIRECTION),
    _kind(
        "frames_merged", "L07", "Frames come only so many at a time.", _both(filters.Merged),
        Parameter("frames", 2, 2, 100, whole=True), DIRECTION,
    ),
    _kind("noise_bytes", "L08", "Noise in front of each frame.", _both(filters.NoiseBefore), Parameter("bytes", 1, 1, 1024, whole=True), DIRECTION),
    _kind(
        "garbage_flood", "L08", "Random bytes come without end.", _both(filters.Flood),
        Parameter("bytes_s", 10_000.0, 100.0, 1e6, "bytes/s"), DIRECTION,
    ),
    _kind("wrong_baud", "L11", "The ends have different rates: other bytes, and this times as many.", _both(filters.WrongBaud), Parameter("ratio", 0.5, 0.1, 10.0), DIRECTION),
    _kind("reply_stuck", "P01 L06", "Every reply is the first one once more.", _one(filters.Repeated, "to_host")),
    _kind("echo", "L07", "The host hears its own requests.", _one(filters.Echo, "to_host")),
    _kind("replayed_orders", "P02", "Each request comes once more, this much later.", _one(filters.Again, "to_wand"), _DELAY),
    _kind(
        "foreign_frames", "L10 P04", "Good frames of somebody else come by themselves.", _both(frame_filters.ForeignFrames),
        Parameter("period_s", 0.1, 0.01, 3600.0, "s"), DIRECTION,
    ),
    _kind("status_altered", "L06", "One bit of each status is wrong under a good check.", _one(frame_filters.StatusAltered, "to_host")),
    _kind(
        "order_altered", "L06 P08", "A register of each order is another under a good check.", _one(frame_filters.OrderAltered, "to_wand"),
        Parameter("field", "setpoint", choices=frame_filters.ORDER_FIELDS), Parameter("added", -100, -65535, 65535, whole=True),
    ),
    _kind(
        "stale_echo", "P02", "Each order for a lease echoes an older status than the host has judged.",
        _one(frame_filters.StaleEcho, "to_wand"), Parameter("ticks", 30, 1, 32767, "ticks", whole=True),
    ),
    _kind(
        "wrong_replies", "P04", "Each reply is for another unit (serial: sequence), function or length, under a good check.",
        _one(frame_filters.WrongReplies, "to_host"), Parameter("wrong", "unit", choices=("unit", "function", "length")),
    ),
    _kind(
        "error_replies", "P03", "Each reply is an error: this Modbus exception, or this code on a serial line.",
        _one(frame_filters.ErrorReplies, "to_host"), Parameter("code", 4, 1, 255, whole=True),
    ),
)  # fmt: skip
