"""Simulated time against a clock that the test holds: speed, pause, steps, and a machine that cannot keep up."""

import asyncio
from typing import Any

import pytest

from cryodevice.errors import QuantityError
from firmware_sim.endpoints.pacer import Pacer


class Target:
    def __init__(self) -> None:
        self.time_s = 5.0
        self.parts: list[float] = []

    def advance(self, dt_s: float) -> None:
        self.time_s += dt_s
        self.parts.append(dt_s)


@pytest.fixture
def paced() -> Any:
    clock, target = [100.0], Target()
    return clock, target, Pacer(target, lambda: clock[0])


def test_speed_counts_from_when_it_is_set(paced: Any) -> None:
    clock, target, pacer = paced
    clock[0] += 1.0
    pacer.set_speed(10.0)
    assert target.time_s == pytest.approx(6.0)
    clock[0] += 0.2
    pacer.catch_up()
    assert target.time_s == pytest.approx(8.0)
    pacer.set_speed(0.5)
    clock[0] += 1.0
    pacer.catch_up()
    assert target.time_s == pytest.approx(8.5)


@pytest.mark.parametrize("speed", [0.0, -1.0, 101.0, float("nan")])
def test_a_speed_that_is_none_is_refused(paced: Any, speed: float) -> None:
    with pytest.raises(QuantityError, match="speed"):
        paced[2].set_speed(speed)
    assert paced[2].speed == 1.0


def test_paused_time_stands_still_and_goes_on_from_there(paced: Any) -> None:
    clock, target, pacer = paced
    pacer.pause(True)
    clock[0] += 60.0
    pacer.catch_up()
    assert (target.time_s, pacer.paused) == (5.0, True)
    pacer.pause(False)
    clock[0] += 0.5
    pacer.catch_up()
    assert target.time_s == pytest.approx(5.5)


def test_at_real_speed_a_machine_that_was_held_up_makes_all_good(paced: Any) -> None:
    clock, target, pacer = paced
    clock[0] += 3.0
    pacer.catch_up()
    assert (target.time_s, pacer.lost_s) == (pytest.approx(8.0), 0.0)


def test_faster_it_runs_as_fast_as_the_machine_can_and_says_what_was_lost(paced: Any) -> None:
    clock, target, pacer = paced
    pacer.set_speed(100.0)
    clock[0] += 1.0
    pacer.catch_up()
    assert (target.time_s, pacer.lost_s) == (pytest.approx(30.0), pytest.approx(75.0))
    clock[0] += 0.1
    pacer.catch_up()
    assert target.time_s == pytest.approx(40.0)


async def test_steps_pass_in_slices_one_after_another(paced: Any) -> None:
    _, target, pacer = paced
    pacer.pause(True)
    await asyncio.gather(pacer.step(1.2), pacer.step(0.02))
    assert target.time_s == pytest.approx(6.22)
    assert target.parts == pytest.approx([0.5, 0.5, 0.2, 0.02])


async def test_a_step_ends_when_time_is_let_go_on(paced: Any) -> None:
    _, target, pacer = paced
    pacer.pause(True)
    step = asyncio.create_task(pacer.step(100.0))
    await asyncio.sleep(0)
    pacer.pause(False)
    with pytest.raises(QuantityError, match="time is running"):
        await step
    assert target.time_s < 100.0
