"""Many faults at once: whatever comes and goes in whatever order, nothing is left when the last has gone."""

import json
import random
from typing import Any

import pytest

from cryodevice.wire.frame import Frame, encode_frame
from firmware_sim.endpoints.serial_slave import SerialSlave
from firmware_sim.faults import CATALOGUE, injection
from firmware_sim.plant import Disturbances

READ_STATUS = encode_frame(Frame(3, 7, b""))


@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_left_of_a_crowd_of_faults(bench: Any, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311  # chance that can be repeated
    faults = bench.simulator.faults
    line = bench.simulator.line("serial", SerialSlave(bench.firmware))
    numbers = []
    for name in rng.sample(sorted(CATALOGUE), 25) * 2:
        start_s = bench.simulator.time_s + rng.choice((0.0, rng.random()))
        numbers.append(
            faults.inject(injection(name, start_s=start_s, duration_s=rng.choice((None, rng.random() + 0.01))))
        )
    for _ in range(10):
        bench.host.cool()
        line.feed(READ_STATUS)
        bench.run(0.11)
        line.silence()
        json.dumps(bench.simulator.truth(), allow_nan=False)
    rng.shuffle(numbers)
    for number in numbers:
        if any(fault["id"] == number for fault in faults.active()):
            faults.clear(number)
    bench.run(1.0)
    assert faults.active() == []
    assert bench.plant.disturbances == Disturbances()
    assert bench.firmware.quirks.quiet
    assert bench.plant.spoil is None
    while line.patience_s is not None:  # what is still under way arrives
        line.silence()
        bench.run(0.1)
    assert len(line.feed(READ_STATUS)) > 60


@pytest.mark.parametrize(("relay_timer", "opens"), [("works", True), ("dead", False)])
def test_a_hung_wand_keeps_its_outputs_until_the_relay_timer_acts(bench: Any, relay_timer: str, opens: bool) -> None:
    bench.run(0.3, cooling=True)
    number = bench.simulator.faults.inject(injection("hung", {"relay_timer": relay_timer}))
    bench.run(0.25)
    assert bench.simulator.truth()["drive_a"] == 4.0
    bench.run(3.0)
    assert (bench.simulator.truth()["drive_a"] == 0.0) == opens
    bench.simulator.faults.clear(number)
    bench.run(0.04)
    assert bench.simulator.truth()["drive_a"] == 0.0
    assert bench.simulator.truth()["trip"] in {"watchdog", "lease_expired"}


def test_a_watchdog_that_works_ends_a_hang_with_all_outputs_off(bench: Any) -> None:
    bench.run(0.3, cooling=True)
    bench.simulator.faults.inject(injection("hung", {"relay_timer": "dead", "watchdog": "works", "watchdog_s": 0.8}))
    bench.run(0.78)
    assert bench.simulator.truth()["drive_a"] == 4.0
    bench.run(0.04)
    truth = bench.simulator.truth()
    assert (truth["drive_a"], truth["boot_id"], truth["trip"]) == (0.0, 2, "watchdog")
    assert bench.simulator.faults.active() == []
    bench.run(0.1)
    assert bench.host.status().sequence > 4


def test_a_wand_without_power_boots_when_it_has_it_again(bench: Any) -> None:
    bench.run(0.3, cooling=True)
    bench.simulator.faults.inject(injection("power_cut", duration_s=0.5))
    bench.run(0.3)
    truth = bench.simulator.truth()
    assert (truth["relay_closed"], truth["fan_on"], truth["drive_a"], truth["boot_id"]) == (False, False, 0.0, 1)
    bench.simulator.faults.inject(injection("foreign_orders", {"order": "cool"}, duration_s=0.1))
    bench.run(0.15)
    assert not bench.simulator.truth()["relay_closed"]
    bench.run(0.1)
    truth = bench.simulator.truth()
    assert (truth["boot_id"], truth["state"], truth["uptime_ms"]) == (2, "off", 50)


def test_a_slow_clock_makes_every_lease_longer_and_tells_it_by_itself(bench: Any) -> None:
    bench.simulator.faults.inject(injection("clock_drift", {"rate": 0.5}))
    bench.run(0.02)
    bench.host.cool()
    assert bench.host.status().lease_remaining_ms == 500
    bench.run(0.4)
    assert bench.host.status().lease_remaining_ms == 300
    bench.run(0.55)
    assert bench.simulator.truth()["relay_closed"]
    bench.run(0.05)
    assert not bench.simulator.truth()["relay_closed"]
    bench.simulator.faults.clear()
    assert bench.firmware.lease.clock_rate == 1.0


def test_a_drift_goes_on_where_it_would_be_when_a_newer_fault_on_its_switch_ends(bench: Any) -> None:
    faults, quirks = bench.simulator.faults, bench.firmware.quirks
    faults.inject(injection("clock_drift", {"rate": 1.5}))
    bench.run(1.0)
    assert quirks.uptime_offset_ms == 500
    newer = faults.inject(injection("uptime_jump", {"jump_ms": -7}))
    bench.run(1.0)
    assert quirks.uptime_offset_ms == -7
    faults.clear(newer)
    assert quirks.uptime_offset_ms == 1000
    faults.clear()
    assert quirks.uptime_offset_ms == 0


def test_a_loop_of_resets_keeps_its_period_and_its_count(bench: Any) -> None:
    bench.simulator.faults.inject(injection("reset_loop", {"period_s": 0.5}, count=4))
    bench.run(5.0)
    assert bench.simulator.truth()["boot_id"] == 5
    assert bench.simulator.truth()["uptime_ms"] == pytest.approx(3500, abs=20)
    assert bench.simulator.faults.active() == []
