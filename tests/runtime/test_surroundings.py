import asyncio
import contextlib
import threading

import pytest

from cryodevice.runtime.alarm_desk import AlarmDesk
from cryodevice.runtime.clock import SystemClock
from cryodevice.runtime.surroundings import disk_low, watch_surroundings


def test_a_disk_says_when_it_is_nearly_full(tmp_path):
    assert disk_low(tmp_path, needed=0.0) == ""
    assert "are free on the disk of" in disk_low(tmp_path, needed=1.0)
    assert "does not answer" in disk_low(tmp_path / "none")


@pytest.mark.parametrize("hangs", [False, True])
async def test_the_desk_is_told_and_a_disk_that_hangs_holds_up_nothing(tmp_path, monkeypatch, hangs):
    release = threading.Event()

    def look(_directory):
        if hangs:
            release.wait(10)
        return "only 3 MB are free"

    monkeypatch.setattr("cryodevice.runtime.surroundings.disk_low", look)
    desk, words, turns = AlarmDesk(), ["refused"], []
    task = asyncio.create_task(
        watch_surroundings(desk, SystemClock(), tmp_path, lambda: words[0], lambda: turns.append(1))
    )
    async with asyncio.timeout(5):
        while len(turns) < 2 or ("disk_low" in desk._conditions) is hangs:
            await asyncio.sleep(0.01)
        assert desk._conditions["broker_lost"].says == "refused"
        words[0] = ""
        while "broker_lost" in desk._conditions:
            await asyncio.sleep(0.01)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    release.set()
