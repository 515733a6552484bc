"""What a run says: one line a clause for a person, one JSON document for a program. Writes to the streams it is given.

The document's ``schema`` names its version; fields are only added within one.
"""

import json
import os
from collections.abc import Mapping
from typing import Any, Final, TextIO

from firmware_sim.conformance.blocks import Identity
from firmware_sim.conformance.clause import Clause, Group
from firmware_sim.conformance.runner import Outcome, Run, Verdict

SCHEMA: Final = "firmware-sim-conformance/1"
_COLOURS: Final[Mapping[Verdict, str]] = {Verdict.PASS: "32", Verdict.FAIL: "1;31", Verdict.SKIP: "2"}
_WORDS: Final[Mapping[Verdict, str]] = {Verdict.PASS: "pass", Verdict.FAIL: "FAIL", Verdict.SKIP: "skip"}
_CLEAR: Final = "\r\x1b[K"


class Teller:
    """Tells how a run goes while it goes.

    Args:
        out: Where the lines go; ``None`` tells none.
        progress: Where the clause under way is shown, where that is a terminal.
        groups: Of which the headings are.
    """

    def __init__(self, out: TextIO | None, progress: TextIO, groups: tuple[Group, ...]) -> None:
        self._out = out
        self._progress = progress if progress.isatty() else None
        self._colour = out is not None and out.isatty() and not os.environ.get("NO_COLOR")
        self._heading = {clause.id: group.heading for group in groups for clause in group.clauses}
        self._last_heading = ""

    def line(self, text: str = "") -> None:
        """One line as it is."""
        if self._out is not None:
            self._out.write(f"{text}\n")
            self._out.flush()

    def began(self, clause: Clause) -> None:
        """A clause is being judged."""
        self._show(f"  ...   {clause.id}")

    def ended(self, outcome: Outcome) -> None:
        """A clause is judged."""
        self._show("")
        if outcome.elsewhere:
            return
        heading = self._heading[outcome.clause.id]
        if heading != self._last_heading:
            self._last_heading = heading
            self.line(f"\n{heading}")
        again = f" [judged {outcome.repeats + 1} times: {outcome.why}]" if outcome.repeats else ""
        self.line(
            f"  {self._word(outcome.verdict)}  {outcome.clause.id:<20}{outcome.clause.caption}: {outcome.said}{again}"
        )

    def close(self, lines: list[str]) -> None:
        """The last lines, below the clause that was under way."""
        self._show("")
        for line in ("", *lines):
            self.line(line)

    def _word(self, verdict: Verdict) -> str:
        word = _WORDS[verdict]
        return f"\x1b[{_COLOURS[verdict]}m{word}\x1b[0m" if self._colour else word

    def _show(self, text: str) -> None:
        if self._progress is not None:
            self._progress.write(_CLEAR + text)
            self._progress.flush()


def wand_line(who: Identity, where: str) -> str:
    """Whom the run is about."""
    firmware = f"{who.firmware_version >> 8}.{who.firmware_version & 0xFF}.{who.firmware_patch}"
    kind = "SIMULATED wand" if who.simulated else "wand"
    return f"{kind} {who.serial_number}, firmware {firmware}, boot {who.boot_id}, on {where}"


def summary(run: Run, took_s: float) -> list[str]:
    """The last lines."""
    elsewhere = sum(outcome.elsewhere for outcome in run.outcomes)
    skipped = run.count(Verdict.SKIP) - elsewhere
    counted = f"{run.count(Verdict.PASS)} passed, {run.count(Verdict.FAIL)} failed, {skipped} skipped"
    lines = [f"{counted} in {took_s:.0f} s; {elsewhere} clauses are of another line."]
    if len(run.outcomes) < run.asked:
        lines.append(f"The run broke off: {run.asked - len(run.outcomes)} clauses were not reached.")
    if run.failed:
        lines.append(f"Failed: {' '.join(run.failed)}")
    if run.note:
        lines.append(f"Note: {run.note}.")
    lines.append(ending(run))
    return lines


def ending(run: Run) -> str:
    """How the wand was left."""
    match run.stopped:
        case None:
            return "Nothing was ordered."
        case True:
            return "The wand is stopped."
        case False:
            return "THE WAND DID NOT CONFIRM ITS LAST STOP: switch it off."


def document(
    run: Run,
    who: Identity | None,
    line: Mapping[str, object],
    ending: str,
    *,
    allow_drive: bool,
    took_s: float,
    error: str,
) -> str:
    """The JSON document.

    Args:
        run: What the run gave so far.
        who: The wand, where it was reached.
        line: Which line, how.
        ending: ``complete``, ``interrupted``, ``refused`` or ``failed``.
        allow_drive: Whether the plate might be driven.
        took_s: How long it took.
        error: Why it did not complete.
    """
    wand: dict[str, Any] | None = None
    if who is not None:
        wand = {
            "serial_number": who.serial_number,
            "firmware": f"{who.firmware_version >> 8}.{who.firmware_version & 0xFF}.{who.firmware_patch}",
            "wire": f"{who.wire_version >> 8}.{who.wire_version & 0xFF}",
            "applicator": who.applicator,
            "capabilities": who.capabilities,
            "boot_id": who.boot_id,
            "simulated": bool(who.simulated),
        }
    return json.dumps(
        {
            "schema": SCHEMA,
            "ended": ending,
            "error": error or None,
            "line": dict(line),
            "wand": wand,
            "allow_drive": allow_drive,
            "stopped": run.stopped,
            "note": run.note or None,
            "took_s": round(took_s, 3),
            "counts": {verdict.value: run.count(verdict) for verdict in Verdict},
            "clauses": [_entry(outcome) for outcome in run.outcomes],
        },
        indent=1,
        ensure_ascii=False,
    )


def _entry(outcome: Outcome) -> dict[str, object]:
    clause = outcome.clause
    return {
        "id": clause.id,
        "rule": clause.rule,
        "also": list(clause.also),
        "caption": clause.caption,
        "verdict": outcome.verdict.value,
        "said": outcome.said,
        "took_s": round(outcome.took_s, 3),
        "repeats": outcome.repeats,
        "why_repeated": outcome.why or None,
        "other_line": outcome.elsewhere,
    }
