"""Output that cannot be written: a full disk, a reader that has gone. A sentence or nothing, never a traceback."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from cryodevice.cli.text import status_lines, summary, way_out
from tests.system.processes import CRYODEVICE, ENVIRONMENT, ROOT, bed, cryodevice, until

COMMANDS = [["interlocks", "--json"], ["doctor"], ["--help"], ["demo"]]


def run(arguments, out, **popen):
    return subprocess.Popen(
        [*CRYODEVICE, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        cwd=ROOT,
        **popen,
    )


def test_a_full_disk_is_said_in_one_sentence(tmp_path):
    config = tmp_path / "c.toml"
    config.write_text(f'[link]\nport = "/nowhere"\n[mqtt]\nmode = "off"\n[records]\nstate_dir = "{tmp_path}"\n')
    environment = ENVIRONMENT | {"CRYODEVICE_CONFIG": str(config)}
    with Path("/dev/full").open("w") as full:
        running = [
            subprocess.Popen([*CRYODEVICE, *words], stdout=full, stderr=subprocess.PIPE, text=True, env=environment)
            for words in COMMANDS
        ]
    for process, words in zip(running, COMMANDS, strict=True):
        said = process.communicate(timeout=30)[1]
        assert process.returncode == 1, (words, said)
        assert said.count("\n") == 1, said
        assert "cannot write the output: No space left on device" in said


def test_a_reader_that_has_gone_is_failure_without_a_word():
    reader, writer = os.pipe()
    os.close(reader)
    process = run(["interlocks"], writer)
    os.close(writer)
    assert (process.communicate(timeout=20)[1], process.returncode) == ("", 1)


def test_standard_output_or_error_that_is_closed_hurts_nobody():
    for ending, code in ((">&- 2>&-", 0), (">/dev/full 2>/dev/full", 1)):
        line = f"{' '.join(CRYODEVICE)} interlocks {ending}"
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, cwd=ROOT, timeout=20, check=False)
        assert done.returncode == code, (ending, done)
        assert "Traceback" not in done.stderr + done.stdout


@pytest.mark.timeout(60)
def test_a_demo_that_nobody_reads_any_more_ends_and_one_without_its_broker_says_so():
    unread = run(["demo", "--plain", "--duration", "20"], subprocess.PIPE)
    brokerless = run(["demo", "--plain", "--duration", "20", "--broker", "mqtt://127.0.0.1:9"], subprocess.PIPE)
    try:
        assert "SIMULATED" in unread.stdout.readline()
        unread.stdout.close()
        heard = [brokerless.stdout.readline() for _ in range(2)]
        assert "broker 127.0.0.1:9 (not connected yet)" in heard[1]
        while "mqtt: NOT connected to 127.0.0.1:9" not in heard[-1]:
            heard.append(brokerless.stdout.readline())
            assert heard[-1], heard
        brokerless.terminate()
        rest, errors = brokerless.communicate(timeout=20)
        assert "the broker at 127.0.0.1:9 was never reached" in rest, rest
        assert (brokerless.returncode, "Traceback" in rest + errors) == (1, False)
        assert unread.wait(20) == 1
        assert unread.stderr.read() == ""
    finally:
        for process in (unread, brokerless):
            process.kill()
            process.wait()
            process.stdout.close()
            process.stderr.close()


@pytest.mark.timeout(60)
def test_status_shows_no_lease_without_a_line_and_an_unknown_dose_its_whole_way_out(tmp_path):
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state" / "exposure.db").write_bytes(b"damaged")
    with bed(tmp_path, mqtt={"mode": "broker", "host": "127.0.0.1", "port": 9}) as testbed:
        status = testbed.daemon.until(lambda status: status["claimed"] and status["lockout"], 10, "a lockout")
        assert status["lease_remaining_ms"] == 0
        config = ["--config", testbed.daemon.config]
        said = cryodevice("status", *config).stdout
        assert "mqtt      NOT connected to 127.0.0.1:9" in said
        locked = next(line for line in said.splitlines() if line.startswith("LOCKED"))
        for step in ("stops the daemon", "cryodevice records quarantine", "starts the daemon again"):
            assert step in locked
        assert "reset" not in locked, "nothing to reset is left by then"
        refused = cryodevice("reset", "--service", *config)
        assert (refused.returncode, "records quarantine" in refused.stdout) == (3, True), refused
        testbed.wand.end()
        testbed.daemon.until(lambda status: not status["link"]["up"], 5, "link down")
        assert json.loads(cryodevice("status", "--json", *config).stdout)["status"]["lease_remaining_ms"] is None
        said = cryodevice("status", *config).stdout
        assert "lease -" in said
        assert "ms left" not in said
        testbed.daemon.end()
        assert cryodevice("records", "quarantine", *config).returncode == 0
        again = testbed.restart_daemon()
        status = until(again.status, 10, "a status")
        assert status["lockout"] is None, "the way out leads out"


def test_one_line_of_a_status_without_a_wand_has_its_dashes():
    status = {
        "session": {"state": "idle", "contact_s": 0.0, "steps": 0, "ended_why": "", "setpoint_degc": None},
        "readings": {"plate_a_degc": {"quality": "stale", "value": 8.0}},
        "wand": None,
        "link": {"up": False, "why": "no such port"},
        "lease_remaining_ms": None,
        "skin_estimate_degc": None,
        "permit": False,
        "reasons": [],
        "exposure": {},
        "trip_code": None,
        "lockout": None,
        "claimed": False,
        "monitoring": {"ok": True, "why": "", "priority": None, "stalled": False},
        "alarms": {"sounding": None, "pause_left_s": 0.0, "standing": []},
    }
    line = summary(status)
    assert line.startswith("idle       plate      - degC  skin estimate     - degC  drive     - mA  lease   - ms")
    assert line.endswith("permit no  withheld: no session")
    assert "drive     none, lease -" in status_lines(status)
    assert not any(line.startswith("ahead") for line in status_lines(status))
    ahead = {"static_dwell": 9.9, "fat_boundary": 61.2, "step_contact": 70.0, "zone_d10": 200.0}
    assert (
        "ahead     static_dwell in 10 s, fat_boundary in 61 s, step_contact in 70 s of contact (estimate)"
        in status_lines(status | {"look_ahead_s": ahead})
    )
    lock = {"cause": "estop", "hint": "release the e-stop", "clears": "on acknowledgement"}
    assert way_out(lock) == "release the e-stop; then: cryodevice reset"
    assert way_out(lock | {"clears": "by service"}).endswith("cryodevice reset --service")
