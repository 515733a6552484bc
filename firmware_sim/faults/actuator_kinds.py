"""The catalogue of actuators and power."""

import math
from collections.abc import Callable, Mapping
from typing import Final

from firmware_sim.faults.effect import Effect
from firmware_sim.faults.effects import Act, PlantSwitches
from firmware_sim.faults.kinds import FaultKind, Where
from firmware_sim.faults.parameters import Parameter, Values
from firmware_sim.faults.wand import Wand
from firmware_sim.faults.wand_effects import PowerCut
from firmware_sim.plant import Plant

_WARMER_K: Final = 0.1


def _kind(
    name: str,
    rows: str,
    summary: str,
    new: Callable[[Values], Effect],
    *parameters: Parameter,
    where: Where = "actuator",
    count: int | None = None,
) -> FaultKind:
    return FaultKind(name, where, tuple(rows.split()), summary, new, parameters, count)


def _always(_: Plant) -> bool:
    return True


def _drives(plant: Plant) -> bool:
    return plant.relay_closed and plant.drive_a != 0.0


def _sink_warm(plant: Plant) -> bool:
    return plant.truth().sink_degc > plant.ambient_degc + _WARMER_K


def _sets(acts: Callable[[Plant], bool] = _always, **settings: object) -> Callable[[Values], Effect]:
    """Switches that are set whatever the parameters are."""
    return lambda values: PlantSwitches(values, lambda _: settings, acts)


def _takes(switch: str, parameter: str, acts: Callable[[Plant], bool] = _always) -> Callable[[Values], Effect]:
    """One switch that is set to one parameter."""
    return lambda values: PlantSwitches(values, lambda _: {switch: values[parameter]}, acts)


def _loses(switch: str, parameter: str, acts: Callable[[Plant], bool]) -> Callable[[Values], Effect]:
    """One switch that says what share is lost, of a parameter that says what share is left."""
    return lambda values: PlantSwitches(values, lambda _: {switch: 1.0 - float(values[parameter])}, acts)


def _drained(values: Values) -> Effect:
    drain_s = float(values["drain_s"])

    def now(for_s: float) -> Mapping[str, object]:
        return {"sink_loss": -math.expm1(-for_s / drain_s)}

    return PlantSwitches(values, now, _sink_warm)


def _stuck(values: Values) -> Effect:
    current_a = values["current_a"]
    return PlantSwitches(values, lambda _: {"drive_stuck_a": current_a}, lambda plant: plant.drive_a != current_a)


def _brown_out(values: Values) -> Effect:
    def act(wand: Wand, _: Values) -> None:
        wand.reboot("brown_out")

    return Act(values, act)


KINDS: Final = (
    _kind(
        "drive_stuck", "A01 A07 A12",
        "The bridge delivers this current, + cools, whatever is commanded; it still needs the relay.",
        _stuck, Parameter("current_a", 2.0, -10.0, 10.0, "A"),
    ),
    _kind("drive_open", "A02", "A wire of the thermoelectric is broken: no current flows.", _sets(_drives, drive_loss=1.0)),
    _kind(
        "drive_gain", "A02 A12", "The bridge delivers this share of what is commanded: half power, or too much.",
        _loses("drive_loss", "factor", _drives), Parameter("factor", 0.5, 0.0, 3.0),
    ),
    _kind(
        "drive_reversed", "A03", "The thermoelectric is wired the wrong way round: told to cool, the plate warms.",
        _sets(_drives, drive_reversed=True),
    ),
    _kind(
        "relay_welded", "A09", "The relay conducts even when it is told to open.",
        _sets(lambda plant: not plant.relay_closed, relay_welded=True),
    ),
    _kind(
        "relay_not_closing", "A09 A02", "The relay does not conduct even when it is told to close.",
        _sets(lambda plant: plant.relay_closed, relay_dead=True),
    ),
    _kind(
        "heater_stuck", "A07", "A rewarm heater on the relay's supply is on whatever is commanded.",
        _takes("heater_w", "power_w", lambda plant: plant.relay_closed), Parameter("power_w", 10.0, 0.0, 100.0, "W"),
    ),
    _kind("fan_stalled", "A04 A06", "The rotor is held.", _sets(lambda plant: plant.fan_on, fan_stalled=True)),
    _kind(
        "fan_weak", "A04 A05", "The fan reaches this share of its speed.",
        _loses("fan_loss", "share", lambda plant: plant.fan_on), Parameter("share", 0.4, 0.0, 1.0),
    ),
    _kind(
        "sink_blocked", "A05", "The sink gives its heat to the air with this share of its conductance.",
        _loses("sink_loss", "share", _sink_warm), Parameter("share", 0.2, 0.0, 1.0),
    ),
    _kind(
        "coolant_lost", "A05 A06", "What carries the heat out of the sink runs out, by e in each drain time.",
        _drained, Parameter("drain_s", 20.0, 0.1, 3600.0, "s"),
    ),
    _kind(
        "sink_heated", "A05 A06", "Heat gets into the sink from outside.",
        _takes("sink_heat_w", "power_w"), Parameter("power_w", 60.0, 0.0, 500.0, "W"),
    ),
    _kind(
        "plate_heated", "S14", "Heat gets into the plate from outside, as the latent heat of freezing skin does.",
        _takes("plate_heat_w", "power_w"), Parameter("power_w", 10.0, -100.0, 100.0, "W"),
    ),
    _kind(
        "supply_voltage", "A12 A08", "The supply has this voltage instead of 12 V; the bridge delivers no more than it can drive.",
        _takes("supply_v", "volts"), Parameter("volts", 8.0, 0.0, 60.0, "V"), where="power",
    ),
    _kind(
        "brown_out", "A08 F01", "The supply dips so far that the wand resets.", _brown_out, where="power", count=1,
    ),
    _kind(
        "power_cut", "A08 L01", "The wand has no power: no drive, no fan, no answers. It boots when the fault ends.",
        PowerCut, where="power",
    ),
)  # fmt: skip
