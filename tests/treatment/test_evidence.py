from dataclasses import replace

import pytest

from cryodevice.safety.events import EventKind
from cryodevice.safety.limits import limits
from cryodevice.treatment.core import Config, Connected
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
        ({"lease_max_ms": 500}, ""),
        ({"lease_max_ms": 499}, "its longest lease is 499 ms, and the proof needs 500"),
        ({"setpoint_max_degc": 25.0}, ""),
        ({"setpoint_max_degc": 24.99}, "it accepts setpoints up to 24.99 degC"),
    ],
)
def test_only_plate_wands_of_our_wire_version_are_acceptable(changes, says):
    why = acceptable(identity(**changes))
    assert why.startswith(says)
    assert bool(why) is bool(says)


@pytest.mark.parametrize(
    ("firmware", "patch", "oldest", "good"),
    [
        (0x0102, 3, (1, 2, 3), True),
        (0x0102, 2, (1, 2, 3), False),
        (0x0101, 9, (1, 2, 3), False),
        (0x0001, 9, (1, 0, 0), False),
        (0x0200, 0, (1, 2, 3), True),
        (0x010A, 0, (1, 9, 0), True),
    ],
)
def test_an_older_firmware_than_the_settings_say_is_watched_only(firmware, patch, oldest, good):
    wand = identity(firmware_version=firmware, firmware_patch=patch)
    assert acceptable(wand) == ""
    why = acceptable(wand, None, oldest)
    assert (why == "") is good
    assert good or f"its firmware is {wand.firmware}, and device.oldest_firmware is" in why


def test_another_wand_than_the_one_in_the_settings_is_watched_only():
    assert acceptable(identity(serial_number=7), 7) == ""
    assert acceptable(identity(serial_number=7), 0) == "this is wand 7, and device.serial_number is 0"
    bench = Bench(config=Config(limits(), allow_simulated=True, serial_number=PRESENT.serial_number + 1))
    bench.decide(Connected(PRESENT, TOKEN))
    for _ in range(10):
        assert bench.tick().order is None, "it is never ordered"
    (finding,) = [found for found in bench.core.verdict.active if found.id == "identity"]
    assert "this is wand 1, and device.serial_number is 2" in finding.hint
    bench.decide(commands=[bench.start()])
    assert "device.serial_number is 2" in bench.of(EventKind.SESSION_REFUSED)[-1].message


def test_a_wand_that_failed_its_proof_says_why_wherever_its_findings_are_shown():
    bench = Bench()
    bench.claim()
    bench.core = replace(bench.core, unproven="the fan did not turn")
    bench.tick()
    (finding,) = [found for found in bench.core.verdict.active if found.id == "lease_proof"]
    assert finding.hint.endswith("have it serviced: the fan did not turn")


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
