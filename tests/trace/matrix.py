"""The fault matrix, typed: what goes wrong, what must then happen, and what shows it."""

import tomllib
from dataclasses import dataclass
from functools import cache

from tests.system.processes import ROOT

FILE = ROOT / "docs" / "fault-matrix.toml"


@dataclass(frozen=True)
class Row:
    """One row.

    Args:
        id: Class and number.
        fault: What goes wrong.
        must: What must then happen; of a row of ``process``, that table says it.
        budget_ms: From the fault to drive zero; None where nothing is timed.
        by: What the budget is made of.
        runs: Faults of the simulator that are run.
        untimed: The same, where chance says when the fault first matters: answered it must be.
        interlocks: Rows of docs/evidence/interlocks.md that show it.
        reaction: Rows of docs/evidence/reaction.md that show it.
        process: Rows of docs/evidence/process.md show it.
        why: What is not shown, and why.
    """

    id: str
    fault: str
    must: str = ""
    budget_ms: int | None = None
    by: str = ""
    runs: tuple[str, ...] = ()
    untimed: tuple[str, ...] = ()
    interlocks: tuple[str, ...] = ()
    reaction: tuple[str, ...] = ()
    process: bool = False
    why: str = ""


@cache
def matrix() -> tuple[Row, ...]:
    """All rows, in the order of the file."""
    read = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return tuple(
        Row(**{name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()})
        for entry in read["row"]
    )
