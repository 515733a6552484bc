"""Which test shows what: the ``req`` marks of every test, read from the functions themselves, without a run of pytest.

A module without the word is not looked at. What a mark says on one case of a table of cases counts for that case.
"""

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

from tests.system.processes import ROOT

TESTS = ROOT / "tests"
MARK = "mark.req("


@cache
def marked() -> dict[str, tuple[str, ...]]:
    """Tests by the id they are marked with."""
    found: dict[str, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        if MARK in path.read_text(encoding="utf-8"):
            for of, test in _of_module(path):
                found.setdefault(of, []).append(test)
    return {of: tuple(dict.fromkeys(tests)) for of, tests in found.items()}


def _of_module(path: Path) -> Iterator[tuple[str, str]]:
    place = path.relative_to(ROOT)
    module = import_module(".".join(place.with_suffix("").parts))
    for name, function in vars(module).items():
        if name.startswith("test_") and getattr(function, "__module__", None) == module.__name__:
            for of, case in _of_function(function):
                yield of, f"{place.as_posix()}::{name}{f'[{case}]' if case else ''}"


def _of_function(function: object) -> Iterator[tuple[str, str]]:
    for mark in getattr(function, "pytestmark", ()):
        if mark.name == "req":
            yield from ((of, "") for of in mark.args)
        elif mark.name == "parametrize":
            for case in mark.args[1]:
                for inner in getattr(case, "marks", ()):
                    if inner.name == "req":
                        yield from ((of, str(case.id or case.values[0])) for of in inner.args)
