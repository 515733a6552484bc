"""Each fault alone: what it changes is seen while it is there, counted, and gone when it is cleared."""

import pytest

from firmware_sim.faults import CATALOGUE, injection
from tests.firmware_sim.faults.bed import Bed
from tests.firmware_sim.faults.cases import ACTUATORS, FIRMWARE, LIES, SENSORS, Case
from tests.firmware_sim.faults.line_cases import LINES

CASES: dict[str, Case] = SENSORS | ACTUATORS | FIRMWARE | LIES | LINES
ROWS = {
    f"{place}{number:02}"
    for place, last in (("S", 16), ("A", 12), ("L", 14), ("P", 10), ("F", 10))
    for number in range(1, last + 1)
}
ELSEWHERE = {
    "A11": "the simulated wand has neither buzzer nor light",
    "L12": "who may open a port is the host's system's business",
}


@pytest.mark.parametrize("name", CASES)
def test_it_shows_while_it_is_there_and_is_gone_when_cleared(name: str) -> None:
    case, bed = CASES[name], Bed()
    case.prepare(bed)
    good = case.look(bed)
    assert not case.shows(good), f"a good wand looks broken: {good}"
    number = bed.simulator.faults.inject(injection(name, case.values))
    broken = case.look(bed)
    assert case.shows(broken), broken
    assert bed.simulator.faults.fired(name) > 0
    if number in {fault["id"] for fault in bed.simulator.faults.active()}:
        bed.simulator.faults.clear(number)
    fired = bed.simulator.faults.fired(name)
    healed = case.look(bed)
    assert not case.shows(healed), f"still broken: {healed}"
    assert bed.simulator.faults.fired(name) == fired
    assert bed.plant.spoil is None
    assert bed.firmware.quirks.quiet


def test_every_fault_has_a_case() -> None:
    assert set(CASES) == set(CATALOGUE)


def test_every_row_that_a_simulator_can_produce_has_a_fault() -> None:
    shown = {row for kind in CATALOGUE.values() for row in kind.rows}
    assert ROWS - shown == set(ELSEWHERE)
    assert len(CATALOGUE) >= 55
