"""docs/fault-matrix.md: each row of the fault matrix with its reaction, its budget, the worst of its runs and its tests."""

import re
from collections.abc import Iterator
from typing import Any

from tests.system.processes import ROOT
from tests.system.test_interlock_rows import CASES
from tests.trace.check import REACTS
from tests.trace.marks import marked
from tests.trace.matrix import Row, matrix
from tests.trace.pages import line, tests_told

EVIDENCE = ROOT / "docs" / "evidence"
CLASSES = {
    "S": "Sensors",
    "A": "Actuators and power",
    "L": "Link",
    "P": "Protocol",
    "F": "Firmware",
    "D": "Process and time",
    "T": "Storage",
    "X": "More than one",
}
HEAD = """# Fault matrix

*Generated* from [fault-matrix.toml](fault-matrix.toml) by `python -m tests.campaign.fault_matrix`; edits are lost, and a test holds this page to the
file, to the evidence and to the marks of the tests.

*Budget* ([architecture 5](architecture.md#5-time)): from the fault to drive zero; `-` where nothing is timed and the test shows what must be true.
*Worst*: of all runs, with their number, from unsafe to drive zero; *acts in*: until the daemon acts, where the drive was off already. Runs of faults of the simulator ([faults.md](faults.md)) are made while the wand cools skin, 20 seeds, daemon core, frames,
firmware and plant in one simulated time; runs of interlock rows, of process and line stand in [interlocks](evidence/interlocks.md), [process](evidence/process.md) and
[reaction](evidence/reaction.md), the last two on real processes. *Test*: what `make test` runs, each once. **Bold**: not as it must be. Rows of broker, settings,
commands and web (B, C, M, W) are not in this page.
"""
TABLE_HEAD = """
## {name}

| row | fault | reaction | budget | shown by | worst | test |
|---|---|---|---|---|---|---|
"""


def page(results: dict[str, dict[str, Any]]) -> str:
    """The whole page."""
    text = HEAD
    for letter, name in CLASSES.items():
        text += TABLE_HEAD.format(name=name)
        text += "".join(line(_cells(row, results)) for row in matrix() if row.id[0] == letter)
    return text


def _cells(row: Row, results: dict[str, dict[str, Any]]) -> list[str]:
    shown = list(_shown(row, results))
    tests = [*marked().get(row.id, ()), *(f"{REACTS}[{name}]" for name in row.interlocks if name in CASES)]
    must = [row.must or "; ".join(_musts(row.id)), *([f"*Not shown*: {row.why}"] if row.why else [])]
    budget = "-" if row.budget_ms is None else f"{row.budget_ms} ms: {row.by}"
    return [
        row.id,
        row.fault,
        ". ".join(filter(None, must)),
        budget,
        "<br>".join(name for name, _worst in shown) or "-",
        "<br>".join(worst for _name, worst in shown) or "-",
        _tests_told(row, tests),
    ]


def _tests_told(row: Row, tests: list[str]) -> str:
    told = tests_told(test for test in tests if not test.startswith(REACTS))
    cases = ", ".join(f"`{name}`" for name in row.interlocks if name in CASES)
    by_row = f"[test_row_acts_in_time](../{REACTS.partition('::')[0]}): {cases}" if cases else ""
    return "<br>".join(part for part in (by_row, told if told != "-" else "") if part) or "-"


def _shown(row: Row, results: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for fault in (*row.runs, *row.untimed):
        if fault not in results:
            yield f"`{fault}`", "**not run**"
            continue
        result = results[fault]
        failed = f", **{len(result['failed'])} failed**" if result["failed"] else ""
        answers = ", ".join(f"`{answer}`" if answer != "-" else "nothing" for answer in result["answers"])
        timed = row.budget_ms is not None and fault in row.runs
        yield f"`{fault}`: {answers}", f"{_ms(result['worst_ms'] if timed else None)} of {result['runs']}{failed}"
    for name in row.interlocks:
        for cells in _evidence("interlocks", 0, name):
            off = cells[6] != "-"  # else the drive was off already, or the row only warns
            told = _worst(cells[6] if off else cells[3], cells[7], cells[8])
            yield f"interlock `{name}`", told if off else f"acts in {told}"
    for name in row.reaction:
        for cells in _evidence("reaction", 0, name):
            yield name, _worst(cells[3], cells[5], cells[6])
    if row.process:
        for cells in _of_process(row.id):
            yield f"{cells[0]}: {cells[1]}", _worst(cells[5], cells[6], cells[7], within=cells[3])


def _ms(value: object) -> str:
    return "-" if value in {None, "-"} else f"{value} ms"


def _worst(worst: str, runs: str, failed: str, within: str = "-") -> str:
    more = "" if within == "-" else f", budget {within} ms"
    return f"{_ms(worst)} of {runs}{more}" + (f", {failed} failed and made again" if failed != "0" else "")


def _musts(of: str) -> list[str]:
    return list(dict.fromkeys(cells[2].partition("; seen")[0] for cells in _of_process(of)))


def _of_process(of: str) -> list[list[str]]:
    return [cells for cells in _rows("process") if cells[0].split()[0].rstrip("abcd") == of]


def _evidence(name: str, column: int, key: str) -> list[list[str]]:
    return [cells for cells in _rows(name) if cells[column] == key]


def _rows(name: str) -> list[list[str]]:
    """Rows of the tables of a page of evidence."""
    lines = (EVIDENCE / f"{name}.md").read_text(encoding="utf-8").splitlines()
    return [
        [cell.strip() for cell in text.strip("|").split("|")]
        for text in lines
        if text.startswith("| ") and not re.match(r"\|[-| ]+\|$", text)
    ]
