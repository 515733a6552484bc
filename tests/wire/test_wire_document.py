"""docs/wire.md against cryodevice.wire, in both directions: a row changed, missing or extra on either side fails."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cryodevice.wire import codes, frame, registers
from cryodevice.wire.registers import Field

Vector = dict[str, Any]

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "wire.md").read_text(encoding="utf-8")
ENUMS = {
    enum.__name__: enum
    for enum in (
        codes.Applicator,
        codes.Capability,
        codes.State,
        codes.Flag,
        codes.Fault,
        codes.Trip,
        codes.Refusal,
        codes.Mode,
        frame.FrameType,
        frame.ErrorCode,
    )
}
BLOCKS = {"identity": registers.IDENTITY, "status": registers.STATUS, "order": registers.ORDER}


def rows(marker: str) -> list[dict[str, str]]:
    """The rows of the table after ``<!-- marker -->``, each a dict by column heading."""
    assert TEXT.count(f"<!-- {marker} -->") == 1
    lines = TEXT.split(f"<!-- {marker} -->\n")[1].splitlines()
    table = []
    for line in lines:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    heading, _rule, *body = table
    assert body
    return [dict(zip(heading, cells, strict=True)) for cells in body]


def as_row(field: Field, base: int) -> dict[str, str]:
    offset = field.address - base
    return {
        "address": f"0x{field.address:04X}",
        "offset": f"{offset}, {offset + 1}" if field.width == 2 else str(offset),
        "name": f"`{field.name}`",
        "type": field.kind.value,
        "scale": str(field.scale),
        "unit": field.unit or "-",
        "access": field.access.value,
        "n/a": "yes" if field.optional else "no",
        "description": field.description,
    }


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_table_is_the_register_table(name: str) -> None:
    block = BLOCKS[name]
    assert rows(f"table: {name}") == [as_row(field, block[0].address) for field in block]


@pytest.mark.parametrize(
    ("name", "base", "count"),
    [
        ("Identity", registers.IDENTITY_BASE, registers.IDENTITY_COUNT),
        ("Status", registers.STATUS_BASE, registers.STATUS_COUNT),
        ("Order", registers.ORDER_BASE, registers.ORDER_COUNT),
    ],
)
def test_a_block_heading_says_base_and_count(name: str, base: int, count: int) -> None:
    section = re.split(r"^## ", TEXT, flags=re.MULTILINE)
    [mine] = [one for one in section if re.match(rf"\d+\. {name}\n", one)]
    assert f"Base `0x{base:04X}`, {count} registers" in mine


@pytest.mark.parametrize("name", ENUMS)
def test_a_code_table_is_the_enumeration(name: str) -> None:
    enum, table = ENUMS[name], rows(f"codes: {name}")
    got = {row["name"].strip("`"): 1 << int(row["bit"]) if "bit" in row else int(row["value"]) for row in table}
    assert len(got) == len(table)
    assert list(got.items()) == [(member.name, member.value) for member in enum]
    assert all(row["meaning"] for row in table)


def test_every_code_table_has_its_enumeration() -> None:
    assert set(re.findall(r"<!-- codes: (\w+) -->", TEXT)) == set(ENUMS)


def test_the_capabilities_required_to_cool() -> None:
    table = rows("codes: Capability")
    required = {row["name"].strip("`") for row in table if "required to cool" in row["meaning"]}
    assert required == {capability.name for capability in codes.REQUIRED_TO_COOL}


def test_the_constants() -> None:
    stated = {row["name"].strip("`"): int(row["value"], 0) for row in rows("constants")}
    actual = {
        name: value
        for module in (registers, frame)
        for name, value in vars(module).items()
        if name.isupper() and not name.startswith("_") and type(value) is int
    }
    assert stated == actual


def test_the_order_of_the_checks_names_every_refusal_once() -> None:
    checks = rows("table: checks")
    assert [int(row["step"]) for row in checks] == list(range(1, len(checks) + 1))
    refusals = [codes.Refusal(int(row["refusal"])) for row in checks if row["refusal"] != "-"]
    assert refusals == [
        codes.Refusal.BOOT_ID,
        codes.Refusal.TOKEN,
        codes.Refusal.SEQUENCE,
        codes.Refusal.MODE,
        codes.Refusal.TRIP_LATCHED,
        codes.Refusal.SETPOINT,
        codes.Refusal.LEASE_LENGTH,
        codes.Refusal.ECHO,
        codes.Refusal.RESET,
    ]


def test_the_cut_outs_name_known_faults_and_trips() -> None:
    cutouts = rows("table: cutouts")
    assert [row["clause"] for row in cutouts] == [f"**CUTOUT-{number:02d}**" for number in range(1, len(cutouts) + 1)]
    trips = {codes.Trip(int(row["trip"])) for row in cutouts}
    assert trips == {
        codes.Trip.PLATE_COLD,
        codes.Trip.PLATE_HOT,
        codes.Trip.CHANNELS_APART,
        codes.Trip.PLATE_SENSOR,
        codes.Trip.SINK_HOT,
        codes.Trip.OVER_CURRENT,
        codes.Trip.ESTOP,
        codes.Trip.LONGEST_COOLING,
    }
    bits = [int(bit) for row in cutouts for bit in row["fault bits"].split(",") if bit != "-"]
    assert len(bits) == len(set(bits))
    assert all(codes.Fault(1 << bit) in codes.Fault for bit in bits)
    assert all(row["source of the number"] != "-" for row in cutouts if re.search(r"\d", row["trips unless"]))


def test_clauses_are_numbered_without_gap_or_repeat() -> None:
    numbers = {}
    for family, number in re.findall(r"\*\*([A-Z]+)-(\d\d)\*\*", TEXT):
        numbers.setdefault(family, []).append(int(number))
    assert set(numbers) == {"WIRE", "LEASE", "CUTOUT", "FRAME", "MODBUS", "VERSION"}
    assert all(found == list(range(1, len(found) + 1)) for found in numbers.values())


def test_every_clause_cited_exists() -> None:
    clauses = set(re.findall(r"\*\*([A-Z]+-\d\d)\*\*", TEXT))
    sources = [*(ROOT / "cryodevice" / "wire").glob("*.py"), *(ROOT / "tests" / "wire" / "vectors").iterdir()]
    cited = {
        clause
        for text in (TEXT, *(path.read_text(encoding="utf-8") for path in sources))
        for clause in re.findall(r"\b(?:WIRE|LEASE|CUTOUT|FRAME|MODBUS|VERSION)-\d\d\b", text)
    }
    assert cited <= clauses


def test_the_worked_examples_are_golden_vectors(vectors: Callable[[str], list[Vector]]) -> None:
    examples = dict(re.findall(r"<!-- example: ([\w-]+) --> `([0-9A-F ]+)`", TEXT))
    assert set(examples) == {"read-status-request", "exchange-request-cool"}
    known = {vector["name"]: vector["bytes"] for vector in vectors("frame")}
    assert examples == {name: known[name] for name in examples}
