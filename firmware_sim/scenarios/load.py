"""From a TOML file to a scenario. Everything that is wrong with it is said at once, each with its line.

Opens the file and nothing else. What a key may hold is in the tables of ``fields``, ``actions`` and ``expectations``.
"""

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from cryodevice.errors import CryodeviceError, ExitCode
from firmware_sim.faults import CATALOGUE, FaultError, Injection, injection
from firmware_sim.firmware.constants import LEASE_MAX_MS
from firmware_sim.scenarios import actions, expectations
from firmware_sim.scenarios.fields import (
    AMBIENT,
    HUMIDITY,
    SETPOINT,
    TIME,
    ZONE,
    FieldError,
    Kind,
    Number,
    Switch,
    Text,
    Word,
    meant,
    unknown,
)
from firmware_sim.scenarios.model import Action, Expectation, HostPlan, Scenario, Step, Value, WandPlan
from firmware_sim.scenarios.positions import Place, line_of, places

_TOP: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "name": Text(),
        "about": Text(),
        "duration_s": Number(0.1, 86_400.0, "s"),
        "seed": Number(0, 2**63 - 1, whole=True),
    }
)
_WAND: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "zone": ZONE,
        "ambient_degc": AMBIENT,
        "plate_degc": Number(-40.0, 80.0, "degC"),
        "humidity_pct": HUMIDITY,
        "individual": Word(("typical", "drawn")),
    }
)
_HOST: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "setpoint_degc": SETPOINT,
        "lease_ms": Number(1, LEASE_MAX_MS, "ms", whole=True),
        "period_ms": Number(20.0, 1000.0, "ms"),
        "hold_to_run": Switch(),
    }
)
_STEP: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "zone": ZONE,
        "plate_degc": SETPOINT,
        "hold_s": Number(0.1, 3600.0, "s"),
        "rewarm_s": Number(0.0, 3600.0, "s"),
        "glide": Switch(),
    }
)
_FAULT_KEYS: Final = ("values", "duration_s", "count")
_EXPECT: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "who": Word(("host", "daemon")),
        "from_s": TIME,
        "until_s": TIME,
        "by_s": TIME,
        "at_least": Number(1, 1_000_000, whole=True),
    }
)
_TABLES: Final = ("wand", "host", "step", "do", "expect")
LONGEST: Final = 1 << 20
"""Bytes of a file that may be a scenario; the longest shipped one has 3 kB."""
_AT = re.compile(r"\(at line (\d+), column (\d+)\)")


class ScenarioError(CryodeviceError):
    """A scenario that cannot be run as it stands; each line of the message names file, line, key and reason."""

    exit_code = ExitCode.USAGE


def load(path: Path) -> Scenario:
    """The scenario in a file.

    Raises:
        ScenarioError: It cannot be read, or anything in it cannot be.
    """
    text = _read(path)
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = _AT.search(str(error))
        where = f":{at[1]}" if at else f":{len(text.splitlines())}"
        raise ScenarioError(f"{path}{where}: not TOML: {_AT.sub('', str(error)).strip()}", path=str(path)) from None
    except (ValueError, RecursionError) as error:  # thousands of digits, thousands of brackets
        raise ScenarioError(f"{path}:1: not a scenario: {type(error).__name__}", path=str(path)) from None
    reader = _Reader(places(text))
    scenario = reader.scenario(tree, path)
    if reader.problems:
        lines = [f"{path}:{line}: {words}" for line, words in sorted(reader.problems)]
        raise ScenarioError("\n".join(lines), path=str(path), problems=len(lines))
    return scenario


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(LONGEST + 1)
        if len(data) > LONGEST:
            raise ScenarioError(f"{path}: longer than 1 MiB; that is no scenario", path=str(path))
        return data.decode("utf-8")
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror}", path=str(path)) from None
    except UnicodeDecodeError:
        raise ScenarioError(f"{path}:1: not UTF-8 text; is it a scenario?", path=str(path)) from None


class _Reader:
    """Reads tables, collecting what is wrong; what could not be read has its default, and the whole is then refused."""

    def __init__(self, found: Mapping[Place, int]) -> None:
        self._found = found
        self.problems: list[tuple[int, str]] = []

    def scenario(self, tree: Mapping[str, Any], path: Path) -> Scenario:
        top = self._fields("", 0, tree, _TOP, (*_TABLES, "hazards"))
        for name in ("name", "about", "duration_s"):
            if name not in tree:
                self._wrong("", 0, "", f"{name} is missing at the top of the file")
        duration_s = float(top.get("duration_s", 0.1))
        return Scenario(
            name=str(top.get("name", "")),
            about=str(top.get("about", "")),
            duration_s=duration_s,
            hazards=self._hazards(tree.get("hazards", [])),
            seed=int(top.get("seed", 0)),
            source=path.name,
            wand=WandPlan(**self._table(tree, "wand", _WAND)),
            host=HostPlan(**self._table(tree, "host", _HOST)),
            steps=tuple(self._each(tree, "step", self._step)),
            actions=tuple(sorted(self._each(tree, "do", self._action, duration_s), key=lambda action: action.at_s)),
            expectations=tuple(self._each(tree, "expect", self._expectation, duration_s)),
        )

    def _wrong(self, table: str, number: int, key: str, words: str) -> None:
        label = f"{table}.{key}" if table and key else table or key
        self.problems.append((line_of(self._found, table, number, key), f"{label}: {words}" if label else words))

    def _fields(
        self, table: str, number: int, tree: Mapping[str, Any], kinds: Mapping[str, Kind], beside: Iterable[str] = ()
    ) -> dict[str, Any]:
        known, values = set(beside), {}
        for key, value in tree.items():
            if key in kinds:
                try:
                    values[key] = kinds[key].read(value)
                except FieldError as error:
                    self._wrong(table, number, key, str(error))
            elif key not in known:
                self._wrong(table, number, key, unknown(key, "key" if not table else f"{table} key", {*kinds, *known}))
        return values

    def _table(self, tree: Mapping[str, Any], table: str, kinds: Mapping[str, Kind]) -> dict[str, Any]:
        value = tree.get(table, {})
        if not isinstance(value, dict):
            self._wrong(table, 0, "", f"must be a table, [{table}]")
            return {}
        return self._fields(table, 0, value, kinds)

    def _each(self, tree: Mapping[str, Any], table: str, make: Callable[..., Any], *more: Any) -> Iterable[Any]:
        entries = tree.get(table, [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            self._wrong(table, 0, "", f"must be tables, each [[{table}]]")
            return
        for number, entry in enumerate(entries):
            made = make(number, entry, *more)
            if made is not None:
                yield made

    def _hazards(self, value: object) -> tuple[str, ...]:
        if isinstance(value, list) and all(isinstance(each, str) and re.fullmatch(r"H\d\d", each) for each in value):
            return tuple(value)
        self._wrong("", 0, "hazards", 'must be names of docs/hazards.md, such as ["H05"]')
        return ()

    def _step(self, number: int, entry: Mapping[str, Any]) -> Step | None:
        values = self._fields("step", number, entry, _STEP)
        missing = [name for name in ("zone", "plate_degc", "hold_s", "rewarm_s") if name not in entry]
        if missing:
            self._wrong("step", number, "", f"{', '.join(missing)} is missing")
        return Step(**values) if {"zone", "plate_degc", "hold_s", "rewarm_s"} <= values.keys() else None

    def _when(self, table: str, number: int, entry: Mapping[str, Any], duration_s: float) -> float:
        if "at_s" not in entry:
            self._wrong(table, number, "", "at_s is missing: when?")
            return 0.0
        try:
            return float(Number(0.0, duration_s, "s, the run's duration_s").read(entry["at_s"]))
        except FieldError as error:
            self._wrong(table, number, "at_s", str(error))
            return 0.0

    def _action(self, number: int, entry: Mapping[str, Any], duration_s: float) -> Action | None:
        at_s = self._when("do", number, entry, duration_s)
        kinds = {**actions.SETS, **actions.OTHERS}
        values = self._fields("do", number, entry, kinds, ("at_s", *_FAULT_KEYS))
        if not entry.keys() & kinds.keys():
            self._wrong("do", number, "", f"says nothing to do; there are {', '.join(sorted(kinds))}")
        fault = self._fault(number, entry, str(values["fault"]), at_s) if "fault" in values else None
        if (ended := str(values.get("clear", "*"))) not in {"*", *CATALOGUE}:
            self._wrong("do", number, "clear", f"there is no fault {ended!r}{meant(ended, CATALOGUE)}; * clears all")
        if "fault" not in entry and entry.keys() & set(_FAULT_KEYS):
            self._wrong("do", number, "", f"{', '.join(_FAULT_KEYS)} belong to a fault, and there is none")
        sets = {name: values[name] for name in entry if name in actions.SETS and name in values}
        return Action(
            at_s,
            MappingProxyType(sets),
            str(values.get("order", "")),
            str(values.get("reboot", "")),
            fault,
            str(values.get("clear", "")),
        )

    def _fault(self, number: int, entry: Mapping[str, Any], name: str, at_s: float) -> Injection | None:
        given = entry.get("values", {})
        if not isinstance(given, dict):
            self._wrong("do", number, "values", "must be a table, such as { offset_k = 3.0 }")
            return None
        lasts_s, count = entry.get("duration_s"), entry.get("count")
        try:
            return injection(name, given, start_s=at_s, duration_s=lasts_s, count=count)
        except FaultError as error:
            words = str(error)
            timing = next((key for key in ("duration_s", "count") if words.startswith(f"{key} is")), "")
            self._wrong("do", number, timing or ("values" if given and name in CATALOGUE else "fault"), words)
            return None

    def _expectation(self, number: int, entry: Mapping[str, Any], duration_s: float) -> Expectation | None:
        kinds = expectations.KINDS
        times = self._fields("expect", number, entry, _EXPECT, kinds)
        named = [key for key in entry if key in kinds]
        if len(named) != 1:
            self._wrong("expect", number, "", f"expects one thing at a time; there are {', '.join(sorted(kinds))}")
            return None
        name = named[0]
        for key in ("from_s", "until_s", "by_s"):
            if key in times and not times[key] <= duration_s:
                self._wrong("expect", number, key, f"{times[key]:g} is after the run's end at {duration_s:g} s")
        begins_s = times.get("from_s", 0.0)
        if not begins_s < times.get("until_s", duration_s):
            self._wrong("expect", number, "until_s" if "until_s" in times else "from_s", "the window is empty")
        fitting = expectations.fitting(name)
        for key in times:
            if key != "who" and key not in fitting:
                beside = f"; it takes {', '.join(fitting)}" if fitting else ""
                self._wrong("expect", number, key, f"means nothing to {name}{beside}")
        try:
            value: Value = kinds[name].read(entry[name])
        except FieldError as error:
            self._wrong("expect", number, name, str(error))
            return None
        return Expectation(name, value, line=line_of(self._found, "expect", number), **times)
