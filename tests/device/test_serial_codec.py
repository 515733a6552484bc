"""The host's codec against the golden vectors, and what it makes of replies that are not in them."""

import struct
import tomllib
from pathlib import Path
from typing import Any

import pytest

from cryodevice.device import serial_codec as codec
from cryodevice.errors import IdentityError, OrderRefusedError, WireError
from cryodevice.wire.blocks import Identity, Order, Status, unpack_identity, unpack_order, unpack_status
from cryodevice.wire.codes import Refusal
from cryodevice.wire.frame import Frame, FrameReader, FrameType

FOLDER = Path(__file__).parents[1] / "wire" / "vectors"
VECTORS: dict[str, dict[str, Any]] = {
    vector["name"]: vector
    for path in sorted(FOLDER.glob("*.toml"))
    for vector in tomllib.loads(path.read_text())["vector"]
}
BY_BLOCK_NAME = {"boot_id": "boot_id_now"}
OF_ORDER = {
    "sequence": "order_number",
    "setpoint_degc": "order_setpoint_degc",
    "boot_id": "order_boot_id",
    "token": "order_token",
}


def of_kind(kind: str, direction: str = "") -> list[Any]:
    return [
        pytest.param(vector, id=name)
        for name, vector in VECTORS.items()
        if vector["kind"] == kind and vector.get("direction", "") == direction
    ]


def frame_of(row: dict[str, Any]) -> Frame:
    return Frame(row["type"], row["sequence"], bytes.fromhex(row["payload"]))


def a_status_frame(order_sequence: int, lease_ms: int = 0) -> Frame:
    words = list(VECTORS["status-cooling"]["words"])
    words[19], words[17] = order_sequence, lease_ms
    return Frame(0x82, 1, struct.pack(">32H", *words))


def an_order(name: str) -> Order:
    order, _ = unpack_order(VECTORS[name]["words"])
    assert order is not None
    return order


def agree(record: Identity | Status, values: dict[str, Any], names: dict[str, str]) -> None:
    for name in record.__dataclass_fields__:
        value, expected = getattr(record, name), values[names.get(name, name)]
        assert value == (None if expected == "n/a" else expected), name


def test_there_are_vectors_for_the_host() -> None:
    assert len(of_kind("frame", "request")) >= 8
    assert len(of_kind("frame", "reply")) >= 15
    assert len(of_kind("stream", "reply")) >= 1


@pytest.mark.parametrize("vector", of_kind("frame", "request"))
def test_requests_are_sent_as_written(vector: dict[str, Any]) -> None:
    row = vector["frames"][0]
    sent = bytes.fromhex(vector["bytes"])
    if row["type"] == FrameType.IDENTIFY and not row["payload"]:
        assert codec.identify_request(row["sequence"]) == sent
    elif row["type"] == FrameType.READ_STATUS and not row["payload"]:
        assert codec.status_request(row["sequence"]) == sent
    elif "carries" in vector:
        assert codec.exchange_request(row["sequence"], an_order(vector["carries"])) == sent
    else:
        # Requests a host never makes: this one has no words for them.
        assert row["type"] not in set(FrameType) or row["payload"]


@pytest.mark.parametrize("vector", of_kind("frame", "reply"))
def test_replies_are_read_as_written(vector: dict[str, Any]) -> None:
    (frame,) = FrameReader().feed(bytes.fromhex(vector["bytes"]))
    assert frame == frame_of(vector["frames"][0])
    if frame.type == FrameType.ERROR:
        order = an_order("order-cool")
        with pytest.raises(OrderRefusedError if frame.payload[0] == 4 else WireError) as caught:
            codec.status_after(frame, order)
        if frame.payload[0] == 4:
            assert caught.value.evidence["refusal"] == frame.payload[1]
            assert f"({frame.payload[1]})" in str(caught.value)
        return
    values = VECTORS[vector["carries"]]["values"]
    if frame.type == 0x81:
        agree(codec.identity_of(frame), values, {})
    else:
        agree(codec.status_of(frame), values, BY_BLOCK_NAME)


@pytest.mark.parametrize("vector", [*of_kind("stream", "reply"), *of_kind("stream", "request")])
@pytest.mark.parametrize("cut", ["as written", "byte by byte", "at once"])
def test_streams_give_their_frames_however_they_are_cut(vector: dict[str, Any], cut: str) -> None:
    chunks = [bytes.fromhex(chunk) for chunk in vector["chunks"]]
    if cut == "byte by byte":
        chunks = [bytes([byte]) for chunk in chunks for byte in chunk]
    elif cut == "at once":
        chunks = [b"".join(chunks)]
    reader = FrameReader()
    frames = [frame for chunk in chunks for frame in reader.feed(chunk)]
    assert frames == [frame_of(row) for row in vector["frames"]]
    assert reader.bad_frames == vector["bad_frames"]


@pytest.mark.parametrize("vector", of_kind("status"))
def test_every_status_is_read_as_written(vector: dict[str, Any]) -> None:
    frame = Frame(0x83, 0, struct.pack(">32H", *vector["words"]))
    # Bits without a name are not carried (WIRE-08); such vectors are for decoding by hand.
    if vector.get("encode", True):
        agree(codec.status_of(frame), vector["values"], BY_BLOCK_NAME)
    assert codec.status_of(frame) == unpack_status(vector["words"])


@pytest.mark.parametrize("vector", of_kind("identity"))
def test_every_identity_is_read_or_refused(vector: dict[str, Any]) -> None:
    frame = Frame(0x81, 0, struct.pack(">24H", *vector["words"]))
    if vector["values"]["magic"] == 0x4357 and vector["values"]["wire_version"] >> 8 == 1:
        assert codec.identity_of(frame) == unpack_identity(vector["words"])
    else:
        with pytest.raises(IdentityError):
            codec.identity_of(frame)


@pytest.mark.parametrize("vector", of_kind("order"))
def test_every_order_is_sent_as_written(vector: dict[str, Any]) -> None:
    order, _ = unpack_order(vector["words"])
    if order is None:
        assert vector["values"]["mode"] > 2
        return
    for name in Order.__dataclass_fields__:
        assert getattr(order, name) == vector["values"][OF_ORDER.get(name, name)]
    (frame,) = FrameReader().feed(codec.exchange_request(9, order))
    assert frame == Frame(FrameType.EXCHANGE, 9, struct.pack(">8H", *vector["words"]))


def test_only_the_same_sequence_and_type_answer() -> None:
    asked = FrameType.EXCHANGE
    assert codec.answers(Frame(0x82, 7, b""), asked, 7)
    assert codec.answers(Frame(0xFF, 7, b""), asked, 7)
    for frame in (Frame(0x82, 8, b""), Frame(0xFF, 8, b""), Frame(0x81, 7, b""), Frame(0x83, 7, b""), Frame(2, 7, b"")):
        assert not codec.answers(frame, asked, 7)


def test_a_status_answers_the_order_it_shows() -> None:
    cool, stop = an_order("order-cool"), an_order("order-stop")
    assert codec.status_after(a_status_frame(cool.sequence, 480), cool).order_sequence == cool.sequence
    for other in (cool.sequence - 1, cool.sequence + 1, 0):
        with pytest.raises(WireError, match="does not show order 7"):
            codec.status_after(a_status_frame(other, 480), cool)
    assert codec.status_after(a_status_frame(999), stop).lease_remaining_ms == 0
    with pytest.raises(WireError):
        codec.status_after(a_status_frame(stop.sequence, 1), stop)


def test_a_reset_must_be_shown_by_its_sequence() -> None:
    reset = an_order("order-reset")
    assert reset.reset_key
    with pytest.raises(WireError):
        codec.status_after(a_status_frame(reset.sequence - 1), reset)


def test_a_refusal_is_named() -> None:
    for code in Refusal:
        with pytest.raises(OrderRefusedError, match=code.name.replace("_", " ").lower()):
            codec.status_after(Frame(0xFF, 1, bytes([4, code])), an_order("order-cool"))
    with pytest.raises(OrderRefusedError, match=r"unknown reason \(200\)"):
        codec.status_after(Frame(0xFF, 1, bytes([4, 200])), an_order("order-cool"))


def test_an_order_that_fits_no_register_is_not_sent() -> None:
    order, _ = unpack_order(VECTORS["order-cool"]["words"])
    assert order is not None
    with pytest.raises(WireError, match="does not fit"):
        codec.exchange_request(
            0, Order(**{**{n: getattr(order, n) for n in order.__dataclass_fields__}, "lease_ms": 1 << 16})
        )
    with pytest.raises(WireError, match="finite"):
        codec.exchange_request(
            0, Order(**{**{n: getattr(order, n) for n in order.__dataclass_fields__}, "setpoint_degc": float("nan")})
        )
