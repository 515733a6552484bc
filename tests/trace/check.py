"""Orphans, in either direction: what has no counterpart, and what to add where. Pure; the pages are in ``pages``."""

from collections.abc import Collection, Iterator, Mapping

from tests.trace.hazards import Hazard

FILE = "docs/hazards.toml"
ROWS_FILE = "tests/system/test_interlock_rows.py"
REACTS = f"{ROWS_FILE}::test_row_acts_in_time_and_is_the_first_cause"
BITES = f"{ROWS_FILE}::test_without_the_row_its_reaction_is_missing"
"""The test that fails without a row, and the one that shows that it does."""


def problems(
    hazards: tuple[Hazard, ...],
    rows: Mapping[str, str],
    matrix: Collection[str],
    marked: Mapping[str, Collection[str]],
) -> Iterator[str]:
    """What does not fit together, a sentence each.

    Args:
        hazards: Of the hazard file.
        rows: Rows of the interlock table, each with the hazard it names.
        matrix: Rows of the fault matrix.
        marked: Tests by the id they are marked with.
    """
    yield from _of_the_file(hazards, matrix)
    yield from _of_the_table(hazards, rows)
    yield from _of_the_tests(hazards, matrix, marked)


def _of_the_file(hazards: tuple[Hazard, ...], matrix: Collection[str]) -> Iterator[str]:
    ids = [hazard.id for hazard in hazards]
    if ids != [f"H{number:02d}" for number in range(1, len(ids) + 1)]:
        yield f"{FILE}: hazards are not H01, H02, ... in order"
    seen: set[str] = set()
    for hazard in hazards:
        if not hazard.control:
            yield f"{FILE}: {hazard.id} has no control: write what stands against it"
        if not hazard.requirements and not hazard.open:
            yield f"{FILE}: {hazard.id} has no requirement: add one, or say under open why there is none"
        for each in hazard.requirements:
            if not each.id.startswith(f"R-{hazard.id}-") or each.id in seen:
                yield f"{FILE}: {each.id} under {hazard.id} is not named R-{hazard.id}-n, or is there twice"
            seen.add(each.id)
            for row in each.matrix:
                if row not in matrix:
                    yield f"{FILE}: {each.id} names {row}, which is no row of docs/fault-matrix.toml"


def _of_the_table(hazards: tuple[Hazard, ...], rows: Mapping[str, str]) -> Iterator[str]:
    kept = {row for hazard in hazards for row in hazard.interlocks}
    by_id = {hazard.id: hazard for hazard in hazards}
    for row, of in rows.items():
        if of not in by_id:
            yield f"cryodevice/safety/interlocks.py: {row} names {of}, which is no hazard of {FILE}"
        elif row not in by_id[of].interlocks:
            yield f"{FILE}: no requirement of {of} names the interlock {row}: add it to the interlocks of one"
    for row in sorted(kept - set(rows)):
        yield f"{FILE}: {row} is no row of the interlock table: take it out of interlocks, or add the row"


def _of_the_tests(
    hazards: tuple[Hazard, ...], matrix: Collection[str], marked: Mapping[str, Collection[str]]
) -> Iterator[str]:
    known = {each.id for hazard in hazards for each in hazard.requirements} | set(matrix)
    for of in sorted(set(marked) - known):
        yield f"{min(marked[of])} is marked {of}, which is neither in {FILE} nor in docs/fault-matrix.toml"
    for hazard in hazards:
        for each in hazard.requirements:
            own = set(marked.get(each.id, ()))
            for row in each.interlocks:
                if not {f"{REACTS}[{row}]", f"{BITES}[{row}]"} <= own:
                    yield f"{each.id}: {row} has no case in CASES of {ROWS_FILE}, so no test fails without it"
            if not own and not any(marked.get(row) for row in each.matrix):
                yield f'{each.id} has no test: mark one with @pytest.mark.req("{each.id}"), or name its interlock'
