"""A trip recorded on a real line and played again to the daemon's own driver; the command as a user runs it."""

import asyncio
import json
import resource
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from cryodevice.device.modbus_framing import RtuFraming, TcpFraming
from cryodevice.device.modbus_wand import ModbusWand
from cryodevice.device.serial_wand import SerialWand
from cryodevice.errors import LinkError, OrderRefusedError
from cryodevice.quantities import Celsius, Milliseconds, Seconds
from cryodevice.transport import open_link
from cryodevice.wire.blocks import Order
from cryodevice.wire.codes import Mode, State, Trip
from cryodevice.wire.frame import Frame, encode_frame
from cryodevice.wire.modbus import silence_s
from firmware_sim.cli import main
from firmware_sim.endpoints.loopback import Address
from firmware_sim.endpoints.modbus_rtu import RtuSlave
from firmware_sim.endpoints.modbus_tcp import TcpSlave
from firmware_sim.endpoints.pacer import Pacer
from firmware_sim.endpoints.pty_port import PtyPort
from firmware_sim.endpoints.serial_slave import SerialSlave
from firmware_sim.endpoints.tcp_port import TcpPort
from firmware_sim.faults import injection
from firmware_sim.recording import replay
from firmware_sim.recording.recorder import Recorder
from firmware_sim.recording.replay import Replay, read
from firmware_sim.recording.tape import tape_of
from firmware_sim.simulator import Simulator

PROGRAM = [sys.executable, "-m", "firmware_sim"]
LINES = ("serial", "modbus_rtu", "modbus_tcp")
DEADLINE_S = Seconds(1.0)
ANY = Address("127.0.0.1", 0)


def driver(line: str, port: str) -> SerialWand | ModbusWand:
    link = open_link(f"socket://{port}" if line.endswith("tcp") else port)
    if line.startswith("serial"):
        return SerialWand(link)
    return ModbusWand(link, TcpFraming(1) if line.endswith("tcp") else RtuFraming(1, silence_s(115_200)))


async def drive(line: str, port: str, break_it: Any = None, token: int = 0x1234) -> list[Any]:
    """Claim, cool, see the trip, stop: what the host saw."""
    wand, seen = driver(line, port), []
    boot_id = (await wand.connect(Seconds(3.0))).boot_id
    try:
        reading = await wand.read_status(DEADLINE_S)
        for number in range(1, 8):
            mode, lease_ms, echo = Mode.COOL, 500, reading.status.sequence
            if number in (1, 7):
                mode, lease_ms, echo = Mode.OFF, 0, 0
            if number == 4 and break_it is not None:
                break_it()
            order = Order(number, mode, Celsius(8.0), Milliseconds(lease_ms), echo, boot_id, token)
            try:
                reading = await wand.exchange(order, DEADLINE_S)
            except OrderRefusedError as error:
                seen.append(error.evidence["refusal"])
            else:
                told = reading.status
                seen.append((told.state, told.trip_code, told.order_sequence - number, told.lease_remaining_ms))
            await asyncio.sleep(0.02)
    finally:
        wand.close()
    return seen


async def record(line: str, path: Path) -> list[Any]:
    """Drive a simulated wand that trips, its line recorded."""
    simulator = Simulator(3, calibration_day=9500)
    simulator.advance(0.02)
    pacer = Pacer(simulator, time.monotonic)
    recorder = Recorder(path, {}, time.monotonic, lambda: simulator.time_s)

    def slave() -> Any:
        kinds = {"serial": SerialSlave, "modbus_rtu": RtuSlave, "modbus_tcp": TcpSlave}
        return recorder.line(
            line, simulator.line(line, kinds[line.replace("serial_tcp", "serial")](simulator.firmware))
        )

    port = TcpPort(slave, pacer.catch_up, ANY) if line.endswith("tcp") else PtyPort(slave(), pacer.catch_up)
    ticking = asyncio.create_task(pacer.run())
    with recorder:
        async with port:
            where = str(port.address) if isinstance(port, TcpPort) else port.path
            seen = await drive(line, where, lambda: simulator.faults.inject(injection("plate_open")))
        ticking.cancel()
    return seen


async def play(line: str, path: Path, mode: Any, **how: Any) -> tuple[Replay, list[Any]]:
    tape = tape_of(str(path), read(path), line)
    show = Replay(tape, str(path), mode, fast=how.pop("fast", False))
    async with AsyncExitStack() as stack:
        where = await show.open(stack, ANY if line.endswith("tcp") else "")
        over = asyncio.create_task(show.until_over())
        seen = await drive(line, where, **how)
        await asyncio.wait_for(over, 5)
    return show, seen


@pytest.fixture(autouse=True)
def short(monkeypatch: Any) -> None:
    monkeypatch.setattr(replay, "LINGER_S", 0.1)


@pytest.mark.parametrize("line", LINES)
async def test_the_recording_of_a_trip_reproduces_the_trip(line: str, tmp_path: Any):
    path = tmp_path / "trip.jsonl"
    seen = await record(line, path)
    assert [state for state, *_ in seen[:2]] == [State.OFF, State.COOLING]
    assert seen[-1][:2] == (State.TRIPPED, Trip.PLATE_SENSOR)
    show, again = await play(line, path, "bytes")
    assert (show.complaint, show.over, show.played) == ("", True, show._tape.requests)
    assert again == seen


async def test_another_session_is_played_too_where_orders_may_differ(tmp_path: Any):
    line, path = "modbus_rtu", tmp_path / "trip.jsonl"
    seen = await record(line, path)
    show, again = await play(line, path, "orders", token=0x7777, fast=True)
    assert (show.complaint, show.over) == ("", True)
    assert [told if isinstance(told, int) else told[:3] for told in again] == [
        told if isinstance(told, int) else told[:3] for told in seen
    ]


async def test_another_token_is_refused_where_orders_must_be_the_same(tmp_path: Any):
    path = tmp_path / "trip.jsonl"
    await record("serial", path)
    tape = tape_of(str(path), read(path), None)
    show = Replay(tape, str(path), "frames", fast=True)
    async with AsyncExitStack() as stack:
        where = await show.open(stack, "")
        driving = asyncio.create_task(drive("serial", where, token=0x7777))
        await asyncio.wait_for(show.until_over(), 5)
        driving.cancel()
        with pytest.raises((asyncio.CancelledError, LinkError)):
            await driving
    assert "which was not recorded there: request 3 of" in show.complaint


# --- as a user runs it ------------------------------------------------------------------------------------------------

STATUS = encode_frame(Frame(3, 1, b""))


def start(*arguments: Any, **options: Any) -> tuple[Any, Any]:
    process = subprocess.Popen(
        [*PROGRAM, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )
    return process, json.loads(process.stdout.readline())


def end(process: Any) -> tuple[int, list[str], str]:
    try:
        out, err = process.communicate(timeout=10)
    finally:
        process.kill()
    assert "Traceback" not in err
    return process.returncode, out.splitlines(), err


def say(port: str, *requests: bytes) -> list[bytes]:
    with Path(port).open("r+b", buffering=0) as line:
        heard = []
        for request in requests:
            line.write(request)
            heard.append(line.read(300))
            time.sleep(0.02)
        return heard


def test_serve_records_and_replay_plays_until_all_is_asked(tmp_path: Any):
    path, port = tmp_path / "wand.jsonl", tmp_path / "port"
    process, _ = start("serve", "--serial", port, "--seed", 5, "--record", path)
    heard = say(str(port), STATUS, STATUS)
    process.terminate()
    assert end(process)[0] == 0
    header = json.loads(path.read_text().splitlines()[0])
    assert (header["seed"], header["identity"][0], header["simulated"]) == (5, 0x4357, True)
    path.write_text(path.read_text() + '{"t_s": 3')

    process, where = start("replay", path, "--serial", port)
    assert (where["serial"], where["requests"]) == (str(port), 2)
    assert say(str(port), STATUS, STATUS) == heard
    code, out, err = end(process)
    assert (code, json.loads(out[-1])) == (0, {"played": 2, "left_out": 0, "repeated": 0, "requests": 2})
    assert err == f"firmware-sim: {path}: its last line, 6, is cut off; it is played without it\n"

    process, where = start("replay", path)
    with Path(where["serial"]).open("r+b", buffering=0) as line:
        line.write(encode_frame(Frame(1, 9, b"")))
        code, out, err = end(process)
    assert (code, json.loads(out[-1])["played"]) == (1, 0)
    assert "which was not recorded there: request 1 of 2" in err
    assert f"{path}, line 2" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["none.jsonl"], "none.jsonl cannot be read: No such file or directory"),
        ([__file__], "is no recording"),
        (["none.jsonl", "--serial", "auto", "--modbus-tcp", "127.0.0.1:0"], "not allowed with"),
        (["none.jsonl", "--match", "much"], "bytes, frames, orders"),
    ],
)
def test_what_cannot_be_played_is_exit_2(arguments: Any, says: str, capsys: Any):
    try:
        code = main(["replay", *arguments])
    except SystemExit as refused:
        code = refused.code
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert says in err.replace("'", "")


def test_a_disk_that_is_full_ends_the_recording_and_not_the_wand(tmp_path: Any):
    path, port = tmp_path / "wand.jsonl", tmp_path / "port"

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    process, _ = start("serve", "--serial", port, "--record", path, preexec_fn=small)
    heard = say(str(port), *[STATUS] * 6)
    assert all(heard)
    process.terminate()
    code, _, err = end(process)
    assert (code, err.count("\n")) == (0, 1)
    assert f"the recording in {path} ended after" in err
    assert "File too large; the wand goes on" in err
    assert read(path).cut
