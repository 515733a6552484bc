"""The shipped scenarios under the whole daemon in virtual time, on each line."""

import pytest

from firmware_sim.scenarios import load
from firmware_sim.scenarios.command import shipped
from tests.campaign.whole import run
from tests.runtime.virtual import LINES

SHIPPED = sorted(shipped().glob("*.toml"))
ONCE = {"everyday-cheek": "serial", "h25-tip-missing": "modbus-tcp", "h05-way-to-wand-dies": "modbus-rtu"}
"""What runs in every test run, and on which line; the campaign runs all of them on all lines."""


def check(stem: str, line: str) -> None:
    result = run(load(shipped() / f"{stem}.toml"), line=line)
    assert result.ok, [(each.expectation.name, each.seen) for each in result.judged if each.met is False]
    assert any(each.met for each in result.judged)


@pytest.mark.parametrize(("stem", "line"), ONCE.items(), ids=ONCE)
def test_a_scenario_comes_out_as_expected_under_the_daemon(stem, line):
    check(stem, line)


@pytest.mark.campaign
@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("stem", [path.stem for path in SHIPPED])
def test_every_scenario_comes_out_as_expected_under_the_daemon(stem, line):
    check(stem, line)
