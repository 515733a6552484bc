import asyncio
import contextlib
import os
import signal
import sqlite3

import pytest

from cryodevice.runtime.connection import SAFE_WITHIN_S
from cryodevice.runtime.supervisor import INSIST_S, supervise
from cryodevice.safety.events import EventKind
from cryodevice.safety.limits import Zone
from cryodevice.safety.phases import SessionState
from cryodevice.treatment.core import Start, Stop
from cryodevice.treatment.program import Step, Treatment

TREATMENT = Treatment("t", (Step(Zone.FOREHEAD, 20.0, 5.0, 1.0),))
"""A mild plate, so that the pull-down takes a second or two."""


async def cooling(bench) -> None:
    """Until the wand really cools under our lease."""
    await bench.until(lambda: bench.loop.latest is not None and bench.loop.latest.permit)
    bench.sim.plant.trigger = True
    bench.loop.command(Start("s", TREATMENT, "tester"))
    await bench.until(lambda: bench.sim.truth()["drive_a"] > 0.5)


async def test_it_claims_the_wand_and_ticks_at_its_rate(bench):
    running = asyncio.create_task(bench.loop.run())
    await bench.happened(EventKind.WAND_CLAIMED)
    before = bench.loop.ticks
    await asyncio.sleep(1.0)
    assert 17 <= bench.loop.ticks - before <= 23
    bench.loop.stop_running("test")
    assert await running is True
    assert bench.sim.truth()["relay_closed"] is False


@pytest.mark.req("R-H04-5")
async def test_a_stop_between_two_ticks_is_sent_at_once(bench):
    running = asyncio.create_task(bench.loop.run())
    await cooling(bench)
    asked_at = bench.sim.time_s
    bench.loop.command(Stop("tester"))
    await bench.until(lambda: bench.sim.truth()["drive_a"] == 0.0)
    assert bench.sim.truth()["drive_off_at_s"] - asked_at <= 0.25
    await bench.until(lambda: bench.loop.latest.session.state is SessionState.STOPPED)
    assert bench.loop.latest.session.ended_why == "stopped by tester"
    bench.loop.stop_running("test")
    assert await running is True


@pytest.mark.req("R-H10-4")
async def test_the_session_is_durable_before_the_first_lease(bench):
    running = asyncio.create_task(bench.loop.run())
    await cooling(bench)
    assert bench.store.durable_at_s > 0.0
    bench.loop.stop_running("test")
    await running


async def test_a_cancelled_loop_makes_the_wand_safe_first(bench):
    running = asyncio.create_task(bench.loop.run())
    await cooling(bench)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert bench.sim.truth()["drive_a"] == 0.0
    assert bench.sim.truth()["trip"] == "none"


async def test_a_service_that_fails_ends_everything_and_the_wand_is_safe(bench):
    async def failing():
        await cooling(bench)
        raise RuntimeError("a bug")

    with pytest.raises(ExceptionGroup) as caught:
        await supervise(bench.loop, {"failing": failing})
    assert caught.group_contains(RuntimeError, match="a bug")
    assert bench.sim.truth()["drive_a"] == 0.0


def kept(bench) -> tuple[str, float]:
    """Why the one session ended and its contact, as the next start would read them from the ledger."""
    bench.store.close()
    with contextlib.closing(sqlite3.connect(bench.store._path)) as ledger:
        (why,) = ledger.execute("SELECT ended_why FROM session").fetchone()
        (contact_s,) = ledger.execute("SELECT total(contact_s) FROM session_zone").fetchone()
    return why, contact_s


async def test_a_session_that_a_failure_ends_is_written_with_its_reason(bench):
    async def failing():
        await cooling(bench)
        raise RuntimeError("a bug")

    with pytest.raises(ExceptionGroup):
        await supervise(bench.loop, {"failing": failing})
    ended = await bench.happened(EventKind.SESSION_ENDED)
    assert ended.evidence["why"] == "stopped by failure (failing: RuntimeError: a bug)"
    assert kept(bench) == (ended.evidence["why"], 0.0)


async def test_a_brain_that_fails_leaves_its_session_ended_with_the_allowance_of_a_crash(bench, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("a bug in the brain")

    async def breaking():
        await cooling(bench)
        monkeypatch.setattr("cryodevice.runtime.control_loop.decide", broken)
        await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as caught:
        await supervise(bench.loop, {"breaking": breaking})
    assert caught.group_contains(ZeroDivisionError)
    assert bench.sim.truth()["drive_a"] == 0.0
    why, contact_s = kept(bench)
    assert (why, contact_s) == ("failure (control loop: ZeroDivisionError: a bug in the brain)", 3.0)


async def test_a_wand_that_never_gives_its_turn_back_does_not_hold_up_the_end(bench):
    running = asyncio.create_task(bench.loop.run())
    await cooling(bench)
    await bench.loop.connection.wand._turn.acquire()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, SAFE_WITHIN_S + 1.0)
    assert bench.loop.shown_safe is False
    assert bench.sim.truth()["trip"] == "lease_expired"


async def test_a_service_that_loses_its_cancellation_does_not_hold_up_the_end(bench):
    async def deaf():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    asyncio.get_running_loop().call_later(0.3, bench.loop.stop_running, "test")
    async with asyncio.timeout(INSIST_S + 3.0):
        await supervise(bench.loop, {"deaf": deaf})


async def test_a_service_that_just_returns_has_failed(bench):
    async def returning():
        return

    with pytest.raises(ExceptionGroup) as caught:
        await supervise(bench.loop, {"short": returning})
    assert caught.group_contains(RuntimeError, match="service short ended by itself")


async def test_sigterm_ends_the_session_with_its_reason(bench):
    async def killer():
        await cooling(bench)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()

    assert await supervise(bench.loop, {"killer": killer}) is True
    ended = await bench.happened(EventKind.SESSION_ENDED)
    assert ended.evidence["why"] == "stopped by SIGTERM"
    assert bench.sim.truth()["drive_a"] == 0.0


async def test_events_are_numbered_without_gaps(bench):
    running = asyncio.create_task(bench.loop.run())
    await cooling(bench)
    bench.loop.stop_running("test")
    await running
    numbered = bench.events.drain()
    assert [item.seq for item in numbered] == list(range(1, len(numbered) + 1))
    assert {item.epoch for item in numbered} == {"test"}


async def test_a_stalled_loop_judges_again_before_it_sends(bench):
    running = asyncio.create_task(bench.loop.run())
    await cooling(bench)
    bench.loop.clock.monotonic()
    import time  # noqa: PLC0415

    time.sleep(0.2)  # noqa: ASYNC251  # the stall is the test
    withdrawn = await bench.happened(EventKind.PERMIT_WITHDRAWN)
    assert withdrawn.evidence["interlock"] == "tick_overrun"
    bench.loop.stop_running("test")
    await running
