"""The plugin as another project has it: found by its entry point, in a pytest of its own, with real wands."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

pytest_plugins = ["pytester"]
QUIET = ("-p", "no:cacheprovider", "-p", "no:asyncio", "-p", "no:hypothesispytest")
"""Not what is tested here; the plugin itself is found as any other."""

SUITE = """
import os
from pathlib import Path

import pytest

PIDS = Path("pids")


def note(wand):
    with PIDS.open("a") as file:
        file.write(f"{wand.pid}\\n")


def test_on_a_serial_port_by_default(cryo_wand):
    note(cryo_wand)
    assert (cryo_wand.link, cryo_wand.port, cryo_wand.url) == ("serial", cryo_wand.endpoints["serial"], cryo_wand.port)
    assert Path(cryo_wand.port).is_char_device()
    descriptor = os.open(cryo_wand.port, os.O_RDWR | os.O_NOCTTY)
    os.write(descriptor, bytes.fromhex("05 03 2A D0 7B 00"))
    assert os.read(descriptor, 1)
    os.close(descriptor)
    assert cryo_wand.truth()["contact"] is False
    assert cryo_wand.set(contact=True, zone="nose")["zone"] == "nose"
    assert cryo_wand.truth()["contact"] is True


@pytest.mark.cryo_wand(link="modbus-tcp", seed=3, unit=9, serial_number=77)
def test_by_marker_and_failing(cryo_wand):
    import socket

    note(cryo_wand)
    assert cryo_wand.url == f"socket://{cryo_wand.port}"
    host, port = cryo_wand.port.split(":")
    with socket.create_connection((host, int(port)), timeout=5) as line:
        line.sendall(bytes.fromhex("0001 0000 0006 09 03 0000 0006"))
        reply = line.recv(100)
    assert (reply[6], reply[9:11], reply[-1]) == (9, b"CW", 77)
    raise RuntimeError("a test that fails leaves no wand")


@pytest.mark.cryo_wand(seed=9, paused=True)
def test_paused_from_the_start(cryo_wand):
    assert (cryo_wand.time_s(), cryo_wand.clock()["paused"]) == (0.02, True)
    assert cryo_wand.step(1.0)["time_s"] == 1.02


class TestTime:
    pytestmark = pytest.mark.cryo_wand(link="serial-tcp")

    def test_faults_in_steps(self, cryo_wand):
        note(cryo_wand)
        cryo_wand.pause()
        number = cryo_wand.inject("plate_open", channel="a")
        cryo_wand.step(0.1)
        assert cryo_wand.truth()["trip"] == "plate_sensor"
        assert cryo_wand.faults()["fired"]["plate_open"] == 5
        cryo_wand.clear(number)
        assert cryo_wand.faults()["active"] == []
        assert len(cryo_wand.catalogue()) > 3
        assert cryo_wand.reboot() > 0
        cryo_wand.room(ambient_degc=30)
        cryo_wand.disturb(fan_stalled=True)
        cryo_wand.quirk(lease_overrun_ms=20)
        before = cryo_wand.time_s()
        cryo_wand.speed(50)
        cryo_wand.resume()
        while cryo_wand.time_s() < before + 5:
            pass
        with pytest.raises(Exception, match="left_cheek"):
            cryo_wand.set(zone="moon")
"""

WRONG = """
import pytest


@pytest.mark.cryo_wand(link="carrier-pigeon")
def test_link(cryo_wand): ...


@pytest.mark.cryo_wand(links="serial")
def test_name(cryo_wand): ...


@pytest.mark.cryo_wand("serial")
def test_positional(cryo_wand): ...


@pytest.mark.cryo_wand(seed="three")
def test_type(cryo_wand): ...


@pytest.mark.cryo_wand(paused=1)
def test_truth(cryo_wand): ...


@pytest.mark.cryo_wand(unit=300)
def test_refused_by_the_simulator(cryo_wand): ...
"""


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def run(pytester: Any, suite: str) -> Any:
    pytester.makepyfile(suite)
    return pytester.runpytest_subprocess("--strict-markers", *QUIET, "-W", "error")


def test_the_fixture_gives_wands_and_takes_them_away(pytester: Any):
    page = Path(__file__).parents[2] / "docs" / "simulator.md"
    (example,) = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    pytester.makepyfile(test_of_the_page=example)
    result = run(pytester, SUITE)
    result.assert_outcomes(passed=5, failed=1)
    result.stdout.fnmatch_lines(["*RuntimeError: a test that fails leaves no wand*"])
    pids = [int(line) for line in (pytester.path / "pids").read_text().split()]
    assert len(pids) == 3
    assert not [pid for pid in pids if lives(pid)]


def test_what_cannot_be_had_is_said_in_one_line_each(pytester: Any):
    result = run(pytester, WRONG)
    result.assert_outcomes(errors=6)
    result.stdout.fnmatch_lines_random(
        [
            "cryo_wand: link 'carrier-pigeon' is not one of: serial, serial-tcp, modbus-rtu, modbus-tcp",
            "cryo_wand takes no 'links'; it takes: link, seed, *",
            "cryo_wand: its arguments have names: cryo_wand(link=..., *",
            "cryo_wand: seed is 'three', not a whole number (seed: of the sensors' noise, *",
            "cryo_wand: paused is 1, not True or False (paused: *",
            "cryo_wand: the simulated wand did not start: *'300' is no whole number from 1 to 247; *",
        ]
    )
    assert "Traceback" not in result.stdout.str()


def test_a_pytest_that_is_killed_leaves_no_wand(pytester: Any):
    pytester.makepyfile(
        """
        import time

        def test_long(cryo_wand):
            print(cryo_wand.pid, flush=True)
            time.sleep(60)
        """
    )
    child = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-s", "-q", *QUIET],
        cwd=pytester.path,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        pid = int(child.stdout.readline())
        assert lives(pid)
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()
    end = time.monotonic() + 5
    while lives(pid):
        assert time.monotonic() < end
        time.sleep(0.02)


def test_loading_the_plugin_costs_other_runs_nothing():
    script = (
        "import sys; import pytest; before = set(sys.modules); import firmware_sim.pytest_plugin; "
        "print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.strip() == "['firmware_sim', 'firmware_sim.pytest_plugin']"
