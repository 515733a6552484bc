"""Mutants of functions, by mutmut, in a copy of the tree: made once, run in two passes, results kept.

The first pass has the quick tests only. What survives them meets, in the second, every test that needs neither clock nor process.
Words are not mutated: three mutants a string, and no test should hold how a sentence is put.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACE = ROOT / "campaign" / "mutation"
PACKAGES = ("cryodevice/safety", "cryodevice/treatment")
NOT_BY_FUNCTIONS = ("cryodevice/safety/interlocks.py",)
"""Its functions run once, when the table is built: before mutmut can choose a mutant. The tool for tables has it."""
COPIED = ("cryodevice", "firmware_sim", "config", "tests", "pyproject.toml")
KILLED = {1, 3, 36, -24, -9, 152, 255}
"""Exit statuses of mutmut's workers: a test failed, or the mutant ran for ever."""
SURVIVED, NO_TESTS = 0, {5, 33}
START = (
    "import mutmut.mutation.mutators as m;"
    " m.mutation_operators[:] = [each for each in m.mutation_operators if each[1] is not m.operator_string];"
    " from mutmut.__main__ import cli; cli()"
)


@dataclass(frozen=True)
class Pass:
    """One pass: its tests, by path, and those among them that are left out. Another choice begins the pass anew."""

    name: str
    tests: tuple[str, ...]
    but: tuple[str, ...] = ()


QUICK = Pass(
    "quick",
    ("tests/safety", "tests/treatment"),
    ("tests/treatment/test_exhaustive.py", "tests/treatment/test_controller_properties.py"),
)
WHOLE = Pass(
    "whole",
    (
        "tests/safety",
        "tests/treatment",
        "tests/system/test_interlock_rows.py",
        "tests/system/test_blind_spots.py",
        "tests/system/test_idle_contact.py",
        "tests/system/test_stories.py",
    ),
)
"""Every test that needs neither clock nor process of its own."""


def place(of: Pass) -> Path:
    """Where a pass works."""
    return PLACE / of.name


def prepare(of: Pass) -> None:
    """Bring the copy of the tree up to date; mutants of functions that did not change keep their results."""
    here = place(of)
    here.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        source, copy = ROOT / name, here / name
        if source.is_dir():
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, copy)
    with (here / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(
            "\n[tool.mutmut]\n"
            'source_paths = ["cryodevice"]\n'
            f"only_mutate = {json.dumps([f'{package}/*' for package in PACKAGES])}\n"
            f"do_not_mutate = {json.dumps(list(NOT_BY_FUNCTIONS))}\n"
            'also_copy = ["cryodevice", "firmware_sim", "config"]\n'
            f"pytest_add_cli_args_test_selection = {json.dumps(list(of.tests))}\n"
            f"pytest_add_cli_args = {json.dumps(['-q', *(f'--ignore={name}' for name in of.but)])}\n"
            "timeout_multiplier = 3.0\ntimeout_constant = 5.0\n"
            "track_dependencies = false\nuse_git_change_detection = false\n"
        )


def run(of: Pass, names: Iterable[str] = (), *, children: int = 1) -> int:
    """Run the mutants of a pass that have no result yet, with mutmut's own progress; its exit status."""
    command = [sys.executable, "-c", START, "run", "--max-children", str(children), *names]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=place(of), check=False, env=environment).returncode


def results(of: Pass) -> dict[str, str]:
    """Each mutant by name: ``killed``, ``survived``, ``no test`` or ``not run``."""
    found = {}
    for package in PACKAGES:
        for meta in sorted((place(of) / "mutants" / package).glob("*.py.meta")):
            for name, status in json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"].items():
                found[name] = (
                    "not run"
                    if status is None
                    else "survived"
                    if status == SURVIVED
                    else "no test"
                    if status in NO_TESTS
                    else "killed"
                )
    return found


def together() -> dict[str, str]:
    """Results of both passes: killed if either killed it; otherwise what the second says where it has run."""
    first = results(QUICK)
    second = results(WHOLE) if (place(WHOLE) / "mutants").exists() else {}
    return {
        name: result if result in {"killed", "not run"} else second.get(name, result).replace("not run", result)
        for name, result in first.items()
    }


def module_of(name: str) -> str:
    """``cryodevice/safety/judge.py`` of a mutant's name."""
    return "/".join(name.split(".")[:3]) + ".py"


def function_of(name: str) -> str:
    """Function or method a mutant is of."""
    own = name.rpartition(".")[2]
    own = re.sub(r"__mutmut_\d+$", "", own)
    return own.removeprefix("x_") if own.startswith("x_") else own.removeprefix("xǁ").replace("ǁ", ".")


def difference(name: str) -> str:
    """What a mutant changes: the lines as they are, and as they became."""
    from mutmut.mutation.diff_apply import get_diff_for_mutant  # noqa: PLC0415  # a heavy import, for the page only

    with chdir(place(QUICK)):
        shown = get_diff_for_mutant(name).splitlines()
    lines = [line for line in shown if line[:1] in "+-" and line[:3] not in {"+++", "---"}]
    before, after = ([line[1:].strip() for line in lines if line[0] == sign] for sign in "-+")
    return f"{' '.join(before)} → {' '.join(after)}"
