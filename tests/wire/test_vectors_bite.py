"""Changing any one fact of the register table turns at least one golden vector red."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from cryodevice.errors import WireError
from cryodevice.wire import registers
from cryodevice.wire.registers import Field, Kind

Vector = dict[str, Any]

BLOCKS = ("IDENTITY", "STATUS", "ORDER")
ROWS = [
    pytest.param(block, field, id=field.name)
    for block in BLOCKS
    for field in getattr(registers, block)
    if "reserved" not in field.name
]
# Bits above the named ones are ignored and any non-zero `simulated` is simulated: there the sign cannot show.
SIGN_CANNOT_SHOW = {"capabilities", "flags", "simulated"}


def red(
    vectors: Callable[[str], list[Vector]],
    check_block: Callable[[Vector], None],
    monkeypatch: pytest.MonkeyPatch,
    block: str,
    field: Field | None,
    **change: Any,
) -> list[str]:
    """Names of the vectors that fail with one row of the table changed."""
    table = getattr(registers, block)
    changed = tuple(replace(row, **change) if row is field else row for row in table)
    monkeypatch.setattr(registers, block, changed)
    failed = []
    for vector in vectors(block.lower()):
        try:
            check_block(vector)
        except (AssertionError, WireError):
            failed.append(vector["name"])
    return failed


@pytest.mark.parametrize("block", BLOCKS)
def test_an_unchanged_table_is_green(
    vectors: Callable[[str], list[Vector]],
    check_block: Callable[[Vector], None],
    monkeypatch: pytest.MonkeyPatch,
    block: str,
) -> None:
    assert red(vectors, check_block, monkeypatch, block, None) == []


@pytest.mark.req("R-H21-1")
@pytest.mark.parametrize("step", [-1, 1])
@pytest.mark.parametrize(("block", "field"), ROWS)
def test_another_address_is_noticed(
    vectors: Callable[[str], list[Vector]],
    check_block: Callable[[Vector], None],
    monkeypatch: pytest.MonkeyPatch,
    block: str,
    field: Field,
    step: int,
) -> None:
    assert red(vectors, check_block, monkeypatch, block, field, address=field.address + step)


@pytest.mark.req("R-H21-1")
@pytest.mark.parametrize("factor", [0.1, 10])
@pytest.mark.parametrize(("block", "field"), ROWS)
def test_another_scale_is_noticed(
    vectors: Callable[[str], list[Vector]],
    check_block: Callable[[Vector], None],
    monkeypatch: pytest.MonkeyPatch,
    block: str,
    field: Field,
    factor: float,
) -> None:
    scale = {(0.01, 10): 0.1, (0.01, 0.1): 0.001, (1, 0.1): 0.1, (1, 10): 10}[field.scale, factor]
    assert red(vectors, check_block, monkeypatch, block, field, scale=scale)


@pytest.mark.parametrize(("block", "field"), [row for row in ROWS if row.id not in SIGN_CANNOT_SHOW])
def test_another_kind_is_noticed(
    vectors: Callable[[str], list[Vector]],
    check_block: Callable[[Vector], None],
    monkeypatch: pytest.MonkeyPatch,
    block: str,
    field: Field,
) -> None:
    kind = {Kind.U16: Kind.I16, Kind.I16: Kind.U16, Kind.U32: Kind.U16}[field.kind]
    assert red(vectors, check_block, monkeypatch, block, field, kind=kind)


@pytest.mark.parametrize(("block", "field"), [row for row in ROWS if row.values[1].kind is not Kind.U32])
def test_another_rule_of_not_available_is_noticed(
    vectors: Callable[[str], list[Vector]],
    check_block: Callable[[Vector], None],
    monkeypatch: pytest.MonkeyPatch,
    block: str,
    field: Field,
) -> None:
    assert red(vectors, check_block, monkeypatch, block, field, optional=not field.optional)


@pytest.mark.parametrize("block", BLOCKS)
def test_two_exchanged_neighbours_are_noticed(
    vectors: Callable[[str], list[Vector]],
    check_block: Callable[[Vector], None],
    monkeypatch: pytest.MonkeyPatch,
    block: str,
) -> None:
    table = getattr(registers, block)
    named = [row for row in table if "reserved" not in row.name]
    for one, other in pairwise(named):
        if one.width != other.width:
            continue
        swapped = tuple(
            replace(row, address=other.address if row is one else one.address) if row in {one, other} else row
            for row in table
        )
        with monkeypatch.context() as patch:
            patch.setattr(registers, block, swapped)
            assert any(_fails(check_block, vector) for vector in vectors(block.lower())), (one.name, other.name)


def _fails(check_block: Callable[[Vector], None], vector: Vector) -> bool:
    try:
        check_block(vector)
    except (AssertionError, WireError):
        return True
    return False
