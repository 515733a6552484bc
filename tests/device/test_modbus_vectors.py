"""The host's side of Modbus against the golden vectors: its requests to the byte, every reply taken for what it is."""

import struct
import tomllib
from pathlib import Path
from typing import Any

import pytest

from cryodevice.device import modbus_codec as codec
from cryodevice.device.modbus_framing import Framing, RtuFraming, TcpFraming
from cryodevice.quantities import Seconds
from cryodevice.wire.blocks import Order, unpack_identity, unpack_order, unpack_status

FOLDER = Path(__file__).parents[1] / "wire" / "vectors"
VECTORS: dict[str, dict[str, Any]] = {
    vector["name"]: vector
    for path in sorted(FOLDER.glob("*.toml"))
    for vector in tomllib.loads(path.read_text())["vector"]
}
MODBUS = [vector for vector in VECTORS.values() if vector["kind"] == "modbus"]
REPLIES = [vector for vector in MODBUS if vector["direction"] == "reply"]


def order_of(vector: dict[str, Any]) -> Order:
    order, _ = unpack_order(VECTORS[vector["writes"]]["words"])
    assert order is not None
    return order


MADE = {
    "modbus-rtu-read-identity": codec.IDENTIFY,
    "modbus-rtu-read-status-as-input": codec.READ_STATUS,
    "modbus-rtu-exchange": codec.exchange_request(order_of(VECTORS["modbus-rtu-exchange"])),
    "modbus-rtu-stop": codec.write_request(order_of(VECTORS["modbus-rtu-stop"])),
    "modbus-tcp-exchange": codec.exchange_request(order_of(VECTORS["modbus-tcp-exchange"])),
}
"""Requests this host makes, by the vector that says how."""


def request_of(vector: dict[str, Any]) -> codec.Request:
    """A request of this body, and what the standard says its reply looks like."""
    body = bytes.fromhex(vector["pdu"])
    if body[0] in {3, 4, 23}:
        count = int.from_bytes(body[3:5], "big")
        head, size = bytes([body[0], 2 * count & 0xFF]), 2 + 2 * count
    else:
        head, size = body[:5], 5
    return codec.Request(vector["name"], body, head, size)


def asking(vector: dict[str, Any], request: codec.Request) -> tuple[Framing, bytes]:
    """A line on which the request of this vector is outstanding, and the frame that was sent."""
    if vector["line"] == "rtu":
        rtu = RtuFraming(vector["unit"], Seconds(0.0))
        return rtu, rtu.begin(request)
    tcp = TcpFraming(vector["unit"])
    tcp._number = (vector["transaction"] - 1) % 0x10000
    return tcp, tcp.begin(request)


@pytest.mark.parametrize(("name", "request_made"), MADE.items())
def test_each_request_this_host_makes_is_its_vector(name: str, request_made: codec.Request) -> None:
    assert request_made.body == bytes.fromhex(VECTORS[name]["pdu"])
    assert asking(VECTORS[name], request_made)[1] == bytes.fromhex(VECTORS[name]["bytes"])


@pytest.mark.parametrize(
    "vector",
    # Transaction 0 is a number this host never gives.
    [v for v in MODBUS if v["direction"] == "request" and v.get("transaction") != 0],
    ids=lambda vector: vector["name"],
)
def test_any_request_is_framed_to_the_byte(vector: dict[str, Any]) -> None:
    assert asking(vector, request_of(vector))[1] == bytes.fromhex(vector["bytes"])


@pytest.mark.parametrize("vector", REPLIES, ids=lambda vector: vector["name"])
def test_every_reply_is_taken_for_what_it_is(vector: dict[str, Any]) -> None:
    asked = VECTORS[vector["answers"]]
    request = MADE.get(asked["name"], request_of(asked))
    framing, _ = asking(asked, request)
    if vector.get("transaction") == 0:
        framing._number = 0
    reply = framing.feed(bytes.fromhex(vector["bytes"]))
    assert reply == bytes.fromhex(vector["pdu"])
    if "exception" in vector:
        with pytest.raises(codec.ExceptionReplyError) as caught:
            codec.verify(request, reply)
        assert caught.value.code == vector["exception"]
        return
    codec.verify(request, reply)
    if "carries" in vector:
        count = request.head[1] // 2
        words = codec.words_of(request, reply)
        assert list(words) == list(struct.unpack(f">{count}H", bytes.fromhex(vector["pdu"])[2:]))


def test_the_blocks_in_the_replies_are_the_block_vectors() -> None:
    identity = codec.identity_of(bytes.fromhex(VECTORS["modbus-rtu-identity"]["pdu"]))
    assert identity == unpack_identity(VECTORS["identity-plate"]["words"])
    for line in ("rtu", "tcp"):
        asked = VECTORS[f"modbus-{line}-exchange"]
        reply = bytes.fromhex(VECTORS[f"modbus-{line}-exchanged"]["pdu"])
        status = codec.status_after(MADE[asked["name"]], reply, order_of(asked))
        assert status == unpack_status(VECTORS["status-cooling"]["words"])
