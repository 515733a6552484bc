"""Hazards, requirements, interlocks and tests against one another: no orphan anywhere, and the check sees them."""

from dataclasses import replace

import pytest

from tests.campaign import fault_matrix
from tests.campaign.matrix_page import page
from tests.system.processes import ROOT
from tests.trace.check import BITES, problems
from tests.trace.found import ROWS, found, pages
from tests.trace.hazards import Hazard, Requirement, hazards
from tests.trace.marks import marked
from tests.trace.matrix import matrix

MATRIX = {row.id for row in matrix()}


def test_nothing_is_without_its_counterpart():
    orphans = "\n".join(found())
    assert not orphans, orphans


@pytest.mark.parametrize("name", ["hazards.md", "traceability.md"])
def test_the_pages_are_those_of_the_files(name):
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == pages()[name], "run python -m tests.trace"


def test_the_27_hazards_of_the_first_list_are_there_and_the_wrong_zone():
    assert {f"H{number:02d}" for number in range(1, 28)} <= {hazard.id for hazard in hazards()}
    assert any("zone" in hazard.harm for hazard in hazards())


def test_the_fault_matrix_is_the_page_of_its_file():
    kept_page = fault_matrix.DOCUMENT.read_text(encoding="utf-8")
    assert kept_page == page(fault_matrix.kept()), "run python -m tests.campaign.fault_matrix"


@pytest.mark.parametrize("row", matrix(), ids=lambda row: row.id)
def test_a_row_of_the_fault_matrix_is_shown_or_says_why_not(row):
    runs = fault_matrix.kept()
    assert row.why or row.interlocks or marked().get(row.id), f'{row.id}: mark a test with @pytest.mark.req("{row.id}")'
    assert set(row.interlocks) <= set(ROWS), f"{row.id} names an interlock that is none"
    for fault in (*row.runs, *row.untimed):
        assert fault in runs, f"{row.id}: {fault} was not run: python -m tests.campaign.fault_matrix"
        assert not runs[fault]["failed"], f"{row.id}, {fault}: {runs[fault]['failed']}"


def with_hazard(number: int, **changes) -> tuple[Hazard, ...]:
    """The hazards of the file, one of them changed."""
    rows = list(hazards())
    rows[number] = replace(rows[number], **changes)
    return tuple(rows)


NEW = Requirement("R-H01-99", "new")


def broken() -> dict[str, tuple]:
    """What is given to the check, and what it must say."""
    marks, file = marked(), hazards()
    first = marks["R-H01-2"]
    return {
        "H01 has no control": (with_hazard(0, control=""), ROWS, MATRIX, marks),
        "H02 has no requirement": (with_hazard(1, requirements=(), open=""), ROWS, MATRIX, marks),
        "R-H01-99 has no test": (with_hazard(0, requirements=(NEW,)), ROWS, MATRIX, marks),
        "gone is no row of the interlock table": (of_new(interlocks=("gone",)), ROWS, MATRIX, marks),
        "names S99, which is no row": (of_new(matrix=("S99",)), ROWS, MATRIX, marks),
        "not named R-H01-n": (of_new(id="R-H02-1"), ROWS, MATRIX, marks),
        "no requirement of H02 names the interlock new": (file, ROWS | {"new": "H02"}, MATRIX, marks),
        "new names H99, which is no hazard": (file, ROWS | {"new": "H99"}, MATRIX, marks),
        "a::b is marked R-H99-1": (file, ROWS, MATRIX, marks | {"R-H99-1": ("a::b",)}),
        "R-H01-2: plate_under_floor has no case": (
            file,
            ROWS,
            MATRIX,
            marks | {"R-H01-2": tuple(test for test in first if not test.startswith(BITES))},
        ),
        "R-H28-1 has no test": (file, ROWS, MATRIX, {of: tests for of, tests in marks.items() if of != "R-H28-1"}),
        "in order": (tuple(reversed(file)), ROWS, MATRIX, marks),
    }


def of_new(**changes) -> tuple[Hazard, ...]:
    """The hazards of the file, the first with a requirement that is new."""
    return with_hazard(0, requirements=(replace(NEW, **changes),))


def test_an_orphan_is_told_with_what_to_do():
    for says, given in broken().items():
        told = list(problems(*given))
        assert any(says in problem for problem in told), (says, told)
