"""The pages made from the hazard file: docs/hazards.md and docs/traceability.md."""

from collections.abc import Iterable

from cryodevice.safety.interlocks import TABLE
from tests.docs.test_docs import interlock_row
from tests.system.processes import ROOT
from tests.system.test_interlock_rows import STANDS_IN
from tests.trace.check import BITES, REACTS
from tests.trace.hazards import Hazard, Requirement, hazards, of_row
from tests.trace.marks import marked

HAZARDS_HEAD = """# Hazards

*Generated* from [hazards.toml](hazards.toml) and `cryodevice/safety/interlocks.py` by `python -m tests.trace`, down to the end of the
tables; a test holds this page to both.

What can go wrong, what causes it, what stands against it, and which interlock of the daemon does. *Requirement* is what must hold, with
its tests in [traceability.md](traceability.md); *interlock* names rows of the [interlock table](#interlocks); the firmware's own cut-outs are in
[wire.md](wire.md#7-the-firmwares-own-cut-outs).

It is a list for engineers, in the habit of ISO 14971, without probability or severity: those belong to whoever makes a device of
this. Numbers and their sources are in [clinical-note.md](clinical-note.md). Hazards of jets (H15, H16) are listed and not controlled: a jet is
monitored only. H28 to H31 come from the [fault matrix](fault-matrix.md).

## Hazards and controls

<!-- table: hazards -->
| hazard | what may happen | cause | control | open | requirement | interlock |
|---|---|---|---|---|---|---|
"""
ROWS_HEAD = """
## Interlocks

All rows, in the order of the code: of rows that act in one tick the strongest wins, among equals the first. Limits are the defaults,
zone limits those of a cheek. *Cooling* is precool, lifted and applying; *treating* is cooling with ready, rewarming and paused; *drive off* is
every state but cooling. A row that applies to a state also applies while paused out of it. `cryodevice interlocks` prints the limits in force
and what to do about each.

<!-- table: interlocks -->
| interlock | hazard | safe while | states | dwell, s | action | clears | source |
|---|---|---|---|---|---|---|---|
"""
ROWS_FOOT = """
A row's *source* says where rule or number come from: *architecture n* and *clinical note n* are sections of [architecture.md](architecture.md)
and [clinical-note.md](clinical-note.md); *engineering default* means that there is no other.
"""
BY_HAND = "\n<!-- from here on by hand -->\n"
TRACE_HEAD = """# Traceability

*Generated* from [hazards.toml](hazards.toml), the interlock table and the marks of the tests by `python -m tests.trace`; edits are lost, and a
test holds this page to all three. That test also fails on a requirement without a test, a mark that names no requirement, an interlock without a
requirement, a requirement that names no interlock there is, and a hazard without a control.

A requirement that an interlock keeps counts as covered only by a test that fails when this row is out of the table.
[test_interlock_rows.py](../tests/system/test_interlock_rows.py) provokes each row through the plant or the wire, with the row and without it, in
`make test`; these two tests stand behind every interlock named here and are not repeated in *other tests*. *By rows of the fault matrix*: their tests are in
[fault-matrix.md](fault-matrix.md), and show it too.

## Requirements

| requirement | hazard | what must hold | interlocks | other tests | by rows of the fault matrix |
|---|---|---|---|---|---|
"""
WITHOUT_HEAD = """
## Without a row

What happens in the provocation of a row when the row is taken out. *Nothing*: what it guards against goes on. Another row: it acts in the
same time, in its own way, which may be a weaker one.

| interlock | requirement | without it acts |
|---|---|---|
"""


def line(cells: Iterable[str]) -> str:
    """A row of a table."""
    return "| " + " | ".join(cells) + " |\n"


def ticked(names: Iterable[str]) -> str:
    """Names as code, or a dash."""
    return ", ".join(f"`{name}`" for name in names) or "-"


def hazards_page() -> str:
    """docs/hazards.md; what stands below its mark is written by hand, and kept."""
    by_hand = (ROOT / "docs" / "hazards.md").read_text(encoding="utf-8").partition(BY_HAND)[2]
    return (
        HAZARDS_HEAD
        + "".join(line(_hazard(each)) for each in hazards())
        + ROWS_HEAD
        + "".join(line(interlock_row(row)) for row in TABLE)
        + ROWS_FOOT
        + BY_HAND
        + by_hand
    )


def _hazard(of: Hazard) -> list[str]:
    wanted = ", ".join(each.id for each in of.requirements) or "-"
    return [of.id, of.harm, of.cause, of.control, of.open or "-", wanted, ticked(of.interlocks)]


def trace_page() -> str:
    """docs/traceability.md."""
    return (
        TRACE_HEAD
        + "".join(line(_requirement(hazard, each)) for hazard in hazards() for each in hazard.requirements)
        + WITHOUT_HEAD
        + "".join(
            line([f"`{row.id}`", ", ".join(of_row(row.id)), ticked([STANDS_IN[row.id]] if row.id in STANDS_IN else [])])
            for row in TABLE
        ).replace(" - |", " nothing |")
    )


def _requirement(hazard: Hazard, each: Requirement) -> list[str]:
    own = [test for test in marked().get(each.id, ()) if test.partition("[")[0] not in {REACTS, BITES}]
    return [each.id, hazard.id, each.text, ticked(each.interlocks), tests_told(own), " ".join(each.matrix) or "-"]


def tests_told(tests: Iterable[str]) -> str:
    """Tests as links to their files, cases of one function together."""
    functions = dict.fromkeys(test.partition("[")[0] for test in tests)
    return "<br>".join(f"[{name.partition('::')[2]}](../{name.partition('::')[0]})" for name in functions) or "-"
