"""Simulated seconds for each second on the clock, skin in contact: plant, wand, and the whole daemon in virtual time.

Nothing sleeps here: time is an argument, or the virtual loop's. The last rows are what a campaign gets.
"""

import asyncio
import time
from collections.abc import Callable
from statistics import median

from benchmarks.figures import Row, Section, percentile
from cryodevice.safety.limits import Zone
from cryodevice.treatment.program import Step, Treatment
from cryodevice.wire.frame import Frame, FrameType, encode_frame
from firmware_sim.endpoints.serial_slave import SerialSlave
from firmware_sim.plant import Plant
from firmware_sim.simulator import Simulator
from tests.runtime.virtual import VirtualDaemon, virtual
from tests.system.rig import Rig

SECONDS, QUICK_SECONDS = 60.0, 5.0
WHOLE_S, QUICK_WHOLE_S = 15.0, 3.0
FRAMES, QUICK_FRAMES = 20_000, 1_000
ROUNDS, QUICK_ROUNDS = 7, 2
TREATMENT = Treatment("bench", (Step(Zone.LEFT_CHEEK, 10.0, 60.0, 5.0, glide=True),))


def run(*, quick: bool) -> Section:
    rounds = QUICK_ROUNDS if quick else ROUNDS
    seconds, whole_s, frames = (QUICK_SECONDS, QUICK_WHOLE_S, QUICK_FRAMES) if quick else (SECONDS, WHOLE_S, FRAMES)
    kinds: dict[str, Callable[[int], float]] = {
        "plant alone": lambda seed: _plant(seed, seconds),
        "firmware and plant, drive on": lambda seed: _wand(seed, seconds),
        "core, both codecs, firmware and plant": lambda seed: _rig(seed, whole_s)[0],
        "whole system: control loop on the virtual loop, driver, line, core, firmware, plant": lambda seed: _whole(
            seed, whole_s
        ),
    }
    rates: dict[str, list[float]] = {name: [] for name in kinds}
    decisions_us: list[float] = []
    served: list[float] = []
    for seed in range(1, rounds + 1):  # in turn, so that a busy moment of the machine hits all of them
        for name, measure in kinds.items():
            rates[name].append(measure(seed))
        decisions_us += _rig(seed, whole_s / 3)[1]
        served.append(_frames(frames))
    goal = "whole system: control loop on the virtual loop, driver, line, core, firmware, plant"
    return Section(
        "simulator",
        "Simulated time and the cost of a tick",
        "real time",
        (
            *(
                Row(
                    f"{name}, skin in contact",
                    f"{median(values):.0f} s a second",
                    "1",
                    _range(values),
                    ">= 150" if name == goal else "",
                    median(values) >= 150.0 if name == goal else None,
                )
                for name, values in rates.items()
            ),
            Row("frames a second, status read answered by the slave", f"{median(served):.0f} /s", "-", _range(served)),
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
            f"{rounds} rounds of {seconds:g} (plant, wand) and {whole_s:g} simulated seconds in turn; median, and lowest … "
            "highest. Firmware tick 20 ms, plant step 10 ms, control tick 50 ms (20 Hz). A tick of core and wire: order encoded, "
            "decoded by the simulated firmware, status back, judged, skin estimate and dose of every zone advanced; the plant "
            "is not in it. Whole system: the daemon's own control loop, connection and driver; the ledger is in memory.",
        ),
    )


def _range(rates: list[float]) -> str:
    return f"{median(rates):.0f} ({min(rates):.0f} … {max(rates):.0f})"


def _plant(seed: int, seconds: float) -> float:
    """The plant by itself, plate on skin, s a second."""
    plant = Plant(seed, plate_degc=8.0)
    plant.contact = True
    steps = round(seconds / 0.01)
    began = time.perf_counter()
    for _ in range(steps):
        plant.advance(0.01)
    return seconds / (time.perf_counter() - began)


def _wand(seed: int, seconds: float) -> float:
    """Plant and firmware with the drive on and the plate on skin, advanced as ``serve`` would, s a second."""
    rig = Rig(seed=seed)
    rig.to_applying(0.5)
    simulator = rig.sim
    simulator.firmware.lease.deadline_ms = 1 << 40  # a lease without end: nobody has to renew it here
    steps = round(seconds / 0.02)
    began = time.perf_counter()
    for _ in range(steps):
        simulator.advance(0.02)
    took_s = time.perf_counter() - began
    assert rig.driving
    return seconds / took_s


def _rig(seed: int, seconds: float) -> tuple[float, list[float]]:
    """The rig in a treatment, plate on skin: s a second, and what each tick took without the plant, us."""
    rig = Rig(seed=seed)
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


def _whole(seed: int, seconds: float) -> float:
    """The daemon's control loop in a treatment, plate on skin, s a second."""

    async def story() -> float:
        daemon = VirtualDaemon(None, wall=lambda: 1e9, seed=seed, treatment=TREATMENT)
        running = asyncio.create_task(daemon.loop.run())
        await daemon.cooling("bench", 0.5)
        began = time.perf_counter()
        await asyncio.sleep(seconds)
        took_s = time.perf_counter() - began
        assert daemon.state().startswith("applying"), daemon.state()
        daemon.loop.stop_running("bench")
        await running
        return seconds / took_s

    return float(virtual(story))


def _frames(count: int) -> float:
    """Status reads that the serial slave answers in a second."""
    slave = SerialSlave(Simulator(1).firmware)
    request = encode_frame(Frame(FrameType.READ_STATUS, 1, b""))
    began = time.perf_counter()
    for _ in range(count):
        slave.feed(request)
    return count / (time.perf_counter() - began)
