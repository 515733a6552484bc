"""The kit's own host codec against the golden vectors; it shares no line with the daemon's or the wand's."""

import tomllib
from pathlib import Path

import pytest

from firmware_sim.conformance import modbus_codec, serial_codec
from firmware_sim.conformance.blocks import Order, read_identity, read_status

FOLDER = Path(__file__).parents[2] / "wire" / "vectors"
VECTORS = [v for path in sorted(FOLDER.glob("*.toml")) for v in tomllib.loads(path.read_text())["vector"]]
NAMED = {"capabilities": (1 << 11) - 1, "flags": (1 << 10) - 1, "faults": (1 << 21) - 1}
BY_NAME = {vector["name"]: vector for vector in VECTORS}


def of(*kinds):
    chosen = [vector for vector in VECTORS if vector["kind"] in kinds]
    assert chosen
    return pytest.mark.parametrize("vector", chosen, ids=[vector["name"] for vector in chosen])


def words(vector):
    return b"".join(word.to_bytes(2, "big") for word in vector["words"])


@of("identity", "status")
def test_blocks_read_as_the_vectors_say(vector):
    block = (read_identity if vector["kind"] == "identity" else read_status)(words(vector))
    for name, value in vector["values"].items():
        seen = getattr(block, name)
        if name == "simulated":
            seen = int(seen != 0)
        if name in NAMED:
            seen &= NAMED[name]  # the kit keeps bits without a name: WIRE-08 wants them 0
        assert seen == (None if value == "n/a" else value), name


@of("order")
def test_orders_are_written_as_the_vectors_say(vector):
    names = {"order_number": "number", "order_setpoint_degc": "setpoint", "order_boot_id": "boot_id"}
    names |= {"order_token": "token", "reset_key": "key"}
    values = {names.get(name, name): value for name, value in vector["values"].items()}
    values["setpoint"] = round(values["setpoint"] * 100)
    assert Order(**values).bytes == words(vector)


@of("frame")
def test_frames_both_ways(vector):
    raw = bytes.fromhex(vector["bytes"])
    (frame,) = vector["frames"]
    seen = (frame["type"], frame["sequence"], bytes.fromhex(frame["payload"]))
    assert serial_codec.Frames().feed(raw) == [serial_codec.Frame(*seen)]
    assert serial_codec.request(*seen) == raw


@of("stream")
def test_streams_whole_and_byte_by_byte(vector):
    raw = b"".join(map(bytes.fromhex, vector["chunks"]))
    expected = [
        serial_codec.Frame(frame["type"], frame["sequence"], bytes.fromhex(frame["payload"]))
        for frame in vector["frames"]
    ]
    for size in (len(raw), 1, 7):
        frames = serial_codec.Frames()
        seen = [frame for at in range(0, len(raw), size) for frame in frames.feed(raw[at : at + size])]
        assert (seen, frames.bad) == (expected, vector["bad_frames"])


@of("modbus")
def test_modbus_frames(vector):
    raw, pdu = bytes.fromhex(vector["bytes"]), bytes.fromhex(vector["pdu"])
    framing = modbus_codec.Rtu() if vector["line"] == "rtu" else modbus_codec.Tcp()
    if vector["direction"] == "request":
        assert framing.wrap(pdu, vector["unit"], vector.get("transaction", 0)) == raw
        return
    for size in (len(raw), 1):
        seen = [reply for at in range(0, len(raw), size) for reply in framing.feed(raw[at : at + size])]
        assert seen == [modbus_codec.Reply(vector.get("transaction"), vector["unit"], pdu)]


def test_a_writing_request_is_made_of_its_order():
    requests = [vector for vector in VECTORS if vector["kind"] == "modbus" and "writes" in vector]
    assert requests
    for vector in requests:
        data, pdu = words(BY_NAME[vector["writes"]]), bytes.fromhex(vector["pdu"])
        made = {16: modbus_codec.write_many(0x200, data), 23: modbus_codec.read_write(0x100, 32, 0x200, data)}
        assert made[pdu[0]] == pdu


def test_a_block_of_the_wrong_size_is_refused():
    for reader, size in ((read_identity, 48), (read_status, 64)):
        with pytest.raises(Exception, match=f"has {size} bytes, this one {size - 1}"):
            reader(b"\0" * (size - 1))
