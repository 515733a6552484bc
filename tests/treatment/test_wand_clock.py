"""The wand's clock beside ours."""

import pytest

from cryodevice.quantities import U32, Seconds
from cryodevice.safety.readings import read
from cryodevice.treatment.wand_clock import WINDOW_S, WandClock, followed
from tests.safety.samples import status


def run(seconds: float, rate: float = 1.0, *, began_ms: int = 1000, clock: WandClock | None = None, boot_id: int = 3):
    clock = clock or WandClock()
    for number in range(round(seconds / 0.05) + 1):
        passed_s = number * 0.05
        words = status(uptime_ms=round(began_ms + passed_s * 1000.0 * rate) % U32, boot_id=boot_id)
        clock = followed(clock, read(words, Seconds(100.0 + passed_s)))
    return clock


@pytest.mark.parametrize("rate", [1.0, 0.5, 0.97, 1.03, 2.0])
def test_the_error_is_that_of_the_last_whole_window(rate):
    assert run(WINDOW_S + 1.0, rate).error_pct == pytest.approx((rate - 1.0) * 100.0, abs=0.01)


def test_nothing_is_said_before_a_whole_window():
    assert run(WINDOW_S - 0.1, 2.0).error_pct == 0.0


def test_the_wands_clock_may_wrap():
    assert run(WINDOW_S + 1.0, began_ms=U32 - 5000).error_pct == pytest.approx(0.0, abs=0.01)


def test_a_wand_that_booted_begins_anew():
    clock = run(WINDOW_S + 1.0, 2.0)
    assert clock.error_pct > 0.0
    assert run(0.0, clock=clock, boot_id=4).error_pct == 0.0
