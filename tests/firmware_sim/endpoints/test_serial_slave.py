"""The wand's side of the serial protocol as bytes in and bytes out, golden vectors included."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryodevice.wire.codes import Mode, Refusal
from cryodevice.wire.frame import Frame, FrameReader, encode_frame
from firmware_sim.endpoints import serial_slave
from firmware_sim.endpoints.serial_slave import SerialSlave
from firmware_sim.firmware.orders import read_order

VECTORS = [
    vector
    for path in sorted((Path(__file__).parents[2] / "wire" / "vectors").glob("*.toml"))
    for vector in tomllib.loads(path.read_text("utf-8"))["vector"]
]


def of_kind(kind: Any, **having: Any) -> Any:
    return [v for v in VECTORS if v["kind"] == kind and all(v.get(key) == value for key, value in having.items())]


def frames(data: Any) -> Any:
    return FrameReader().feed(data)


def words(payload: Any) -> Any:
    return [int.from_bytes(payload[at : at + 2], "big") for at in range(0, len(payload), 2)]


def request(kind: Any, payload: Any = b"", sequence: Any = 7) -> Any:
    return encode_frame(Frame(kind, sequence, payload))


def exchange(order: Any, sequence: Any = 7) -> Any:
    return request(2, b"".join(word.to_bytes(2, "big") for word in order), sequence)


@pytest.fixture
def slave(bench: Any) -> Any:
    return SerialSlave(bench.firmware)


def test_identify_and_read_status(bench: Any, slave: Any) -> None:
    identity, status = frames(slave.feed(request(1, sequence=0) + request(3, sequence=255)))
    assert (identity.type, identity.sequence, words(identity.payload)) == (0x81, 0, bench.firmware.identity_words())
    assert (status.type, status.sequence, words(status.payload)) == (0x83, 255, bench.firmware.status_words())


def test_an_exchange_answers_with_the_status_after_the_order(bench: Any, slave: Any) -> None:
    slave.feed(request(3))
    (reply,) = frames(slave.feed(exchange(bench.host.words(Mode.COOL))))
    assert (reply.type, reply.sequence) == (0x82, 7)
    assert words(reply.payload) == bench.firmware.status_words()
    assert words(reply.payload)[17] == 500


def test_a_refused_exchange_is_an_error_with_its_refusal_and_carries_no_status(bench: Any, slave: Any) -> None:
    (reply,) = frames(slave.feed(exchange(bench.host.words(Mode.COOL))))
    assert (reply.type, reply.sequence, reply.payload) == (0xFF, 7, bytes((4, Refusal.ECHO)))
    assert len(bench.firmware.lease.echoes) == 0


@pytest.mark.parametrize("kind", [4, 5, 0x7F])
def test_an_unknown_type_is_error_2(slave: Any, kind: Any) -> None:
    (reply,) = frames(slave.feed(request(kind, b"abc", 9)))
    assert (reply.type, reply.sequence, reply.payload) == (0xFF, 9, bytes((2, 0)))


@pytest.mark.parametrize("kind", [0x80, 0x81, 0x82, 0x83, 0xFF])
def test_a_reply_that_comes_back_is_ignored_and_not_bad(bench: Any, slave: Any, kind: Any) -> None:
    assert slave.feed(request(kind, b"\4\3")) == b""
    assert bench.firmware.bad_frames == 0


@pytest.mark.parametrize(("kind", "payload"), [(1, b"x"), (3, b"xy"), (2, b""), (2, bytes(15)), (2, bytes(17))])
def test_a_bad_length_is_error_3_and_no_order(bench: Any, slave: Any, kind: Any, payload: Any) -> None:
    before = bench.firmware.lease.epoch
    (reply,) = frames(slave.feed(request(kind, payload, 3)))
    assert (reply.type, reply.sequence, reply.payload) == (0xFF, 3, bytes((3, 0)))
    assert bench.firmware.lease.epoch == before


BAD = {
    "CRC": bytes([*request(3)[:-2], request(3)[-2] ^ 1, 0]),
    "COBS": b"\x09\x01\x02\x00",
    "too short": b"\x02\x01\x00",
    "too long": b"\x01" * 300 + b"\x00",
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_a_bad_frame_is_counted_and_gets_no_reply(bench: Any, slave: Any, bad: Any) -> None:
    assert slave.feed(bad) == b""
    assert bench.firmware.status_words()[26] == 1
    (reply,) = frames(slave.feed(request(3)))
    assert words(reply.payload)[26] == 1


def test_empty_frames_are_ignored(bench: Any, slave: Any) -> None:
    assert slave.feed(b"\0\0\0") == b""
    assert bench.firmware.bad_frames == 0


def test_the_count_of_bad_frames_wraps_and_is_shared_by_the_lines(bench: Any) -> None:
    bench.firmware.bad_frames = 65534
    for _ in range(3):
        SerialSlave(bench.firmware).feed(BAD["CRC"])
    assert bench.firmware.status_words()[26] == 1


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.integers(1, 40), max_size=20), st.sampled_from(["", "0000", "ff00", "0102030400"]))
def test_however_the_bytes_are_cut_the_replies_are_the_same(new_bench: Any, cuts: Any, garbage: Any) -> None:
    bench = new_bench()
    stream = bytes.fromhex(garbage) + request(1) + request(3) + exchange(bench.host.words()) + request(9) + request(3)
    whole = SerialSlave(new_bench().firmware).feed(stream)
    slave, replies = SerialSlave(bench.firmware), b""
    for cut in cuts:
        replies += slave.feed(stream[:cut])
        stream = stream[cut:]
    assert replies + slave.feed(stream) == whole


def test_dead_directions(bench: Any, slave: Any) -> None:
    bench.firmware.quirks.drop_requests = True
    assert slave.feed(exchange(bench.host.words(Mode.OFF, lease_ms=0))) == b""
    epoch = bench.firmware.lease.epoch
    bench.firmware.quirks.drop_requests = False
    bench.firmware.quirks.drop_replies = True
    assert slave.feed(exchange(bench.host.words(Mode.OFF, lease_ms=0))) == b""
    assert bench.firmware.lease.epoch == epoch + 1


# --- golden vectors -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", of_kind("order"), ids=lambda vector: vector["name"])
def test_the_wand_decodes_every_order_vector(vector: Any) -> None:
    order, values = read_order(vector["words"]), vector["values"]
    assert order.words == tuple(vector["words"])
    assert (order.sequence, order.mode, order.setpoint_degc, order.lease_ms, order.echo) == tuple(
        values[name] for name in ("order_number", "mode", "order_setpoint_degc", "lease_ms", "echo")
    )
    assert (order.boot_id, order.token, order.key) == tuple(
        values[name] for name in ("order_boot_id", "order_token", "reset_key")
    )


@pytest.mark.parametrize("vector", of_kind("frame", direction="request"), ids=lambda vector: vector["name"])
def test_the_wand_answers_every_request_vector_with_its_sequence(slave: Any, vector: Any) -> None:
    expected = vector["frames"][0]
    (reply,) = frames(slave.feed(bytes.fromhex(vector["bytes"])))
    assert reply.sequence == expected["sequence"]
    assert reply.type in {expected["type"] | 0x80, 0xFF}


ERRORS = [v for v in of_kind("frame", direction="reply") if v["frames"][0]["type"] == 0xFF]


@pytest.mark.parametrize("vector", ERRORS, ids=lambda vector: vector["name"])
def test_the_wand_encodes_every_error_vector(vector: Any) -> None:
    (frame,) = vector["frames"]
    code, refusal = bytes.fromhex(frame["payload"])
    asked = Frame(2, frame["sequence"], b"")
    error = serial_slave._error(asked, serial_slave.ErrorCode(code), Refusal(refusal))
    assert encode_frame(error) == bytes.fromhex(vector["bytes"])


CARRIERS = [v for v in of_kind("frame", direction="reply") if "carries" in v]


@pytest.mark.parametrize("vector", CARRIERS, ids=lambda vector: vector["name"])
def test_the_wand_encodes_every_block_reply_vector(vector: Any) -> None:
    (frame,) = vector["frames"]
    (block,) = [other for other in VECTORS if other["name"] == vector["carries"]]
    reply = serial_slave._reply(Frame(frame["type"] & 0x7F, frame["sequence"], b""), block["words"])
    assert encode_frame(reply) == bytes.fromhex(vector["bytes"])


@pytest.mark.parametrize("vector", of_kind("stream", direction="request"), ids=lambda vector: vector["name"])
def test_the_wand_counts_and_answers_every_stream_vector(bench: Any, slave: Any, vector: Any) -> None:
    data = b"".join(bytes.fromhex(chunk) for chunk in vector["chunks"])
    replies = frames(slave.feed(data))
    assert [reply.sequence for reply in replies] == [f["sequence"] for f in vector["frames"] if f["type"] < 0x80]
    assert bench.firmware.bad_frames == vector["bad_frames"]
