"""Runs a scenario on a wand with the built-in host, and says what came of it. Same seed, same bytes.

For a run under a daemon the same parts are put together above: ``actions.act``, ``Watch`` and ``expectations.judged``.
"""

from dataclasses import dataclass

from firmware_sim.plant.individual import drawn, person_of
from firmware_sim.scenarios.expectations import Guard, Judged, judged
from firmware_sim.scenarios.host import LeaseHost
from firmware_sim.scenarios.model import Scenario
from firmware_sim.scenarios.watch import Watch
from firmware_sim.scenarios.world import World
from firmware_sim.simulator import Simulator

_CALIBRATION_DAY = 9000
"""Of every scenario's wand: a date of today would make tomorrow's bytes other ones."""
_TOKENS = 65_535


@dataclass(frozen=True, slots=True)
class Result:
    """One run.

    Args:
        scenario: What was run.
        seed: Of the noise.
        who: Who guarded the wand: host or daemon.
        judged: Every expectation with its answer.
        watch: What was true.
        digest: SHA-256 of all bytes on the line with their times.
        exchanges, misses: Of the host.
    """

    scenario: Scenario
    seed: int
    who: str
    judged: tuple[Judged, ...]
    watch: Watch
    digest: str
    exchanges: int = 0
    misses: int = 0

    @property
    def ok(self) -> bool:
        """Whether everything that was asked of this run came true."""
        return all(each.met is not False for each in self.judged)

    def plain(self) -> dict[str, object]:
        """For JSON; the same for the same scenario and seed, to the byte."""
        watch = self.watch
        truth = watch.simulator.truth()
        return {
            "scenario": self.scenario.source,
            "name": self.scenario.name,
            "seed": self.seed,
            "guarded_by": self.who,
            "ok": self.ok,
            "simulated_s": truth["time_s"],
            "expectations": [
                {
                    "line": each.expectation.line,
                    each.expectation.name: each.expectation.value,
                    "met": each.met,
                    "seen": each.seen,
                }
                for each in self.judged
            ],
            "drive": [{"at_s": at_s, "on": on} for at_s, on in watch.drive],
            "trips": [{"at_s": at_s, "trip": name} for at_s, name in watch.trips],
            "fault_bits": watch.faults,
            "lowest_skin_degc": watch.lowest_skin_degc,
            "contact_s": truth["contact_s"],
            "exchanges": self.exchanges,
            "misses": self.misses,
            "line_sha256": self.digest,
        }


def wand_of(scenario: Scenario, seed: int) -> Simulator:
    """The wand of a scenario and the person under it, at its time 0."""
    plan = scenario.wand
    person = drawn(person_of(seed)) if plan.individual == "drawn" else None
    return Simulator(
        seed,
        calibration_day=_CALIBRATION_DAY,
        ambient_degc=plan.ambient_degc,
        plate_degc=plan.plate_degc,
        individual=person,
    )


def run(scenario: Scenario, seed: int | None = None) -> Result:
    """Run a scenario under the built-in host; ``seed`` in place of the file's own."""
    chosen = scenario.seed if seed is None else seed
    host = LeaseHost(scenario.host, 1 + chosen % _TOKENS)
    world = World(scenario, wand_of(scenario, chosen), host.told)
    period_s = scenario.host.period_ms / 1000.0
    ticks = 0
    while (due_s := (ticks + 1) * period_s) <= scenario.duration_s:
        world.pass_until(due_s)
        host.tick(world)
        ticks = max(ticks + 1, int(world.now_s / period_s + 1e-9))
    world.pass_until(scenario.duration_s)
    answers = judged(scenario, world.watch, Guard())
    return Result(scenario, chosen, "host", answers, world.watch, world.digest, host.exchanges, host.misses)
