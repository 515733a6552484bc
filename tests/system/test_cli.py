"""The commands as a user types them: good input, bad input, no daemon. Never a traceback."""

import json
import signal

import pytest

from cryodevice.safety.interlocks import TABLE
from tests.system.processes import GENTLE, bed, cryodevice, write_settings


def refused(done, code: int, *says: str) -> None:
    assert done.returncode == code, done
    assert "Traceback" not in done.stderr + done.stdout
    for text in says:
        assert text in done.stderr + done.stdout


def test_help_names_every_command_and_the_exit_codes():
    done = cryodevice("--help")
    assert done.returncode == 0
    for word in (
        "demo",
        "run",
        "check",
        "status",
        "stop",
        "treat",
        "reset",
        "interlocks",
        "explain",
        "records",
        "exit status",
    ):
        assert word in done.stdout
    refused(cryodevice(), 2, "COMMAND")
    refused(cryodevice("dance"), 2, "invalid choice")


def test_check_says_what_would_be_in_force(tmp_path):
    config = write_settings(tmp_path / "c.toml", "/dev/ttyUSB0", tmp_path / "state", limits={"plate_floor_degc": 6.5})
    done = cryodevice("check", "--config", config, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["limits"]["plate_floor_degc"] == 6.5
    assert "plate_floor_degc = 6.5" in cryodevice("check", "--config", config).stdout
    assert not (tmp_path / "state").exists(), "a check opens nothing"
    assert cryodevice("check", CRYODEVICE_CONFIG=str(config)).returncode == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[device]\nid = \n", ":4:6: not TOML"),
        ("[limits]\nplate_flor_degc = 6.0\n", "plate_floor_degc"),
        ("[limits]\nplate_floor_degc = nan\n", "plate_floor_degc"),
        ("[limits]\nskin_stop_degc = true\n", "skin_stop_degc"),
        ("[limits]\nplate_floor_degc = 1.9999999999999998\n", "plate_floor_degc"),
        ("[link]\nbaud = 9600\n", "baud"),
    ],
)
def test_bad_settings_are_refused_before_anything_is_opened(tmp_path, text, says):
    config = tmp_path / "bad.toml"
    config.write_text(f'[records]\nstate_dir = "{tmp_path}/state"\n{text}')
    for command in ("check", "run", "status", "interlocks"):
        refused(cryodevice(command, "--config", config), 2, "bad.toml", says)
    assert not (tmp_path / "state").exists()


def test_a_settings_file_that_is_not_there_is_named():
    refused(cryodevice("run", "--config", "/nowhere/at/all.toml"), 2, "/nowhere/at/all.toml")


def test_a_state_directory_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    config = write_settings(tmp_path / "c.toml", "/dev/null", tmp_path / "file" / "state")
    refused(cryodevice("run", "--config", config), 1, "state directory", "records.state_dir")


def test_interlocks_prints_the_table_in_force(tmp_path):
    config = write_settings(tmp_path / "c.toml", "/dev/null", tmp_path, limits={"plate_floor_degc": 7.0})
    rows = json.loads(cryodevice("interlocks", "--json", "--config", config).stdout)
    assert [row["id"] for row in rows] == [row.id for row in TABLE]
    assert next(row for row in rows if row["id"] == "plate_under_floor")["safe_low"] == 6.0
    text = cryodevice("interlocks", "--config", config).stdout
    for row in TABLE:
        assert row.id in text
        assert row.hint in text


@pytest.mark.parametrize("command", ["status", "stop", "reset"])
def test_without_a_daemon_the_command_says_so(tmp_path, command):
    config = write_settings(tmp_path / "c.toml", "/dev/null", tmp_path)
    refused(cryodevice(command, "--config", config), 1, "no daemon answers", "is the daemon running")


def test_records_quarantine_without_records_says_so(tmp_path):
    config = write_settings(tmp_path / "c.toml", "/dev/null", tmp_path / "none")
    refused(cryodevice("records", "quarantine", "--config", config), 1, "nothing to set aside")


@pytest.mark.timeout(60)
def test_a_session_from_the_command_line(tmp_path):
    treatment = tmp_path / "treatment.toml"
    step = GENTLE["step"][0]
    treatment.write_text(
        'name = "gentle"\n[[step]]\n' + "".join(f"{name} = {json.dumps(value)}\n" for name, value in step.items())
    )
    too_cold = tmp_path / "cold.toml"
    too_cold.write_text(treatment.read_text().replace(f"plate_degc = {step['plate_degc']}", "plate_degc = 1.0"))
    nonsense = tmp_path / "nonsense.toml"
    nonsense.write_text('name = "x"\n[[step]]\nzone = "lips"\nplate_degc = 8.0\nhold_s = 5\n')
    with bed(tmp_path) as testbed:
        config = ["--config", testbed.daemon.config]
        testbed.daemon.until_permit()
        refused(cryodevice("treat", too_cold, *config), 3, "plate_degc = 1 must be 5 to 25 degC")
        refused(cryodevice("treat", nonsense, *config), 2, "zone", "rewarm_s")
        refused(cryodevice("treat", tmp_path / "none.toml", *config), 2, "none.toml")
        refused(cryodevice("reset", *config), 3, "nothing is locked")
        testbed.wand.hand(trigger=True, motion=True)
        refused(cryodevice("treat", treatment, "--client", " ", *config), 2, "--client is ' '")
        done = cryodevice("treat", treatment, "--client", "Anna  B", *config)
        assert done.returncode == 0, done
        testbed.daemon.until_state("precool", "lifted")
        refused(cryodevice("treat", treatment, *config), 3, "a session is")
        text = cryodevice("status", *config).stdout
        assert "SIMULATED" in text
        assert "permit    yes" in text
        status = json.loads(cryodevice("status", "--json", *config).stdout)["status"]
        assert status["session"]["zone"] == step["zone"]
        done = cryodevice("stop", *config)
        assert (done.returncode, done.stdout) == (0, "stopped: the wand shows that it is off\n")
        assert testbed.daemon.status()["session"]["ended_why"].startswith("stopped by")
        truth = testbed.wand.truth()
        assert truth["drive_a"] == 0.0
        second = cryodevice("run", *config)
        refused(second, 1, "exposure")
        testbed.wand.send(signal.SIGKILL)
        testbed.daemon.until(lambda status: not status["link"]["up"], 5, "the wand gone")
        done = cryodevice("stop", *config)
        assert (done.returncode, "has not shown that it is off" in done.stdout) == (1, True), done
    assert testbed.daemon.ledger().others.keys() == {"anna b"}
    assert cryodevice("records", "quarantine", *config).returncode == 0
