"""Scenarios under the built-in host: as shipped all come out, and an expectation that is not met is said."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from firmware_sim.cli import main
from firmware_sim.scenarios import load, run
from firmware_sim.scenarios.command import shipped

LONG_S = 45.0
"""Scenarios longer than this are run by the campaign."""
SHIPPED = sorted(shipped().glob("*.toml"))


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=pytest.mark.campaign if load(path).duration_s > LONG_S else ()) for path in SHIPPED],
    ids=lambda path: path.stem,
)
def test_what_is_shipped_comes_out_as_expected(path):
    result = run(load(path))
    assert result.ok, [(each.expectation.name, each.seen) for each in result.judged if each.met is False]
    assert any(each.met for each in result.judged)


OPPOSITES = {
    "drive_on_by_s": lambda each: {"value": each.value - 3.0},
    "drive_off_by_s": lambda each: {"value": each.value - 1.0},
    "relay_open_by_s": lambda each: {"value": each.value - 1.0},
    "no_drive": lambda each: {"value": not each.value},
    "no_trip": lambda each: {"value": not each.value},
    "skin_stays_above_degc": lambda _: {"value": 40.0},
    "skin_reaches_degc": lambda _: {"value": 1.0},
    "plate_stays_above_degc": lambda _: {"value": 41.9},
    "plate_stays_below_degc": lambda _: {"value": 19.0},
    "sink_stays_below_degc": lambda _: {"value": 30.0},
    "trip": lambda _: {"value": "calibration"},
    "fault_bit": lambda _: {"value": "ambient_sensor"},
    "fired": lambda _: {"at_least": 1_000_000},
}
"""What makes each expectation one that cannot be met where the shipped one is."""


@pytest.mark.parametrize("stem", ["everyday-cheek", "h01-setpoint-too-low", "h05-way-to-wand-dies", "h07-drive-heats"])
def test_the_opposite_of_what_is_expected_is_not_met(stem):
    scenario = load(shipped() / f"{stem}.toml")
    asked = [each for each in scenario.expectations if each.name in OPPOSITES and each.who != "daemon"]
    wrong = tuple(dataclasses.replace(each, **OPPOSITES[each.name](each)) for each in asked)
    result = run(dataclasses.replace(scenario, expectations=wrong))
    assert [each.met for each in result.judged] == [False] * len(wrong), [each.seen for each in result.judged]


def said(hash_seed: str, *arguments: str) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-m", "firmware_sim", "scenario", "run", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)


def test_the_same_seed_gives_the_same_bytes_in_any_process():
    arguments = ("h05-noisy-line", "--json", "--seed", "77")
    children = [said(hash_seed, *arguments) for hash_seed in ("0", "99")]
    first, second = (child.communicate(timeout=50)[0] for child in children)
    assert first == second
    assert len(json.loads(first)["line_sha256"]) == 64


def test_another_seed_is_another_run():
    scenario = load(shipped() / "h01-setpoint-too-low.toml")
    assert run(scenario, 1).digest != run(scenario, 2).digest


def test_run_says_what_came_of_it_and_ends_with_1_where_it_is_not_as_expected(tmp_path, capsys):
    text = (shipped() / "h01-setpoint-too-low.toml").read_text()
    path = tmp_path / "wrong.toml"
    path.write_text(text.replace("no_drive = true", "no_drive = false"))
    assert main(["scenario", "run", str(path)]) == 1
    out = capsys.readouterr().out
    assert "NOT AS EXPECTED (SIMULATED, seed 11)" in out
    assert "no_drive = false: NOT MET; no current flowed" in out


def test_check_says_every_problem_and_ends_with_2(tmp_path, capsys):
    path = tmp_path / "bad.toml"
    path.write_text('name = "n"\nabout = "a"\nduration_s = 1.0\n[[do]]\nat_s = 0.0\nfly = true\n')
    assert main(["scenario", "check", "everyday-cheek", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out.startswith("everyday-cheek: good; ")
    assert f"{path}:6: do.fly: there is no do key 'fly'" in err
    assert main(["scenario", "run", str(path)]) == 2


def test_list_names_what_is_shipped(capsys):
    assert main(["scenario", "list", "--json"]) == 0
    assert {entry["file"] for entry in json.loads(capsys.readouterr().out)} == {path.stem for path in SHIPPED}
    assert main(["scenario", "list"]) == 0
    assert "h05-way-to-wand-dies" in capsys.readouterr().out


def test_a_plot_needs_matplotlib_and_says_so(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main(["scenario", "run", "h01-setpoint-too-low", "--plot", str(tmp_path / "p.png")]) == 2
    assert "pip install 'cryodevice[plot]'" in capsys.readouterr().err
    assert main(["scenario", "run", "a", "b", "--plot", str(tmp_path / "p.png")]) == 2


def test_a_plot_is_drawn_where_matplotlib_is(tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "p.png"
    assert main(["scenario", "run", "h01-setpoint-too-low", "--plot", str(path)]) == 0
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("none/p.png", "there is no directory"),
        ("p.tif.unknown", "the ending says the format, one of: "),
        ("", "the ending says"),
        ("folder.png", "cannot be written"),
    ],
)
def test_a_plot_that_cannot_be_is_refused_before_the_run(where, says, tmp_path, capsys, monkeypatch):
    pytest.importorskip("matplotlib")
    (tmp_path / "folder.png").mkdir()
    monkeypatch.setattr("firmware_sim.scenarios.command.run", None)
    assert main(["scenario", "run", "h01-setpoint-too-low", "--plot", str(Path(tmp_path, where))]) == 2
    assert says in capsys.readouterr().err


def test_a_file_without_end_is_refused(capsys):
    assert main(["scenario", "check", "/dev/zero"]) == 2
    assert capsys.readouterr().err == "/dev/zero: longer than 1 MiB; that is no scenario\n"
