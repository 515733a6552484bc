"""A scenario that cannot be is refused at load, with the line and the reason of everything that is wrong."""

from pathlib import Path

import pytest

from firmware_sim.scenarios import ScenarioError, load
from firmware_sim.scenarios.command import shipped

GOOD = """\
name = "n"
about = "a"
duration_s = 10.0

[wand]
zone = "nose"

[[do]]
at_s = 1.0
trigger = true

[[do]]
at_s = 2.0
fault = "plate_offset"
values = { channel = "b", offset_k = 3.0 }
duration_s = 1.0

[[expect]]
no_trip = true
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "s.toml"
    path.write_text(text)
    return path


def refusal(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        load(written(tmp_path, text))
    return [line.removeprefix(f"{tmp_path}/") for line in caught.value.message.splitlines()]


def test_a_good_file_becomes_a_scenario(tmp_path):
    scenario = load(written(tmp_path, GOOD))
    assert scenario.wand.zone == "nose"
    assert [(action.at_s, dict(action.sets)) for action in scenario.actions] == [(1.0, {"trigger": True}), (2.0, {})]
    fault = scenario.actions[1].fault
    assert (fault.name, fault.values["offset_k"], fault.start_s, fault.duration_s) == ("plate_offset", 3.0, 2.0, 1.0)
    assert [(each.name, each.value, each.line) for each in scenario.expectations] == [("no_trip", True, 18)]


def test_actions_are_done_in_the_order_of_their_time_and_then_of_the_file(tmp_path):
    more = "[[do]]\nat_s = 1.0\ncontact = true\n[[do]]\nat_s = 0.5\nestop = true\n"
    actions = load(written(tmp_path, GOOD + more)).actions
    assert [next(iter(action.sets), "fault") for action in actions] == ["estop", "trigger", "contact", "fault"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "trigger = true",
            "triger = true",
            "s.toml:10: do.triger: there is no do key 'triger'; did you mean 'trigger'?",
        ),
        ("trigger = true", "trigger = 1", "s.toml:10: do.trigger: 1 is neither true nor false"),
        ("at_s = 1.0", "at_s = 10.5", "s.toml:9: do.at_s: 10.5 is out of range; allowed is 0 to 10 s"),
        ("at_s = 1.0", "at_s = nan", "s.toml:9: do.at_s: nan is out of range"),
        ("at_s = 1.0\n", "", "s.toml:8: do: at_s is missing: when?"),
        ("trigger = true\n", "", "s.toml:8: do: says nothing to do; there are "),
        ('zone = "nose"', 'zone = "noze"', "s.toml:6: wand.zone: 'noze' is not one of "),
        ("[wand]", "[wands]", "s.toml:5: wands: there is no key 'wands'; did you mean 'wand'?"),
        ('fault = "plate_offset"', 'fault = "plate_ofset"', "s.toml:14: do.fault: there is no fault 'plate_ofset'"),
        ("offset_k = 3.0", "offset_k = 300.0", "s.toml:15: do.values: plate_offset: offset_k is 300.0; allowed"),
        ("offset_k = 3.0", "ofset_k = 3.0", "s.toml:15: do.values: plate_offset has no parameter 'ofset_k'"),
        ("duration_s = 1.0\n", "duration_s = -1.0\n", "s.toml:16: do.duration_s: duration_s is -1.0"),
        (
            "trigger = true",
            'clear = "plate_ofset"',
            "s.toml:10: do.clear: there is no fault 'plate_ofset'; did you mean",
        ),
        (
            "no_trip = true",
            "no_trip = true\nfrom_s = 5.0\nuntil_s = 5.0",
            "s.toml:21: expect.until_s: the window is empty",
        ),
        ("no_trip = true", "no_trip = true\nfrom_s = 10.0", "s.toml:20: expect.from_s: the window is empty"),
        ("no_trip = true", "no_tripp = true", "s.toml:19: expect.no_tripp: there is no expect key 'no_tripp'; did"),
        ("no_trip = true", 'trip = "estopp"', "s.toml:19: expect.trip: 'estopp' is not one of "),
        (
            "no_trip = true",
            "drive_off_by_s = 1.0\nby_s = 3.0",
            "s.toml:20: expect.by_s: means nothing to drive_off_by_s",
        ),
        ("no_trip = true", 'trip = "estop"\nby_s = 30.0', "s.toml:20: expect.by_s: 30 is after the run's end at 10 s"),
        ("no_trip = true", "no_trip = true\nno_drive = true", "s.toml:18: expect: expects one thing at a time"),
        ('name = "n"', "nam = 'n'", "s.toml:1: name is missing at the top of the file"),
        ("duration_s = 10.0", "duration_s = 1e9", "s.toml:3: duration_s: 1000000000.0 is out of range"),
        ('about = "a"', 'about = ""', "s.toml:2: about: '' is no text that says something"),
        ("[[do]]\nat_s = 1.0", "[do]\nat_s = 1.0", "s.toml:12: not TOML"),
        ('name = "n"', 'name = "n', "s.toml:1: not TOML"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(old, new, said, tmp_path):
    assert GOOD.count(old) >= 1
    lines = refusal(tmp_path, GOOD.replace(old, new, 1))
    assert any(line.startswith(said) for line in lines), lines


def test_everything_that_is_wrong_is_said_at_once(tmp_path):
    bad = GOOD.replace("trigger = true", "trigger = 7").replace("no_trip = true", "no_trip = 0").replace("nose", "x")
    assert [line.split(":")[1] for line in refusal(tmp_path, bad)] == ["6", "10", "19"]


def test_a_key_in_a_text_of_many_lines_is_none(tmp_path):
    text = GOOD.replace('about = "a"', 'about = """\ntrigger = false\n[[do]]\n"""').replace(
        "trigger = true", "trigger = 1"
    )
    assert refusal(tmp_path, text) == ["s.toml:13: do.trigger: 1 is neither true nor false"]


def test_a_file_that_is_not_there_or_no_text_is_said(tmp_path):
    with pytest.raises(ScenarioError, match="No such file"):
        load(tmp_path / "none.toml")
    path = tmp_path / "s.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ScenarioError, match="not UTF-8"):
        load(path)


def test_what_is_shipped_covers_the_everyday_and_the_families_of_hazards():
    found = [load(path) for path in shipped().glob("*.toml")]
    assert len(found) >= 15
    assert sum(not scenario.hazards for scenario in found) >= 4
    hazards = {hazard for scenario in found for hazard in scenario.hazards}
    assert hazards >= {"H01", "H02", "H03", "H04", "H05", "H06", "H07", "H09", "H25", "H27"}
    assert all(scenario.expectations for scenario in found)
    assert len({scenario.seed for scenario in found}) == len(found)
