"""One seed of a family, one case: a person, a treatment, a hand and faults. The same seed is the same case for ever."""

import random
from dataclasses import dataclass, replace

from cryodevice.safety.limits import Zone, limits, static_hold_s
from cryodevice.treatment.program import ZONE_FLOOR_DEGC
from firmware_sim.faults import Injection
from firmware_sim.plant.hand import Habits
from firmware_sim.scenarios import Action, HostPlan, Scenario, Step, WandPlan
from firmware_sim.scenarios.run import wand_of
from firmware_sim.simulator import Simulator
from tests.campaign.families import FAMILIES, Family, faults_of
from tests.campaign.hand import Hand
from tests.runtime.virtual import LINES

ZONES = tuple(zone for zone in Zone if zone is not Zone.OTHER)


@dataclass(frozen=True)
class Case:
    """What one seed means."""

    seed: int
    scenario: Scenario
    line: str
    byte_s: float
    hand: Hand
    family: Family = FAMILIES["drawn"]

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


def case(seed: int, seconds: float, family: Family = FAMILIES["drawn"]) -> Case:
    """The case of one seed."""
    rng = random.Random(f"campaign/{family.name}/{seed}")  # noqa: S311
    steps = _steps(rng, family)
    faults = faults_of(family, seed, rng)
    hand = _hand(rng, seed, seconds, steps[0].glide)
    if family.calm:
        hand = replace(
            hand,
            lets_go_each_s=1e9,
            early_s=0.0,
            stays_on=False,
            stops_at_s=None,
            estop_at_s=None,
            obedient=True,
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
    byte_s = 10 / 115_200 if line != "modbus-tcp" and rng.random() < 0.5 else 0.0
    return Case(seed, scenario, line, byte_s, hand, family)


def _hand(rng: random.Random, seed: int, seconds: float, glides: bool) -> Hand:
    return Hand(
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


def _steps(rng: random.Random, family: Family) -> tuple[Step, ...]:
    """One step or two; a whole treatment has four to seven, all glided or all held, each on a zone of its own."""
    if not family.long:
        count = rng.choice((1, 1, 2))
        zones = rng.sample(ZONES, count) if family.calm else rng.choices(ZONES, k=count)
        return tuple(_step(rng, zone) for zone in zones)
    glide = rng.random() < 0.5
    return tuple(_step(rng, zone, glide) for zone in rng.sample(ZONES, rng.randint(4, 7)))


def _step(rng: random.Random, zone: Zone, glide: bool | None = None) -> Step:
    floor = max(5.0, ZONE_FLOOR_DEGC.get(zone, 5.0))
    glide = rng.random() < 0.5 if glide is None else glide
    longest = 60.0 if glide else static_hold_s(limits({}), zone)
    hold_s = rng.uniform(min(5.0, longest), longest)
    return Step(
        zone.value, round(rng.uniform(floor, 15.0), 1), round(hold_s, 1), round(rng.uniform(2.0, 40.0), 1), glide
    )
