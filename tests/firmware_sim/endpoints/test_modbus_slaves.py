"""Modbus RTU and TCP as bytes and silences in and bytes out: frames, faults, units, golden vectors."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryodevice.wire.codes import Refusal
from firmware_sim.endpoints.modbus_rtu import RtuSlave, crc16_modbus
from firmware_sim.endpoints.modbus_tcp import TcpSlave
from tests.firmware_sim.endpoints import modbus_host as host
from tests.firmware_sim.endpoints.test_serial_slave import VECTORS

GOOD = host.rtu(host.GOOD)
BLOCKS = {vector["name"]: vector for vector in VECTORS}


@pytest.fixture
def slave(bench: Any) -> Any:
    return RtuSlave(bench.firmware)


@pytest.fixture
def tcp(bench: Any) -> Any:
    return TcpSlave(bench.firmware)


def answered(bench: Any, replies: Any, number: Any = 1) -> Any:
    """Whether these are good replies to so many of the good request."""
    status = b"".join(word.to_bytes(2, "big") for word in bench.firmware.status_words())
    return replies == host.rtu(b"\x03\x40" + status) * number


def frames(replies: Any) -> Any:
    """The PDUs and transactions of TCP replies."""
    found = []
    while replies:
        size = 6 + int.from_bytes(replies[4:6], "big")
        assert replies[2:4] == b"\0\0"
        found.append((int.from_bytes(replies[:2], "big"), replies[6], replies[7:size]))
        replies = replies[size:]
    return found


# --- RTU ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", host.FAULTS, ids=lambda fault: fault.name)
def test_the_first_good_request_after_a_fault_is_answered(bench: Any, slave: Any, fault: Any) -> None:
    replies = b"".join(map(slave.feed, fault.pieces))
    if slave.patience_s is not None:
        replies += slave.silence()
    assert len(replies) == 69 * fault.replies
    assert bench.firmware.bad_frames == fault.bad_frames
    assert slave.patience_s is None
    assert answered(bench, slave.feed(GOOD))


@pytest.mark.parametrize("fault", host.FAULTS, ids=lambda fault: fault.name)
def test_even_without_a_silence_after_the_fault_it_is_answered(bench: Any, slave: Any, fault: Any) -> None:
    replies = b"".join(map(slave.feed, (*fault.pieces, GOOD)))
    if slave.patience_s is not None:
        replies += slave.silence()
    assert answered(bench, replies[-69:])
    assert len(replies) == 69 * (fault.replies + 1)
    assert answered(bench, slave.feed(GOOD))


@pytest.mark.parametrize("name", host.EXCEPTIONS)
def test_a_request_that_cannot_be_carried_out_is_its_exception(slave: Any, name: Any) -> None:
    request, code = host.EXCEPTIONS[name]
    replies = slave.feed(host.rtu(request))
    if slave.patience_s is not None:
        replies += slave.silence()
    assert replies == host.rtu(host.exception(request, code))


def test_one_byte_at_a_time_is_answered_with_the_last(bench: Any, slave: Any) -> None:
    assert [slave.feed(bytes([byte])) for byte in GOOD[:-1]] == [b""] * 7
    assert slave.patience_s == 0.005
    assert answered(bench, slave.feed(GOOD[-1:]))


def test_requests_without_silence_are_answered_in_order(bench: Any, slave: Any) -> None:
    pdus = [host.read(0, count) for count in (1, 2, 3)] + [host.write_one(host.SCRATCH, 7), host.read(host.SCRATCH, 1)]
    replies = slave.feed(b"".join(map(host.rtu, pdus)))
    expected = [RtuSlave(bench.firmware).feed(host.rtu(pdu)) for pdu in pdus]
    assert replies == b"".join(expected)
    assert host.words_of(host.pdu_of(expected[-1])) == [7]


def test_good_requests_after_noise_are_answered_in_order(slave: Any) -> None:
    pdus = [host.write_one(host.SCRATCH, 1), host.write_one(host.SCRATCH, 2)]
    assert slave.feed(b"\x01\x03" + b"".join(map(host.rtu, pdus))) == b""
    assert slave.silence() == b"".join(map(host.rtu, pdus))


def test_noise_behind_a_good_request_costs_nothing(bench: Any, slave: Any) -> None:
    assert answered(bench, slave.feed(GOOD + b"\x01"))
    assert (slave.silence(), bench.firmware.bad_frames) == (b"", 1)
    assert answered(bench, slave.feed(GOOD))


@pytest.mark.parametrize("after", [b"\x00", b"\x01\x03\x01", host.rtu(host.GOOD, 2), host.rtu(b"\x2b\x0e\x01\x00")])
def test_after_noise_only_good_requests_to_the_very_end_count(slave: Any, after: Any) -> None:
    slave.feed(b"\x00" + GOOD + after)
    assert slave.silence() == b""


def test_other_units_and_broadcasts_get_no_reply(bench: Any, slave: Any) -> None:
    epoch = bench.firmware.lease.epoch
    stop = host.write_many(host.ORDER, host.STOP)
    for unit in (0, 2, 247, 248, 255):
        for pdu in (host.GOOD, stop, host.exchange(host.STOP), b"\x2b\x0e\x01\x00", host.read(0x400, 1)):
            assert slave.feed(host.rtu(pdu, unit)) + slave.silence() == b""
    assert slave.feed(host.rtu(host.write_one(host.SCRATCH, 9), 2)) == b""
    assert (bench.firmware.lease.epoch, bench.firmware.scratch, bench.firmware.bad_frames) == (epoch, 0, 0)
    assert slave.feed(host.rtu(host.write_one(host.SCRATCH, 9), 0)) == b""
    assert bench.firmware.scratch == 9


def test_another_unit_id(bench: Any) -> None:
    slave = RtuSlave(bench.firmware, 247)
    assert slave.feed(GOOD) == b""
    assert slave.feed(host.rtu(host.GOOD, 247))[:3] == b"\xf7\x03\x40"


def test_a_frame_of_three_bytes_is_bad_however_good_its_crc(bench: Any, slave: Any) -> None:
    slave.feed(host.rtu(b""))
    assert (slave.silence(), bench.firmware.bad_frames) == (b"", 1)


def test_dead_directions(bench: Any, slave: Any, tcp: Any) -> None:
    quirks, write = bench.firmware.quirks, host.write_one(host.SCRATCH, 1)
    quirks.drop_requests = True
    assert slave.feed(host.rtu(write)) + tcp.feed(host.mbap(write)) == b""
    assert bench.firmware.scratch == 0
    quirks.drop_requests, quirks.drop_replies = False, True
    for request in (slave.feed(host.rtu(write)), tcp.feed(host.mbap(write))):
        assert request == b""
    assert bench.firmware.scratch == 1
    slave.feed(host.rtu(b"\x2b\x0e\x01\x00"))
    assert slave.silence() == b""


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.one_of(st.binary(max_size=300), st.just(None), st.just(GOOD), st.just(GOOD[:-1]))))
def test_any_bytes_on_rtu_are_survived_and_then_a_good_request_is_answered(new_bench: Any, events: Any) -> None:
    bench = new_bench()
    slave = RtuSlave(bench.firmware)
    for event in events:
        slave.silence() if event is None else slave.feed(event)
        assert slave._framer.pending <= 256
    slave.silence()
    assert answered(bench, slave.feed(GOOD))


def test_the_crc() -> None:
    assert crc16_modbus(b"123456789") == 0x4B37
    for length in range(260):
        data = bytes((7 * at + length) % 256 for at in range(length))
        assert crc16_modbus(data).to_bytes(2, "little") == host.crc(data)


# --- TCP ------------------------------------------------------------------------------------------------------------


def test_thirty_requests_in_one_piece_are_answered_in_order(bench: Any, tcp: Any) -> None:
    stream = b"".join(host.mbap(host.read(0, 1 + tid % 24), transaction=tid) for tid in range(30))
    replies = frames(tcp.feed(stream))
    identity = bench.firmware.identity_words()
    assert [(tid, unit) for tid, unit, _ in replies] == [(tid, 1) for tid in range(30)]
    assert [host.words_of(pdu) for _, _, pdu in replies] == [identity[: 1 + tid % 24] for tid in range(30)]
    assert tcp.patience_s is None


@pytest.mark.parametrize("name", host.EXCEPTIONS)
def test_a_request_that_cannot_be_carried_out_is_its_exception_on_tcp(tcp: Any, name: Any) -> None:
    request, code = host.EXCEPTIONS[name]
    assert frames(tcp.feed(host.mbap(request, transaction=513))) == [(513, 1, host.exception(request, code))]


BROKEN = {
    "protocol id 1": host.mbap(host.GOOD, protocol=1),
    "protocol id 0x0100": host.mbap(host.GOOD, protocol=0x0100),
    "protocol id seen by its first byte": b"\0\1\1",
    "length 0": bytes.fromhex("0001 0000 0000 01"),
    "length 1": bytes.fromhex("0001 0000 0001 01"),
    "length 255": bytes.fromhex("0001 0000 00FF 01"),
    "length 65535": bytes.fromhex("0001 0000 FFFF 01"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_header_that_is_none_ends_the_connection_after_the_replies_before_it(bench: Any, tcp: Any, name: Any) -> None:
    replies = tcp.feed(host.mbap(host.GOOD) + BROKEN[name])
    assert len(frames(replies)) == 1
    assert tcp.out_of_step
    assert bench.firmware.bad_frames == 1
    assert tcp.feed(host.mbap(host.GOOD)) == b""
    assert (bench.firmware.bad_frames, tcp.patience_s) == (1, None)


def test_a_request_that_stays_half_is_given_up(bench: Any, tcp: Any) -> None:
    for length in range(1, 12):
        half = TcpSlave(bench.firmware, patience_s=3.0)
        assert half.feed(host.mbap(host.GOOD)[:length]) == b""
        assert half.patience_s == 3.0
        assert half.silence() == b""
        assert half.out_of_step
        assert bench.firmware.bad_frames == length
    assert (tcp.patience_s, tcp.out_of_step) == (None, False)


def test_other_units_and_broadcasts_get_no_reply_on_tcp(bench: Any, tcp: Any) -> None:
    epoch = bench.firmware.lease.epoch
    for unit in (0, 2, 247, 255):
        for pdu in (host.GOOD, host.exchange(host.STOP), host.write_many(host.ORDER, host.STOP), b"\x2b"):
            assert tcp.feed(host.mbap(pdu, unit)) == b""
    assert bench.firmware.lease.epoch == epoch
    tcp.feed(host.mbap(host.write_one(host.SCRATCH, 4), 0))
    assert bench.firmware.scratch == 4


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.binary(max_size=300), max_size=10), st.integers(0, 3))
def test_any_bytes_on_tcp_are_survived_and_end_the_line_or_leave_it_whole(
    new_bench: Any, pieces: Any, good: Any
) -> None:
    tcp = TcpSlave(new_bench().firmware)
    assert len(frames(tcp.feed(host.mbap(host.GOOD) * good))) == good
    for piece in pieces:
        tcp.feed(piece)
        assert len(tcp._buffer) < 260
    if not tcp.out_of_step and tcp.patience_s is None:
        assert len(frames(tcp.feed(host.mbap(host.GOOD)))) == 1


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.integers(1, 40), max_size=20))
def test_however_the_stream_is_cut_the_replies_are_the_same(new_bench: Any, cuts: Any) -> None:
    stream = b"".join(host.mbap(pdu, transaction=at) for at, (pdu, _) in enumerate([*host.EXCEPTIONS.values()][:40]))
    whole = TcpSlave(new_bench().firmware).feed(stream)
    tcp, replies = TcpSlave(new_bench().firmware), b""
    for cut in cuts:
        replies += tcp.feed(stream[:cut])
        stream = stream[cut:]
    assert replies + tcp.feed(stream) == whole


# --- golden vectors -------------------------------------------------------------------------------------------------

REPLIES = [v for v in VECTORS if v["kind"] == "modbus" and v["direction"] == "reply"]


def wand(bench: Any, block: Any, order: Any) -> Any:
    """The wand with one block of a vector in its place; where that is a status, it accepts just this order."""
    firmware = bench.firmware
    shown = block and block["kind"]
    if shown == "identity":
        firmware.identity_words = lambda: block["words"]
    elif shown == "status":
        firmware.reply_status = lambda **_: block["words"]
        firmware.receive = lambda words: Refusal.NONE if list(words) == order["words"] else Refusal.MODE
    elif shown == "order":
        firmware.lease.last_words = tuple(block["words"])
    return firmware


@pytest.mark.parametrize("vector", REPLIES, ids=lambda vector: vector["name"])
def test_the_wand_answers_a_request_vector_with_its_reply_vector(bench: Any, vector: Any) -> None:
    request = BLOCKS[vector["answers"]]
    firmware = wand(bench, BLOCKS.get(vector.get("carries")), BLOCKS.get(request.get("writes")))
    slave = (RtuSlave if vector["line"] == "rtu" else TcpSlave)(firmware, vector["unit"])
    reply = slave.feed(bytes.fromhex(request["bytes"]))
    reply += slave.silence() if vector["line"] == "rtu" else b""
    assert reply == bytes.fromhex(vector["bytes"])
