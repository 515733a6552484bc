"""Time that jumps, stands still, repeats itself or cannot be believed: D10 and D18 to D21, in simulated time.

The real loop, connection, driver and ledger (``tests/runtime/virtual.py``); only time is not real. ``time_machine``
moves the wall clock under the whole process, as an administrator or an NTP server would.
"""

import asyncio
import datetime as dt
import gc
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import time_machine

from cryodevice.records.exposure_store import BootTime
from cryodevice.records.ledger_file import quarantine
from cryodevice.runtime import logs
from cryodevice.runtime.ports import SessionRecord
from cryodevice.safety.events import EventKind
from cryodevice.safety.exposure import ZoneExposure
from cryodevice.safety.limits import Zone
from cryodevice.safety.phases import SessionState
from cryodevice.telemetry.compose import Composer
from tests.runtime.virtual import BEGAN_S, PromptStore, VirtualDaemon, virtual

HOUR_S, DAY_S = 3600.0, 86_400.0
STOP_S = 0.25
Trace = list[tuple[Any, ...]]


# --- D18: the machine sleeps ------------------------------------------------------------------------------------------


def asleep(slept_s: float, *, wand_lives: bool, clock_sees_it: bool) -> Callable[[Path, int], None]:
    """Sleep in mid-contact. Afterwards: session over, nothing renewed, nothing resumed."""

    def once(directory: Path, seed: int) -> None:
        async def story() -> None:
            daemon = VirtualDaemon(directory, seed=seed + 1)
            running = asyncio.create_task(daemon.loop.run())
            await daemon.cooling("s")
            before = daemon.sim.truth()
            assert before["drive_a"] > 0.0
            daemon.jumped_s += slept_s if clock_sees_it else 0.0
            if wand_lives:
                daemon.wand.live_on(slept_s)
                assert daemon.sim.truth()["trip"] == "lease_expired"
            snapshots = daemon.loop.snapshots.subscribe(100)
            await asyncio.sleep(1.0)
            after = daemon.sim.truth()
            assert after["drive_a"] == 0.0
            assert after["deadline_s"] == before["deadline_s"], "a lease judged before the sleep was taken after it"
            seen = snapshots.drain()[0 if clock_sees_it else 2]
            assert seen.session.state in {SessionState.STOPPED, SessionState.LOCKED}, seen.session
            why = daemon.loop._core.session.ended_why
            assert why in ({"link_lost"} if clock_sees_it else {"link_lost", "wand_tripped", "lease_mismatch"}), why
            withdrawn = [n.event for n in daemon.happened.drain() if n.event.kind is EventKind.PERMIT_WITHDRAWN]
            assert len(withdrawn) == 1
            await asyncio.sleep(20.0)
            assert daemon.sim.truth()["deadline_s"] == before["deadline_s"], "something resumed"
            daemon.loop.stop_running("test")
            await running
            daemon.store.close()

        virtual(story)

    return once


# --- D19, D20: the wall clock is set ----------------------------------------------------------------------------------


def traced(directory: Path, seed: int, each_second: Callable[[int, Any], None], began: dt.datetime) -> Trace:
    """A session, a cable that is out for a while and the way back, with the wall clock in somebody else's hands."""
    trace: Trace = []

    async def story(traveller: Any) -> None:
        async def tamper() -> None:
            for second in range(10_000):
                each_second(second, traveller)
                await asyncio.sleep(1.0)

        daemon = VirtualDaemon(directory, seed=seed + 1)
        tampering = asyncio.create_task(tamper())
        running = asyncio.create_task(daemon.loop.run())
        await daemon.cooling("s", 3.0)
        daemon.line.up = False
        await asyncio.sleep(12.0)
        daemon.line.up = True
        daemon.sim.plant.contact = False
        await asyncio.sleep(8.0)
        daemon.loop.stop_running("test")
        await running
        tampering.cancel()
        core = daemon.loop._core
        skin = core.estimate.temps.tolist()
        trace.append((core.dose, skin, core.link.order_sequence, core.session.ended_why, core.lockout))
        trace.append(tuple(daemon.line.opened))
        happened = [n.event for n in daemon.happened.drain()]
        trace.append(tuple((e.kind, e.at_s, e.message) for e in happened if "alarm" not in e.evidence))
        alarms = [
            e for e in happened if e.evidence.get("alarm") not in (None, "clock_stepped")
        ]  # that one is due to tell
        trace.append(tuple((e.kind, e.at_s, e.evidence["cause"], e.evidence["priority"]) for e in alarms))
        truth = daemon.sim.truth()
        trace.append((truth["order_epoch"], truth["deadline_s"], truth["drive_off_at_s"], truth["contact_s"]))
        daemon.store.close()
        trace.append(next_start(directory))

    with time_machine.travel(began, tick=False) as traveller:
        virtual(lambda: story(traveller))
    return trace


def next_start(directory: Path) -> tuple[float, ...]:
    """Contact and age of each session, as a start a virtual hour later on the same boot would see them."""
    store = PromptStore(
        directory / "exposure.db", time.time, boot=lambda: BootTime("boot", BEGAN_S + HOUR_S), synchronised=lambda: True
    )
    ledger = store.load()
    assert ledger.known, ledger.why_unknown
    past = tuple(
        round(value, 3) for p in ledger.dose.past for value in (p.contact_s, store._age_s(store._loaded[0][1]))
    )
    store.close()
    return past


def stepped(directory: Path, seed: int) -> None:
    """D19: ±1 day, +1 year and back again, another each second; not one number of the loop may differ."""
    steps = (dt.timedelta(days=1), dt.timedelta(days=-1), dt.timedelta(days=366), dt.timedelta(days=-366))

    def step(second: int, traveller: Any) -> None:
        traveller.shift(steps[second % 4] + dt.timedelta(seconds=1))

    def still(_second: int, traveller: Any) -> None:
        traveller.shift(dt.timedelta(seconds=1))

    began = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    steady = traced(directory / "steady", seed, still, began)
    assert traced(directory / "stepped", seed, step, began) == steady
    assert steady[0][3] == "link_lost", "the session was to be ended by the cable"
    assert len(steady[1]) >= 5, "too few attempts to see a backoff"


ZONES = ("UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kathmandu")
MOMENTS = (
    dt.datetime(2026, 10, 25, 0, 59, 55, tzinfo=dt.UTC),  # Berlin's 02:59:55, then 02:00:00 again
    dt.datetime(2026, 3, 29, 0, 59, 55, tzinfo=dt.UTC),  # 01:59:55, then 03:00:00
    dt.datetime(2026, 4, 4, 14, 59, 55, tzinfo=dt.UTC),  # Lord Howe goes back by half an hour
)


@contextmanager
def local_time(zone: str) -> Iterator[None]:
    """The process in another time zone."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = zone
    time.tzset()
    try:
        yield
    finally:
        os.environ.pop("TZ") if before is None else os.environ.__setitem__("TZ", before)
        time.tzset()


def zoned(directory: Path, seed: int) -> None:
    """D20: through a repeated and a skipped hour, in every zone the same times in UTC, in strict order."""
    told = {}
    for number, began in enumerate(MOMENTS):
        for zone in ZONES:
            with local_time(zone), time_machine.travel(began, tick=False) as traveller:
                told[zone] = _times(directory / f"{number}-{zone.replace('/', '-')}", seed, traveller)
            assert told[zone] == told["UTC"], f"{zone}: {told[zone]} is not {told['UTC']}"
        _in_order(told["UTC"], began)


def _times(directory: Path, seed: int, traveller: Any) -> tuple[list[tuple[int, str]], list[float], list[str], str]:
    """What is told to MQTT, written to the ledger, logged, and put into a file name, over ten seconds."""

    async def story() -> Any:
        daemon = VirtualDaemon(directory, seed=seed + 1)
        running = asyncio.create_task(daemon.loop.run())
        stamps = []
        for _ in range(10):
            daemon.loop.note(EventKind.LOOP_STALLED, "a mark")
            stamps.append(logs._iso(time.time()))
            await asyncio.sleep(1.0)
            traveller.shift(dt.timedelta(seconds=1))
        await daemon.cooling("s", 1.5)
        daemon.loop.stop_running("test")
        await running
        daemon.store.close()
        composer = Composer("wand-1", "run")
        events = [composer.event(numbered) for numbered in daemon.happened.drain()]
        return [(event.seq, event.time) for event in events], stamps

    events, stamps = virtual(story)
    with closing(sqlite3.connect(directory / "exposure.db")) as ledger:
        walls = [wall for row in ledger.execute("SELECT started_wall_s, updated_wall_s FROM session") for wall in row]
    return events, walls, stamps, quarantine(directory / "exposure.db").name


def _in_order(told: tuple[list[tuple[int, str]], list[float], list[str], str], began: dt.datetime) -> None:
    events, walls, stamps, aside = told
    assert [seq for seq, _ in events] == list(range(1, len(events) + 1))
    times = [dt.datetime.fromisoformat(when) for _, when in events]
    assert times == sorted(times)
    assert all(when.endswith("Z") for _, when in events)
    assert all(moment - began <= dt.timedelta(seconds=10) for moment in times), "an hour came in or went missing"
    first, last = (dt.datetime.fromisoformat(stamp) for stamp in (stamps[0], stamps[-1]))
    assert (last - first, stamps) == (dt.timedelta(seconds=9), sorted(set(stamps)))
    assert walls == [began.timestamp() + 10.0] * 2
    assert aside.endswith((began + dt.timedelta(seconds=10)).strftime("%Y%m%dT%H%M%SZ"))


# --- D21: nobody keeps the wall clock ---------------------------------------------------------------------------------


def at_1970(directory: Path, seed: int) -> None:
    """Boot with an empty battery: a stop works as ever, and the record says that its clock was not kept."""

    async def story() -> None:
        daemon = VirtualDaemon(directory, seed=seed + 1)
        daemon.store._synchronised = lambda: False
        running = asyncio.create_task(daemon.loop.run())
        await daemon.cooling("s")
        daemon.wand.catch_up()
        asked_s = daemon.sim.time_s
        daemon.stop()
        await daemon.until(lambda: daemon.sim.truth()["drive_a"] == 0.0, 1, "drive off")
        assert daemon.sim.truth()["drive_off_at_s"] - asked_s <= STOP_S
        daemon.loop.stop_running("test")
        await running
        daemon.store.close()

    with time_machine.travel(dt.datetime(1970, 1, 1, 0, 0, 40, tzinfo=dt.UTC), tick=False):
        virtual(story)
    with closing(sqlite3.connect(directory / "exposure.db")) as ledger:
        rows = ledger.execute("SELECT synchronised, updated_wall_s, ended_why FROM session").fetchall()
    assert rows == [(0, 40.0, "stopped by tester")]


# --- D10: hours -------------------------------------------------------------------------------------------------------


def hours(virtual_s: float) -> Callable[[Path, int], str]:
    """Sessions while the day has room for them, cables that come out, and long waiting: nothing may pile up."""

    def once(directory: Path, seed: int) -> str:
        counts: list[tuple[float, int]] = []

        async def story() -> None:
            daemon = VirtualDaemon(directory, seed=seed + 1)
            daemon.happened.close()
            running = asyncio.create_task(daemon.loop.run())
            for number in range(2):
                await daemon.cooling(f"s{number}", 3.0)
                daemon.stop()
                daemon.sim.plant.contact = False
            end = daemon.now() + virtual_s
            while daemon.now() < end:
                daemon.line.up = False
                await asyncio.sleep(2.0)
                daemon.line.up = True
                await asyncio.sleep(min(300.0, virtual_s / 6) - 2.0)
                gc.collect()
                counts.append((daemon.now(), len(gc.get_objects())))
            daemon.loop.stop_running("test")
            await running
            daemon.store.close()

        virtual(story)
        settled = counts[len(counts) // 3 :]
        grown = settled[-1][1] - settled[0][1]
        assert grown <= MOST_GROWN, f"{grown} more objects after {settled[-1][0] - settled[0][0]:.0f} s: {counts}"
        return f"{grown:+d} objects over {(settled[-1][0] - settled[0][0]) / HOUR_S:.2f} h"

    return once


MOST_GROWN = 100
"""Objects more at the end than after a third of the time; a leak of one a tick would be thousands."""


def rebooted(directory: Path, seed: int) -> None:
    """D21: after a reboot, whatever the clock says while nobody keeps it, the day's dose is there."""
    clock = {"wall": 1_790_000_000.0, "boot": BootTime("one", 1000.0), "kept": True}

    def store() -> PromptStore:
        return PromptStore(
            directory / "exposure.db",
            lambda: clock["wall"],
            boot=lambda: clock["boot"],
            synchronised=lambda: clock["kept"],
        )

    first = store()
    first.load()
    totals = ZoneExposure(contact_s=100.0 + seed)
    first.submit_session(SessionRecord("s", "anonymous", Zone.NOSE, 8.0, {Zone.NOSE: totals}, 1.0, "complete"))
    first.close()
    for wall in (1_790_000_000.0 + 1.1 * DAY_S, 60.0, 1_790_000_000.0 + 40 * 365 * DAY_S):
        clock |= {"wall": wall, "boot": BootTime("two", 30.0), "kept": False}
        later = store()
        dose = later.load().dose
        assert dose.day(Zone.NOSE).contact_s == 100.0 + seed, f"forgotten at {wall}"
        clock |= {"wall": 1_790_000_000.0 + 1.1 * DAY_S, "kept": True}
        ((loaded, known),) = later.aged_again()
        assert loaded.ended_at_s - known.ended_at_s > DAY_S
        later.close()
