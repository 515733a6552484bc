"""Each row of process and time once, on real processes: a few beds side by side, a test waits for its own."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait

import pytest

from tests.system.failpoint_rows import WHERE, in_the_source
from tests.system.process_acts import MachineBusyError
from tests.system.process_rows import CAMPAIGN, ROWS, TRIES, Row, patiently
from tests.system.processes import ROOT

AT_ONCE = 6
"""Beds that run side by side: more would measure the machine."""
HERE = {row.id: row for row in ROWS if not row.elsewhere}
Runs = dict[str, Future]


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """What the chosen tests need, all under way at once."""
    mine = [item for item in request.session.items if item.path == request.path and hasattr(item, "callspec")]
    wanted = [item.callspec.params["row"] for item in mine]
    root = tmp_path_factory.mktemp("p")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        under_way = {row.id: pool.submit(patiently, row, root / row.id) for row in wanted if not row.alone}

        def when_alone(row: Row) -> object:
            wait(under_way.values())
            return patiently(row, root / row.id)

        alone = [(row.id, pool.submit(when_alone, row)) for row in wanted if row.alone]
        yield {**under_way, **dict(alone)}


def test_every_failpoint_of_the_source_is_broken() -> None:
    assert set(WHERE) == in_the_source()


MATRIX = [f"D{number:02}" for number in range(1, 22)] + [f"X{number:02}" for number in range(1, 7)]


def test_every_row_of_the_matrix_is_here_and_has_a_test() -> None:
    assert {row.id[:3] for row in ROWS} == set(MATRIX)
    assert len({row.id for row in ROWS}) == len(ROWS)
    for row in ROWS:
        if row.elsewhere not in {"", CAMPAIGN}:
            text = (ROOT / row.elsewhere).read_text()
            marked = f'req("{row.id[:3]}")' in text or f'"{row.id[:3]}"' in text
            assert marked, f"{row.elsewhere} has no test marked {row.id[:3]}"


@pytest.mark.parametrize(
    "row",
    [pytest.param(row, id=row.id, marks=pytest.mark.req(row.id.split()[0].rstrip("abcd"))) for row in HERE.values()],
)
def test_row(runs: Runs, row: Row, record_property: Callable[[str, object], None]) -> None:
    try:
        took_s = runs[row.id].result()
    except MachineBusyError as busy:
        pytest.skip(f"{row.id} not shown, {TRIES} times: {str(busy)[:200]}")
    if row.budget_s is not None:
        record_property("took_ms", round(1000 * took_s, 1))
        print(f"{row.id}: {1000 * took_s:.0f} ms of {1000 * row.budget_s:.0f}")  # noqa: T201 - shown by -rP
        assert took_s <= row.budget_s
