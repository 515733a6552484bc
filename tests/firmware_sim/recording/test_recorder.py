"""What is kept of a line: whole frames in both directions, whatever pieces they came in; and how a recording ends."""

import json

import pytest

from cryodevice.wire.frame import Frame, encode_frame
from firmware_sim.endpoints.modbus_rtu import RtuSlave
from firmware_sim.endpoints.modbus_tcp import TcpSlave
from firmware_sim.endpoints.serial_slave import SerialSlave
from firmware_sim.recording.form import RecordingError
from firmware_sim.recording.recorder import Recorder
from tests.firmware_sim.endpoints import modbus_host

STATUS = encode_frame(Frame(3, 1, b""))
READ = modbus_host.read(modbus_host.SCRATCH, 1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "wand.jsonl"


@pytest.fixture
def clock():
    return [10.0]


@pytest.fixture
def recorder(bench, path, clock):
    with Recorder(path, {"seed": 1}, lambda: clock[0], lambda: bench.simulator.time_s) as recorder:
        yield recorder


def kept(path):
    return [json.loads(line) for line in path.read_text().splitlines()[1:]]


def frames(path):
    return [(line["to"], bytes.fromhex(line["hex"])) for line in kept(path)]


def test_serial_frames_are_whole_however_they_come(bench, recorder, path, clock):
    line = recorder.line("serial", SerialSlave(bench.firmware))
    assert line.feed(b"\0" + STATUS[:3]) == b""
    clock[0] += 0.25
    replies = line.feed(STATUS[3:] + STATUS)
    first, second, rest = (part + b"\0" for part in replies.split(b"\0"))
    assert rest == b"\0"
    assert frames(path) == [
        ("wand", b"\0"),
        ("wand", STATUS),
        ("wand", STATUS),
        ("host", first),
        ("host", second),
    ]
    assert [line["t_s"] for line in kept(path)] == [0.0, 0.25, 0.25, 0.25, 0.25]
    assert {(line["line"], line["peer"], line["wand_s"]) for line in kept(path)} == {("serial", 1, 0.02)}
    line.feed(b"\x05\x03")
    line.close()
    assert frames(path)[-1] == ("wand", b"\x05\x03")


def test_modbus_tcp_frames_by_their_header_and_each_connection_by_itself(bench, recorder, path):
    one, two = (recorder.line("modbus_tcp", TcpSlave(bench.firmware)) for _ in range(2))
    request = modbus_host.mbap(READ, 1)
    one.feed(request + request[:5])
    two.feed(request)
    one.feed(request[5:])
    assert [(line["peer"], line["to"]) for line in kept(path)] == [
        (1, "wand"),
        (1, "host"),
        (2, "wand"),
        (2, "host"),
        (1, "wand"),
        (1, "host"),
    ]
    assert {data for to, data in frames(path) if to == "wand"} == {request}


def test_modbus_rtu_frames_by_reply_by_silence_and_by_a_gap(bench, recorder, path, clock):
    line = recorder.line("modbus_rtu", RtuSlave(bench.firmware))
    ours, foreign = modbus_host.rtu(READ, 1), modbus_host.rtu(READ, 9)
    line.feed(ours[:2])
    clock[0] += 0.001
    reply = line.feed(ours[2:])
    assert line.feed(foreign) == b""
    clock[0] += 0.1
    line.feed(ours)
    line.feed(b"\x01\x03")
    line.silence()
    assert frames(path) == [
        ("wand", ours),
        ("host", reply),
        ("wand", foreign),
        ("wand", ours),
        ("host", reply),
        ("wand", b"\x01\x03"),
    ]


def test_bytes_that_end_nowhere_are_kept_in_pieces(bench, recorder, path):
    line = recorder.line("serial", SerialSlave(bench.firmware))
    line.feed(b"\x55" * 5000)
    assert [len(data) for _, data in frames(path)] == [5000]


def test_at_its_limit_the_recording_ends_and_the_line_goes_on(bench, path, capsys):
    with Recorder(path, {}, lambda: 0.0, lambda: 0.0, limit=400) as recorder:
        line = recorder.line("serial", SerialSlave(bench.firmware))
        for _ in range(20):
            assert line.feed(STATUS)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "ended after 0.0 s: it has reached its limit of 0.0004 MB (--record-limit); the wand goes on" in said
    assert path.stat().st_size <= 400
    assert kept(path)


def test_a_file_that_is_there_or_cannot_be_made_is_one_sentence(path, tmp_path):
    path.write_text("mine")
    with pytest.raises(RecordingError, match="is there already; give another name"):
        Recorder(path, {}, lambda: 0.0, lambda: 0.0)
    assert path.read_text() == "mine"
    with pytest.raises(RecordingError, match="cannot be written: No such file or directory"):
        Recorder(tmp_path / "none" / "x", {}, lambda: 0.0, lambda: 0.0)


def test_a_wand_that_did_not_start_leaves_no_recording(path):
    with pytest.raises(KeyError), Recorder(path, {}, lambda: 0.0, lambda: 0.0):
        raise KeyError
    assert not path.exists()
