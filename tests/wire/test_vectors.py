"""Every golden vector against cryodevice.wire, both ways; and that the vectors cover what they must."""

import struct
from collections.abc import Callable
from enum import IntEnum, IntFlag
from typing import Any

import pytest

from cryodevice.wire import blocks, registers
from cryodevice.wire.codes import Applicator, Capability, Fault, Flag, Mode, Refusal, State, Trip
from cryodevice.wire.frame import ErrorCode, Frame, FrameReader, FrameType, decode_frame, encode_frame

Vector = dict[str, Any]

TABLES = {"identity": registers.IDENTITY, "status": registers.STATUS, "order": registers.ORDER}


def frames_of(vector: Vector) -> list[Frame]:
    return [Frame(frame["type"], frame["sequence"], bytes.fromhex(frame["payload"])) for frame in vector["frames"]]


@pytest.mark.req("R-H21-1")
def test_a_block_vector_decodes_and_encodes(block_vector: Vector, check_block: Callable[[Vector], None]) -> None:
    check_block(block_vector)


def test_a_block_vector_names_every_field(block_vector: Vector) -> None:
    table = TABLES[block_vector["kind"]]
    assert list(block_vector["values"]) == [field.name for field in table if "reserved" not in field.name]


@pytest.mark.req("R-H21-1")
def test_a_frame_vector_decodes_and_encodes(frame_vector: Vector) -> None:
    encoded = bytes.fromhex(frame_vector["bytes"])
    [frame] = frames_of(frame_vector)
    assert decode_frame(encoded[:-1]) == frame
    assert encode_frame(frame) == encoded


def test_a_frame_vector_carries_the_block_it_says(frame_vector: Vector, vectors: Callable[[str], list[Vector]]) -> None:
    carried = frame_vector.get("carries")
    if carried is None:
        return
    [frame] = frames_of(frame_vector)
    [block] = [vector for kind in TABLES for vector in vectors(kind) if vector["name"] == carried]
    assert list(struct.unpack(f">{len(frame.payload) // 2}H", frame.payload)) == block["words"]


def test_a_frame_vector_has_the_direction_its_type_says(frame_vector: Vector) -> None:
    [frame] = frames_of(frame_vector)
    assert (frame_vector["direction"] == "reply") == bool(frame.type & 0x80)


def test_a_stream_vector_gives_its_frames(stream_vector: Vector) -> None:
    reader = FrameReader()
    got = [frame for chunk in stream_vector["chunks"] for frame in reader.feed(bytes.fromhex(chunk))]
    assert got == frames_of(stream_vector)
    assert reader.bad_frames == stream_vector["bad_frames"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
def test_a_stream_vector_gives_the_same_however_it_is_cut(stream_vector: Vector, size: int) -> None:
    line = b"".join(bytes.fromhex(chunk) for chunk in stream_vector["chunks"])
    reader = FrameReader()
    got = [frame for start in range(0, len(line), size) for frame in reader.feed(line[start : start + size])]
    assert (got, reader.bad_frames) == (frames_of(stream_vector), stream_vector["bad_frames"])


def test_names_are_unique(vectors: Callable[[str], list[Vector]]) -> None:
    names = [vector["name"] for kind in (*TABLES, "frame", "stream") for vector in vectors(kind)]
    assert len(names) == len(set(names))
    assert len(names) >= 36


@pytest.mark.parametrize(
    ("kind", "field", "codes"),
    [
        ("identity", "applicator", Applicator),
        ("status", "state", State),
        ("status", "trip_code", Trip),
        ("status", "last_refusal", Refusal),
        ("order", "mode", Mode),
    ],
)
def test_every_code_stands_in_a_vector(
    vectors: Callable[[str], list[Vector]], kind: str, field: str, codes: type[IntEnum]
) -> None:
    assert set(codes) <= {vector["values"][field] for vector in vectors(kind)}


@pytest.mark.parametrize(
    ("kind", "field", "bits"),
    [("identity", "capabilities", Capability), ("status", "flags", Flag), ("status", "faults", Fault)],
)
def test_every_bit_is_set_and_clear_and_told_from_its_neighbours(
    vectors: Callable[[str], list[Vector]], kind: str, field: str, bits: type[IntFlag]
) -> None:
    seen = [vector["values"][field] for vector in vectors(kind)]
    columns = {bit: tuple(bool(value & bit) for value in seen) for bit in bits}
    assert all(any(column) and not all(column) for column in columns.values())
    assert len(set(columns.values())) == len(columns)


def test_every_optional_field_is_not_available_in_a_vector(vectors: Callable[[str], list[Vector]]) -> None:
    absent = {name for vector in vectors("status") for name, value in vector["values"].items() if value == "n/a"}
    assert absent == {field.name for field in registers.STATUS if field.optional}


@pytest.mark.parametrize(
    "counter",
    ["sequence", "uptime_ms", "order_sequence", "order_epoch", "refusals", "bad_frames", "cooling_s"],
)
def test_every_counter_stands_before_and_after_its_wrap(vectors: Callable[[str], list[Vector]], counter: str) -> None:
    at = {vector["name"]: vector["values"][counter] for vector in vectors("status")}
    width = registers.FIELDS[counter].width
    assert at["status-before-wrap"] == (1 << 16 * width) - 1
    assert at["status-after-wrap"] < 20


def test_every_frame_type_and_error_stands_in_a_vector(vectors: Callable[[str], list[Vector]]) -> None:
    frames = [frame for vector in vectors("frame") for frame in frames_of(vector)]
    requests = {FrameType.IDENTIFY, FrameType.EXCHANGE, FrameType.READ_STATUS}
    assert requests | {kind | 0x80 for kind in requests} | {FrameType.ERROR} <= {frame.type for frame in frames}
    errors = {tuple(frame.payload) for frame in frames if frame.type == FrameType.ERROR}
    refused = {(ErrorCode.REFUSED, refusal) for refusal in Refusal if refusal is not Refusal.NONE}
    assert errors == refused | {(ErrorCode.UNKNOWN_TYPE, 0), (ErrorCode.BAD_LENGTH, 0)}


def test_the_stops_among_the_orders_are_known_as_such(vectors: Callable[[str], list[Vector]]) -> None:
    stops = {
        vector["name"]
        for vector in vectors("order")
        if (order := blocks.unpack_order(vector["words"])[0]) is not None and order.is_stop
    }
    assert stops == {"order-stop", "order-stop-without-token"}
