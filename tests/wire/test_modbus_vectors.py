"""The golden vectors of Modbus are sound in themselves: CRC, header, counts and blocks, by definitions written here."""

import struct
from collections.abc import Callable
from typing import Any

import pytest

from tests.wire.conftest import BLOCK_KINDS, load

Vector = dict[str, Any]
MODBUS = load("modbus")
BY_NAME = {vector["name"]: vector for vector in MODBUS}
BLOCKS = {vector["name"]: vector for kind in BLOCK_KINDS for vector in load(kind)}
BASES = {"identity": 0x0000, "status": 0x0100, "order": 0x0200}


def crc(data: bytes) -> bytes:
    """CRC-16/MODBUS one bit at a time, low byte first."""
    register = 0xFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0xA001 if register & 1 else 0)
    return struct.pack("<H", register)


def test_the_crc_of_these_tests_has_its_check_value() -> None:
    assert crc(b"123456789") == bytes((0x37, 0x4B))


@pytest.mark.parametrize("vector", MODBUS, ids=lambda vector: vector["name"])
def test_a_frame_is_its_pdu_in_the_envelope_of_its_line(vector: Vector) -> None:
    body = bytes([vector["unit"]]) + bytes.fromhex(vector["pdu"])
    header = b"" if vector["line"] == "rtu" else struct.pack(">HHH", vector["transaction"], 0, len(body))
    tail = crc(body) if vector["line"] == "rtu" else b""
    assert bytes.fromhex(vector["bytes"]) == header + body + tail


WRITERS = [vector for vector in MODBUS if "writes" in vector]


@pytest.mark.parametrize("vector", WRITERS, ids=lambda vector: vector["name"])
def test_an_order_is_written_whole(vector: Vector) -> None:
    pdu = bytes.fromhex(vector["pdu"])
    order = struct.pack(">HHB8H", 0x0200, 8, 16, *BLOCKS[vector["writes"]]["words"])
    assert pdu == (b"\x17\x01\x00\x00\x20" if pdu[0] == 23 else b"\x10") + order


REPLIES = [vector for vector in MODBUS if vector["direction"] == "reply"]


@pytest.mark.parametrize("vector", REPLIES, ids=lambda vector: vector["name"])
def test_a_reply_belongs_to_its_request(vector: Vector) -> None:
    request = BY_NAME[vector["answers"]]
    asked, reply = bytes.fromhex(request["pdu"]), bytes.fromhex(vector["pdu"])
    same = ("line", "unit", "transaction")
    assert [request.get(key) for key in same] == [vector.get(key) for key in same]
    if "exception" in vector:
        assert reply == bytes((asked[0] | 0x80, vector["exception"]))
    elif "carries" in vector:
        block = BLOCKS[vector["carries"]]
        start, count = struct.unpack_from(">HH", asked, 1)
        first = start - BASES[block["kind"]]
        assert reply == struct.pack(f">BB{count}H", asked[0], 2 * count, *block["words"][first : first + count])
    else:
        assert reply == asked[:5]


def test_every_function_line_and_exception_stands_in_a_vector(vectors: Callable[[str], list[Vector]]) -> None:
    assert len(MODBUS) == len(BY_NAME) == len(vectors("modbus"))
    good = {(v["direction"], bytes.fromhex(v["pdu"])[0]) for v in MODBUS if v["line"] == "rtu" and "exception" not in v}
    assert good >= {("request", function) for function in (3, 4, 6, 16, 23)}
    assert good >= {("reply", function) for function in (3, 4, 6, 16, 23)}
    assert {vector["exception"] for vector in REPLIES if "exception" in vector} == {1, 2, 3}
    assert {(vector["line"], vector["direction"]) for vector in MODBUS} == {
        (line, direction) for line in ("rtu", "tcp") for direction in ("request", "reply")
    }
