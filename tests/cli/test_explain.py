"""``cryodevice explain`` as a user types it, and docs/explain.md against what it prints."""

import json
import re
import shlex
from pathlib import Path

import pytest

from cryodevice.cli import main
from cryodevice.cli.explain import _chosen
from cryodevice.errors import ExitCode
from cryodevice.records.trip_shelf import TripShelf, name_of
from cryodevice.safety.facts import FACT_NAMES
from tests.system.recording import estop_while_applying

GUIDE = (Path(__file__).parents[2] / "docs" / "explain.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```console\n\$ cryodevice ([^\n]*)\n(.*?)```", GUIDE, flags=re.DOTALL)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A state directory with one trip on record, and the settings that name it."""
    directory = tmp_path_factory.mktemp("explain")
    recorder = estop_while_applying(directory / "state" / "trips")
    assert sum(len(run.inputs) for run in recorder._runs) <= 41.0 / 0.05, "memory is bounded"
    assert len(recorder._runs) <= 9
    (directory / "c.toml").write_text(f'[records]\nstate_dir = "{directory}/state"\n')
    return directory


@pytest.fixture
def explain(place, capsys, monkeypatch):
    monkeypatch.setenv("CRYODEVICE_CONFIG", str(place / "c.toml"))

    def run(*arguments: str) -> tuple[int, str, str]:
        try:
            code = main(["explain", *arguments])
        except SystemExit as end:
            code = end.code
        said = capsys.readouterr()
        assert "Traceback" not in said.err + said.out
        return code, said.out, said.err

    return run


# -- values ------------------------------------------------------------------------------------------------------------


def test_a_refusal_says_first_what_to_do_and_then_why(explain):
    code, said, _ = explain("plate_degc=1.5", "contact=yes", "state=applying")
    assert code == ExitCode.REFUSED
    first, *rest = said.splitlines()
    assert first.startswith("Cooling is REFUSED and the wand is LOCKED: lift the wand")
    told = "\n".join(rest)
    for part in (
        "plate_under_floor",
        "1.5 degC, 2.5 degC too low",
        "4 degC or more",
        "after 0.3 s",
        "on acknowledgement",
    ):
        assert part in told


def test_a_permit_a_hold_a_stop_and_a_state_without_cooling(explain):
    assert explain("plate_degc=8", "trigger=yes")[:2][0] == ExitCode.FINE
    assert explain("trigger=no")[1].startswith("Cooling is HELD")
    assert explain("boot_same=no")[1].startswith("Cooling is REFUSED and the session ENDS")
    code, said, _ = explain("trigger=no", "state=idle")
    assert code == ExitCode.FINE
    assert "the drive is off anyway" in said
    assert "warned of by" in explain("sink_degc=47", "lasting_s=2")[1]
    assert "not yet, but if it lasts" in explain("sink_degc=51", "lasting_s=0.5")[1]


def test_strict_takes_what_is_not_given_as_unknown(explain):
    code, said, _ = explain("plate_degc=8", "--strict")
    assert code == ExitCode.REFUSED
    assert "reply_age_s is unknown" in said
    assert "no other applies in this state" in said


def test_the_limits_are_those_of_the_settings(explain, place, tmp_path):
    own = tmp_path / "own.toml"
    own.write_text(f'[records]\nstate_dir = "{place}/state"\n[limits]\nplate_floor_degc = 9.0\n')
    assert explain("plate_degc=7.5")[0] == ExitCode.FINE
    assert explain("plate_degc=7.5", "--config", str(own))[0] == ExitCode.REFUSED


def test_values_as_json(explain):
    code, said, _ = explain("plate_degc=1.5", "skin_degc=unknown", "--json")
    told = json.loads(said)
    assert (code, told["permit"], told["state"], told["zone"]) == (ExitCode.REFUSED, False, "applying", "other")
    found = {each["interlock"]: each for each in told["withheld_by"]}
    assert found["plate_under_floor"]["margin"] == -2.5
    assert found["plate_under_floor"]["high"] is None
    assert found["skin_stop"]["value"] is None


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "nothing to explain: give NAME=VALUE"),
        (["plate_dgc=4"], "did you mean plate_degc?"),
        (["qqqq=4"], "there is no value 'qqqq'; all of them: cryodevice explain --names"),
        (["plate_degc"], "is not NAME=VALUE"),
        (["plate_degc="], "is not NAME=VALUE"),
        (["plate_degc=cold"], "must be a number from -40 to 85 in degC, or unknown; a plate outside"),
        (["plate_degc=inf"], "must be a number from -40 to 85"),
        (["plate_degc=-41"], "plate_sensors_good=no"),
        (["step_contact_s=x"], "must be a number in s, or unknown"),
        (["contact=maybe"], "contact=maybe: must be yes, no or unknown"),
        (["state=flying"], "must be one of idle, screening"),
        (["zone=lip"], "must be one of forehead"),
        (["lasting_s=-1"], "lasting_s=-1: must be 0 s or more"),
        (["lasting_s=long"], "must be 0 s or more"),
        (["plate_degc=4", "plate_degc=5"], "given twice"),
        (["plate_degc=4", "plate_a_degc=5"], "say the same thing"),
        (["plate_degc=4", "--trip", "last"], "not two of them"),
    ],
)
def test_what_is_not_understood_is_refused_with_what_is_allowed(explain, arguments, says):
    code, said, error = explain(*arguments)
    assert (code, said) == (ExitCode.USAGE, "")
    assert says in error


def test_every_name_is_listed(explain):
    said, told = explain("--names")[1], json.loads(explain("--names", "--json")[1])
    for name in (*FACT_NAMES, "plate_degc", "contact", "state", "zone", "lasting_s"):
        assert f"  {name} " in said
    assert told["values"]["plate_degc"]["unit"] == "degC"


# -- trips -------------------------------------------------------------------------------------------------------------


def test_a_trip_is_explained_and_judged_again(explain, place):
    code, said, _ = explain("--trip", "last")
    assert code == ExitCode.FINE
    assert said.startswith("The treatment was stopped and the wand locked: estop. What to do: release the e-stop")
    assert "decisions judged again give the same trip, at the same moment" in said
    assert said.count("<- trip") == 1
    assert re.search(r"^-30\.0 ", said, flags=re.MULTILINE)
    assert re.search(r"^ \+5\.0 ", said, flags=re.MULTILINE)
    record = next((place / "state" / "trips").iterdir())
    assert {str(_chosen(which, TripShelf(record.parent))) for which in ("1", record.name, str(record))} == {str(record)}


def test_a_trip_as_json(explain):
    code, said, _ = explain("--trip", "last", "--json")
    told = json.loads(said)
    assert (code, told["same_again"], told["damage"], told["complete"]) == (ExitCode.FINE, True, "", True)
    assert told["trip"]["cause"] == "estop"
    assert told["facts"]["estop_released"] == 0.0
    assert -35.1 <= told["readings"][0]["s"] <= -30.0
    assert 5.0 <= told["readings"][-1]["s"] <= 5.1
    assert {"plate_a_degc", "skin_estimate_degc", "active"} <= told["readings"][0].keys()


def test_an_edited_and_a_cut_record_say_so(explain, place, tmp_path):
    content = next((place / "state" / "trips").iterdir()).read_text()
    (tmp_path / "edited").write_text(content.replace('"cause":"estop"', '"cause":"tip"', 1))
    code, said, _ = explain("--trip", str(tmp_path / "edited"))
    assert code == ExitCode.FAILED
    assert "changed since it was written" in said
    assert "do NOT give this trip: estop (lockout) trips instead of tip (lockout)" in said
    (tmp_path / "cut").write_text(content[:5000])
    code, said, _ = explain("--trip", str(tmp_path / "cut"))
    assert code == ExitCode.FAILED
    assert "this file is damaged: it is cut off after line" in said
    assert "not judged again" in said
    assert json.loads(explain("--trip", str(tmp_path / "cut"), "--json")[1])["readings"] == []


def test_the_list_names_every_record_and_the_damaged_ones(explain, place):
    trips = place / "state" / "trips"
    damaged = trips / name_of(9, 0.0, "tip")
    damaged.write_text("rubbish")
    try:
        code, said, _ = explain("--list")
        told = json.loads(explain("--list", "--json")[1])
    finally:
        damaged.unlink()
    assert code == ExitCode.FINE
    assert re.search(r"^ +1  \S+Z  lockout  estop +demo, left_cheek$", said, flags=re.MULTILINE)
    assert re.search(r"^ +9 +DAMAGED: no record of a trip, or its first line is damaged$", said, flags=re.MULTILINE)
    assert "7 older ones were thrown away" in said
    assert [each["number"] for each in told["records"]] == [1, 9]
    assert told["dropped"] == 7


def test_a_record_that_is_not_there_is_said_with_what_is(explain, place, tmp_path):
    assert "there are 1 to 1" in explain("--trip", "4")[2]
    assert "cannot be read" in explain("--trip", str(tmp_path / "none"))[2]
    empty = tmp_path / "c.toml"
    empty.write_text(f'[records]\nstate_dir = "{tmp_path}/state"\n')
    code, _, error = explain("--trip", "last", "--config", str(empty))
    assert code == ExitCode.FAILED
    assert "there is none" in error
    assert explain("--list", "--config", str(empty))[1].startswith("nothing is on record")
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "trips").write_text("a file")
    assert "cannot be read" in explain("--list", "--config", str(empty))[2]


# -- the guide ---------------------------------------------------------------------------------------------------------


def shape(text: str) -> str:
    """A text without its numbers, paths and widths: what a change of physics may change."""
    return re.sub(r" +", " ", re.sub(r"[+-]?\d[\d.TZ:-]*", "0", text)).strip()


def counted(text: str) -> str:
    """A text without the number of rules nobody asked for: a new one changes nothing that the guide says."""
    return re.sub(r"\d+ more look", "some more look", text)


def test_the_guide_has_examples():
    assert len(EXAMPLES) >= 4


@pytest.mark.parametrize(("command", "expected"), EXAMPLES, ids=[command for command, _ in EXAMPLES])
def test_the_guide_shows_what_is_printed(explain, place, command, expected):
    said = (
        explain(*shlex.split(command)[1:])[1]
        .replace(str(place), "/var/lib/cryodevice")
        .replace("/state/trips", "/trips")
    )
    said = said.replace("/var/lib/cryodevice/c.toml", "/etc/cryodevice/cryodevice.toml")
    if "--trip" in command or "--list" in command:
        assert shape(said) == shape(expected)
    else:
        assert counted(said) == counted(expected)
