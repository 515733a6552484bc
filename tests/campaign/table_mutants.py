"""Mutants of tables and constants: what mutmut, which changes functions only, leaves alone. Kept as they are run, so resumable.

Outside of functions each number is changed by 1 % both ways (a whole one by 1), each row of a table taken out, each sign and each
comparison turned, each truth value negated, each action, way to clear, dwell and set of states exchanged for its neighbour. The functions that build
the interlock table run when it is made, so theirs are changed here too. A mutant is a module loaded with another tree, in a process forked
from one that has everything else loaded already.
"""

import ast
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
PACKAGES = ("cryodevice/safety", "cryodevice/treatment")
TABLES_FIRST = (
    "cryodevice/safety/interlocks.py",
    "cryodevice/safety/limits.py",
    "cryodevice/safety/phases.py",
    "cryodevice/treatment/session.py",
    "cryodevice/treatment/program.py",
)
BUILDS_A_TABLE = "cryodevice/safety/interlocks.py"
NEIGHBOURS = {
    "Action": ("WARN", "HOLD", "STOP", "LOCKOUT"),
    "Clear": ("ITSELF", "IDLE", "ACKNOWLEDGE", "SERVICE"),
    "Dwell": ("IMMEDIATE", "FAST", "SENSOR", "HOLD", "THERMAL"),
}
SETS = ("ALWAYS", "TREATING", "COOLING", "DRIVE_OFF")
TURNED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.BitOr: ast.BitAnd}
COMPARED = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
BEHAVIOUR = (
    "tests/safety",
    "tests/treatment/test_parts.py",
    "tests/treatment/test_orders.py",
    "tests/treatment/test_evidence.py",
    "tests/treatment/test_stopping.py",
    "tests/treatment/test_wand_clock.py",
    "tests/treatment/test_occupied.py",
    "tests/treatment/test_controller.py",
)
ONE_ROW = "tests/system/test_interlock_rows.py"
DOCUMENTS = (
    "tests/docs/test_docs.py::test_the_interlock_table_is_the_code",
    "tests/docs/test_docs.py::test_the_envelope_is_the_code",
    "tests/docs/test_docs.py::test_the_dwell_classes_are_the_code",
    "tests/docs/test_docs.py::test_the_session_is_the_code",
    "tests/docs/test_docs.py::test_every_action_is_decided_on",
)
WORDS = ast.arguments | ast.JoinedStr | ast.Expr
OPTIONS = ("-x", "-q", "-p", "no:xdist", "-p", "no:cov", "-W", "ignore::pytest.PytestAssertRewriteWarning")
LONGEST_S = 120
LOADED = (
    "numpy",
    "pytest",
    "hypothesis",
    "firmware_sim.simulator",
    "firmware_sim.endpoints",
    "cryodevice.wire.registers",
)
"""What a mutant need not load again: none of it knows the packages that are changed."""
TOOK, BROKE = 0, 1


@dataclass(frozen=True)
class Mutant:
    """One change: where, what, and the row of the interlock table it is in, if any."""

    module: str
    number: int
    line: int
    what: str
    row: str

    @property
    def name(self) -> str:
        """Stable while its line stays as it is."""
        return f"{self.module}:{self.what}"


def changes(tree: ast.Module, *, whole: bool) -> Iterator[tuple[ast.AST, str, str, Callable[[], None]]]:
    """Each change of a tree: its node, what it is in words, its interlock row, and how to make it."""
    for node, row in _outside_of_functions(tree, "", whole=whole):
        for what, make in _of_node(node):
            yield node, f"{row + ': ' if row else ''}{what}", row, make


def _outside_of_functions(node: ast.AST, row: str, *, whole: bool) -> Iterator[tuple[ast.AST, str]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not whole:
            continue
        if isinstance(child, WORDS) or _is_type(node, child):
            continue
        own = row
        if isinstance(child, ast.Call) and getattr(child.func, "id", "") == "Interlock" and child.args:
            own = str(getattr(child.args[0], "value", ""))
        yield child, own
        yield from _outside_of_functions(child, own, whole=whole)


def _is_type(parent: ast.AST, child: ast.AST) -> bool:
    told = {
        getattr(parent, "annotation", None),
        getattr(parent, "returns", None),
        *getattr(parent, "decorator_list", ()),
    }
    return child in told or (isinstance(child, ast.Subscript) and getattr(child.value, "id", "a")[0].isupper())


def _of_node(node: ast.AST) -> Iterator[tuple[str, Callable[[], None]]]:
    if isinstance(node, ast.Constant):
        yield from _of_constant(node)
    elif isinstance(node, ast.Attribute) and getattr(node.value, "id", "") in NEIGHBOURS:
        yield from _exchanged(node, "attr", NEIGHBOURS[node.value.id])
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in SETS:
        yield from _exchanged(node, "id", SETS)
    elif isinstance(node, ast.BinOp | ast.UnaryOp | ast.Compare):
        yield from _of_operator(node)
    else:
        yield from _of_rows(node)


def _of_operator(node: ast.AST) -> Iterator[tuple[str, Callable[[], None]]]:
    said = ast.unparse(node)[:60]
    if isinstance(node, ast.BinOp) and type(node.op) in TURNED and not _is_text(node):
        turned = TURNED[type(node.op)]()
        yield f"{said}: {type(turned).__name__}", lambda: setattr(node, "op", turned)
    elif isinstance(node, ast.UnaryOp):
        other = ast.UAdd() if isinstance(node.op, ast.USub) else ast.USub()
        yield f"{said}: sign", lambda: setattr(node, "op", other)
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARED:
        compared = COMPARED[type(node.ops[0])]()
        yield f"{said}: {type(compared).__name__}", lambda: node.ops.__setitem__(0, compared)


def _is_text(node: ast.AST) -> bool:
    texts = (isinstance(each, ast.Constant) and isinstance(each.value, str) for each in ast.walk(node))
    return any(texts)


def _of_rows(node: ast.AST) -> Iterator[tuple[str, Callable[[], None]]]:
    if (
        isinstance(node, ast.Tuple | ast.List | ast.Set)
        and len(node.elts) > 1
        and not (_is_pair(node) or _is_words(node))
    ):
        for number, each in enumerate(node.elts):
            yield f"without {ast.unparse(each)[:60]}", partial(_taken_out, number, node.elts)
    elif isinstance(node, ast.Dict) and len(node.keys) > 1:
        for number, key in enumerate(node.keys):
            said = ast.unparse(key)[:60] if key is not None else "**"
            yield f"without {said}", partial(_taken_out, number, node.keys, node.values)


def _is_words(node: ast.AST) -> bool:
    """Names that are given values, or nothing but text."""
    stored = isinstance(getattr(node, "ctx", None), ast.Store)
    return stored or all(isinstance(each, ast.Constant) and isinstance(each.value, str) for each in node.elts)


def _taken_out(number: int, *lists: list) -> None:
    for each in lists:
        del each[number]


def _is_pair(node: ast.AST) -> bool:
    """Two numbers are a range, and what takes it apart needs both."""
    return (
        len(node.elts) == 2
        and isinstance(node, ast.Tuple)
        and not any(isinstance(each, ast.Call) for each in node.elts)
    )


def _of_constant(node: ast.Constant) -> Iterator[tuple[str, Callable[[], None]]]:
    value = node.value
    if isinstance(value, bool):
        yield f"{value} negated", lambda: setattr(node, "value", not value)
    elif isinstance(value, int):
        for other in (value + 1, value - 1):
            yield f"{value} as {other}", lambda other=other: setattr(node, "value", other)
    elif isinstance(value, float):
        for other in (value * 1.01 or 0.01, value * 0.99 or -0.01):
            yield f"{value:g} as {other:g}", lambda other=other: setattr(node, "value", other)


def _exchanged(node: ast.AST, field: str, names: tuple[str, ...]) -> Iterator[tuple[str, Callable[[], None]]]:
    now = getattr(node, field)
    if now in names:
        other = names[(names.index(now) + 1) % len(names)]
        yield f"{now} as {other}", lambda: setattr(node, field, other)


def modules() -> Iterator[str]:
    """The modules looked at, those that are tables first."""
    yield from TABLES_FIRST
    for package in PACKAGES:
        for path in sorted((ROOT / package).glob("*.py")):
            if path.name != "__init__.py" and f"{package}/{path.name}" not in TABLES_FIRST:
                yield f"{package}/{path.name}"


def parsed(module: str) -> ast.Module:
    """A module as a tree."""
    return ast.parse((ROOT / module).read_text(encoding="utf-8"))


def mutants(module: str) -> list[Mutant]:
    """All mutants of a module; two of one name on one line are told apart."""
    found: list[Mutant] = []
    names: set[str] = set()
    text = (ROOT / module).read_text(encoding="utf-8").splitlines()
    for number, (node, what, row, _make) in enumerate(changes(parsed(module), whole=module == BUILDS_A_TABLE)):
        line = getattr(node, "lineno", 0)
        said = what if row else f"{text[line - 1].strip()[:70]}: {what}"
        while said in names:
            said += " again"
        names.add(said)
        found.append(Mutant(module, number, line, said, row))
    return found


def changed(mutant: Mutant) -> ast.Module:
    """The tree of a mutant; number -1 changes nothing."""
    tree = parsed(mutant.module)
    if mutant.number < 0:
        return tree
    for number, (_node, _what, _row, make) in enumerate(changes(tree, whole=mutant.module == BUILDS_A_TABLE)):
        if number == mutant.number:
            make()
            return ast.fix_missing_locations(tree)
    raise LookupError(mutant.name)


class _Instead(MetaPathFinder, Loader):
    """Loads one module from a tree."""

    def __init__(self, name: str, path: Path, tree: ast.Module) -> None:
        self.name, self.path, self.tree = name, path, tree

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        return spec_from_loader(name, self, origin=str(self.path)) if name == self.name else None

    def create_module(self, _spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = str(self.path)
        exec(compile(self.tree, str(self.path), "exec"), module.__dict__)  # noqa: S102  # a mutant is code


def survives(mutant: Mutant, tests: tuple[str, ...]) -> bool:
    """Whether every test passes on a mutant; in a process of its own, which must not have loaded what is mutated."""
    for name in LOADED:
        import_module(name)
    loaded = [name for name in sys.modules if name.startswith(("cryodevice.safety", "cryodevice.treatment"))]
    assert not loaded, f"{loaded[0]} is loaded already: the mutant would not be"
    pid = os.fork()
    if pid == 0:
        os._exit(_run(mutant, tests))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == TOOK


def _run(mutant: Mutant, tests: tuple[str, ...]) -> int:
    try:
        signal.alarm(LONGEST_S)  # a mutant that runs for ever is a killed one
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        name = mutant.module.removesuffix(".py").replace("/", ".")
        sys.meta_path.insert(0, _Instead(name, ROOT / mutant.module, changed(mutant)))
        import pytest  # noqa: PLC0415

        os.chdir(ROOT)
        return TOOK if pytest.main([*OPTIONS, *tests]) == 0 else BROKE
    except BaseException:  # noqa: BLE001  # whatever it is, the mutant is what did it
        return BROKE


def verdict(mutant: Mutant) -> str:
    """``behaviour``, ``document`` or ``survived``: what killed it."""
    if mutant.row:
        rows = tuple(
            f"{ONE_ROW}::{test}[{mutant.row}]"
            for test in ("test_row_acts_in_time_and_is_the_first_cause", "test_without_the_row_its_reaction_is_missing")
        )
        of_it = ("tests/safety/test_exact.py", "-k", f"{mutant.row} or every_row or needs_no_reading")
        if not survives(
            mutant, ("tests/safety/test_judge.py", f"{ONE_ROW}::test_every_row_is_provoked", *rows, *of_it)
        ):
            return "behaviour"
    elif not survives(mutant, (f"{ONE_ROW}::test_every_row_is_provoked", *BEHAVIOUR)):
        return "behaviour"
    return "survived" if survives(mutant, DOCUMENTS) else "document"
