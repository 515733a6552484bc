"""The families of a campaign: how many faults a case has and which, how long it lasts, and what is promised of it.

Each case of a family is a number; the same number is the same case for ever. Which pairs are left out, and why, is here.
"""

import itertools
import random
from dataclasses import dataclass

from firmware_sim.faults import CATALOGUE, FaultKind, Injection, Parameter, injection

FURTHEST: dict[str, float] = {
    "offset_k": 12.0,
    "power_w": 60.0,
    "delay_ms": 1000.0,
    "degc": 40.0,
    "factor": 2.0,
    "added": 2000.0,
    "bytes_s": 20_000.0,
    "sigma_k": 4.0,
    "offset_ms": 2000.0,
    "overrun_ms": 1500.0,
    "offset_ma": 3000.0,
    "current_a": 4.0,
}
"""Numbers beyond these are no fault any more but another world; kept where a wand might still be held."""
NAMES = tuple(sorted(CATALOGUE))
WAND_OUT = {
    "cutouts_off": "its cut-outs trip on nothing",
    "trip_unlatched": "it forgets its trips",
    "ignores_lease": "its leases never end",
    "ignores_stop": "it does not stop when told",
    "lease_overrun": "its leases last longer than they are",
    "lease_from_arrival": "its leases begin late",
    "drive_ignores_off": "its drive stage does not go off",
    "drive_stuck": "its bridge obeys nobody",
    "full_drive": "it drives with all it has",
    "regulates_elsewhere": "it holds the plate beside the setpoint",
    "setpoint_altered": "it takes another setpoint into force",
    "relay_welded": "its relay does not open",
    "hung": "its program does not run",
    "safety_task_dead": "its safety task does not run",
    "plate_heated": "heat comes from outside",
    "heater_stuck": "its heater obeys nobody",
    "order_altered": "another setpoint reaches it than was ordered",
    "foreign_orders": "another master gives its orders",
}
"""Faults that take the wand's barrier away, or push the plate past what both barriers were told."""
DAEMON_OUT = {
    "plate_common_offset": "both plate channels show what is not there",
    "plate_off_plate": "both plate channels are off the plate",
    "plate_sluggish": "both plate channels lag",
    "plate_fahrenheit": "both plate channels are in another unit",
    "plate_coarse": "both plate channels give whole steps",
    "plate_scale": "plate channels have a wrong scale",
    "plate_drift": "plate channels drift",
    "lies_plate": "the wand says what plate it likes",
    "adc_frozen": "the samples stand still",
    "status_frozen": "the status stands still",
    "reply_stuck": "the reply stands still",
    "sequence_without_sampling": "the samples stand still and are counted on",
    "current_sensor_dead": "the drive cannot be seen",
    "current_sensor_offset": "the drive is seen wrongly",
    "lies_drive_off": "the drive is hidden",
    "lies_no_faults": "the wand's findings are hidden",
    "contact_dead": "contact cannot be seen",
}
"""Faults that hide from the daemon what it judges; the wand's own sensors are hidden by most of them too."""


@dataclass(frozen=True)
class Family:
    """One kind of case.

    Args:
        name: What ``--family`` calls it.
        about: What a case is, for the page.
        cases: How many there are by default.
        seconds: How long a case lasts, simulated; a family that ends ``early`` ends soon after its session.
        faults: How many are drawn; None leaves it to chance, 0 to 2.
        calm: The hand has no lapses, the line and the sensors their everyday noise, and no trip is expected.
        long: A whole treatment of several steps.
    """

    name: str
    about: str
    cases: int
    seconds: float
    faults: int | None = None
    early: bool = False
    calm: bool = False
    long: bool = False


def _pairs() -> tuple[tuple[str, str], ...]:
    """In an order of chance, so that a part of them is of all kinds."""
    pairs = [pair for pair in itertools.combinations(NAMES, 2) if not left_out(*pair)]
    random.Random("pairs").shuffle(pairs)  # noqa: S311
    return tuple(pairs)


def left_out(first: str, second: str) -> str:
    """Why a pair is not asked for: one takes the wand's barrier, the other the daemon's. Empty if it is asked for."""
    for wand, daemon in ((first, second), (second, first)):
        if wand in WAND_OUT and daemon in DAEMON_OUT:
            return f"{wand}: {WAND_OUT[wand]}; {daemon}: {DAEMON_OUT[daemon]}"
    return ""


PAIRS = _pairs()
FAMILIES = {
    each.name: each
    for each in (
        Family("drawn", "up to two faults, drawn", 1000, 90.0),
        Family("single", "each fault of the catalogue, alone", 8 * len(NAMES), 60.0, 1),
        Family("pair", "each pair of faults that leaves a barrier standing", len(PAIRS), 60.0, 2),
        Family("triple", "three faults, drawn; reported, nothing promised", 500, 60.0, 3),
        Family("whole", "a whole treatment of several steps, up to one fault", 500, 900.0, None, early=True, long=True),
        Family("calm", "no fault: noise, lifts, glides, 1 % of frames lost, a busy host", 1000, 300.0, 0, True, True),
    )
}


def faults_of(family: Family, number: int, rng: random.Random) -> tuple[Injection, ...]:
    """What goes wrong in a case."""
    if family.calm:
        return _noise(rng)
    if family.name == "single":
        return (_fault(rng, family.seconds, NAMES[number % len(NAMES)]),)
    if family.name == "pair":
        return tuple(_fault(rng, family.seconds, name) for name in PAIRS[number % len(PAIRS)])
    if family.faults is not None:
        return tuple(_fault(rng, family.seconds, name) for name in rng.sample(NAMES, family.faults))
    choices = (0, 1) if family.long else (0, 1, 1, 2)
    latest_s = 200.0 if family.long else family.seconds
    return tuple(_fault(rng, latest_s, rng.choice(NAMES)) for _ in range(rng.choice(choices)))


def _noise(rng: random.Random) -> tuple[Injection, ...]:
    """What every day brings: no fault, and no reason to trip."""
    return (
        injection("plate_noise", {"channel": "a", "sigma_k": 0.05}),
        injection("plate_noise", {"channel": "b", "sigma_k": 0.05}),
        injection("loss_to_wand", {"share": 0.005}),
        injection("loss_to_host", {"share": 0.005}),
        injection("latency", {"delay_ms": rng.uniform(0.0, 6.0), "jitter_ms": rng.uniform(0.0, 8.0)}),
    )


def _fault(rng: random.Random, seconds: float, name: str) -> Injection:
    kind: FaultKind = CATALOGUE[name]
    values = {each.name: _value(rng, each) for each in kind.parameters if each.name != "line"}
    start_s = rng.uniform(3.0, 0.8 * seconds)
    lasts_s = None if rng.random() < 0.5 else 0.2 * (20.0 / 0.2) ** rng.random()
    return injection(kind.name, values, start_s=round(start_s, 3), duration_s=lasts_s and round(lasts_s, 3))


def _value(rng: random.Random, parameter: Parameter) -> object:
    if parameter.choices:
        return rng.choice(parameter.choices)
    if rng.random() < 0.5 or isinstance(parameter.default, str):
        return parameter.default
    furthest = FURTHEST.get(parameter.name, max(10.0 * abs(parameter.default), 1.0))
    low, high = max(parameter.low, -furthest), min(parameter.high, furthest)
    value = low * (high / low) ** rng.random() if parameter.low > 0.0 else rng.uniform(low, high)
    return max(round(value), round(parameter.low)) if parameter.whole else value
