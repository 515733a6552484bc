"""``firmware-sim serve`` as a real process: its line, its errors, its end."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from cryodevice.wire.frame import Frame, FrameReader, encode_frame
from firmware_sim.cli import main
from firmware_sim.cli.arguments import parser
from firmware_sim.cli.serve import wand_of
from firmware_sim.client import ControlClient
from firmware_sim.plant.applicator import AIR_COOLED, LIQUID_COOLED
from tests.firmware_sim.endpoints import modbus_host

PROGRAM = [sys.executable, "-m", "firmware_sim", "serve"]


@contextmanager
def serving(*arguments: Any, program: Any = PROGRAM) -> Any:
    """A running simulator and its first line; ended by its own pid whatever happens."""
    process = subprocess.Popen([*program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process, json.loads(process.stdout.readline())
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def address(text: Any) -> Any:
    host, _, port = text.rpartition(":")
    return host, int(port)


def ask(host: Any, request: Any) -> Any:
    host.sendall(request)
    reader, found = FrameReader(), []
    while not found:
        found = reader.feed(host.recv(4096))
    return found[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_prints_one_line_after_the_first_tick_runs_and_ends_with_0(number: Any) -> None:
    everything = ("--serial", "auto", "--serial-tcp", "127.0.0.1:0", "--control", "localhost:0", "--seed", "5")
    with serving(*everything) as (process, where):
        assert set(where) == {"serial", "serial_tcp", "modbus_rtu", "modbus_tcp", "control", "pid", "simulated"}
        assert (where["pid"], where["simulated"]) == (process.pid, True)
        with socket.create_connection(address(where["serial_tcp"]), timeout=3) as host:
            status = ask(host, encode_frame(Frame(3, 1, b"")))
            first = int.from_bytes(status.payload[:2], "big")
            assert first >= 1
            time.sleep(0.2)
            status = ask(host, encode_frame(Frame(3, 2, b"")))
            assert int.from_bytes(status.payload[:2], "big") >= first + 9
        descriptor = os.open(where["serial"], os.O_RDWR | os.O_NOCTTY)
        try:
            os.write(descriptor, encode_frame(Frame(1, 9, b"")))
            (identity,) = FrameReader().feed(os.read(descriptor, 100))
            assert identity.payload[:2] == b"CW"
        finally:
            os.close(descriptor)
        with closing(ControlClient(where["control"])) as control:
            assert control.truth()["simulated"] is True
            assert control.call("GET", "/")["lines"]["serial"] == where["serial"]
            process.send_signal(number)
            assert process.wait(5) == 0
        assert process.stdout.read() == ""
        assert process.stderr.read() == ""


def test_without_arguments_there_is_a_serial_port_and_nothing_else() -> None:
    with serving("--duration", "0.3") as (process, where):
        assert where["serial"].startswith("/dev/")
        assert (where["serial_tcp"], where["control"]) == (None, None)
        assert process.wait(5) == 0


def test_tcp_alone_opens_no_pty_and_a_link_is_made_where_asked(tmp_path: Any) -> None:
    with serving("--serial-tcp", "127.0.0.1:0", "--duration", "0.2") as (process, where):
        assert where["serial"] is None
        assert process.wait(5) == 0
    link = tmp_path / "wand"
    with serving("--serial", str(link), "--duration", "0.2") as (process, where):
        assert where["serial"] == str(link)
        assert link.is_symlink()
        assert process.wait(5) == 0
    assert not link.is_symlink()


@pytest.mark.parametrize("option", ["--modbus-rtu", "--modbus-tcp"])
def test_modbus_alone_opens_no_serial_port(option: Any) -> None:
    value = "auto" if option == "--modbus-rtu" else "127.0.0.1:0"
    with serving(option, value, "--duration", "0.2") as (process, where):
        opened = {name for name, place in where.items() if isinstance(place, str)}
        assert opened == {option.removeprefix("--").replace("-", "_")}
        assert process.wait(5) == 0


def test_all_lines_lead_to_one_wand(tmp_path: Any) -> None:
    link = str(tmp_path / "modbus")
    lines = ("--serial-tcp", "127.0.0.1:0", "--modbus-tcp", "127.0.0.1:0", "--modbus-rtu", link, "--unit", "17")
    with serving(*lines) as (_, where):
        assert where["modbus_rtu"] == link
        assert where["serial"] is None
        write, read = modbus_host.write_one(modbus_host.SCRATCH, 4711), modbus_host.read(modbus_host.SCRATCH, 1)
        stop = modbus_host.write_many(modbus_host.ORDER, modbus_host.STOP)
        with socket.create_connection(address(where["modbus_tcp"]), timeout=3) as host:
            host.sendall(modbus_host.mbap(write, 1) + modbus_host.mbap(write, 17) + modbus_host.mbap(stop, 17))
            assert len(host.recv(24, socket.MSG_WAITALL)) == 24
        descriptor = os.open(link, os.O_RDWR | os.O_NOCTTY)
        try:
            os.write(descriptor, modbus_host.rtu(read, 17))
            assert modbus_host.words_of(modbus_host.pdu_of(os.read(descriptor, 100))) == [4711]
        finally:
            os.close(descriptor)
        with socket.create_connection(address(where["serial_tcp"]), timeout=3) as host:
            status = modbus_host.words_of(b"\x03\x40" + ask(host, encode_frame(Frame(3, 1, b""))).payload)
            assert status[22] == modbus_host.TOKEN


def test_a_fault_injected_while_it_runs_is_on_the_line_it_is_meant_for() -> None:
    lines = (
        "--serial-tcp",
        "127.0.0.1:0",
        "--modbus-rtu",
        "auto",
        "--modbus-tcp",
        "127.0.0.1:0",
        "--control",
        "127.0.0.1:0",
    )
    with serving(*lines) as (_, where), closing(ControlClient(where["control"])) as control:
        descriptor = os.open(where["modbus_rtu"], os.O_RDWR | os.O_NOCTTY)
        try:
            assert control.inject("wrong_replies", line="modbus_rtu", wrong="unit", count=1) == 1
            for unit in (0, 1):
                os.write(descriptor, modbus_host.rtu(modbus_host.GOOD))
                reply = b""
                while len(reply) < 69:
                    reply += os.read(descriptor, 100)
                assert modbus_host.words_of(modbus_host.pdu_of(reply))
                assert reply[0] == unit
        finally:
            os.close(descriptor)
        assert control.inject("loss_to_host", line="modbus_tcp") == 2
        with socket.create_connection(address(where["modbus_tcp"]), timeout=0.05) as host:
            host.sendall(modbus_host.mbap(modbus_host.GOOD))
            until = time.monotonic() + 3.0
            while not control.faults()["active"][0]["fired"] and time.monotonic() < until:
                time.sleep(0.01)
            with pytest.raises(TimeoutError):
                host.recv(1)
        with socket.create_connection(address(where["serial_tcp"]), timeout=3) as host:
            assert ask(host, encode_frame(Frame(3, 1, b""))).type == 0x83
        (lost,) = control.faults()["active"]
        assert (lost["id"], lost["name"], lost["fired"]) == (2, "loss_to_host", 1)
        assert control.clear()["active"] == []


def test_a_wand_may_be_broken_from_the_start() -> None:
    faults = ("--inject", "wrong_magic word=4711", "--inject", "wrong_serial_number")
    with serving("--serial-tcp", "127.0.0.1:0", *faults) as (_, where):
        with socket.create_connection(address(where["serial_tcp"]), timeout=3) as host:
            words = modbus_host.words_of(b"\x03\x30" + ask(host, encode_frame(Frame(1, 1, b""))).payload)
        assert (words[0], words[5]) == (4711, 4711)


PRINTING = [["faults", "--json"], ["scenario", "list"], ["conformance", "--list"], ["--help"]]


@contextmanager
def printing_to(descriptor: Any, monkeypatch: Any) -> Any:
    """Standard output of this process is that descriptor, buffered as a real one is."""
    with os.fdopen(descriptor, "w") as stream, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        yield


def outcome(arguments: Any) -> Any:
    try:
        return main(arguments)
    except SystemExit as ending:
        return ending.code


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_a_list_that_nobody_reads_ends_quietly_with_1(arguments: Any, monkeypatch: Any, capsys: Any) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with printing_to(writer, monkeypatch):
        assert outcome(arguments) == 1
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("arguments", [*PRINTING, ["scenario", "run", "h04-estop"]], ids=" ".join)
def test_a_list_that_cannot_be_written_is_one_sentence_and_1(arguments: Any, monkeypatch: Any, capsys: Any) -> None:
    with printing_to(os.open("/dev/full", os.O_WRONLY), monkeypatch):
        assert outcome(arguments) == 1
    assert capsys.readouterr().err == "firmware-sim: cannot write the output: No space left on device\n"


def test_output_that_somebody_has_closed_is_no_traceback() -> None:
    program = [sys.executable, "-m", "firmware_sim", "conformance"]
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" >&- 2>&-', "sh", *program, "--list"],
        capture_output=True,
        timeout=10,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_link_in_use_is_exit_2_and_one_left_by_a_killed_run_is_replaced(tmp_path: Any) -> None:
    link = tmp_path / "wand"
    with serving("--serial", str(link)) as (process, _):
        target = link.readlink()
        error = refused("--modbus-rtu", str(link))
        assert str(link) in error
        assert error.count("\n") == 1
        assert link.readlink() == target
        process.kill()
        process.wait(5)
        assert link.is_symlink()
        with serving("--serial", str(link), "--duration", "0.2") as (second, where):
            assert where["serial"] == str(link)
            assert second.wait(5) == 0
    assert not link.is_symlink()


def test_the_boot_counter_goes_on_from_run_to_run(tmp_path: Any) -> None:
    state = tmp_path / "state.json"
    for boot_id in (1, 2):
        with serving("--state", str(state), "--duration", "0.1") as (process, _):
            assert process.wait(5) == 0
        assert json.loads(state.read_text())["boot_id"] == boot_id


def refused(*arguments: Any) -> Any:
    done = subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, timeout=10, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_taken_port_is_one_sentence_and_exit_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for option, what in (
            ("--serial-tcp", "serial over TCP"),
            ("--modbus-tcp", "Modbus TCP"),
            ("--control", "the control"),
        ):
            error = refused(option, f"127.0.0.1:{port}")
            assert what in error
            assert f"127.0.0.1:{port}" in error
            assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [("not json", "cannot be read"), ('{"version": 99999999, "boot_id": 3}', "is of version 99999999, and this")],
)
def test_an_unreadable_state_file_is_exit_2(tmp_path: Any, capsys: Any, text: Any, says: Any) -> None:
    path = tmp_path / "state.json"
    path.write_text(text)
    assert main(["serve", "--state", str(path)]) == 2
    assert f"state file {path} {says}" in capsys.readouterr().err


def status_after(seconds: float, *arguments: Any) -> Any:
    """The words of the status, and the frame as sent, of a paused wand that is stepped."""
    lines = ("--serial-tcp", "127.0.0.1:0", "--control", "127.0.0.1:0", "--paused")
    with serving(*lines, *arguments) as (_, where), closing(ControlClient(where["control"])) as control:
        assert control.step(seconds)["time_s"] == 0.02 + seconds
        with socket.create_connection(address(where["serial_tcp"]), timeout=3) as host:
            host.sendall(encode_frame(Frame(3, 1, b"")))
            raw = b""
            while not raw.endswith(b"\0"):
                raw += host.recv(4096)
        return raw, control.truth()


def test_one_seed_and_a_paused_start_give_the_same_bytes() -> None:
    first, second = (status_after(2.0, "--seed", "9") for _ in range(2))
    assert first == second
    assert first[1]["boot_id"] == made("--seed", "9")["boot_id"] != made("--seed", "10")["boot_id"]


def made(*arguments: Any) -> Any:
    """The truth of the wand that would be served."""
    return wand_of(parser().parse_args(["serve", *arguments])).truth()


def test_a_wand_of_another_person_and_another_cooling() -> None:
    plain, again, other = made("--seed", "9"), made("--seed", "9"), made("--seed", "9", "--individual", "drawn")
    assert plain == again
    assert other["skin_surface_degc"] != plain["skin_surface_degc"]
    assert other == made("--seed", "9", "--individual", "drawn")
    sinks = []
    for cooling in ("air", "liquid"):
        wand = wand_of(parser().parse_args(["serve", "--cooling", cooling]))
        sinks.append(wand.plant._applicator.parameters)
    assert sinks == [AIR_COOLED, LIQUID_COOLED]


def test_the_boot_id_may_be_given() -> None:
    assert [made("--boot-id", number)["boot_id"] for number in ("1", "65535")] == [1, 65535]


@pytest.mark.parametrize("seed", [None, 0, 9, 2**63 - 1])
def test_the_boot_id_is_never_0_and_a_seed_decides_it(seed: Any) -> None:
    arguments = [] if seed is None else ["--seed", str(seed)]
    drawn = [made(*arguments)["boot_id"] for _ in range(3)]
    assert all(1 <= boot_id <= 0xFFFF for boot_id in drawn)
    assert (len(set(drawn)) == 1) == (seed is not None)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--paused"], "--paused is for a wand with --control"),
        (["--boot-id", "3", "--state", "x"], "give --boot-id or --state FILE"),
    ],
)
def test_options_that_do_not_go_together_are_one_sentence_and_exit_2(arguments: Any, says: Any, capsys: Any) -> None:
    assert main(["serve", *arguments]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (["--serial-tcp", "0.0.0.0:5000"], "loopback"),
        (["--inject", "bit_errros"], "did you mean bit_errors"),
        (["--inject", "bit_errors rate=2"], "1e-09 … 1"),
        (["--inject", ""], "firmware-sim faults"),
        (["--control", "nonsense"], "HOST:PORT"),
        (["--modbus-tcp", "192.168.0.1:1502"], "loopback"),
        (["--unit", "0"], "from 1 to 247"),
        (["--unit", "248"], "from 1 to 247"),
        (["--seed", "-1"], "whole number"),
        (["--seed", "x"], "whole number"),
        (["--serial-number", "4294967296"], "4294967295"),
        (["--duration", "nan"], "seconds"),
        (["--duration", "-1"], "seconds"),
        (["--boot-id", "0"], "from 1 to 65535"),
        (["--cooling", "ice"], "invalid choice: 'ice'"),
        (["--warp", "9"], "unrecognized"),
    ],
)
def test_bad_arguments_are_exit_2_and_say_what_is_allowed(capsys: Any, arguments: Any, allowed: Any) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["serve", *arguments])
    error = capsys.readouterr().err
    assert allowed in error
    assert error.count("\n") == 1
    assert "see 'firmware-sim serve --help'" in error


def test_a_path_that_is_taken_is_exit_2(capsys: Any, tmp_path: Any) -> None:
    assert main(["serve", "--serial", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert str(tmp_path) in error
    assert error.count("\n") == 1


def test_main_serves_in_this_process_too(capsys: Any) -> None:
    assert main(["serve", "--duration", "0.1", "--exit-with-parent"]) == 0
    assert json.loads(capsys.readouterr().out)["pid"] == os.getpid()


def test_it_ends_with_its_parent_when_asked() -> None:
    script = (
        "import subprocess, sys, time; "
        "subprocess.Popen([sys.executable, '-m', 'firmware_sim', 'serve', *sys.argv[1:]]); "
        "time.sleep(60)"
    )
    parent = [sys.executable, "-c", script]
    arguments = ("--exit-with-parent", "--serial-tcp", "127.0.0.1:0", "--duration", "30")
    with serving(*arguments, program=parent) as (process, where):
        process.kill()
        deadline = time.monotonic() + 5
        while answers(where["serial_tcp"]):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def answers(where: Any) -> Any:
    try:
        socket.create_connection(address(where), timeout=1).close()
    except OSError:
        return False
    return True


def test_output_that_cannot_be_written_is_one_sentence_and_the_wand_lives_on() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "firmware_sim", "serve", "--serial-tcp", "127.0.0.1:0", "--duration", "0.2"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=20,
            check=False,
        )
    assert (done.returncode, done.stderr.count("\n")) == (0, 1), done
    assert "cannot write where the ports are: No space left on device" in done.stderr
