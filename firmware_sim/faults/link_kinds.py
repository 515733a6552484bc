"""The catalogue of the link: what a line does to bytes whatever they mean."""

from collections.abc import Callable
from typing import Final

from firmware_sim.faults import filters
from firmware_sim.faults.kinds import FaultKind
from firmware_sim.faults.line import ByteFilter
from firmware_sim.faults.link_effect import DIRECTION, LINE, LinkEffect
from firmware_sim.faults.parameters import Parameter, Values

_SHARE = Parameter("share", 1.0, 0.0, 1.0)


def _on(kind: type[ByteFilter], direction: str | None = None) -> Callable[[Values], LinkEffect]:
    return lambda values: LinkEffect(values, kind, direction)


KINDS: Final = (
    FaultKind(
        "loss_to_wand",
        "link",
        ("L03",),
        "Frames from the host never arrive, each with this probability.",
        _on(filters.Loss, "to_wand"),
        (_SHARE, LINE),
    ),
    FaultKind(
        "loss_to_host",
        "link",
        ("L02",),
        "Frames from the wand never arrive, each with this probability.",
        _on(filters.Loss, "to_host"),
        (_SHARE, LINE),
    ),
    FaultKind(
        "late_replies",
        "link",
        ("L04", "P01"),
        "Each reply comes late, and what follows it waits for it.",
        _on(filters.Late, "to_host"),
        (Parameter("delay_ms", 450.0, 0.0, 60_000.0, "ms"), LINE),
    ),
    FaultKind(
        "latency",
        "link",
        ("L04",),
        "Frames take this long, and up to the jitter longer, each anew.",
        _on(filters.Delay),
        (
            Parameter("delay_ms", 100.0, 0.0, 60_000.0, "ms"),
            Parameter("jitter_ms", 0.0, 0.0, 60_000.0, "ms"),
            DIRECTION,
            LINE,
        ),
    ),
    FaultKind(
        "bit_errors",
        "link",
        ("L05",),
        "Each bit is turned over with this probability.",
        _on(filters.BitErrors),
        (Parameter("rate", 1e-3, 1e-9, 1.0), DIRECTION, LINE),
    ),
)
