"""``cryodevice program`` as it is typed; and a program that would trip is not asked of any daemon."""

import json

import pytest

from cryodevice.cli import main
from cryodevice.settings.program_file import shipped

COLD = """name = "deep"
[[step]]
zone = "left_cheek"
plate_degc = 12.0
hold_s = 10.0
rewarm_s = 30.0

[[step]]
zone = "left_cheek"
plate_degc = 5.0
hold_s = 85.0
rewarm_s = 30.0
glide = true
"""


@pytest.fixture
def cold(tmp_path):
    path = tmp_path / "cold.toml"
    path.write_text(COLD)
    return str(path)


def out(capsys, *arguments: str) -> tuple[int, str]:
    code = main(arguments)
    seen = capsys.readouterr()
    return code, seen.out + seen.err


def test_list_and_show(capsys):
    code, text = out(capsys, "program", "list")
    assert code == 0
    assert all(path.stem in text for path in shipped().glob("*.toml"))
    rows = json.loads(out(capsys, "program", "list", "--json")[1])
    assert {row["name"] for row in rows} == {path.stem for path in shipped().glob("*.toml")}
    code, text = out(capsys, "program", "show", "circulation")
    assert code == 0
    assert "left_cheek, right_cheek: 8 degC for 20 s at rest, 4 times with 40 s of rewarming between" in text
    assert "16 contacts, 320 s" in text
    assert "pauses of 10 s" in out(capsys, "program", "show", "tone")[1]
    assert "gliding, then 5 s off the skin" in out(capsys, "program", "show", "relax")[1]
    tree = json.loads(out(capsys, "program", "show", "tone", "--json")[1])
    assert (len(tree["contacts"]), tree["steps"][0]["cycles"]) == (12, 3)


def test_check_of_a_good_one(capsys):
    code, text = out(capsys, "program", "check", "demo")
    assert (code, "within every limit" in text, "an assumption" in text) == (0, True, True)
    tree = json.loads(out(capsys, "program", "check", "demo", "--json")[1])
    assert tree["permitted"] is True
    assert 7.5 < tree["zones"]["left_cheek"]["lowest_skin_degc"] < 8.5
    assert {row["rule"] for row in tree["margins"]} >= {"skin_warn", "fat_boundary", "zone_d10", "session_contact"}
    assert all(row["left"] >= 0 for row in tree["margins"])


def test_check_refuses_what_would_trip_with_its_line(capsys, cold):
    code, text = out(capsys, "program", "check", cold)
    assert code == 3
    assert f"refused: {cold}: line 8: step 2 (left_cheek): fat_boundary would act" in text
    assert "  ! fat_boundary" in text
    code, text = out(capsys, "program", "check", cold, "--json")
    assert (code, json.loads(text)["permitted"]) == (3, False)


def test_check_goes_by_the_limits_of_the_settings(capsys, tmp_path):
    config = tmp_path / "c.toml"
    config.write_text("[limits]\nplate_floor_degc = 9.0\n")
    code, text = out(capsys, "program", "check", "tone", "--config", str(config))
    assert code == 3
    assert "step 1 (forehead): plate_degc = 8 must be 9 to 25 degC" in text
    assert json.loads(out(capsys, "program", "check", "tone", "--config", str(config), "--json")[1])["margins"] == []


def test_what_is_no_program_is_a_usage_error(capsys, tmp_path):
    assert out(capsys, "program", "check", "relaxx")[0] == 2
    code, text = out(capsys, "program", "show", str(tmp_path / "none.toml"))
    assert (code, "none.toml" in text, "Traceback" in text) == (2, True, False)


def test_treat_asks_no_daemon_for_a_program_that_would_trip(capsys, tmp_path, cold):
    config = tmp_path / "c.toml"
    config.write_text(f'[records]\nstate_dir = "{tmp_path}/state"\n')
    code, text = out(capsys, "treat", cold, "--config", str(config))
    assert (code, text.startswith("refused: ")) == (3, True)
    code, text = out(capsys, "treat", cold, "--config", str(config), "--json")
    assert (code, json.loads(text)["ok"]) == (3, False)
    assert out(capsys, "treat", "demo", "--config", str(config))[0] == 1, "a good one is: nobody answers"
