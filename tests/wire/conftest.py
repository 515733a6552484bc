"""The golden vectors as fixtures, and the one check every block vector must pass."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from cryodevice.wire import blocks
from cryodevice.wire.codes import Capability, Fault, Flag, Mode

# The same examples each run, and no clock: a busy machine must not fail a test.
settings.register_profile("wire", deadline=None, derandomize=True)
settings.load_profile("wire")

Vector = dict[str, Any]
FOLDER = Path(__file__).with_name("vectors")
KINDS = ("identity", "status", "order", "frame", "stream")
BLOCK_KINDS = ("identity", "status", "order")
ORDER_NAMES = {
    "order_number": "sequence",
    "order_setpoint_degc": "setpoint_degc",
    "order_boot_id": "boot_id",
    "order_token": "token",
}
TYPES = {"capabilities": Capability, "flags": Flag, "faults": Fault, "simulated": bool}


def load(kind: str) -> list[Vector]:
    files = sorted(FOLDER.glob("*.toml"))
    every = [vector for path in files for vector in tomllib.loads(path.read_text(encoding="utf-8"))["vector"]]
    return [vector for vector in every if vector["kind"] == kind]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for kind in KINDS:
        if f"{kind}_vector" in metafunc.fixturenames:
            metafunc.parametrize(f"{kind}_vector", load(kind), ids=lambda vector: vector["name"])
    if "block_vector" in metafunc.fixturenames:
        every = [vector for kind in BLOCK_KINDS for vector in load(kind)]
        metafunc.parametrize("block_vector", every, ids=lambda vector: vector["name"])


@pytest.fixture(scope="session")
def vectors() -> Callable[[str], list[Vector]]:
    return load


def values_of(vector: Vector) -> dict[str, Any]:
    """Engineering values of a block vector, 'n/a' as None."""
    return {name: None if value == "n/a" else value for name, value in vector["values"].items()}


def record_values(vector: Vector) -> dict[str, Any]:
    """The vector's values under the names and types of the record in ``blocks``."""
    names = {**ORDER_NAMES} if vector["kind"] == "order" else {"boot_id_now": "boot_id"}
    return {
        names.get(name, name): TYPES[name](value) if name in TYPES else value
        for name, value in values_of(vector).items()
    }


def check_block_vector(vector: Vector) -> None:
    """Decode and encode one block vector; raises AssertionError or WireError where the codec differs from it."""
    words, expected = vector["words"], record_values(vector)
    if vector["kind"] == "order":
        record, raw = blocks.unpack_order(words)
        assert raw == values_of(vector)
        if expected["mode"] not in set(Mode):
            assert record is None
            return
        expected["mode"] = Mode(expected["mode"])
        record_type, pack = blocks.Order, blocks.pack_order
    elif vector["kind"] == "status":
        record, record_type, pack = blocks.unpack_status(words), blocks.Status, blocks.pack_status
    else:
        record, record_type, pack = blocks.unpack_identity(words), blocks.Identity, blocks.pack_identity
    assert record == record_type(**expected)
    if vector.get("encode", True):
        assert pack(record_type(**expected)) == words


@pytest.fixture(scope="session")
def check_block() -> Callable[[Vector], None]:
    return check_block_vector
