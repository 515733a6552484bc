"""A blocking call off the loop: bounded in time, and what comes too late is put away."""

import asyncio
import threading
import time

import pytest

from cryodevice.quantities import Seconds
from cryodevice.transport.off_loop import off_loop


def soon(seconds: float) -> Seconds:
    return Seconds(asyncio.get_running_loop().time() + seconds)


async def test_the_result_comes_back_and_is_not_disposed_of() -> None:
    disposed: list[int] = []
    assert await off_loop(lambda: 7, soon(2.0), disposed.append) == 7
    assert disposed == []


async def test_an_error_comes_back_as_it_is() -> None:
    with pytest.raises(OSError, match="broken"):
        await off_loop(lambda: (_ for _ in ()).throw(OSError("broken")), soon(2.0), lambda result: None)


async def test_a_late_result_is_disposed_of() -> None:
    gate, disposed = threading.Event(), threading.Event()
    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        await off_loop(lambda: gate.wait(10), soon(0.05), lambda result: disposed.set())
    assert time.monotonic() - begin < 2.0
    assert not disposed.is_set()
    gate.set()
    assert await asyncio.to_thread(disposed.wait, 2.0)


async def test_a_late_error_is_nobodys_business() -> None:
    gate = threading.Event()

    def fail() -> int:
        gate.wait(10)
        raise OSError("too late to matter")

    with pytest.raises(TimeoutError):
        await off_loop(fail, soon(0.02), lambda result: None)
    gate.set()
    await asyncio.sleep(0.05)  # pytest turns an exception nobody caught in the thread into a failure


async def test_cancelled_at_the_very_moment_it_is_done() -> None:
    disposed = threading.Event()
    done = threading.Event()

    def call() -> int:
        done.set()
        return 7

    task = asyncio.create_task(off_loop(call, soon(5.0), lambda result: disposed.set()))
    await asyncio.sleep(0)
    done.wait(2.0)
    time.sleep(0.02)  # noqa: ASYNC251  # the loop must not see the result before the cancellation
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(disposed.wait, 2.0)


def test_a_stuck_call_does_not_hold_the_end_of_the_program() -> None:
    gate = threading.Event()

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await off_loop(lambda: gate.wait(10), soon(0.02), lambda result: None)

    begin = time.monotonic()
    asyncio.run(give_up())
    assert time.monotonic() - begin < 2.0
    gate.set()
