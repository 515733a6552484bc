"""Seeds of the whole daemon and its wand in virtual time, on all cores: ``python -m tests.campaign.seeds``.

Each seed of a family is a person, a treatment, a hand and faults, judged on the truth. Resumable: a seed that has been run
by the same program is not run again. ``--replay SEED`` tells the story of one; ``--page`` writes docs/evidence/campaign.md.
"""

import argparse
import gc
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tests.campaign import seeds_page
from tests.campaign.cases import case
from tests.campaign.families import FAMILIES, Family
from tests.campaign.truths import Verdict, judge
from tests.campaign.whole import Bed, lived

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "campaign"
SOURCES = ("cryodevice/**/*.py", "firmware_sim/**/*.py", "tests/campaign/*.py", "tests/runtime/virtual.py")
CHUNK = 5
DRAWN = FAMILIES["drawn"]


def program() -> str:
    """What the results depend on, as a digest: another program is another campaign."""
    digest = hashlib.sha256()
    for pattern in SOURCES:
        for path in sorted(ROOT.glob(pattern)):
            if path.name != "seeds_page.py":
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def bed_of(seed: int, seconds: float, family: Family = DRAWN) -> tuple[Any, Bed]:
    """One seed, lived through."""
    chosen = case(seed, seconds, family)

    def bed() -> Bed:
        return Bed(chosen.scenario, seed, chosen.line, sim=chosen.wand(), byte_s=chosen.byte_s)

    return chosen, lived(bed, chosen.hand, early=family.early)


def one(seed: int, seconds: float, family: Family = DRAWN) -> dict[str, Any]:
    """What came of one seed; an error of the program is a violation like any other."""
    began_s, lived_s = time.process_time(), seconds
    try:
        chosen, bed = bed_of(seed, seconds, family)
        verdict, lived_s = judge(chosen, bed), bed.sim.time_s
    except Exception as error:  # noqa: BLE001  # whatever it is, this seed tells it and the others go on
        chosen = case(seed, seconds, family)
        names = tuple(each.name for each in chosen.faults)
        why = f"{type(error).__name__}: {error}"[:300]
        verdict = Verdict(seed, chosen.told(), names, {}, 99.0, 0.0, None, "", 0.0, "", "", [("error", why)])
    return asdict(verdict) | {"took_s": time.process_time() - began_s, "lived_s": lived_s}


def several(seeds: list[int], seconds: float, family: Family = DRAWN) -> list[dict[str, Any]]:
    """A few seeds in one process."""
    gc.freeze()
    return [one(seed, seconds, family) for seed in seeds]


def kept(path: Path) -> dict[int, dict[str, Any]]:
    """Results so far by seed; a line cut short by a crash is run again."""
    found = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            result = json.loads(line)
        except ValueError:
            continue
        found[result["seed"]] = result
    return found


def results(
    seeds: list[int], seconds: float, path: Path, family: Family = DRAWN, jobs: int | None = None
) -> Iterator[dict[str, Any]]:
    """Run what is missing, on all cores; each result as it comes."""
    chunks = [seeds[at : at + CHUNK] for at in range(0, len(seeds), CHUNK)]
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # one core a process; theirs would only spin
    with path.open("a") as out, ProcessPoolExecutor(jobs or os.cpu_count(), mp_context=get_context("spawn")) as pool:
        for under_way in as_completed([pool.submit(several, chunk, seconds, family) for chunk in chunks]):
            for result in under_way.result():
                out.write(json.dumps(result) + "\n")
                out.flush()
                yield result


def replay(seed: int, seconds: float, family: Family) -> int:
    """Tell what happened under one seed; 1 if it is a violation."""
    chosen, bed = bed_of(seed, seconds, family)
    events = bed.daemon.happened.drain()
    bed.daemon.happened = _Again(events)
    verdict = judge(chosen, bed)
    say(f"seed {seed}: {chosen.told()}\n{chosen.scenario.steps}\n{chosen.hand}\n{bed.sim.plant.individual}\n")
    for numbered in events:
        event = numbered.event
        say(f"  {event.at_s - 5000.0:8.3f} s  {event.kind.value}: {event.message}\n")
    for at_s, on in bed.watch.drive:
        say(f"  {at_s:8.3f} s  the drive goes {'on' if on else 'off'}\n")
    for at_s, name in bed.watch.trips:
        say(f"  {at_s:8.3f} s  the wand trips: {name}\n")
    say(json.dumps(asdict(verdict), indent=1) + "\n")
    return 1 if verdict.violations else 0


class _Again:
    """Events that were taken already, for whoever asks next."""

    def __init__(self, events: list[Any]) -> None:
        self.drain = lambda: events


def say(text: str) -> None:
    """Progress, at once."""
    sys.stdout.write(text)
    sys.stdout.flush()


def run(family: Family, first: int, count: int, seconds: float, jobs: int | None) -> None:
    """Run what is missing of a family, with progress."""
    path = kept_at(family, seconds)
    have = kept(path)
    todo = [seed for seed in range(first, first + count) if seed not in have]
    say(f"{family.name}: {count} seeds of {seconds:g} s, {count - len(todo)} of them run before\n")
    began_s, told_s, bad = time.monotonic(), 0.0, 0
    for number, result in enumerate(results(todo, seconds, path, family, jobs), start=1):
        bad += bool(result["violations"])
        left_s = (time.monotonic() - began_s) / number * (len(todo) - number)
        if time.monotonic() >= told_s or number == len(todo):
            told_s = time.monotonic() + 1.0
            say(f"\r{number}/{len(todo)}, {bad} with violations, {left_s:.0f} s to go   ")
    say(f"\n{time.monotonic() - began_s:.0f} s\n")


def kept_at(family: Family, seconds: float) -> Path:
    """Where the results of this program are kept."""
    return RESULTS / f"seeds-{program()}-{family.name}-{seconds:g}.jsonl"


def _whole(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is too small; it may be {least} and up")
        return value

    return number


def _seconds(text: str) -> float:
    value = float(text)
    if not 1.0 <= value <= 3600.0:
        raise argparse.ArgumentTypeError(f"{text} is no length of a case; it may be 1 to 3600 s")
    return value


def main() -> int:
    """Run what is asked for; 1 if anything was violated that is promised."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign.seeds", description=__doc__)
    parser.add_argument(
        "--family", choices=(*FAMILIES, "all"), default="drawn", help="which kind of case (default: drawn)"
    )
    parser.add_argument("--seeds", type=_whole(1), metavar="N", help="how many (default: the family's own number)")
    parser.add_argument(
        "--from", type=_whole(0), default=0, metavar="N", dest="first", help="the first seed (default: 0)"
    )
    parser.add_argument("--seconds", type=_seconds, metavar="S", help="of each seed (default: the family's own)")
    parser.add_argument("--jobs", type=_whole(1), metavar="N", help="processes at once (default: one a core)")
    parser.add_argument("--replay", type=_whole(0), metavar="SEED", help="tell the story of one seed")
    parser.add_argument("--page", action="store_true", help="write docs/evidence/campaign.md from all that is kept")
    options = parser.parse_args()
    chosen = tuple(FAMILIES.values()) if options.family == "all" else (FAMILIES[options.family],)
    if options.replay is not None:
        return replay(options.replay, options.seconds or chosen[0].seconds, chosen[0])
    RESULTS.mkdir(parents=True, exist_ok=True)
    for family in chosen:
        run(family, options.first, options.seeds or family.cases, options.seconds or family.seconds, options.jobs)
    found = {}
    for family in FAMILIES.values():
        seconds = options.seconds or family.seconds
        if have := kept(kept_at(family, seconds)):
            found[family] = seeds_page.Run(family, seconds, [have[seed] for seed in sorted(have)])
    if options.page:
        seeds_page.DOCUMENT.write_text(seeds_page.page(list(found.values())))
    for family in chosen:
        say(seeds_page.summary(found[family]))
    return 1 if any(found[family].broken() for family in chosen) else 0


if __name__ == "__main__":
    sys.exit(main())
