"""The register table: its shape, and what a field's words mean, by table and by property."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryodevice.errors import WireError
from cryodevice.wire import registers
from cryodevice.wire.registers import FIELDS, IDENTITY, ORDER, STATUS, Access, Field, layout, pack, unpack

BLOCKS = [
    pytest.param(IDENTITY, registers.IDENTITY_BASE, registers.IDENTITY_COUNT, id="identity"),
    pytest.param(STATUS, registers.STATUS_BASE, registers.STATUS_COUNT, id="status"),
    pytest.param(ORDER, registers.ORDER_BASE, registers.ORDER_COUNT, id="order"),
]


@pytest.mark.parametrize(("block", "base", "count"), BLOCKS)
def test_a_block_has_no_hole_and_no_overlap(block: Sequence[Field], base: int, count: int) -> None:
    taken = [field.address + index for field in block for index in range(field.width)]
    assert taken == list(range(base, base + count))


def test_names_are_unique_and_every_field_is_in_the_index() -> None:
    rows = [*IDENTITY, *STATUS, *ORDER]
    assert len(FIELDS) == len(rows)
    assert all(FIELDS[field.name] is field for field in rows)


def test_only_the_order_may_be_written() -> None:
    assert {field.access for field in ORDER} == {Access.READ_WRITE}
    assert {field.access for field in (*IDENTITY, *STATUS)} == {Access.READ}


UNIT_SUFFIX = {
    "degC": "_degc",
    "ms": "_ms",
    "s": "_s",
    "%": "_pct",
    "mA": "_ma",
    "mV": "_mv",
    "rpm": "_rpm",
    "kPa": "_kpa",
    "mm": "_mm",
    "cm2": "_cm2",
    "d": "_day",
}


@pytest.mark.parametrize("field", FIELDS.values(), ids=lambda field: field.name)
def test_the_unit_is_in_the_name(field: Field) -> None:
    if field.unit:
        assert field.name.endswith(UNIT_SUFFIX[field.unit])
    else:
        assert not field.name.endswith(tuple(UNIT_SUFFIX.values()))


@pytest.mark.parametrize(
    ("name", "words", "value"),
    [
        ("plate_a_degc", [0x0320], 8.0),
        ("plate_a_degc", [0xFFFF], -0.01),
        ("plate_a_degc", [0x8001], -327.67),
        ("plate_a_degc", [0x7FFF], 327.67),
        ("plate_a_degc", [0x8000], None),
        ("humidity_pct", [0xFFFE], 655.34),
        ("humidity_pct", [0xFFFF], None),
        ("drive_ma", [0xF830], -2000),
        ("drive_ma", [0x8000], None),
        ("fan_rpm", [0xFFFF], None),
        ("fan_rpm", [0xFFFE], 65534),
        ("uptime_ms", [0x0001, 0x86A0], 100000),
        ("uptime_ms", [0xFFFF, 0xFFFF], 0xFFFF_FFFF),
        ("lease_remaining_ms", [0xFFFF], 65535),
        ("order_setpoint_degc", [0x8000], -327.68),
    ],
)
def test_words_and_value(name: str, words: list[int], value: float | None) -> None:
    assert FIELDS[name].decode(words) == value
    assert list(FIELDS[name].encode(value)) == words


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("plate_a_degc", -327.68),
        ("plate_a_degc", 327.68),
        ("plate_a_degc", -400.0),
        ("humidity_pct", 655.35),
        ("humidity_pct", -0.01),
        ("fan_rpm", 65535),
        ("fan_rpm", -1),
        ("drive_ma", -32768),
        ("sequence", -1),
        ("sequence", 65536),
        ("uptime_ms", 1 << 32),
        ("uptime_ms", -1),
        ("order_setpoint_degc", -327.69),
        ("plate_a_degc", math.nan),
        ("lease_ms", math.nan),
        ("setpoint_degc", math.inf),
        ("order_setpoint_degc", -math.inf),
    ],
)
def test_a_value_that_does_not_fit_is_never_clipped(name: str, value: float) -> None:
    with pytest.raises(WireError) as caught:
        FIELDS[name].encode(value)
    assert caught.value.evidence["field"] == name


@pytest.mark.parametrize(
    "field", [field for field in FIELDS.values() if not field.optional], ids=lambda field: field.name
)
def test_not_available_stands_only_where_it_may(field: Field) -> None:
    with pytest.raises(WireError, match="not available"):
        field.encode(None)


@pytest.mark.parametrize(("value", "count"), [(8.004, 800), (8.006, 801), (-0.004, 0), (-0.006, 0xFFFF)])
def test_a_value_is_rounded_to_the_nearest_count(value: float, count: int) -> None:
    assert FIELDS["plate_a_degc"].encode(value) == (count,)


@pytest.mark.parametrize("field", FIELDS.values(), ids=lambda field: field.name)
@given(data=st.data())
def test_every_word_comes_back(field: Field, data: st.DataObject) -> None:
    words = tuple(data.draw(st.lists(st.integers(0, 0xFFFF), min_size=field.width, max_size=field.width)))
    assert field.encode(field.decode(words)) == words


@pytest.mark.parametrize(("block", "_base", "count"), BLOCKS)
@given(data=st.data())
def test_every_block_comes_back(
    block: Sequence[Field], _base: int, count: int, data: st.DataObject
) -> None:  # a column of the table, not a fixture
    words = data.draw(st.lists(st.integers(0, 0xFFFF), min_size=count, max_size=count))
    assert pack(block, unpack(block, words)) == words
    assert layout(block).write(layout(block).read(words)) == words


@pytest.mark.parametrize(
    ("name", "value"),
    [("plate_a_degc", -327.68), ("fan_rpm", 65535), ("plate_a_degc", math.nan), ("sequence", None), ("sequence", -1)],
)
def test_a_block_is_written_whole_or_not_at_all(name: str, value: float | None) -> None:
    good: list[float | None] = [0] * len(STATUS)
    good[layout(STATUS).names.index(name)] = value
    with pytest.raises(WireError, match=name):
        layout(STATUS).write(good)


@pytest.mark.parametrize("count", [0, 31, 33])
def test_a_block_of_another_length_is_refused(count: int) -> None:
    with pytest.raises(WireError, match="32 registers"):
        unpack(STATUS, [0] * count)


def test_what_is_not_given_is_zero_and_what_is_not_there_is_a_mistake() -> None:
    assert pack(ORDER, {"echo": 7}) == [0, 0, 0, 0, 7, 0, 0, 0]
    with pytest.raises(KeyError, match="sequence"):
        pack(ORDER, {"sequence": 1})
