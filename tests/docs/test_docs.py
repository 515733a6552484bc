"""The documents against the code: every link leads somewhere, every table says what the program does."""

import re
from pathlib import Path

import pytest

from cryodevice.cli import alarms
from cryodevice.safety.alarm_table import ALARMS
from cryodevice.safety.interlocks import TABLE, Dwell, Interlock
from cryodevice.safety.limits import ENVELOPE, Bound, Zone, limits
from cryodevice.safety.phases import ALWAYS, COOLING, DRIVE_OFF, TREATING, SessionState
from cryodevice.safety.verdict import Action
from cryodevice.treatment.session import ALLOWED

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SKIPPED = {".venv", ".git", "build", "dist"}
MARKDOWN = sorted(
    path for path in ROOT.rglob("*.md") if not SKIPPED & {part for part in path.relative_to(ROOT).parts if part}
)
FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)
GROUPS = {
    ALWAYS: "always",
    COOLING: "cooling",
    TREATING: "treating",
    DRIVE_OFF: "drive off",
    TREATING | {SessionState.STOPPED}: "treating, stopped",
}


def prose(path: Path) -> str:
    """A document without its code blocks."""
    return FENCE.sub("", path.read_text(encoding="utf-8"))


def anchors(path: Path) -> set[str]:
    """Anchors of the headings, as code forges make them."""
    found = set()
    for heading in HEADING.findall(prose(path)):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        found.add(re.sub(r"[^\w\- ]", "", text).replace(" ", "-"))
    return found


def marked_table(name: str, path: Path) -> list[list[str]]:
    """Rows of the table under ``<!-- table: name -->``, without its head, cell by cell."""
    after = path.read_text(encoding="utf-8").partition(f"<!-- table: {name} -->\n")[2]
    assert after, f"{path.name} has no table {name}"
    lines = after.split("\n\n", 1)[0].splitlines()
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))] for line in lines[2:]]


def backticked(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text))


def span(low: float, high: float, unit: str) -> str:
    """A closed range as the documents write it."""
    if not unit and low == high:
        return "yes"
    if low == float("-inf"):
        return f"≤ {high:g} {unit}".strip()
    return f"≥ {low:g} {unit}".strip() if high == float("inf") else f"{low:g} … {high:g} {unit}".strip()


def interlock_row(row: Interlock) -> list[str]:
    low, high = row.safe(limits(), Zone.LEFT_CHEEK)
    states = GROUPS.get(row.states) or ", ".join(sorted(state.value for state in row.states))
    return [
        f"`{row.id}`",
        row.hazard,
        f"`{row.fact}` {span(low, high, row.unit)}",
        states,
        f"{row.dwell.value:g}",
        row.action.name.lower(),
        row.clear.value,
        row.source,
    ]


def envelope_row(name: str, bound: Bound) -> list[str]:
    return [
        f"`{name}`",
        f"{bound.widest:g}",
        f"{bound.strictest:g}",
        f"{bound.initial:g}",
        bound.unit,
        bound.source,
    ]


def must_be(found: list[list[str]], expected: list[list[str]], where: str) -> None:
    """Compare two tables; the message is the rows to paste."""
    wrong = [row for row in expected if row not in found]
    too_many = [row for row in found if row not in expected]
    as_text = "\n".join("| " + " | ".join(row) + " |" for row in wrong)
    assert not wrong, f"{where} lacks\n{as_text}\nand has instead {too_many}"
    assert found == expected, f"{where}: rows in another order, or {too_many} too many"


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path):
    for target in LINK.findall(prose(path)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        place = path.parent / file if file else path
        assert place.exists(), f"{path.name}: {target} is not there"
        assert place.resolve().is_relative_to(ROOT), f"{path.name}: {target} leads out of the repository"
        if anchor and place.suffix == ".md":
            assert anchor in anchors(place), f"{path.name}: no heading for {target}"


def test_the_link_test_sees_links():
    assert sum(len(LINK.findall(prose(path))) for path in MARKDOWN) > 50
    assert "7-the-firmwares-own-cut-outs" in anchors(DOCS / "wire.md")


def test_the_interlock_table_is_the_code():
    must_be(
        marked_table("interlocks", DOCS / "hazards.md"),
        [interlock_row(row) for row in TABLE],
        "docs/hazards.md, interlocks",
    )


def test_the_envelope_is_the_code():
    expected = [envelope_row(name, bound) for name, bound in ENVELOPE.items()]
    must_be(marked_table("envelope", DOCS / "architecture.md"), expected, "docs/architecture.md, envelope")


def test_the_dwell_classes_are_the_code():
    rows = marked_table("dwell", DOCS / "architecture.md")
    assert [row[:2] for row in rows] == [[f"`{dwell.name}`", f"{dwell.value:g}"] for dwell in Dwell]


def test_the_session_is_the_code():
    rows = marked_table("session", DOCS / "architecture.md")
    assert {row[0].strip("`"): backticked(row[3]) for row in rows} == {
        state.value: {after.value for after in following} for state, following in ALLOWED.items()
    }
    assert {row[0].strip("`") for row in rows if row[2] == "cools"} == {state.value for state in COOLING}


def test_every_action_is_decided_on():
    page = DOCS / "decisions" / "0008-lockout-or-stop.md"
    decided = {row[0].strip("`"): backticked(row[1]) for row in marked_table("actions", page)}
    assert decided == {action.name.lower(): {row.id for row in TABLE if row.action is action} for action in Action}


SOURCES = sorted({row.source for row in TABLE} | {bound.source for bound in ENVELOPE.values()})


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_can_be_looked_up(source):
    architecture, note = anchors(DOCS / "architecture.md"), prose(DOCS / "clinical-note.md")
    cited = 0
    for number in re.findall(r"architecture (\d+)", source):
        assert any(anchor.startswith(f"{number}-") for anchor in architecture), source
        cited += 1
    for number in re.findall(r"clinical note (\d+(?:\.\d+)?)", source):
        assert re.search(rf"^#+ {re.escape(number)}\.? ", note, re.MULTILINE), source
        cited += 1
    for name in re.findall(r"\b(?:D\d+|A\d\d)\b", source):
        assert f"| {name} |" in note, source
        cited += 1
    for name, year in re.findall(r"\((\w+) (\d{4})\)", source):
        assert re.search(rf"{name}\b.*{year}", note), source
        cited += 1
    if "K203661" in source:
        assert "K203661" in note
        cited += 1
    assert cited or "engineering" in source or "docs/architecture.md" in source, f"{source!r} names no source"


def test_every_source_number_of_the_note_has_an_address():
    note = (DOCS / "clinical-note.md").read_text(encoding="utf-8")
    text, _, sources = note.partition("## 9. Sources")
    listed = set(re.findall(r"^\| (S\d+) \|", sources, re.MULTILINE))
    assert set(re.findall(r"\[(S\d+)\]", text)) == listed


def test_the_index_of_decisions_is_complete():
    folder = DOCS / "decisions"
    pages = {path.name for path in folder.glob("[0-9][0-9][0-9][0-9]-*.md")}
    assert set(re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", prose(folder / "README.md"))) == pages
    for name in pages:
        text = (folder / name).read_text(encoding="utf-8")
        assert text.startswith(f"# {name[:4]} "), name
        assert re.search(r"^Status: \w|^## Status$", text, re.MULTILINE), name


def test_no_decision_number_is_used_twice():
    numbers = [path.name[:4] for path in (DOCS / "decisions").glob("[0-9]*.md")]
    assert len(numbers) == len(set(numbers))


CODE = sorted(
    path for folder in ("cryodevice", "firmware_sim", "config", "scripts") for path in (ROOT / folder).rglob("*")
)


def test_documents_the_code_names_are_there():
    named = set()
    for path in CODE:
        if path.suffix in {".py", ".toml", ".sh"}:
            named |= set(re.findall(r"docs/[\w./-]+\.md", path.read_text(encoding="utf-8")))
    assert named, "the code names no document"
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_the_page_of_alarms_is_the_table_in_force():
    assert (DOCS / "alarms.md").read_text(encoding="utf-8") == alarms.markdown(), (
        "run: cryodevice alarms --markdown > docs/alarms.md"
    )


def test_the_clinical_note_names_the_alarms_of_each_row():
    rows = {row[0]: row for row in marked_table("alarms", DOCS / "clinical-note.md")}
    for alarm in ALARMS:
        for reference in re.findall(r"\bA\d\d\b", alarm.reference):
            assert alarm.id in backticked(rows[reference][4]), f"{reference} of the note does not name {alarm.id}"
    named = {name for row in rows.values() for name in backticked(row[4])}
    assert named <= {alarm.id for alarm in ALARMS}
