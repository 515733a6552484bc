"""The fault matrix as a page: ``python -m tests.campaign.fault_matrix``. Resumable; ``--check`` only looks whether the page is old.

Faults of the simulator are run against plant, firmware, frames, codecs and ``decide`` in one simulated time, 20 seeds each, while the
wand cools skin. What came of them is kept in docs/evidence/fault-matrix.json; the rest of the page is read from the other pages of
evidence, which the campaign writes, and from the marks of the tests. Exit status 1 when a run was not as its row says.
"""

import argparse
import json
import statistics
import sys
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from firmware_sim.faults import injection
from tests.campaign.faults_alone import PLATE_HOT_DEGC, TREATMENT, LineRig
from tests.campaign.matrix_page import page
from tests.system.processes import ROOT
from tests.trace.matrix import Row, matrix

KEPT = ROOT / "docs" / "evidence" / "fault-matrix.json"
DOCUMENT = ROOT / "docs" / "fault-matrix.md"
SEEDS = 20
LONGEST_S = 30.0
AFTER_S = 0.5
"""A drive that went off is watched for as long, so that it is off and not between two pulses."""
Run = dict[str, Any]


def once(fault: str, seed: int, longest_s: float = LONGEST_S) -> Run:
    """One fault while the wand cools skin: what answered, when the drive was at zero, how warm the plate became."""
    rig = LineRig(seed, treatment=TREATMENT)
    rig.to_applying(2.0)
    began, rig.events, hottest, quiet_s = rig.now, [], 0.0, 0.0
    rig.sim.faults.inject(injection(fault))
    while rig.now < began + longest_s and quiet_s < AFTER_S:
        before = rig.now
        rig.tick()
        truth = rig.sim.truth()
        hottest = max(hottest, truth["plate_degc"])
        ended = not rig.core.leased or truth["trip"] != "none"
        quiet_s = quiet_s + rig.now - before if ended and not truth["drive_a"] else 0.0
    truth = rig.sim.truth()
    off_s = truth["drive_off_at_s"]
    answer = rig.withdrawn_by() or ("-" if truth["trip"] == "none" else f"trip {truth['trip']}")
    reacted = quiet_s >= AFTER_S and off_s is not None and off_s >= began
    return {
        "fault": fault,
        "seed": seed,
        "answer": answer,
        "off_ms": round(1000 * (off_s - began)) if reacted else None,
        "plate_degc": round(hottest, 2),
    }


def why_not(row: Row, run: Run) -> str:
    """Why a run is not as its row says; empty if it is."""
    if row.budget_ms is not None and run["fault"] in row.runs:
        if run["off_ms"] is None:
            return "the drive stayed on"
        return f"{run['off_ms']} ms" if run["off_ms"] > row.budget_ms else ""
    if row.must.startswith("goes on"):
        return "" if run["answer"] == "-" else f"answered by {run['answer']}"
    return "" if run["plate_degc"] <= PLATE_HOT_DEGC and run["answer"] != "-" else f"plate {run['plate_degc']} °C"


def summed(row: Row, fault: str, runs: list[Run]) -> Run:
    """What a fault's runs come to."""
    times = [run["off_ms"] for run in runs if run["off_ms"] is not None]
    wrong = [f"seed {run['seed']}: {why_not(row, run)}" for run in runs if why_not(row, run)]
    return {
        "fault": fault,
        "runs": len(runs),
        "answers": sorted({run["answer"] for run in runs}),
        "median_ms": round(statistics.median(times)) if times else None,
        "worst_ms": max(times, default=None),
        "hottest_degc": max(run["plate_degc"] for run in runs),
        "failed": wrong,
    }


def kept() -> dict[str, Run]:
    """What was kept of earlier runs, by fault."""
    return json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}


def run_missing(results: dict[str, Run], only: list[str]) -> None:
    """Run the faults that have no result yet; each is kept as soon as it is done."""
    rows = [row for row in matrix() if only in ([], [row.id])]
    todo = [(row, fault) for row in rows for fault in (*row.runs, *row.untimed) if fault not in results]
    with ProcessPoolExecutor(1) as pool:
        for number, (row, fault) in enumerate(todo, start=1):
            runs = list(pool.map(once, [fault] * SEEDS, range(SEEDS)))
            results[fault] = summed(row, fault, runs)
            KEPT.write_text(json.dumps(results, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
            told = results[fault]
            sys.stdout.write(
                f"{number}/{len(todo)} {row.id} {fault}: {', '.join(told['answers'])}, worst {told['worst_ms']} ms"
                f" of {row.budget_ms}, {len(told['failed'])} failed\n"
            )
            sys.stdout.flush()


def main() -> int:
    """Run what is missing, write the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign.fault_matrix", description=__doc__)
    parser.add_argument("--check", action="store_true", help="run and write nothing; 1 if the page is old")
    parser.add_argument("--fresh", action="store_true", help="forget earlier results first")
    parser.add_argument("--only", nargs=1, default=[], metavar="ROW", help="runs of one row only")
    options = parser.parse_args()
    if options.check:
        return 0 if DOCUMENT.read_text(encoding="utf-8") == page(kept()) else 1
    results = {} if options.fresh else kept()
    run_missing(results, options.only)
    DOCUMENT.write_text(page(results), encoding="utf-8")
    return 1 if any(result["failed"] for result in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
