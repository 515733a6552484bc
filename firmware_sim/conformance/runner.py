"""Judges clauses one after the other on one wand, and leaves it stopped whatever happens. Prints and opens nothing."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from cryodevice.errors import LinkClosedError, LinkError, LinkTimeoutError, WireError
from cryodevice.wire.codes import Applicator, Flag
from firmware_sim.conformance.clause import Clause, Lines, Wants
from firmware_sim.conformance.company import Company
from firmware_sim.conformance.dialect import Dialect, ModbusDialect
from firmware_sim.conformance.pace import NEEDED_S, refuse_too_slow
from firmware_sim.conformance.verdict import FailedError, SkippedError
from firmware_sim.conformance.wand import Wand

HELD_S: Final = 0.1
"""A kit that was held up for longer than this says nothing about the wand where a clause failed: it is judged again."""
REPEATS: Final = 2
FIRST: Final = "VERSION-01"
"""Where this fails, there is no wand to ask the rest."""


class Verdict(Enum):
    """How a clause ended."""

    PASS = "pass"  # noqa: S105  # no password
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One clause, judged.

    Args:
        clause: Which.
        verdict: How it ended.
        said: What was seen, what is wrong, or why it was skipped.
        took_s: How long it took.
        repeats: How often it was judged again.
        why: Why, in a few words.
        elsewhere: Whether it was skipped because it belongs to another line.
    """

    clause: Clause
    verdict: Verdict
    said: str
    took_s: float = 0.0
    repeats: int = 0
    why: str = ""
    elsewhere: bool = False


@dataclass
class Run:
    """What one run gave.

    Attributes:
        outcomes: Clause by clause.
        stopped: Whether the wand was seen stopped at the end; ``None`` where nothing was ordered.
        note: What the user must know besides.
        asked: How many clauses were to be judged.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    stopped: bool | None = None
    note: str = ""
    asked: int = 0

    def count(self, verdict: Verdict) -> int:
        """How many ended so."""
        return sum(outcome.verdict is verdict for outcome in self.outcomes)

    @property
    def failed(self) -> list[str]:
        """Ids of the clauses that failed."""
        return [outcome.clause.id for outcome in self.outcomes if outcome.verdict is Verdict.FAIL]


def judge_all(
    wand: Wand,
    clauses: Sequence[Clause],
    run: Run,
    *,
    began: Callable[[Clause], None] = lambda _: None,
    ended: Callable[[Outcome], None] = lambda _: None,
    leaving: Callable[[], None] = lambda: None,
) -> None:
    """Judge these clauses; what they gave is in ``run``, also where this ends by an exception.

    Raises:
        SafetyRefusedError: Somebody else is at this wand, or it is tripped.
        LinkError: The line is gone, or too slow.
    """
    run.asked = len(clauses)
    try:
        _judge_each(wand, clauses, run, began, ended)
    finally:
        leaving()
        if wand.ordered:
            run.stopped = wand.leave()


def _judge_each(
    wand: Wand,
    clauses: Sequence[Clause],
    run: Run,
    began: Callable[[Clause], None],
    ended: Callable[[Outcome], None],
) -> None:
    company = Company(wand)
    status = company.refuse_unless_free()
    refuse_too_slow(wand)
    state = Wants.ESTOP if status.has(Flag.ESTOP) else Wants.FREE
    lines = lines_of(wand.dialect)
    all_skipped = ""
    for clause in clauses:
        why = _not_here(clause, wand, lines, state)
        if clause.lines not in lines:
            outcome = Outcome(clause, Verdict.SKIP, f"of {clause.lines.value} only", elsewhere=True)
        elif all_skipped:
            outcome = Outcome(clause, Verdict.SKIP, all_skipped)
        elif why:
            outcome = Outcome(clause, Verdict.SKIP, why)
        else:
            began(clause)
            outcome = _judge(wand, clause, company, tripped=state is Wants.ESTOP)
        run.outcomes.append(outcome)
        ended(outcome)
        if outcome.verdict is Verdict.FAIL:
            all_skipped = _after_failure(wand, clause, tripped=state is Wants.ESTOP)
        company.check()
    try:
        wand.clear_trip()
    except (FailedError, LinkError, WireError) as error:
        run.note = f"the trip that this run brought about stands: {error}"
    if wand.crowded:
        crowd = f"the epoch advanced by more than this run's orders {wand.crowded} times; nobody else was seen"
        run.note = f"{run.note}; {crowd}" if run.note else crowd


def _after_failure(wand: Wand, clause: Clause, *, tripped: bool) -> str:
    """Put line and wand in order; why the clauses after this one are skipped, empty if they are not."""
    if clause.id == FIRST:
        return f"this is no wand of this wire ({FIRST})"
    return wand.after_failure(tripped=tripped)


def lines_of(dialect: Dialect) -> set[Lines]:
    """Which clauses this line can show."""
    if not isinstance(dialect, ModbusDialect):
        return {Lines.ANY, Lines.SERIAL}
    return {Lines.ANY, Lines.MODBUS, Lines.RTU if dialect.framing.rtu else Lines.TCP}


def _not_here(clause: Clause, wand: Wand, lines: set[Lines], state: Wants) -> str:
    """Why a clause cannot be judged in this run; empty if it can."""
    if clause.lines not in lines:
        return f"of {clause.lines.value} only"
    if clause.wants is Wants.ESTOP and state is not Wants.ESTOP:
        return "press the e-stop, hold it and run again"
    if clause.wants is Wants.FREE and state is Wants.ESTOP:
        return "the e-stop is pressed; release it, reset the wand and run again"
    if clause.drives and not wand.allow_drive:
        return "it drives the plate; run with --allow-drive"
    if clause.drives and wand.identity.applicator != Applicator.PLATE:
        return "only a plate is driven by this kit"
    return ""


def _judge(wand: Wand, clause: Clause, company: Company, *, tripped: bool) -> Outcome:
    """Judge a clause; where it fails and that may not be the wand's doing, again.

    Raises:
        SafetyRefusedError: It may be another master's doing.
        TooSlowError: It may be the line's.
    """
    began_s, why = wand.line.now(), ""
    for repeat in range(REPEATS + 1):
        wand.held_s = wand.dialect.longest_s = wand.dialect.held_s = 0.0
        verdict, said = _once(wand, clause)
        again = _excuse(wand, company, tripped=tripped) if verdict is Verdict.FAIL else ""
        if not again or repeat == REPEATS:
            return Outcome(clause, verdict, said, wand.line.now() - began_s, repeat, why)
        why = again
        with suppress(LinkError, WireError):
            wand.dialect.recover()
    raise AssertionError("a clause is judged at least once")


def _excuse(wand: Wand, company: Company, *, tripped: bool) -> str:
    """What else than the wand may have failed the clause just judged; empty if nothing."""
    held_s, longest_s = max(wand.held_s, wand.dialect.held_s), wand.dialect.longest_s
    if company.spoilt(tripped=tripped):
        return "somebody else may have ordered"
    if held_s > HELD_S:
        return f"this computer was held up for {held_s * 1000:.0f} ms"
    if longest_s <= NEEDED_S:
        return ""
    with suppress(LinkTimeoutError, LinkClosedError, WireError):
        refuse_too_slow(wand)
    return f"a reply took {longest_s * 1000:.0f} ms"


def _once(wand: Wand, clause: Clause) -> tuple[Verdict, str]:
    try:
        if clause.session:
            wand.begin()
        return Verdict.PASS, clause.judge(wand)
    except SkippedError as skipped:
        return Verdict.SKIP, str(skipped)
    except LinkClosedError as error:
        wand.line.reopen()
        return Verdict.FAIL, str(error)
    except FailedError as failed:
        return Verdict.FAIL, str(failed)
    except WireError as error:
        return Verdict.FAIL, error.message
    except LinkError as error:
        return Verdict.FAIL, error.message
