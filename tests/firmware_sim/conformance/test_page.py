"""docs/conformance.md names every clause of the kit as it is, and every clause of the wire that it cannot ask."""

import re
from pathlib import Path

from firmware_sim.conformance.clause import Clause, Lines, Wants
from firmware_sim.conformance.clauses import every

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
FAMILY = r"(?:WIRE|LEASE|CUTOUT|FRAME|MODBUS|VERSION)"
LINE = {Lines.ANY: "any", Lines.SERIAL: "serial", Lines.MODBUS: "Modbus", Lines.RTU: "RTU", Lines.TCP: "Modbus TCP"}
RUN = {Wants.ANY: "any", Wants.FREE: "free", Wants.ESTOP: "e-stop"}


def row(clause: Clause) -> str:
    also = f" [{', '.join(clause.also)}]" if clause.also else ""
    how = " ".join(clause.judge.__doc__.split())
    run = "drive" if clause.drives else RUN[clause.wants]
    return f"| {clause.id}{also} | {clause.caption} | {how} | {LINE[clause.lines]} | {run} |"


def rows() -> list[str]:
    return [row(clause) for clause in every()]


def test_the_table_is_that_of_the_kit():
    table = PAGE.partition("<!-- table: clauses -->\n")[2].split("\n\n", 1)[0].splitlines()[2:]
    assert table == rows(), "\n".join(["the rows are", *rows()])


def test_every_clause_of_the_wire_is_asked_or_said_not_to_be():
    wire = (ROOT / "docs" / "wire.md").read_text(encoding="utf-8")
    asked = {rule for clause in every() for rule in (clause.rule, *clause.also)}
    left = PAGE.partition("## What it cannot ask")[2]
    named = set(re.findall(rf"{FAMILY}-\d\d", left))
    for family, first, last in re.findall(rf"({FAMILY})-(\d\d) to {FAMILY}-(\d\d)", left):
        named |= {f"{family}-{number:02}" for number in range(int(first), int(last) + 1)}
    missing = set(re.findall(rf"\*\*({FAMILY}-\d\d)\*\*", wire)) - asked - named
    assert missing == set()
