"""Repetitions, soaks and crash loops: ``python -m tests.campaign``. Resumable; keeps its results as tables.

Every run is one line in ``campaign/NAME.jsonl``; what passed already is not run again (``--fresh`` begins anew), and what
failed stays in the count when it is.
Tables are written to ``docs/evidence``. Exit status 1 when any run failed.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from cryodevice.safety.interlocks import TABLE
from tests.campaign import estimate, ledger, modbus_matrix, side
from tests.system.faults import ENDINGS, FAULTS, Fault, check, once
from tests.system.process_rows import ROWS, patiently
from tests.system.processes import ROOT
from tests.system.test_interlock_rows import CASES, ROW, budget_s
from tests.system.test_interlock_rows import check as check_row

RESULTS = ROOT / "campaign"
EVIDENCE = ROOT / "docs" / "evidence"
Result = dict[str, Any]


@dataclass(frozen=True)
class Item:
    """One kind of run: its cases, how often each is to be run, and what a run gives.

    ``at_once`` of them run side by side, but for those that need the machine ``alone``; ``fewer`` runs of some cases.
    """

    name: str
    cases: tuple[str, ...]
    runs: int
    once: Callable[[str, int], Result]
    at_once: int = 1
    alone: frozenset[str] = frozenset()
    fewer: Mapping[str, int] = field(default_factory=dict)


def fault(name: str, seed: int) -> Result:
    """One fault of a process or a line while cooling; the drive must be off in time."""
    chosen: Fault = {**FAULTS, **ENDINGS}[name]
    with tempfile.TemporaryDirectory() as directory:
        reaction = once(chosen, Path(directory), seed)
    check(reaction, chosen)
    return {"s": reaction.after_fault_s, "echo_s": reaction.after_echo_s, "trip": reaction.trip}


def interlock(name: str, seed: int) -> Result:
    """One interlock row provoked in virtual time."""
    rig = check_row(name, TABLE, seed)
    return {"s": rig.reaction_s, "acted_s": rig.acted_s}


PROCESS = {row.id: row for row in ROWS}


def process(name: str, seed: int) -> Result:
    """One row of process and time; within its budget where it has one."""
    row = PROCESS[name]
    with tempfile.TemporaryDirectory() as directory:
        took_s = patiently(row, Path(directory), seed)
    if row.budget_s is None:
        return {"s": None, "seen": took_s}
    assert isinstance(took_s, float), f"{name} timed nothing"
    assert took_s <= row.budget_s, f"{name}: {took_s:.3f} s of {row.budget_s:.3f} s"
    return {"s": took_s}


ITEMS = (
    Item("faults", (*FAULTS, *ENDINGS), 20, fault, at_once=3),
    Item(
        "process",
        tuple(PROCESS),
        20,
        process,
        at_once=3,
        alone=frozenset(row.id for row in ROWS if row.alone),
        fewer={row.id: row.runs for row in ROWS if row.runs < 20},
    ),
    Item("interlocks", tuple(CASES), 20, interlock),
    Item("modbus", tuple(modbus_matrix.CELLS), 3, modbus_matrix.once),
    Item("estimate", ("ten people",), 50, estimate.once, at_once=2),
    Item("ledger", ("kill -9 while writing",), 200, lambda _name, seed: {"s": None, **ledger.kill_once(seed)}),
)


def done(path: Path) -> list[Result]:
    """Results kept so far; a line cut short by a crash is run again."""
    found = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def pending(item: Item, runs: int, kept: list[Result]) -> Iterator[tuple[str, int]]:
    """Runs still to be made, each case in turn."""
    have = {(result["case"], result["seed"]) for result in kept if result["ok"]}
    for seed in range(runs):
        for case in item.cases:
            if (case, seed) not in have and seed < item.fewer.get(case, runs):
                yield case, seed


def carry_out(item: Item, runs: int) -> list[Result]:
    """Make the runs of one item that are missing, with progress; returns all its results."""
    path = RESULTS / f"{item.name}.jsonl"
    kept = done(path)  # a run that failed stays on record when it is made again
    todo = list(pending(item, runs, kept))
    began = time.monotonic()
    with path.open("a") as out:
        for number, result in enumerate(results_of(item, todo), start=1):
            out.write(json.dumps(result) + "\n")
            out.flush()
            kept.append(result)
            left = (time.monotonic() - began) / number * (len(todo) - number)
            mark = "" if result["ok"] else f"  FAILED: {result['why'][:200]}\n"
            say(f"\r{item.name} {number}/{len(todo)}, {left:.0f} s to go   {mark}")
    if todo:
        say("\n")
    return kept


def results_of(item: Item, todo: list[tuple[str, int]]) -> Iterator[Result]:
    """Make the runs, those that need the machine alone first; each result as it comes."""
    side_by_side = [run for run in todo if item.at_once > 1 and run[0] not in item.alone]
    for run in todo:
        if run not in side_by_side:
            yield one(item.name, *run)
    # Processes, not threads: a run may set the time zone or the wall clock of the process it is in.
    with ProcessPoolExecutor(item.at_once, max_tasks_per_child=1, mp_context=get_context("spawn")) as pool:
        for under_way in as_completed([pool.submit(side.one, item.name, *run) for run in side_by_side]):
            yield under_way.result()


def one(item_name: str, case: str, seed: int) -> Result:
    """One run of one case."""
    item = next(item for item in ITEMS if item.name == item_name)
    result: Result = {"case": case, "seed": seed, "ok": True}
    try:
        return result | item.once(case, seed)
    except AssertionError as error:
        why = str(error)
        return result | {"ok": False, "why": why if len(why) < 1200 else f"{why[:300]} ... {why[-900:]}"}


def say(text: str) -> None:
    """Progress, at once."""
    sys.stdout.write(text)
    sys.stdout.flush()


def row_of(results: list[Result]) -> tuple[str, str, int, int]:
    """Median, worst, number of runs, number failed."""
    times = [result["s"] for result in results if result["ok"] and result.get("s") is not None]
    middle = f"{statistics.median(times) * 1000:.0f}" if times else "-"
    worst = f"{max(times) * 1000:.0f}" if times else "-"
    return middle, worst, len(results), sum(not result["ok"] for result in results)


def write_faults(kept: list[Result]) -> None:
    """docs/evidence/reaction.md."""
    lines = [
        "# Evidence: faults of process and line while cooling\n",
        "Generated by `python -m tests.campaign --only faults`. Real processes, a real pty, the plate on simulated skin "
        "with the drive on. Time from the fault to drive zero by the simulator's truth, in its own clock; the fault's "
        "instant is read just before it, so the true reaction is never longer. After the echo: from the sample the last "
        "accepted order echoed, which the lease bounds at 500 + 50 ms.\n",
        "| fault | budget ms | median ms | worst ms | worst after echo ms | runs | failed |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, chosen in {**FAULTS, **ENDINGS}.items():
        results = [result for result in kept if result["case"] == name]
        middle, worst, count, failed = row_of(results)
        echo = max((result["echo_s"] for result in results if result["ok"]), default=0.0)
        budget = f"{chosen.budget_s * 1000:.0f}"
        lines.append(f"| {name} | {budget} | {middle} | {worst} | {echo * 1000:.0f} | {count} | {failed} |")
    (EVIDENCE / "reaction.md").write_text("\n".join(lines) + "\n")


def write_interlocks(kept: list[Result]) -> None:
    """docs/evidence/interlocks.md."""
    lines = [
        "# Evidence: every interlock row provoked\n",
        "Generated by `python -m tests.campaign --only interlocks`. Daemon core, wire bytes, firmware and plant in one "
        "simulated time; each row provoked through the plant or the wire, 20 seeds. Time from unsafe to drive zero in the "
        "simulator; `-` where the drive was off already or the row only warns. Each check is also run with its row taken "
        "out of the table, and must then fail (`tests/system/test_interlock_rows.py`). For `drive_while_off` nothing is "
        "left that could take the current away: its time is that of the lockout. Where the drive is at zero before the daemon acts, the wand's own regulator let go first, on the same reading.\n",
        "| interlock | action | dwell s | daemon acts, worst ms | budget ms | drive zero, median ms | worst ms | runs | failed |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name in CASES:
        results = [result for result in kept if result["case"] == name]
        middle, worst, count, failed = row_of(results)
        acted = max((result["acted_s"] for result in results if result["ok"]), default=0.0) * 1000
        row = ROW[name]
        lines.append(
            f"| {name} | {row.action.name.lower()} | {row.dwell.value:g} | {acted:.0f} | {budget_s(name) * 1000:.0f} | {middle} "
            f"| {worst} | {count} | {failed} |"
        )
    (EVIDENCE / "interlocks.md").write_text("\n".join(lines) + "\n")


def write_process(kept: list[Result]) -> None:
    """docs/evidence/process.md."""
    lines = [
        "# Evidence: process and time, identity\n",
        "Generated by `python -m tests.campaign --only process`. Rows D01 to D21 and X01 to X06 of the fault matrix; a letter "
        "after the number tells variants of one row apart. Each run is a bed of its own (`tests/system/process_rows.py`). Times "
        "are from the fault to drive zero by the simulator's truth, in its own clock, unless the row says what else is timed; `-` "
        "where nothing is timed: the run shows what must be true or fails.\n",
        "| row | fault | what must be true | budget ms | median ms | worst ms | runs | failed |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in ROWS:
        results = [result for result in kept if result["case"] == row.id]
        seen = Counter(result["seen"] for result in results if result.get("seen"))
        words = ", ".join(f"{what} ({count})" if count > 1 else what for what, count in seen.most_common())
        middle, worst, count, failed = row_of(results)
        budget = "-" if row.budget_s is None else f"{row.budget_s * 1000:.0f}"
        fault = f"{row.fault} (timed: {row.timed})" if row.timed else row.fault
        lines.append(
            f"| {row.id} | {fault} | {row.must}{f'; seen: {words}' if words else ''} | {budget} | {middle} | {worst} | {count} | {failed} |"
        )
    failed_runs = [result for result in kept if not result["ok"]]
    if failed_runs:
        lines.append("\nRuns that failed, and were made again:\n")
        lines += [
            f"- {result['case']}, seed {result['seed']}: {result['why'].split(';')[0][:120]}" for result in failed_runs
        ]
    (EVIDENCE / "process.md").write_text("\n".join(lines) + "\n")


def write_ledger(kept: list[Result]) -> None:
    """docs/evidence/ledger.md."""
    told = sum(result.get("acknowledged_s", 0.0) > 0.0 for result in kept)
    failed = sum(not result["ok"] for result in kept)
    (EVIDENCE / "ledger.md").write_text(
        "# Evidence: the exposure ledger under kill -9\n\n"
        "Generated by `python -m tests.campaign --only ledger`. A writer killed at a random moment; every record it said "
        "was durable must be there afterwards, lockouts included.\n\n"
        f"| runs | killed after something was acknowledged | acknowledged records lost |\n|---|---|---|\n"
        f"| {len(kept)} | {told} | {failed} |\n"
    )


def write_modbus(kept: list[Result]) -> None:
    """docs/evidence/modbus-wand.md."""
    (EVIDENCE / "modbus-wand.md").write_text(modbus_matrix.page(kept))


def write_estimate(kept: list[Result]) -> None:
    """docs/evidence/estimate.md."""
    (EVIDENCE / "estimate.md").write_text(estimate.page(kept))


WRITERS = {
    "estimate": write_estimate,
    "faults": write_faults,
    "process": write_process,
    "interlocks": write_interlocks,
    "modbus": write_modbus,
    "ledger": write_ledger,
}


def main() -> int:
    """Run what is asked for; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("--only", choices=[item.name for item in ITEMS], action="append", help="just this")
    parser.add_argument("--runs", type=int, help="runs of each case (default: 20, modbus 3, estimate 50, ledger 200)")
    parser.add_argument("--fresh", action="store_true", help="forget earlier results first")
    options = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    EVIDENCE.mkdir(parents=True, exist_ok=True)
    failures = 0
    for item in ITEMS:
        if options.only and item.name not in options.only:
            continue
        if options.fresh:
            (RESULTS / f"{item.name}.jsonl").unlink(missing_ok=True)
        kept = carry_out(item, options.runs or item.runs)
        WRITERS[item.name](kept)
        failed = [result for result in kept if not result["ok"]]
        failures += len(failed)
        worst = max((result["s"] for result in kept if result.get("s") is not None), default=0.0)
        say(f"{item.name}: {len(kept)} runs, {len(failed)} failed, worst {worst * 1000:.0f} ms\n")
        for result in failed:
            say(f"  {result['case']} seed {result['seed']}: {result['why'][:300]}\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
