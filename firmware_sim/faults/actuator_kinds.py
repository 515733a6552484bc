"""The catalogue of actuators and power."""

from typing import Final

from firmware_sim.faults.effects import PlantSwitches
from firmware_sim.faults.kinds import FaultKind
from firmware_sim.faults.parameters import Parameter, Values


def _stuck(values: Values) -> PlantSwitches:
    current = float(values["current_a"])
    return PlantSwitches(values, {"drive_stuck_a": current}, lambda wand: wand.plant.drive_a != current)


def _welded(values: Values) -> PlantSwitches:
    return PlantSwitches(values, {"relay_welded": True}, lambda wand: not wand.plant.relay_closed)


KINDS: Final = (
    FaultKind(
        "drive_stuck",
        "actuator",
        ("A01", "A12"),
        "The bridge delivers this current, + cools, whatever is commanded; it still needs the relay.",
        _stuck,
        (Parameter("current_a", 2.0, -10.0, 10.0, "A"),),
    ),
    FaultKind(
        "relay_welded",
        "actuator",
        ("A09",),
        "The relay conducts even when it is told to open.",
        _welded,
    ),
)
