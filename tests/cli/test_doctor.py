"""The doctor on real things: a simulated wand in a process of its own, ports missing, busy, forbidden or foreign."""

import asyncio
import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import tty
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from cryodevice.app import wand_of
from cryodevice.cli.doctor import examined
from cryodevice.cli.doctor_case import Case
from cryodevice.cli.doctor_checks import NEEDS, State
from cryodevice.cli.doctor_host import whose
from cryodevice.cli.doctor_wand import round_trip
from cryodevice.quantities import Seconds
from cryodevice.runtime.clock import SystemClock
from cryodevice.runtime.wall_trust import synchronised
from cryodevice.settings import load_settings
from tests.records.test_upgrade import SCHEMA_1, script
from tests.system.processes import (
    CRYODEVICE,
    ENVIRONMENT,
    PYTHON,
    ROOT,
    Daemon,
    Relay,
    Wand,
    cryodevice,
    write_settings,
)
from tests.system.unprivileged import give_away, open_place, unprivileged

OK, WARN, FAIL, SKIP = State.OK, State.WARN, State.FAIL, State.SKIP


@pytest.fixture(scope="module")
def one_wand(tmp_path_factory):
    """One simulated wand, on every kind of line at once."""
    lines = ("--serial", "auto", "--serial-tcp", "127.0.0.1:0", "--modbus-rtu", "auto", "--modbus-tcp", "127.0.0.1:0")
    with Wand(tmp_path_factory.mktemp("wand"), line=lines) as wand:
        yield wand


@pytest.fixture
def wand(one_wand):
    yield one_wand
    one_wand.hand(estop=False)
    one_wand.control.quirk(lease_overrun_ms=0, lease_report_offset_ms=0, calibration_day=None, hang_safety_task=False)
    one_wand.control.reboot()


@pytest.fixture
def settings(tmp_path):
    def write(port: str, **sections):
        sections = {"device": {"allow_simulated": True}} | sections
        (tmp_path / "state").mkdir(mode=0o700, exist_ok=True)
        return write_settings(tmp_path / "c.toml", port, tmp_path / "state", **sections)

    return write


def tcp(wand) -> dict[str, object]:
    return link_to(wand, "tcp")


LINES = {"serial": "serial", "modbus-rtu": "modbus_rtu", "tcp": "serial_tcp", "modbus-tcp": "modbus_tcp"}


def link_to(wand, kind: str) -> dict[str, object]:
    """``[link]`` for the wand's line of this kind."""
    line = wand.endpoints[LINES[kind]]
    if not kind.endswith("tcp"):
        return {"kind": kind, "port": line}
    host, port = line.rsplit(":", 1)
    return {"kind": kind, "host": host, "tcp_port": int(port)}


async def doctor(config):
    return {result.check: result async for result in examined(Case(str(config)))}


def skipped_because(results, root: str) -> set[str]:
    return {check for check, result in results.items() if result.state is SKIP and result.because == root}


def test_all_is_well_with_a_wand_on_a_pty(wand, settings):
    before = wand.truth()
    done = cryodevice("doctor", "--config", settings(wand.port, mqtt={"mode": "embedded", "port": 0}))
    assert done.returncode == 0, done
    words = dict(reversed(line.split()[:2]) for line in done.stdout.splitlines() if re.match(r"\w+ +\w+ ", line))
    assert list(words) == list(NEEDS)
    assert {words[check] for check in ("settings", "identity", "limits", "calibration", "lease_proof", "broker")} == {
        "ok"
    }
    assert "fail" not in words.values()
    assert re.search(r"let go between 4\d\d and 5\d\d ms", done.stdout), done.stdout
    columns = {
        line.index(line.split(maxsplit=2)[2]) for line in done.stdout.splitlines() if re.match(r"ok +\w+ ", line)
    }
    assert len(columns) == 1, "the messages stand under one another"
    assert "\x1b" not in done.stdout, "no colour but on a terminal"
    after = wand.truth()
    assert after["lease_live"] is False
    for when in ("drive_on_since_s", "drive_off_at_s"):
        assert after[when] == before[when], "the doctor has let current flow"


def test_all_is_well_over_tcp_and_json_has_its_shape(wand, settings):
    done = cryodevice("doctor", "--json", "--config", settings("/nowhere", link=tcp(wand)))
    assert done.returncode == 0, done
    told = json.loads(done.stdout)
    assert set(told) == {"version", "program", "settings", "exit_code", "checks"}
    assert (told["version"], told["exit_code"]) == (1, 0)
    assert [check["check"] for check in told["checks"]] == list(NEEDS)
    for check in told["checks"]:
        assert set(check) == {"check", "state", "message", "todo", "because", "evidence"}
        assert check["state"] in {"ok", "warn", "skip"}, check
    states = {check["check"]: check["state"] for check in told["checks"]}
    assert (states["permission"], states["baud"], states["broker"]) == ("skip", "skip", "skip")
    assert states["lease_proof"] == "ok"


async def test_a_port_that_is_not_there_is_named_and_explains_the_rest(settings):
    results = await doctor(settings("/dev/nowhere"))
    assert results["port"].state is FAIL
    assert "there is no /dev/nowhere" in results["port"].message
    assert skipped_because(results, "port") == {
        *("permission", "exclusive", "identity", "limits", "calibration", "round_trip", "at_rest", "lease_proof")
    }


@pytest.mark.parametrize("kind", ["tcp", "modbus-tcp"])
async def test_nobody_listening_on_tcp_fails_at_the_port(settings, kind):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        link = {"kind": kind, "host": "127.0.0.1", "tcp_port": nobody.getsockname()[1]}
        results = await doctor(settings("/nowhere", link=link))
    assert results["port"].state is FAIL
    assert "nothing listens on that port" in results["port"].message
    assert "link.tcp_port" in results["port"].todo
    assert {"exclusive", "identity", "lease_proof"} <= skipped_because(results, "port")


async def test_a_host_that_nobody_knows_fails_at_the_port(settings):
    results = await doctor(settings("/nowhere", link={"kind": "tcp", "host": "no-such-host.invalid"}))
    assert results["port"].state is FAIL
    assert re.search(r"'no-such-host.invalid' (is not known|was not looked up in time)", results["port"].message)
    assert "link.host" in results["port"].todo
    assert "exclusive" in skipped_because(results, "port")


class Converter:
    """A TCP port that counts who connects, and that is connected through to a wand or says nothing."""

    def __init__(self, through: str = "") -> None:
        self.connections, self._through = 0, through

    async def taken(self, reader, writer):
        self.connections += 1
        if not self._through:
            await reader.read()
            writer.close()
            return
        host, port = self._through.rsplit(":", 1)
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        await asyncio.gather(carried(reader, far_writer), carried(far_reader, writer))


async def carried(reader, writer):
    while data := await reader.read(4096):
        writer.write(data)
    writer.close()


async def test_over_tcp_the_wand_is_connected_to_once_and_not_beside_a_daemon(wand, settings, tmp_path):
    converter = Converter(wand.endpoints["serial_tcp"])
    async with await asyncio.start_server(converter.taken, "127.0.0.1", 0) as server:
        link = {"kind": "tcp", "host": "127.0.0.1", "tcp_port": server.sockets[0].getsockname()[1]}
        config = settings("/nowhere", link=link)
        results = await doctor(config)
        assert results["port"].message.endswith("takes connections")
        assert results["exclusive"].message == "connected, and nobody else orders the wand"
        assert results["lease_proof"].state is OK, results
        assert converter.connections == 1
        with (tmp_path / "state" / "exposure.lock").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            results = await doctor(config)
        assert results["daemon"].state is FAIL
        assert results["port"].state is SKIP
        assert "left to the daemon" in results["port"].message
        assert "identity" in skipped_because(results, "daemon")
        assert converter.connections == 1


@pytest.mark.parametrize(
    ("line", "wrong", "put"),
    [
        ("modbus-rtu", {"kind": "serial"}, 'link.kind = "modbus-rtu"'),
        ("serial", {"kind": "modbus-rtu"}, 'link.kind = "serial"'),
        ("modbus-tcp", {"kind": "tcp"}, 'link.kind = "modbus-tcp"'),
        ("tcp", {"kind": "modbus-tcp"}, 'link.kind = "tcp"'),
        ("modbus-rtu", {"unit": 7}, "link.unit = 1"),
        ("modbus-tcp", {"kind": "tcp", "unit": 7}, 'link.unit = 1 and link.kind = "modbus-tcp"'),
    ],
)
async def test_a_wand_that_answers_under_other_settings_is_found_and_they_are_named(
    wand, settings, monkeypatch, line, wrong, put
):
    monkeypatch.setattr("cryodevice.cli.doctor_line.CONNECT_S", Seconds(0.3))
    before = wand.truth()["order_epoch"]
    results = await doctor(settings("/nowhere", link=link_to(wand, line) | wrong))
    assert (results["port"].state, results["exclusive"].state) == (OK, OK)
    assert results["identity"].state is FAIL
    assert results["identity"].message == f"no wand answers as it is set; one answers with {put}"
    assert results["identity"].todo == f"set {put}"
    assert "lease_proof" in skipped_because(results, "identity")
    assert wand.truth()["order_epoch"] == before, "it was ordered"


HOLD = """
import fcntl, os, sys, time
held = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
if {lock}: fcntl.flock(held, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("lock", [False, True], ids=["open", "locked"])
def test_a_port_that_another_program_has_open_is_named_with_that_program(wand, settings, lock):
    program = [PYTHON, "-c", HOLD.format(lock=lock), wand.port]
    with subprocess.Popen(program, stdout=subprocess.PIPE) as other:
        try:
            assert other.stdout.readline() == b"held\n"
            results = asyncio.run(doctor(settings(wand.port)))
        finally:
            other.kill()
    assert results["exclusive"].state is FAIL
    assert f"(pid {other.pid})" in results["exclusive"].message
    assert "identity" in skipped_because(results, "exclusive")


@contextmanager
def babbler():
    """A process at the far end of a pty that is no wand: whatever it is sent, it answers with noise."""
    program = (
        "import os, tty; master, slave = os.openpty(); tty.setraw(slave); print(os.ttyname(slave), flush=True)\n"
        "while os.read(master, 256): os.write(master, b'\\x07garbage\\x00' * 3)"
    )
    with subprocess.Popen([PYTHON, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


async def test_what_is_no_wand_is_told_apart_from_silence(settings, monkeypatch):
    monkeypatch.setattr("cryodevice.cli.doctor_line.CONNECT_S", Seconds(0.4))
    monkeypatch.setattr("cryodevice.cli.doctor_line.OTHERWISE_S", Seconds(0.2))
    with babbler() as port:
        results = await doctor(settings(port))
    assert results["exclusive"].state is OK
    assert results["identity"].state is FAIL
    assert "no good frame" in results["identity"].message
    master, slave = pty.openpty()
    tty.setraw(slave)
    try:
        results = await doctor(settings(os.ttyname(slave)))
    finally:
        os.close(master)
        os.close(slave)
    assert "nothing comes back" in results["identity"].message


async def test_a_file_that_is_no_serial_port_is_said_to_be_none(settings, tmp_path):
    (tmp_path / "file").touch()
    results = await doctor(settings(str(tmp_path / "file")))
    assert results["exclusive"].state is FAIL
    assert "is not a serial port" in results["exclusive"].message


def test_without_permission_it_says_which_and_how_to_get_it(wand):
    port = Path(wand.port)
    mode = port.stat().st_mode & 0o777
    with open_place() as place:
        (place / "state").mkdir(mode=0o700)
        give_away(place / "state")
        config = write_settings(place / "c.toml", wand.port, place / "state")
        port.chmod(0)
        try:
            done = unprivileged("doctor", "--config", config)
        finally:
            port.chmod(mode)
    assert done.returncode == 1
    assert re.search(rf"^fail +permission +no permission to open {wand.port}", done.stdout, re.MULTILINE), done
    assert "dialout" in done.stdout
    assert re.search(r"^ok +state_dir", done.stdout, re.MULTILINE)


def test_a_state_directory_that_cannot_be_written_is_said_to_be():
    with open_place() as place:
        (place / "state").mkdir(mode=0o500)
        give_away(place / "state")
        read_only = unprivileged("doctor", "--config", write_settings(place / "c.toml", "/nowhere", place / "state"))
    assert re.search(r"^fail +disk +\S+ cannot be written: Permission denied", read_only.stdout, re.MULTILINE), (
        read_only
    )


async def test_a_state_directory_that_cannot_be_made_is_a_failure(tmp_path):
    (tmp_path / "file").touch()
    results = await doctor(write_settings(tmp_path / "c.toml", "/nowhere", tmp_path / "file" / "state"))
    assert results["state_dir"].state is FAIL
    assert skipped_because(results, "state_dir") >= {"disk", "daemon", "ledger"}


async def test_a_state_directory_that_is_not_there_yet_is_only_a_warning(settings, tmp_path):
    config = settings("/nowhere")
    (tmp_path / "state").rmdir()
    results = await doctor(config)
    assert results["state_dir"].state is WARN
    assert (results["disk"].state, results["ledger"].state) == (OK, OK)
    assert not (tmp_path / "state").exists(), "the doctor makes nothing"


@pytest.mark.parametrize(
    ("user", "mode", "state", "says"),
    [
        (0, 0o700, OK, "mode 0700"),
        (0, 0o750, WARN, "chmod 700"),
        (0, 0o702, FAIL, "replace"),
        (1, 0o700, FAIL, "run this"),
    ],
)
def test_a_state_directory_belongs_to_one_user_alone(tmp_path, user, mode, state, says):
    tmp_path.chmod(mode)
    about = tmp_path.stat()
    found = whose(tmp_path, about, about.st_uid + user if user else about.st_uid)
    assert (found.state, says in f"{found.message} {found.todo}") == (state, True), found


async def test_a_damaged_ledger_is_found_and_left_as_it_is(settings, tmp_path):
    config = settings("/nowhere")
    (tmp_path / "state" / "exposure.db").write_bytes(b"not a ledger")
    results = await doctor(config)
    assert results["ledger"].state is FAIL
    assert "quarantine" in results["ledger"].message
    assert (tmp_path / "state" / "exposure.db").read_bytes() == b"not a ledger"


async def test_a_ledger_of_another_version_is_no_damage(settings, tmp_path):
    config = settings("/nowhere")
    ledger = tmp_path / "state" / "exposure.db"
    script(ledger, SCHEMA_1)
    before = ledger.read_bytes()
    results = await doctor(config)
    assert results["ledger"].state is WARN, "its lockout stands"
    assert "of schema 1: the next start brings it up" in results["ledger"].message
    assert ledger.read_bytes() == before
    script(ledger, "PRAGMA user_version=9; UPDATE meta SET schema_version = 9")
    results = await doctor(config)
    assert results["ledger"].state is FAIL
    assert "a newer cryodevice" in results["ledger"].message
    assert "quarantine" not in results["ledger"].message + results["ledger"].todo
    assert not list((tmp_path / "state").glob("exposure.db-*"))


def test_settings_that_cannot_be_used_are_exit_code_2(tmp_path):
    config = tmp_path / "c.toml"
    config.write_text("[limits]\nplate_flor_degc = 6.0\n")
    done = cryodevice("doctor", "--config", config, "--json")
    assert done.returncode == 2
    checks = {check["check"]: check for check in json.loads(done.stdout)["checks"]}
    assert "plate_floor_degc" in checks["settings"]["message"]
    assert {checks[name]["because"] for name in ("port", "broker", "disk")} == {"settings"}


async def test_a_simulated_wand_that_is_not_allowed_is_a_failure(wand, settings):
    results = await doctor(settings(wand.port, device={"allow_simulated": False}))
    assert results["identity"].state is FAIL
    assert "allow_simulated = true" in results["identity"].todo
    assert "lease_proof" in skipped_because(results, "identity")


async def test_a_latched_trip_is_named_and_keeps_the_proof_from_being_made(wand, settings):
    wand.hand(estop=True)
    results = await doctor(settings(wand.port))
    assert results["at_rest"].state is FAIL
    assert "the wand has tripped: estop" in results["at_rest"].message
    assert skipped_because(results, "at_rest") == {"lease_proof"}


@pytest.mark.parametrize(
    ("quirk", "says"),
    [
        ({"lease_overrun_ms": 200}, r"lease or relay still on after 5\d\d ms"),
        ({"lease_overrun_ms": -200}, r"the lease ended after (2|3)\d\d ms, before its time"),
        ({"lease_report_offset_ms": -100}, r"counts its lease wrongly: -1\d\d ms"),
        ({"lease_report_offset_ms": 100}, r"the reply does not show order 1"),
    ],
)
async def test_a_wand_that_fails_the_proof_is_told_why_and_is_off_afterwards(wand, settings, quirk, says):
    wand.control.quirk(**quirk)
    results = await doctor(settings(wand.port))
    assert results["lease_proof"].state is FAIL
    assert re.search(says, results["lease_proof"].message), results["lease_proof"]
    truth = wand.truth()
    assert (truth["lease_live"], truth["drive_on_since_s"]) == (False, None)


async def test_a_wand_that_has_stopped_sampling_or_was_calibrated_long_ago(wand, settings):
    wand.control.quirk(calibration_day=9000, hang_safety_task=True)
    results = await doctor(settings(wand.port))
    assert results["calibration"].state is (FAIL if synchronised() else WARN)
    assert results["round_trip"].state is FAIL
    assert "stopped sampling" in results["round_trip"].message


async def test_one_lost_reply_is_one_miss_also_where_the_line_is_kept_quiet_after_it(wand, settings):
    with Relay(wand.endpoints["modbus_rtu"]) as relay:
        case = Case()
        case.settings = load_settings(settings(relay.port, link={"kind": "modbus-rtu"}))
        case.wand = line = wand_of(case.settings, SystemClock())
        await line.connect(Seconds(3.0))
        read, asked = line.read_status, 0

        async def read_all_but_one(timeout_s):
            nonlocal asked
            asked += 1
            relay.to_host = asked != 5
            try:
                return await read(timeout_s)
            finally:
                relay.to_host = True

        line.read_status = read_all_but_one
        try:
            found = await round_trip(case)
        finally:
            case.close()
    assert 1 <= found.evidence["missed"] < 10, found
    assert found.state is not FAIL


async def test_a_daemon_on_another_state_directory_is_seen_by_its_orders_and_left_alone(wand, settings, tmp_path):
    elsewhere = write_settings(tmp_path / "other.toml", "/nowhere", tmp_path / "elsewhere", link=tcp(wand))
    with Daemon(elsewhere, tmp_path / "elsewhere") as daemon:
        daemon.until_permit()
        for kind in LINES:
            results = await doctor(settings("/nowhere", link=link_to(wand, kind)))
            assert results["exclusive"].state is FAIL, kind
            assert "another program orders this wand" in results["exclusive"].message
            assert {"at_rest", "lease_proof"} <= skipped_because(results, "exclusive")
        daemon.until(lambda status: status["permit"] and status["claimed"], 3, "an undisturbed daemon")


async def test_a_daemon_of_another_version_is_no_traceback(settings, tmp_path):
    async def answer(reader, writer):
        await reader.readline()
        writer.write(b'{"ok": true, "status": {"reasons": [], "link": {"up": true, "why": ""}, "wand": null}}\n')
        writer.close()

    config = settings("/nowhere")
    async with await asyncio.start_unix_server(answer, str(tmp_path / "state" / "control.sock")):
        results = await doctor(config)
    assert "another version" in results["broker"].message
    assert results["identity"].state is FAIL or results["port"].state is FAIL


async def test_a_running_daemon_is_asked_and_its_wand_is_left_alone(wand, settings, tmp_path, monkeypatch):
    config = settings(wand.port)
    with Daemon(config, tmp_path / "state") as daemon:
        daemon.until_permit()
        results = await doctor(config)
        daemon.until(lambda status: status["permit"] and status["claimed"], 3, "an undisturbed daemon")
        assert {result.state for result in results.values()} <= {OK, WARN, SKIP}, results
        assert f"(pid {daemon.pid})" in results["daemon"].message
        assert results["exclusive"].message == "the running daemon has the port"
        assert results["identity"].message.startswith("SIMULATED wand 1")
        assert results["calibration"].state is OK
        assert "stop the daemon" in results["lease_proof"].message
        wand.hand(estop=True)
        daemon.until(lambda status: status["lockout"], 3, "a lockout")
        results = await doctor(config)
        assert "locked by estop" in results["at_rest"].message
        daemon.send(signal.SIGSTOP)
        monkeypatch.setattr("cryodevice.cli.doctor_host.ASK_S", 0.3)
        results = await doctor(config)
        assert results["daemon"].state is FAIL
        assert f"(pid {daemon.pid}), which does not answer" in results["daemon"].message
        assert "exclusive" in skipped_because(results, "daemon")
        daemon.end()
    results = await doctor(config)
    assert "a killed one has left its socket" in results["daemon"].message
    assert results["ledger"].state is WARN
    assert "locked by estop" in results["ledger"].message


def test_on_a_terminal_it_is_coloured_unless_no_color_is_set(tmp_path):
    config = write_settings(tmp_path / "c.toml", "/nowhere", tmp_path / "state")
    with_colour, without = (on_a_terminal(config, environment) for environment in ({}, {"NO_COLOR": "1"}))
    assert "\x1b[1;31mfail" in with_colour
    assert "fail  port" in without
    assert "\x1b" not in without
    assert max(map(len, without.splitlines())) <= 60, "wrapped to the terminal"


def on_a_terminal(config, environment) -> str:
    master, slave = pty.openpty()
    plain = {name: value for name, value in ENVIRONMENT.items() if name not in {"NO_COLOR", "COLUMNS"}}
    process = subprocess.Popen(
        [*CRYODEVICE, "doctor", "--config", str(config)],
        stdin=subprocess.DEVNULL,
        stdout=slave,
        stderr=slave,
        env=plain | {"COLUMNS": "60"} | environment,
        cwd=ROOT,
    )
    os.close(slave)
    said = b""
    with suppress(OSError):  # EIO: the other side has ended
        while select.select([master], [], [], 20)[0]:
            said += os.read(master, 4096)
    process.wait(10)
    os.close(master)
    return said.decode()
