"""The cost of one decision, estimator included: what the core takes of a tick of 50 ms, and what its estimator takes.

The decisions are those of a treatment on the simulated wand, from the first reply to the rewarming; nothing is replayed
or left out. Line, codecs and plant are not in them.
"""

import time
from itertools import pairwise
from statistics import median

from benchmarks.figures import Row, Section, percentile
from cryodevice.safety import skin_estimate
from cryodevice.safety.limits import Zone
from cryodevice.safety.phases import SessionState
from cryodevice.treatment.core import Config, Core, Decision, Inputs
from cryodevice.treatment.program import Step, Treatment
from tests.system import rig as rigs

TREATMENT = Treatment("bench", (Step(Zone.LEFT_CHEEK, 8.0, 20.0, 5.0),))
ROUNDS, QUICK_ROUNDS = 7, 2
SINGLE_STEPS = 2_000
TICK_US = 50_000.0
ESTIMATE_BUDGET_US = 30.0


def run(*, quick: bool) -> Section:
    rounds = QUICK_ROUNDS if quick else ROUNDS
    wall_us: list[float] = []
    contact_us: list[float] = []
    processor_us: list[float] = []
    estimates_us: list[float] = []
    for seed in range(1, rounds + 1):
        taken = _treatment(seed)
        wall_us += [wall for _, wall, _ in taken]
        processor_us += [processor for _, _, processor in taken]
        contact_us += [wall for state, wall, _ in taken if state is SessionState.APPLYING]
        estimates_us += _estimates()
    worst_us = max(estimates_us)
    return Section(
        "decision",
        "The cost of one decision",
        "tick",
        (
            *_of("one decision, skin in contact", contact_us),
            *_of("one decision, whole treatment", wall_us),
            Row(
                "one decision, whole treatment, worst, processor time",
                f"{max(processor_us):.0f} us",
                "50000 us",
                f"{max(processor_us) / TICK_US:.4f}",
            ),
            Row(
                f"skin estimate of all {len(Zone)} zones, one step, median",
                f"{median(estimates_us):.1f} us",
                "50000 us",
                f"{median(estimates_us) / TICK_US:.5f}",
                f"<= {ESTIMATE_BUDGET_US:g} us",
                median(estimates_us) <= ESTIMATE_BUDGET_US,
            ),
            Row(
                "skin estimate of all zones, one step, worst",
                f"{worst_us:.0f} us",
                "50000 us",
                f"{worst_us / TICK_US:.5f}",
            ),
        ),
        (
            f"{rounds} treatments, {len(wall_us)} decisions, {len(contact_us)} of them with skin in contact: news of the line taken in, contact, "
            "skin estimate and dose of every zone, plate and clock watched, session, the whole interlock table, the order. Worst of all, "
            "not a percentile; by the wall clock it holds whatever else this machine did meanwhile, and the garbage collector. Skin "
            f"estimate: {SINGLE_STEPS} steps of 50 ms a treatment, one zone touched.",
        ),
    )


def _of(what: str, values_us: list[float]) -> list[Row]:
    kinds = (("median", median(values_us)), ("p99", percentile(values_us, 0.99)), ("worst", max(values_us)))
    return [Row(f"{what}, {name}", f"{value:.0f} us", "50000 us", f"{value / TICK_US:.4f}") for name, value in kinds]


def _treatment(seed: int) -> list[tuple[SessionState, float, float]]:
    """Every decision of one treatment: the state it came to, and its time by the wall and by the processor, us."""
    taken: list[tuple[SessionState, float, float]] = []
    decide = rigs.decide

    def timed(core: Core, inputs: Inputs, config: Config) -> Decision:
        wall, processor = time.perf_counter_ns(), time.thread_time_ns()
        decision = decide(core, inputs, config)
        ended = time.thread_time_ns(), time.perf_counter_ns()
        taken.append((decision.core.session.state, (ended[1] - wall) / 1e3, (ended[0] - processor) / 1e3))
        return decision

    rigs.decide = timed
    try:
        rig = rigs.Rig(seed=seed, treatment=TREATMENT)
        rig.to_applying()
        rig.until_state(SessionState.REWARMING, 40.0)
    finally:
        rigs.decide = decide
    return taken


def _estimates() -> list[float]:
    """Single steps of the estimator, us."""
    estimate = skin_estimate.begin(0.0)  # type: ignore[arg-type]  # seconds by name
    marks = [time.perf_counter_ns()]
    for number in range(1, SINGLE_STEPS + 1):
        now_s = number * skin_estimate.STEP_S
        estimate = skin_estimate.advanced(estimate, now_s, 8.0, 24.0, {Zone.LEFT_CHEEK})  # type: ignore[arg-type]
        marks.append(time.perf_counter_ns())
    assert estimate.skin_degc(Zone.LEFT_CHEEK) < 12.0
    return [(after - before) / 1e3 for before, after in pairwise(marks)]
