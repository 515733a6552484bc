"""``firmware-sim scenario run | check | list``: reads arguments, writes what came of it. Judges nothing itself.

Exit codes: 0 all as expected, 1 something was not, 2 a file or an argument that cannot be.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from cryodevice.errors import ExitCode
from firmware_sim.scenarios.load import ScenarioError, load
from firmware_sim.scenarios.model import Scenario
from firmware_sim.scenarios.plot import can_plot, plot
from firmware_sim.scenarios.run import Result, run

_MARK = {True: "met", False: "NOT MET", None: "not asked here"}


def shipped() -> Path:
    """Where the scenarios that come with the package are."""
    beside = Path(__file__).parents[2] / "config" / "scenarios"
    return beside if beside.is_dir() else Path(__file__).parents[2] / "cryodevice" / "_config" / "scenarios"


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", seed: Callable[[str], int]) -> None:
    """Add the command and its subcommands."""
    scenario = commands.add_parser("scenario", help="run, check or list scenarios: a timeline and what must come of it")
    what = scenario.add_subparsers(dest="scenario_command", required=True, metavar="COMMAND")
    runs = what.add_parser("run", help="run scenarios in simulated time under the built-in host")
    runs.add_argument("files", nargs="+", metavar="FILE", help="a file, or the name of a shipped scenario")
    runs.add_argument("--seed", type=seed, help="of the noise, in place of the file's own")
    runs.add_argument("--plot", type=Path, metavar="PNG", help="draw the run (one file only; needs the extra 'plot')")
    runs.add_argument("--json", action="store_true", help="one JSON object a run, the same bytes for the same seed")
    runs.set_defaults(act=_run)
    check = what.add_parser("check", help="say what is wrong with scenario files, each line with its reason")
    check.add_argument("files", nargs="+", metavar="FILE")
    check.set_defaults(act=_check)
    listed = what.add_parser("list", help="the scenarios that are shipped")
    listed.add_argument("--json", action="store_true")
    listed.set_defaults(act=_list)


def act(options: argparse.Namespace) -> int:
    """Carry out one of the subcommands.

    Raises:
        CryodeviceError: A file that cannot be, or nothing to draw with.
    """
    code: int = options.act(options)
    return code


def _run(options: argparse.Namespace) -> int:
    if options.plot is not None and len(options.files) > 1:
        raise ScenarioError("--plot draws one run; give one FILE")
    if options.plot is not None:
        can_plot(options.plot)
    scenarios = [load(_path(name)) for name in options.files]  # all of them first: a bad one costs no run
    failed = 0
    for scenario in scenarios:
        began_s = time.perf_counter()
        result = run(scenario, options.seed)
        took_s = time.perf_counter() - began_s
        failed += not result.ok
        _say(json.dumps(result.plain()) if options.json else _told(result, took_s))
        if options.plot is not None:
            plot(result, options.plot)
    return ExitCode.FAILED if failed else ExitCode.FINE


def _check(options: argparse.Namespace) -> int:
    bad = 0
    for name in options.files:
        try:
            scenario = load(_path(name))
        except ScenarioError as error:
            bad += 1
            sys.stderr.write(f"{error}\n")
            continue
        _say(f"{name}: good; {len(scenario.actions)} actions, {len(scenario.expectations)} expectations")
    return ExitCode.USAGE if bad else ExitCode.FINE


def _list(options: argparse.Namespace) -> int:
    found = [(path, load(path)) for path in sorted(shipped().glob("*.toml"))]
    if options.json:
        _say(json.dumps([_entry(path, scenario) for path, scenario in found]))
        return ExitCode.FINE
    for path, scenario in found:
        hazards = " ".join(scenario.hazards) or "everyday"
        _say(f"{path.stem:28} {hazards:12} {scenario.duration_s:5.0f} s  {scenario.name}")
    return ExitCode.FINE


def _entry(path: Path, scenario: Scenario) -> dict[str, object]:
    return {
        "file": path.stem,
        "name": scenario.name,
        "about": scenario.about,
        "hazards": list(scenario.hazards),
        "duration_s": scenario.duration_s,
    }


def _path(name: str) -> Path:
    """A file, or one of the shipped ones by its bare name."""
    path, ours = Path(name), shipped() / f"{name}.toml"
    return ours if not path.exists() and "/" not in name and ours.exists() else path


def _outcome(result: Result) -> str:
    if not result.judged:
        return "run; it expects nothing, so nothing was judged"
    return "as expected" if result.ok else "NOT AS EXPECTED"


def _told(result: Result, took_s: float) -> str:
    scenario, watch = result.scenario, result.watch
    lines: Sequence[str] = [
        f"{scenario.source}: {_outcome(result)} (SIMULATED, seed {result.seed})",
        f"  {scenario.name}: {scenario.about}",
        *(
            f"  line {each.expectation.line}: {each.expectation.name} = {_toml(each.expectation.value)}: "
            f"{_MARK[each.met]}; {each.seen}"
            for each in result.judged
        ),
        f"  lowest true skin {watch.lowest_skin_degc:.2f} degC, {scenario.duration_s:g} simulated s in {took_s:.2f} s",
    ]
    return "\n".join(lines)


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
