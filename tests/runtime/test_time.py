import asyncio
import ctypes
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from cryodevice.runtime import wall_trust
from cryodevice.runtime.clock import SystemClock, steady_s
from cryodevice.safety.exposure import Dose, Past
from tests.runtime.virtual import VirtualDaemon, virtual
from tests.system import time_rows as rows


@pytest.mark.req("D18")
@pytest.mark.parametrize(
    ("slept_s", "wand_lives", "clock_sees_it"),
    [(3600.0, False, True), (300.0, True, True), (300.0, True, False)],
    ids=["the clock jumps an hour", "wand awake", "wand awake, clock asleep"],
)
def test_after_a_sleep_everything_is_stale_and_nothing_resumes(tmp_path, slept_s, wand_lives, clock_sees_it):
    rows.asleep(slept_s, wand_lives=wand_lives, clock_sees_it=clock_sees_it)(tmp_path, 0)


@pytest.mark.req("D18")
def test_the_daemons_clock_goes_on_while_the_machine_sleeps():
    assert abs(steady_s() - time.clock_gettime(time.CLOCK_BOOTTIME)) < 0.1
    code = (
        "import time; from cryodevice.runtime.clock import SystemClock;"
        "print(SystemClock().monotonic() - time.monotonic())"
    )
    done = subprocess.run(
        ["unshare", "--time", "--boottime", "7200", "--fork", sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"no time namespace here: {done.stderr.strip()[-120:]}")
    assert float(done.stdout) >= 7199.0, "7200 s of sleep were not seen"


@pytest.mark.req("D19")
def test_a_wall_clock_that_is_set_each_second_changes_nothing(tmp_path):
    rows.stepped(tmp_path, 0)


@pytest.mark.req("D20")
def test_times_are_utc_and_in_order_through_a_repeated_and_a_skipped_hour(tmp_path):
    rows.zoned(tmp_path, 0)


@pytest.mark.req("D21")
def test_with_a_clock_at_1970_a_stop_works_and_the_record_is_flagged(tmp_path):
    rows.at_1970(tmp_path, 0)


@pytest.mark.req("D10")
def test_nothing_piles_up_in_minutes(tmp_path):
    rows.hours(90.0)(tmp_path, 0)


@pytest.mark.req("D21")
@pytest.mark.parametrize(
    ("answer", "status", "kept"),
    [
        (0, 0x0001, True),
        (0, 0x2001, True),
        (1, 0x0011, True),
        (0, 0x0041, False),
        (5, 0x0040, False),
        (5, 0x0001, False),
        (-1, 0, False),
    ],
)
def test_the_kernels_word_on_the_wall_clock(answer, status, kept):
    assert wall_trust.trusted(answer, status) is kept


@pytest.mark.req("D21")
def test_the_kernel_is_asked_in_its_own_form():
    """Answer and status say the same; they would not, were the status read from another place of the structure."""
    state = wall_trust._Timex()
    answer = wall_trust._libc().adjtimex(ctypes.byref(state))
    assert 0 <= answer <= 5
    assert (answer == 5) == bool(state.status & 0x0040) or state.status & 0x1E04
    assert 0 <= state.maximum_error <= 16_000_000
    assert wall_trust.synchronised() is wall_trust.trusted(answer, state.status)


@pytest.mark.req("D21")
def test_earlier_sessions_take_the_age_that_has_become_known(tmp_path):
    async def story():
        daemon = VirtualDaemon(tmp_path)
        kept, aged, other = Past(-10.0, {}), Past(-10.0, {}), Past(-10.0, {})
        daemon.loop._core = replace(daemon.loop._core, dose=Dose(past=(kept, aged)), others={"anna": (other,)})
        daemon.loop.age([(aged, Past(-90_000.0, {})), (other, Past(-80_000.0, {}))])
        assert [past.ended_at_s for past in daemon.loop._core.dose.past] == [-10.0, -90_000.0]
        assert daemon.loop._core.others["anna"][0].ended_at_s == -80_000.0
        daemon.store.close()

    virtual(story)


def test_a_cold_plate_touched_before_any_session_is_on_the_books_after_a_restart(tmp_path):
    async def story():
        daemon = VirtualDaemon(tmp_path)
        disturbed = daemon.sim.plant.disturbances
        disturbed.plate_a_offset_k = disturbed.plate_b_offset_k = -14.0
        daemon.sim.plant.contact = True
        running = asyncio.create_task(daemon.loop.run())
        await asyncio.sleep(4.0)
        daemon.loop.stop_running("test")
        await running
        touched_s = daemon.loop._core.dose.day_contact_s
        daemon.store.close()
        dose = VirtualDaemon(tmp_path).ledger.dose
        assert 2.5 <= touched_s - 1.1 <= dose.day_contact_s <= touched_s
        assert dose.earlier_sessions == 0

    virtual(story)


def test_the_steady_clock_never_goes_back():
    clock = SystemClock()
    seen = [clock.monotonic() for _ in range(1000)]
    assert seen == sorted(seen)
