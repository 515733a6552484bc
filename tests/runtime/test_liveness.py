import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

import pytest

from cryodevice.runtime.liveness import NO_STACK, LoopWatch, freeze_gc


@dataclass
class Heard:
    stalls: list[tuple[float, str]] = field(default_factory=list)
    recovered: list[float] = field(default_factory=list)
    threads: set[str] = field(default_factory=set)

    def stall(self, lag_s: float, stack: str) -> None:
        self.stalls.append((lag_s, stack))
        self.threads.add(threading.current_thread().name)

    def watch(self, limit_s: float = 0.2) -> LoopWatch:
        return LoopWatch(limit_s, on_stall=self.stall, on_recovered=self.recovered.append)


def watching() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "loop watch"]


def a_blocking_call(seconds: float) -> None:
    time.sleep(seconds)


async def test_a_blocked_loop_is_named_once_while_it_is_blocked_and_again_when_it_turns() -> None:
    heard = Heard()
    watch = heard.watch()
    watch.start()
    await asyncio.sleep(0.3)
    before = len(heard.stalls)
    a_blocking_call(0.7)
    during = heard.stalls[before:]
    await asyncio.sleep(0.3)
    watch.stop()
    assert len(during) == 1, "not said while it was going on"
    assert heard.stalls[before:] == during
    lag_s, stack = during[0]
    assert 0.2 < lag_s < 0.65
    assert "in a_blocking_call" in stack
    assert "time.sleep(seconds)" in stack
    assert len(heard.recovered) == before + 1
    assert 0.65 < heard.recovered[-1] < 2.0
    assert heard.threads == {"loop watch"}


async def test_two_stalls_are_two_reports() -> None:
    heard = Heard()
    watch = heard.watch(0.1)
    watch.start()
    for _ in range(2):
        await asyncio.sleep(0.2)
        a_blocking_call(0.3)
    await asyncio.sleep(0.2)
    watch.stop()
    assert sum("in a_blocking_call" in stack for _, stack in heard.stalls) == 2
    assert len(heard.recovered) == len(heard.stalls)


async def test_a_busy_loop_that_turns_is_left_alone() -> None:
    heard = Heard()
    watch = heard.watch(0.4)
    watch.start()
    end = time.monotonic() + 1.2

    async def busy() -> None:
        while time.monotonic() < end:
            slice_end = time.monotonic() + 0.004
            while time.monotonic() < slice_end:
                pass
            await asyncio.sleep(0)

    def in_a_thread() -> None:
        while time.monotonic() < end:
            sum(range(500))

    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.to_thread(in_a_thread))
        for _ in range(5):
            group.create_task(busy())
    watch.stop()
    assert heard.stalls == []
    assert heard.recovered == []


async def test_stop_works_from_another_thread_while_the_loop_is_stalled() -> None:
    heard = Heard()
    watch = heard.watch(0.1)
    watch.start()
    took = []

    def stopper() -> None:
        time.sleep(0.4)
        began = time.monotonic()
        watch.stop()
        took.append(time.monotonic() - began)

    thread = threading.Thread(target=stopper)
    thread.start()
    a_blocking_call(0.9)
    thread.join()
    assert took[0] < 0.4
    assert len(heard.stalls) == 1
    await asyncio.sleep(0.2)
    assert heard.recovered == []
    assert watching() == []


async def test_start_and_stop_leave_nothing_behind() -> None:
    heard = Heard()
    for _ in range(5):
        watch = heard.watch()
        watch.start()
        assert len(watching()) == 1
        watch.stop()
        watch.stop()
        assert watching() == []
    watch.start()  # may be used again
    assert len(watching()) == 1
    watch.stop()
    assert not [handle for handle in asyncio.get_running_loop()._scheduled if not handle.cancelled()]


async def test_a_report_that_fails_does_not_end_the_watch(capsys: pytest.CaptureFixture[str]) -> None:
    told = []

    def report(lag_s: float, stack: str) -> None:
        told.append(stack)
        raise RuntimeError("the disk is full")

    watch = LoopWatch(0.1, on_stall=report)
    watch.start()
    for _ in range(2):
        await asyncio.sleep(0.2)
        a_blocking_call(0.3)
    await asyncio.sleep(0.2)
    watch.stop()
    assert sum("in a_blocking_call" in stack for stack in told) == 2
    assert "the disk is full" in capsys.readouterr().out


STOPPED = """
import asyncio
from cryodevice.runtime.liveness import LoopWatch

async def main():
    watch = LoopWatch(0.2, on_stall=lambda lag_s, stack: print(f"stall {lag_s:.3f}", flush=True),
                      on_recovered=lambda total_s: print(f"total {total_s:.3f}", flush=True))
    watch.start()
    print("ready", flush=True)
    await asyncio.sleep(30)

asyncio.run(main())
"""


def test_a_process_that_was_stopped_is_reported_too() -> None:
    child = subprocess.Popen([sys.executable, "-c", STOPPED], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline() == "ready\n"
        time.sleep(0.2)
        os.kill(child.pid, signal.SIGSTOP)
        time.sleep(0.8)
        os.kill(child.pid, signal.SIGCONT)
        assert child.stdout.readline().startswith("stall ")
        assert float(child.stdout.readline().removeprefix("total ")) > 0.7
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


async def test_a_stall_over_before_the_thread_could_look_is_still_counted() -> None:
    heard = Heard()
    watch = heard.watch(0.2)
    watch.start()
    watch._beat_s -= 5.0  # as a call that holds the interpreter leaves it
    watch.beat()
    await asyncio.sleep(0.5)
    watch.stop()
    assert [stack for _, stack in heard.stalls] == [NO_STACK]
    assert heard.stalls[0][0] == pytest.approx(heard.recovered[0])
    assert 5.0 < heard.recovered[0] < 5.2


def test_freezing_keeps_what_is_alive_out_of_later_collections() -> None:
    try:
        frozen = freeze_gc()
        assert frozen > 1000
        assert gc.get_freeze_count() == frozen
    finally:
        gc.unfreeze()
