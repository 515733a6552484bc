"""Simulated seconds for each second on the clock, skin in contact: the simulator alone, and with the daemon's core.

Nothing sleeps here: time is an argument. The second row is what a campaign in simulated time gets.
"""

import time
from statistics import median

from benchmarks.figures import Row, Section, percentile
from firmware_sim.simulator import Simulator
from tests.system.rig import Rig

ALONE_S, QUICK_ALONE_S = 300.0, 20.0
WHOLE_S, QUICK_WHOLE_S = 15.0, 3.0
ROUNDS, QUICK_ROUNDS = 7, 2


def run(*, quick: bool) -> Section:
    rounds = QUICK_ROUNDS if quick else ROUNDS
    alone_s, whole_s = (QUICK_ALONE_S, QUICK_WHOLE_S) if quick else (ALONE_S, WHOLE_S)
    alone = [_alone(alone_s) for _ in range(rounds)]
    whole, decisions_us = [], []
    for seed in range(rounds):
        rate, took_us = _whole(seed, whole_s)
        whole.append(rate)
        decisions_us += took_us
    return Section(
        "simulator",
        "Simulated time and the cost of a tick",
        "real time",
        (
            Row("simulator alone, skin in contact", f"{median(alone):.0f} s a second", "1", _range(alone)),
            Row(
                "wire, daemon core and simulator, skin in contact",
                f"{median(whole):.0f} s a second",
                "1",
                _range(whole),
            ),
            *(
                Row(f"one tick of core and wire, {name}", f"{value:.0f} us", "50000 us", f"{value / 50_000:.4f}")
                for name, value in (
                    ("p50", percentile(decisions_us, 0.5)),
                    ("p99", percentile(decisions_us, 0.99)),
                    ("worst", max(decisions_us)),
                )
            ),
        ),
        (
            f"{rounds} rounds of {alone_s:g} and {whole_s:g} simulated seconds; median, and lowest … highest. Firmware tick "
            "20 ms, plant step 10 ms, control tick 50 ms. A tick of core and wire: order encoded, decoded by the simulated "
            "firmware, status back, judged, skin estimate and dose of every zone advanced; the plant is not in it.",
        ),
    )


def _range(rates: list[float]) -> str:
    return f"{median(rates):.0f} ({min(rates):.0f} … {max(rates):.0f})"


def _alone(seconds: float) -> float:
    """Plant and firmware with a plate on skin, advanced as ``serve`` would, s a second."""
    simulator = Simulator(1, plate_degc=8.0)
    simulator.plant.contact = True
    steps = round(seconds / 0.02)
    began = time.perf_counter()
    for _ in range(steps):
        simulator.advance(0.02)
    return seconds / (time.perf_counter() - began)


def _whole(seed: int, seconds: float) -> tuple[float, list[float]]:
    """The rig in a treatment, plate on skin: s a second, and what each tick took without the plant, us."""
    rig = Rig(seed=seed + 1)
    rig.to_applying(0.5)
    plant_s = 0.0
    advance = rig.sim.advance

    def timed(dt_s: float) -> None:
        nonlocal plant_s
        at = time.perf_counter()
        advance(dt_s)
        plant_s += time.perf_counter() - at

    rig.sim.advance = timed  # type: ignore[method-assign]
    took_us: list[float] = []
    end = rig.now + seconds
    began = time.perf_counter()
    while rig.now < end:
        at, before = time.perf_counter(), plant_s
        rig.tick()
        took_us.append((time.perf_counter() - at - (plant_s - before)) * 1e6)
    return seconds / (time.perf_counter() - began), took_us
