"""One seed, one case: a person, a treatment, a hand and up to two faults. The same seed is the same case for ever.

Faults are drawn from the catalogue; half of their numbers are the catalogue's own, half lie anywhere in the range.
"""

import random
from dataclasses import dataclass

from cryodevice.safety.limits import Zone, limits, static_hold_s
from cryodevice.treatment.program import ZONE_FLOOR_DEGC
from firmware_sim.faults import CATALOGUE, FaultKind, Injection, Parameter, injection
from firmware_sim.plant.hand import Habits
from firmware_sim.scenarios import Action, HostPlan, Scenario, Step, WandPlan
from firmware_sim.scenarios.run import wand_of
from firmware_sim.simulator import Simulator
from tests.campaign.hand import Hand
from tests.runtime.virtual import LINES

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


@dataclass(frozen=True)
class Case:
    """What one seed means."""

    seed: int
    scenario: Scenario
    line: str
    byte_s: float
    hand: Hand

    def wand(self) -> Simulator:
        """The wand, and the person under it."""
        return wand_of(self.scenario, self.seed)

    @property
    def faults(self) -> tuple[Injection, ...]:
        return tuple(action.fault for action in self.scenario.actions if action.fault is not None)

    def told(self) -> str:
        """In one line, for a report."""
        step = self.scenario.steps[0]
        faults = ", ".join(
            f"{each.name}({', '.join(f'{key}={_short(value)}' for key, value in each.values.items())})"
            f" at {each.start_s:.1f} s" + ("" if each.duration_s is None else f" for {each.duration_s:.1f} s")
            for each in self.faults
        )
        return f"{step.zone} at {step.plate_degc:g} degC, {self.line}; {faults or 'no fault'}"


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def case(seed: int, seconds: float) -> Case:
    """The case of one seed."""
    rng = random.Random(f"campaign/{seed}")  # noqa: S311
    steps = tuple(_step(rng) for _ in range(rng.choice((1, 1, 2))))
    faults = tuple(_fault(rng, seconds) for _ in range(rng.choice((0, 1, 1, 2))))
    glides = steps[0].glide
    hand = Hand(
        seed,
        surface=rng.choice(("dry", "gel", "gel", "light")),
        habits=Habits(lifts_per_min=rng.uniform(0.0, 8.0), slips_per_min=rng.uniform(0.0, 20.0)),
        reaction_s=rng.uniform(0.05, 0.6),
        lets_go_each_s=rng.uniform(10.0, 200.0),
        early_s=rng.uniform(0.3, 4.0) if rng.random() < 0.1 else 0.0,
        stays_on=rng.random() < 0.2,
        glides=glides and rng.random() < 0.9,
        stops_at_s=rng.uniform(10.0, seconds) if rng.random() < 0.2 else None,
        estop_at_s=rng.uniform(5.0, seconds) if rng.random() < 0.05 else None,
    )
    ambient = rng.uniform(18.0, 30.0)
    scenario = Scenario(
        name=f"seed {seed}",
        about="drawn",
        duration_s=seconds,
        seed=seed,
        wand=WandPlan(steps[0].zone, ambient_degc=ambient, plate_degc=ambient, individual="drawn"),
        host=HostPlan(steps[0].plate_degc),
        steps=steps,
        actions=tuple(Action(each.start_s, fault=each) for each in sorted(faults, key=lambda each: each.start_s)),
    )
    line = rng.choice((*LINES, "serial"))
    return Case(seed, scenario, line, 10 / 115_200 if line != "modbus-tcp" and rng.random() < 0.5 else 0.0, hand)


def _step(rng: random.Random) -> Step:
    zone = rng.choice([zone for zone in Zone if zone is not Zone.OTHER])
    floor = max(5.0, ZONE_FLOOR_DEGC.get(zone, 5.0))
    glide = rng.random() < 0.5
    longest = 60.0 if glide else static_hold_s(limits({}), zone)
    hold_s = rng.uniform(min(5.0, longest), longest)
    return Step(
        zone.value, round(rng.uniform(floor, 15.0), 1), round(hold_s, 1), round(rng.uniform(2.0, 40.0), 1), glide
    )


def _fault(rng: random.Random, seconds: float) -> Injection:
    kind: FaultKind = CATALOGUE[rng.choice(sorted(CATALOGUE))]
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
