"""The blocks as records: held to the register table, and what they refuse."""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from types import NoneType, UnionType
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryodevice.errors import WireError
from cryodevice.quantities import Celsius
from cryodevice.wire import blocks, registers
from cryodevice.wire.blocks import Identity, Order, Status
from cryodevice.wire.codes import Capability, Fault, Flag, Mode
from cryodevice.wire.registers import RESET_KEY, Field

Vector = dict[str, Any]

# Where two blocks share a word, the table has a longer name than the record.
SHORT = {
    Identity: {},
    Status: {"boot_id_now": "boot_id"},
    Order: {
        "order_number": "sequence",
        "order_setpoint_degc": "setpoint_degc",
        "order_boot_id": "boot_id",
        "order_token": "token",
    },
}
RECORDS = [(Identity, registers.IDENTITY), (Status, registers.STATUS), (Order, registers.ORDER)]
NAMED = [
    pytest.param(record, field, id=f"{record.__name__}.{field.name}")
    for record, table in RECORDS
    for field in table
    if "reserved" not in field.name
]

ARMED = Status(
    sequence=0x1200,
    uptime_ms=100_000,
    state=1,
    flags=Flag.LEASE_LIVE | Flag.RELAY_CLOSED,
    faults=Fault(0),
    trip_code=0,
    plate_a_degc=23.1,
    plate_b_degc=23.09,
    skin_ir_degc=None,
    sink_degc=24.2,
    ambient_degc=22.55,
    humidity_pct=45.01,
    drive_ma=0,
    drive_mv=0,
    fan_rpm=3000,
    lease_remaining_ms=480,
    setpoint_degc=None,
    order_sequence=6,
    supply_kpa=None,
    distance_mm=None,
    token=0xBEEF,
    order_epoch=17,
    last_refusal=0,
    refusals=0,
    bad_frames=0,
    cooling_s=0,
    boot_id=3,
)
COOL = Order(sequence=7, mode=Mode.COOL, setpoint_degc=Celsius(8.0), lease_ms=500, echo=0x1234, boot_id=3, token=0xBEEF)
STOP = Order(sequence=9, mode=Mode.OFF, setpoint_degc=Celsius(0.0), lease_ms=0, echo=0, boot_id=3, token=0xBEEF)


@pytest.mark.parametrize(("record", "table"), RECORDS)
def test_a_record_has_the_fields_of_its_table_in_their_order(record: type[Any], table: Sequence[Field]) -> None:
    named = [SHORT[record].get(field.name, field.name) for field in table if "reserved" not in field.name]
    assert [field.name for field in fields(record)] == named


@pytest.mark.parametrize(("record", "field"), NAMED)
def test_a_record_field_has_the_type_its_row_says(record: type[Any], field: Field) -> None:
    hint = get_type_hints(record)[SHORT[record].get(field.name, field.name)]
    parts = set(get_args(hint)) if isinstance(hint, UnionType) or get_args(hint) else {hint}
    assert (NoneType in parts) == field.optional
    [plain] = parts - {NoneType}
    if field.unit == "degC":
        assert plain is Celsius
    elif field.scale != 1:
        assert plain is float
    else:
        assert issubclass(getattr(plain, "__supertype__", plain), int)


@pytest.mark.parametrize(("record", "field"), NAMED)
def test_a_decoded_field_has_the_type_its_hint_says(
    record: type[Any], field: Field, vectors: Callable[[str], list[Vector]]
) -> None:
    name = SHORT[record].get(field.name, field.name)
    unpack = {
        Identity: blocks.unpack_identity,
        Status: blocks.unpack_status,
        Order: lambda words: blocks.unpack_order(words)[0],
    }[record]
    got = [unpack(vector["words"]) for vector in vectors(record.__name__.lower()) if vector.get("encode", True)]
    kinds = {type(getattr(one, name)) for one in got} - {NoneType}
    [kind] = kinds or [NoneType]
    if field.scale != 1:
        assert kind is float
    else:
        assert kind is NoneType or issubclass(kind, int)


def test_the_firmware_version_reads_as_people_write_it(vectors: Callable[[str], list[Vector]]) -> None:
    by_name = {vector["name"]: blocks.unpack_identity(vector["words"]).firmware for vector in vectors("identity")}
    assert by_name["identity-plate"] == "1.2.3"
    assert by_name["identity-simulated"] == "10.11.0"


@pytest.mark.parametrize(
    ("unpack", "count"), [(blocks.unpack_identity, 24), (blocks.unpack_status, 32), (blocks.unpack_order, 8)]
)
def test_a_block_of_another_length_is_refused(unpack: Callable[[list[int]], object], count: int) -> None:
    for wrong in (0, count - 1, count + 1):
        with pytest.raises(WireError, match=f"{count} registers"):
            unpack([0] * wrong)


@given(st.lists(st.integers(0, 0xFFFF), min_size=32, max_size=32))
def test_any_status_words_decode_and_lose_only_what_has_no_name(words: list[int]) -> None:
    status = blocks.unpack_status(words)
    again = blocks.pack_status(status)
    expected = [*words[:29], 0, 0, 0]
    expected[4] &= 0x03FF
    expected[5] &= 0x001F
    assert again == expected


@given(st.lists(st.integers(0, 0xFFFF), min_size=24, max_size=24))
def test_any_identity_words_decode_and_lose_only_what_has_no_name(words: list[int]) -> None:
    again = blocks.pack_identity(blocks.unpack_identity(words))
    expected = [*words[:21], 0, 0, 0]
    expected[3] &= 0x07FF
    expected[9] = min(expected[9], 1)
    assert again == expected


@given(st.lists(st.integers(0, 0xFFFF), min_size=8, max_size=8))
def test_any_order_words_decode_or_keep_their_raw_values(words: list[int]) -> None:
    order, raw = blocks.unpack_order(words)
    assert registers.pack(registers.ORDER, raw) == words
    assert (order is None) == (words[1] > 2)
    if order is not None and order.token:
        assert blocks.pack_order(order) == words


def test_every_named_bit_survives_and_no_other() -> None:
    words = blocks.pack_status(ARMED)
    words[4:7] = [0xFFFF, 0xFFFF, 0xFFFF]
    status = blocks.unpack_status(words)
    assert set(status.flags) == set(Flag)
    assert set(status.faults) == set(Fault)
    assert int(status.flags) == sum(Flag)
    assert int(status.faults) == sum(Fault)
    assert int(Capability(0x07FF)) == sum(Capability)


@pytest.mark.parametrize(
    ("change", "stop"),
    [
        ({}, True),
        ({"token": 0}, True),
        ({"setpoint_degc": 8.0}, True),
        ({"mode": Mode.COOL}, False),
        ({"mode": Mode.WARM}, False),
        ({"lease_ms": 1}, False),
        ({"reset_key": RESET_KEY}, False),
    ],
)
def test_what_a_stop_is(change: dict[str, Any], stop: bool) -> None:
    assert replace(STOP, **change).is_stop is stop


def test_a_stop_may_go_without_a_token_and_nothing_else_may() -> None:
    assert blocks.pack_order(replace(STOP, token=0)) == [9, 0, 0, 0, 0, 3, 0, 0]
    for order in (COOL, replace(STOP, lease_ms=500), replace(STOP, reset_key=RESET_KEY)):
        with pytest.raises(WireError, match="token"):
            blocks.pack_order(replace(order, token=0))


@pytest.mark.parametrize(
    "change",
    [
        {"setpoint_degc": float("nan")},
        {"setpoint_degc": 400.0},
        {"lease_ms": 65536},
        {"lease_ms": -1},
        {"sequence": 65536},
        {"echo": -1},
        {"boot_id": 1 << 16},
        {"token": 1 << 16},
    ],
)
def test_an_order_that_does_not_fit_is_not_sent(change: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        blocks.pack_order(replace(COOL, **change))


@pytest.mark.parametrize(
    "change", [{"plate_a_degc": float("inf")}, {"uptime_ms": 1 << 32}, {"token": None}, {"fan_rpm": 65535}]
)
def test_a_status_that_does_not_fit_is_not_sent(change: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        blocks.pack_status(replace(ARMED, **change))
