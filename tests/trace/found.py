"""The check on what is there: hazard file, interlock table, fault matrix, marks; and the pages made of them."""

from collections.abc import Iterator

from cryodevice.safety.interlocks import TABLE
from tests.trace.check import problems
from tests.trace.hazards import hazards
from tests.trace.marks import marked
from tests.trace.matrix import matrix
from tests.trace.pages import hazards_page, trace_page

ROWS = {row.id: row.hazard for row in TABLE}


def found() -> Iterator[str]:
    """What does not fit together."""
    return problems(hazards(), ROWS, {row.id for row in matrix()}, marked())


def pages() -> dict[str, str]:
    """Pages by name under docs."""
    return {"hazards.md": hazards_page(), "traceability.md": trace_page()}
