"""The shipped scenarios under the whole daemon in virtual time, on each line."""

import pytest

from firmware_sim.scenarios import load
from firmware_sim.scenarios.command import shipped
from firmware_sim.scenarios.load import ScenarioError
from tests.campaign.whole import refuse_unknown_interlocks, run
from tests.runtime.virtual import LINES

SHIPPED = sorted(shipped().glob("*.toml"))
ONCE = {"everyday-cheek": "serial", "h25-tip-missing": "modbus-tcp", "h05-way-to-wand-dies": "modbus-rtu"}
"""What runs in every test run, and on which line; the campaign runs all of them on all lines."""


def check(stem: str, line: str) -> None:
    result = run(load(shipped() / f"{stem}.toml"), line=line)
    assert result.ok, [(each.expectation.name, each.seen) for each in result.judged if each.met is False]
    assert any(each.met for each in result.judged)


def test_every_interlock_that_a_shipped_scenario_names_exists() -> None:
    scenarios = [load(path) for path in SHIPPED]
    assert sum(each.name == "interlock" for scenario in scenarios for each in scenario.expectations) > 10
    for scenario in scenarios:
        refuse_unknown_interlocks(scenario)


def test_an_interlock_that_does_not_exist_is_refused_where_the_daemon_runs_it(tmp_path):
    path = tmp_path / "typo.toml"
    text = (shipped() / "h04-estop.toml").read_text()
    path.write_text(f'{text}\n[[expect]]\ninterlock = "estopp"\n')
    line = len(path.read_text().splitlines()) - 1  # that of the table
    with pytest.raises(ScenarioError, match=rf"typo.toml:{line}: interlock: there is no 'estopp'; estop"):
        run(load(path))


@pytest.mark.parametrize(("stem", "line"), ONCE.items(), ids=ONCE)
def test_a_scenario_comes_out_as_expected_under_the_daemon(stem, line):
    check(stem, line)


@pytest.mark.campaign
@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("stem", [path.stem for path in SHIPPED])
def test_every_scenario_comes_out_as_expected_under_the_daemon(stem, line):
    check(stem, line)
