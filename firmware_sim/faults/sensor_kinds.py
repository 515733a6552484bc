"""The catalogue of sensors and inputs."""

from typing import Final

from firmware_sim.faults import sample_effects as samples
from firmware_sim.faults.kinds import FaultKind
from firmware_sim.faults.parameters import Parameter

CHANNEL: Final = Parameter("channel", "a", choices=("a", "b", "both"))

KINDS: Final = (
    FaultKind(
        "plate_open",
        "sensor",
        ("S01",),
        "A plate channel's wire is broken: no value, fault bit open.",
        samples.PlateBroken,
        (CHANNEL,),
    ),
    FaultKind(
        "plate_short",
        "sensor",
        ("S02",),
        "A plate channel is short-circuited: no value, fault bit short.",
        samples.PlateShort,
        (CHANNEL,),
    ),
    FaultKind(
        "plate_offset",
        "sensor",
        ("S04", "S16"),
        "A plate channel shows this much more than there is.",
        samples.PlateOffset,
        (CHANNEL, Parameter("offset_k", 2.5, -100.0, 100.0, "K")),
    ),
)
