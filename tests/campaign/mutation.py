"""Mutants of the safety core: ``make mutation``. Resumable; progress as it goes; writes docs/evidence/mutation.md.

Two tools: mutmut for functions (``mutants``), our own for tables and constants (``table_mutants``). Why a survivor is none to be
killed stands in docs/evidence/mutation-reasons.toml. Exit status 1 below 95 % of either, or while some have not been run.
"""

import argparse
import hashlib
import json
import os
import sys
import time
from typing import Any

from tests.campaign import mutants, table_mutants
from tests.campaign.mutation_page import page, share
from tests.campaign.table_mutants import ROOT, Mutant

TABLES = mutants.PLACE / "tables.jsonl"
DOCUMENT = ROOT / "docs" / "evidence" / "mutation.md"
WANTED = 0.95
Kept = dict[tuple[str, str], str]


def source_of(module: str) -> str:
    """A short name for what a module says now: a result is good for that text only."""
    return hashlib.sha256((ROOT / module).read_bytes()).hexdigest()[:12]


def kept_tables() -> Kept:
    """Results of the tables tool that are still good, by module and mutant."""
    sources = {module: source_of(module) for module in table_mutants.modules()}
    kept: Kept = {}
    for text in TABLES.read_text(encoding="utf-8").splitlines() if TABLES.exists() else ():
        entry: dict[str, Any] = json.loads(text)
        if sources.get(entry["module"]) == entry["source"]:
            kept[entry["module"], entry["what"]] = entry["result"]
    return kept


def all_tables() -> list[Mutant]:
    """Every mutant of the tables tool, those of rows first: they need the fewest tests."""
    found = [each for module in table_mutants.modules() for each in table_mutants.mutants(module)]
    return sorted(found, key=lambda each: not each.row)


def run_tables(*, again: bool) -> None:
    """Run what has no result yet; ``again`` also what survived."""
    TABLES.parent.mkdir(parents=True, exist_ok=True)
    kept = kept_tables()
    done = {key for key, result in kept.items() if not (again and result == "survived")}
    todo = [each for each in all_tables() if (each.module, each.what) not in done]
    began = time.monotonic()
    with TABLES.open("a", encoding="utf-8") as out:
        for number, each in enumerate(todo, start=1):
            result = table_mutants.verdict(each)
            entry = {"module": each.module, "what": each.what, "source": source_of(each.module), "result": result}
            out.write(json.dumps(entry, ensure_ascii=False) + "\n")
            out.flush()
            left_s = (time.monotonic() - began) / number * (len(todo) - number)
            mark = f"\n  SURVIVED {each.module} {each.what}\n" if result == "survived" else ""
            sys.stdout.write(f"\rtables {number}/{len(todo)}, {left_s:.0f} s to go   {mark}")
            sys.stdout.flush()


def run_functions(only: list[str], *, again: bool) -> None:
    """Both passes of mutmut: the second only for what survived the first; ``again`` what survived, with the tests of now."""
    mutants.prepare(mutants.QUICK)
    mutants.run(mutants.QUICK, only)
    alive = [name for name, result in mutants.together().items() if result in {"survived", "no test"}]
    if again and alive:
        mutants.run(mutants.QUICK, alive)
    left = [name for name, result in mutants.results(mutants.QUICK).items() if result in {"survived", "no test"}]
    done = mutants.results(mutants.WHOLE) if (mutants.place(mutants.WHOLE) / "mutants").exists() else {}
    todo = [name for name in left if done.get(name, "not run") == "not run"]
    if todo:
        mutants.prepare(mutants.WHOLE)
        mutants.run(mutants.WHOLE, todo)


def main() -> int:
    """Run what is asked for, write the page; 1 when it is not enough."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign.mutation", description=__doc__)
    parser.add_argument("--only", choices=["tables", "functions", "page"], help="just this")
    parser.add_argument("--again", action="store_true", help="run survivors again, with the tests of now")
    parser.add_argument("names", nargs="*", help="mutants of functions by name, * for any: cryodevice.safety*")
    options = parser.parse_args()
    os.nice(max(0, 10 - os.nice(0)))
    if options.only in {None, "tables"}:
        run_tables(again=options.again)
    if options.only in {None, "functions"}:
        run_functions(options.names, again=options.again)
    functions, tables = mutants.together(), kept_tables()
    everything = {(each.module, each.what): tables.get((each.module, each.what), "not run") for each in all_tables()}
    DOCUMENT.write_text(page(functions, everything), encoding="utf-8")
    for name, results in (("functions", functions), ("tables", everything)):
        sys.stdout.write(f"\n{name}: {share(list(results.values()))}")
    sys.stdout.write(f"\n{DOCUMENT.relative_to(ROOT)} written\n")
    enough = all(_enough(list(results.values())) for results in (functions, everything))
    return 0 if enough else 1


def _enough(results: list[str]) -> bool:
    dead = sum(result in {"killed", "behaviour", "document"} for result in results)
    return "not run" not in results and dead >= WANTED * len(results)


if __name__ == "__main__":
    sys.exit(main())
