"""Simulated seconds per wall second, and what one decision costs, with skin in contact. One process, one core."""

import time
from statistics import median

from benchmarks.figures import Row, Section, percentile
from cryodevice.treatment.controller import decide
from cryodevice.treatment.core import Answered, Inputs
from firmware_sim.simulator import Simulator
from tests.system.rig import Rig


def run(*, quick: bool) -> Section:
    simulated_s, rounds, decisions = (20.0, 3, 500) if quick else (120.0, 5, 5000)
    alone = [_simulator(simulated_s) for _ in range(rounds)]
    whole = [_system(min(simulated_s, 60.0)) for _ in range(rounds)]
    took = _decisions(decisions)
    return Section(
        "virtual",
        "Simulated time and the cost of a decision",
        "",
        (
            Row("simulator alone, skin in contact", f"{median(alone):.0f} x real time", ""),
            Row("daemon core, wire bytes and simulator, skin in contact", f"{median(whole):.0f} x real time", ""),
            Row("one decision, median", f"{median(took) * 1e6:.0f} us", ""),
            Row("one decision, p99", f"{percentile(took, 0.99) * 1e6:.0f} us", ""),
            Row("one decision, worst", f"{max(took) * 1e6:.0f} us", ""),
        ),
        ("Firmware tick 20 ms, plant step 10 ms, control tick 50 ms; the decision includes the skin estimate.",),
    )


def _simulator(seconds: float) -> float:
    sim = Simulator(1)
    sim.plant.contact = True
    began = time.perf_counter()
    for _ in range(int(seconds / 0.05)):
        sim.advance(0.05)
    return seconds / (time.perf_counter() - began)


def _system(seconds: float) -> float:
    rig = _cooling()
    began, start = time.perf_counter(), rig.now
    rig.run(seconds)
    return (rig.now - start) / (time.perf_counter() - began)


def _decisions(count: int) -> list[float]:
    rig = _cooling()
    core, took = rig.core, []
    for number in range(count):
        inputs = Inputs(rig.now + number * 0.05, (Answered(core.reading, rig.order),), durable_at_s=rig.now + 1e9)
        began = time.perf_counter()
        core = decide(core, inputs, rig.config).core
        took.append(time.perf_counter() - began)
    return took


def _cooling() -> Rig:
    rig = Rig()
    rig.to_applying()
    return rig
