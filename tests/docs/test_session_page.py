"""The session machine's document is printed by its table."""

from pathlib import Path

from cryodevice.safety.phases import SessionState
from cryodevice.treatment.session_page import diagram, page
from cryodevice.treatment.session_table import IGNORED, WAYS, Happening

PAGE = Path(__file__).parents[2] / "docs" / "session.md"


def test_the_document_is_the_table():
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.docs.session_page > docs/session.md"


def test_every_way_is_drawn_and_every_pair_and_reason_written():
    drawn = "\n".join(diagram())
    for (state, happening), to in WAYS.items():
        if happening not in {Happening.STOP, Happening.LINK_LOST, Happening.LOCKOUT}:
            assert f"{state} --> {to}: {happening.name.lower()}" in drawn
    rows = [line for line in page().splitlines() if line.startswith("| `") and line.count("|") == len(SessionState) + 2]
    assert len(rows) == len(Happening)
    assert sum(row.count("**") // 2 for row in rows) == len(WAYS)
    for why in set(IGNORED.values()):
        assert f". {why}" in page()
