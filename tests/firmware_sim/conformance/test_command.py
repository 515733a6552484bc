"""``firmware-sim conformance`` as its user runs it: what it prints, how it ends, and what it leaves behind."""

import json
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress

import pytest

from firmware_sim.cli import main
from firmware_sim.conformance.clauses import every
from tests.firmware_sim.endpoints import modbus_host

KIT = [sys.executable, "-m", "firmware_sim", "conformance"]
WAND = [sys.executable, "-m", "firmware_sim", "serve"]
TCP = ("--serial-tcp", "127.0.0.1:0", "--modbus-tcp", "127.0.0.1:0")
FEW = ("VERSION-01", "LEASE-03", "LEASE-06", "LEASE-11.past")


def run(*arguments):
    """The command in this process: exit code."""
    return main(["conformance", *map(str, arguments)])


@pytest.fixture
def impatient(monkeypatch):
    """A kit that gives up at once where nobody is."""
    monkeypatch.setattr("firmware_sim.conformance.command._TRIES", 1)
    monkeypatch.setattr("firmware_sim.conformance.dialect.PATIENCE_S", 0.1)
    monkeypatch.setattr("firmware_sim.conformance.dialect.QUIET_S", 0.02)


@pytest.fixture(scope="module")
def wand(tmp_path_factory):
    """One simulated wand on every line, in a process of its own; ends by itself."""
    folder = tmp_path_factory.mktemp("wand")
    process = subprocess.Popen(
        [*WAND, "--serial", folder / "serial", "--modbus-rtu", folder / "rtu", *TCP, "--duration", "60"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


@contextmanager
def listener(answer=b"", *, flood=False):
    """A TCP port where somebody says something that is no wand, or nothing; in a flood, without being asked."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        ended = threading.Event()

        def serve():
            while not ended.is_set():
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client, suppress(OSError):
                    client.settimeout(5)
                    while not ended.is_set() and (flood or client.recv(100)):
                        client.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            ended.set()
            with suppress(OSError):
                socket.create_connection(server.getsockname(), timeout=1).close()
            thread.join(12)


ELSEWHERE = [pytest.param(line, marks=pytest.mark.campaign) for line in ("serial_tcp", "modbus_rtu", "modbus_tcp")]


@pytest.mark.parametrize("line", ["serial", *ELSEWHERE])
def test_a_few_clauses_on_a_real_line(wand, line, capsys, monkeypatch):
    monkeypatch.setattr("firmware_sim.conformance.company.WATCH_S", 0.1)
    assert run(f"--{line.replace('_', '-')}", wand[line], "--only", *FEW) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].startswith("SIMULATED wand 1, firmware 1.0.0, boot ")
    assert lines[0].split(", on ")[1].startswith(f"{line.replace('_', ' ')} {wand[line]}")
    assert [text.split()[:2] for text in lines if text.startswith("  ")] == [["pass", name] for name in FEW]
    assert "4 passed, 0 failed, 0 skipped" in out
    assert lines[-1] == "The wand is stopped."
    assert err == ""


def test_the_document_has_one_entry_for_each_clause_judged(wand, capsys, monkeypatch):
    monkeypatch.setattr("firmware_sim.conformance.company.WATCH_S", 0.1)
    assert run("--modbus-tcp", wand["modbus_tcp"], "--only", "MODBUS-02", "FRAME-05", "LEASE-16", "--json") == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert set(document) == {
        *("schema", "ended", "error", "line", "wand", "allow_drive", "stopped", "note", "took_s", "counts", "clauses")
    }
    assert (document["schema"], document["ended"]) == ("firmware-sim-conformance/1", "complete")
    assert document["line"] == {"kind": "modbus_tcp", "where": wand["modbus_tcp"], "baud": None, "unit": 1}
    assert document["wand"]["simulated"] is True
    assert document["counts"] == {"pass": 1, "fail": 0, "skip": 2}
    assert document["stopped"] is True
    frame, modbus, lease = sorted(document["clauses"], key=lambda entry: "FML".index(entry["id"][0]))
    assert (modbus["verdict"], modbus["rule"], modbus["other_line"]) == ("pass", "MODBUS-02", False)
    assert (frame["verdict"], frame["other_line"]) == ("skip", True)
    assert (lease["verdict"], lease["said"]) == ("skip", "it drives the plate; run with --allow-drive")
    assert err == ""


def test_ctrl_c_in_a_terminal_leaves_the_wand_stopped_and_says_so(wand):
    """SIGINT while a lease is live; until then the clause under way was shown."""
    master, slave = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    process = subprocess.Popen(
        [*KIT, "--serial-tcp", wand["serial_tcp"], "--only", "LEASE"],
        stdin=subprocess.DEVNULL,
        stdout=slave,
        stderr=slave,
        env=environment,
    )
    os.close(slave)
    host, _, port = wand["modbus_tcp"].rpartition(":")
    with socket.create_connection((host, int(port)), timeout=3) as other:

        def status():
            other.sendall(modbus_host.mbap(modbus_host.GOOD, 1))
            return modbus_host.words_of(other.recv(9 + 64, socket.MSG_WAITALL)[7:])

        end = time.monotonic() + 10
        while status()[17] == 0:
            assert time.monotonic() < end, "no lease was seen"
        process.send_signal(signal.SIGINT)
        shown = all_of(master).decode()
        words = status()
    assert process.wait(10) == 1
    assert (words[17], words[4] & 0x101) == (0, 0)
    assert "\r\x1b[K  ...   LEASE-15.off" in shown
    assert "\x1b[32mpass\x1b[0m  LEASE-15.off" in shown
    assert "The wand is stopped." in shown
    assert "firmware-sim conformance: interrupted" in shown
    assert "Traceback" not in shown


def all_of(master):
    """What a process writes to its terminal until it ends."""
    shown = b""
    while select.select([master], [], [], 10)[0]:
        try:
            data = os.read(master, 4096)
        except OSError:
            break
        shown += data
    os.close(master)
    return shown


def test_a_run_is_refused_while_somebody_else_is_there(wand, capsys):
    host, _, port = wand["modbus_tcp"].rpartition(":")
    with socket.create_connection((host, int(port)), timeout=3) as other:
        ended = threading.Event()

        def stranger():
            for number in range(200):
                stop = modbus_host.write_many(modbus_host.ORDER, [number, 0, 0, 0, 0, 0, 0x5151, 0])
                other.sendall(modbus_host.mbap(stop, 1))
                other.recv(12, socket.MSG_WAITALL)
                if ended.wait(0.05):
                    return

        thread = threading.Thread(target=stranger)
        thread.start()
        try:
            assert run("--serial", wand["serial"]) == 3
        finally:
            ended.set()
            thread.join()
    out, err = capsys.readouterr()
    assert "another master orders this wand" in err
    assert len(err.splitlines()) == 1
    assert "pass" not in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "say where the wand is"),
        (("--serial", "/dev/no-such-port"), "there is no port /dev/no-such-port"),
        (("--modbus-tcp", "127.0.0.1"), "is no HOST:PORT"),
        (("--serial-tcp", "127.0.0.1:99999"), "is no HOST:PORT"),
        (("--serial", "/dev/null", "--unit", "3"), "--unit is for Modbus"),
        (("--modbus-tcp", "127.0.0.1:1502", "--unit", "248"), "--unit is for Modbus, 1 to 247"),
        (("--modbus-tcp", "127.0.0.1:1502", "--baud", "9600"), "--baud is for --serial"),
        (("--list", "--only", "LEASE-99"), "there is no clause LEASE-99"),
        (("--serial-tcp", "127.0.0.1:1"), "cannot connect to 127.0.0.1:1"),
        (("--serial", "/dev/null"), "port /dev/null cannot be opened"),
    ],
)
def test_bad_usage_is_one_sentence_and_exit_2(arguments, says, capsys):
    assert run(*arguments) == 2
    out, err = capsys.readouterr()
    assert says in err
    assert (out, len(err.splitlines())) == ("", 1)


def test_a_wand_that_is_unplugged_is_one_sentence_and_no_traceback(tmp_path):
    link = tmp_path / "wand"
    server = subprocess.Popen([*WAND, "--serial", link, "--duration", "30"], stdout=subprocess.PIPE, text=True)
    try:
        server.stdout.readline()
        with subprocess.Popen(
            [*KIT, "--serial", link, "--only", "LEASE-06", "FRAME"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as kit:
            while "LEASE-06" not in kit.stdout.readline():
                pass
            server.kill()
            out, err = kit.communicate(timeout=20)
    finally:
        server.kill()
        server.communicate()
    assert kit.returncode == 1
    assert len(err.splitlines()) == 1
    assert str(link) in err
    assert "The run broke off: " in out
    assert "THE WAND DID NOT CONFIRM ITS LAST STOP" in out


def test_a_pipe_that_closes_is_no_traceback_and_leaves_the_wand_stopped(wand):
    with subprocess.Popen(
        [*KIT, "--serial", wand["serial"], "--only", "LEASE-14", "LEASE-15"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == "firmware-sim conformance: nobody reads what is printed\n"
        assert process.wait(10) == 1


def test_a_flood_that_says_nothing_ends(capsys, impatient):
    with listener(b"\x55" * 4000, flood=True) as where:
        began_s = time.monotonic()
        assert run("--modbus-tcp", where) == 1
        assert run("--serial-tcp", where) == 1
    assert time.monotonic() - began_s < 5.0
    assert "127.0.0.1" in capsys.readouterr().err


def test_two_lines_at_once_are_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        run("--serial", "a", "--modbus-rtu", "b")
    assert ended.value.code == 2
    assert "not allowed with argument" in capsys.readouterr().err


def test_clauses_of_another_line_are_refused(wand, capsys):
    assert run("--serial-tcp", wand["serial_tcp"], "--only", "MODBUS") == 2
    assert "none of these clauses can be judged on a serial tcp line" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "answer", "says"),
    [
        ("--serial-tcp", b"", "nobody answers as a wand on 127.0.0.1:"),
        ("--modbus-tcp", b"", "nobody answers as a wand on 127.0.0.1:"),
        ("--serial-tcp", b"login: \0", "nobody answers as a wand on 127.0.0.1:"),
        ("--modbus-tcp", b"\0\x01\0\0\0\x03\x01\x83\x02", "what answers on 127.0.0.1:"),
    ],
)
def test_nobody_or_no_wand_at_the_other_end_is_one_sentence_and_exit_1(line, answer, says, capsys, impatient):
    with listener(answer) as where:
        assert run(line, where) == 1
    out, err = capsys.readouterr()
    assert says in err
    assert (out, len(err.splitlines())) == ("", 1)


def test_a_pseudo_terminal_without_a_wand(capsys, impatient):
    master, slave = pty.openpty()
    try:
        assert run("--modbus-rtu", os.ttyname(slave), "--json") == 1
    finally:
        os.close(master)
        os.close(slave)
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert (document["ended"], document["wand"], document["clauses"]) == ("failed", None, [])
    assert "at 115200 baud" in document["error"]
    assert "nobody answers as a wand" in err


def test_the_list_names_every_clause_and_asks_no_wand(capsys):
    assert run("--list") == 0
    out = capsys.readouterr().out
    assert [text.split()[0] for text in out.splitlines() if text.startswith("  ")] == [clause.id for clause in every()]
    assert run("--list", "--only", "lease-07") == 0
    chosen = [text for text in capsys.readouterr().out.splitlines() if text.startswith("  ")]
    assert {text.split()[0].partition(".")[0] for text in chosen} == {"LEASE-07"}
