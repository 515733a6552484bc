import asyncio
import threading
import time

import pytest

from firmware_sim.virtual import BEGAN_S, DeadlockError, VirtualLoop, run


def test_a_day_passes_at_once():
    async def story():
        loop = asyncio.get_running_loop()
        await asyncio.sleep(86_400.0)
        return loop.time()

    began = time.perf_counter()
    assert run(story) == pytest.approx(BEGAN_S + 86_400.0)
    assert time.perf_counter() - began < 5.0


def test_timers_fire_in_the_order_of_their_time():
    async def story():
        fired = []
        loop = asyncio.get_running_loop()
        for after_s in (3.0, 1.0, 2.0):
            loop.call_later(after_s, lambda after_s=after_s: fired.append((loop.time() - BEGAN_S, after_s)))
        await asyncio.sleep(4.0)
        return fired

    assert run(story) == [pytest.approx((at, at)) for at in (1.0, 2.0, 3.0)]


def test_waiting_for_what_never_comes_is_an_error_that_names_who_waits():
    async def story():
        await asyncio.Event().wait()

    with pytest.raises(DeadlockError, match=r"deadlock at 5000\.000000 s.*story"):
        run(story)


def test_what_never_lets_time_pass_is_an_error():
    async def story():
        while True:
            await asyncio.sleep(0)

    with pytest.raises(DeadlockError, match=r"time stands still at 5000\.000000 s.*story"):
        run(story)


def test_what_a_thread_does_takes_no_virtual_time():
    async def story():
        loop = asyncio.get_running_loop()
        done = await asyncio.wait_for(asyncio.to_thread(time.sleep, 0.05), timeout=0.001)
        return done, loop.time()

    assert run(story) == (None, BEGAN_S)


def test_time_is_held_until_it_is_let_go_and_only_once():
    async def story():
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        release = loop.hold()

        def let_go():
            release()
            release()  # a second time changes nothing

        threading.Timer(0.05, lambda: loop.call_soon_threadsafe(let_go)).start()
        second = loop.hold()
        loop.call_soon(second)
        await asyncio.sleep(10.0)
        return loop.time()

    began = time.perf_counter()
    assert run(story) == pytest.approx(BEGAN_S + 10.0)
    assert time.perf_counter() - began >= 0.05


def test_bytes_that_a_line_never_gives_out_are_lost_and_time_goes_on():
    async def story():
        loop = asyncio.get_running_loop()
        loop.moved(7)
        await asyncio.sleep(1.0)
        return loop.lost, loop.in_flight, loop.time()

    assert run(story) == (7, 0, pytest.approx(BEGAN_S + 1.0))
