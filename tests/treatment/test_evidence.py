from dataclasses import replace

import pytest

from cryodevice.safety.events import EventKind
from cryodevice.treatment.core import Connected
from cryodevice.treatment.evidence import acceptable
from tests.safety.samples import identity
from tests.treatment.ideal_wand import PRESENT, TOKEN, Bench


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, ""),
        ({"wire_version": 0x01FF}, ""),
        ({"magic": 0x4358}, "not a wand: magic 0x4358"),
        ({"wire_version": 0x0200}, "wire version 2.0 is not 1.x"),
        ({"wire_version": 0x00FF}, "wire version 0.255 is not 1.x"),
        ({"applicator": 1}, "only plate applicators are driven"),
        ({"applicator": 2}, "only plate applicators are driven"),
    ],
)
def test_only_plate_wands_of_our_wire_version_are_acceptable(changes, says):
    why = acceptable(identity(**changes))
    assert why.startswith(says)
    assert bool(why) is bool(says)


@pytest.mark.parametrize(
    ("day", "today", "refused"),
    [(9000, 9365, False), (9000, 9366, True), (9000, 8999, False), (9000, 8998, True), (9000, None, False)]
    + [(none, today, True) for none in (0, 0xFFFF) for today in (None, 9000)],
)
def test_nothing_starts_with_a_calibration_that_does_not_count(day, today, refused):
    bench = Bench()
    bench.decide(Connected(replace(PRESENT, calibration_day=day), TOKEN))
    for _ in range(10):
        bench.tick()
    bench.decide(commands=[bench.start()], today_day=today)
    said = [event.message for event in bench.of(EventKind.SESSION_REFUSED)]
    assert bool(said) is refused
    assert all("calibration: " in message for message in said)
