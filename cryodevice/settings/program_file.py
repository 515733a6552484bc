"""A program from data: a TOML file or a request. Says what is wrong with it, with key, line and range; runs nothing.

Whether the limits allow it is for ``treatment.program.objections``.
"""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from cryodevice.errors import SettingsError
from cryodevice.safety.limits import Zone
from cryodevice.settings.positions import array_lines, key_lines
from cryodevice.settings.problems import Problem, bounds, message_of, printable, refuse, value_of
from cryodevice.treatment.program import MOST_STEPS
from cryodevice.treatment.programs import MOST_CYCLES, Program, ProgramStep

MAX_BYTES = 65_536
_STEP = "step"


def _range(low: float, high: float, unit: str, **more: Any) -> Any:
    return Field(ge=low, le=high, json_schema_extra={"unit": unit}, **more)


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


_Zone = Annotated[Zone, Field(strict=False)]


class _Step(_Model):
    zone: _Zone | None = None
    zones: list[_Zone] | None = None
    plate_degc: float = _range(0.0, 40.0, "degC")
    hold_s: float = _range(1.0, 600.0, "s")
    rewarm_s: float = _range(0.0, 600.0, "s")
    cycles: int = _range(1, MOST_CYCLES, "", default=1)
    glide: bool = False


class _Program(_Model):
    name: str = Field(min_length=1, max_length=64)
    goal: str = Field(default="", max_length=200)
    step: list[_Step] = Field(min_length=1, max_length=MOST_STEPS)


_NOWHERE: Mapping[tuple[int, str], int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Filed:
    """A program and where it stands.

    Args:
        program: The program.
        source: File, or what else it came from.
        lines: Line of each ``[[step]]``, as (index, ""), and of each of its keys.
        tree: The data, as it can be sent to a daemon.
    """

    program: Program
    source: str
    lines: Mapping[tuple[int, str], int]
    tree: Mapping[str, Any]

    def line(self, part: int) -> int:
        """Line of a step, counted from 1; 0 when not known."""
        return self.lines.get((part - 1, ""), 0)


def program_from(data: object, source: str, text: str = "") -> Program:
    """A program from parsed data.

    Args:
        data: What is to be one.
        source: Where it comes from, for a person.
        text: The file, to name lines of; empty for data from elsewhere.

    Raises:
        SettingsError: Something is missing, misspelt, of the wrong kind or out of range; names every such thing.
    """
    lines = array_lines(text, _STEP) if text else _NOWHERE
    try:
        model = _Program.model_validate(data)
    except ValidationError as error:
        heads = key_lines(text)
        raise _refused(source, [_problem(one, lines, heads) for one in error.errors(include_url=False)]) from None
    problems: list[Problem] = []
    steps: list[ProgramStep] = []
    for index, step in enumerate(model.step):
        zones = tuple(step.zones or ()) if step.zone is None else (step.zone,)
        if (step.zone is None) == (step.zones is None) or not zones or len(set(zones)) != len(zones):
            line = lines.get((index, "zones"), lines.get((index, "zone"), lines.get((index, ""), 0)))
            problems.append(
                Problem(f"{_STEP} {index + 1}.zones", "one zone, or a list of different ones", line, "", _ZONES)
            )
            continue
        steps.append(ProgramStep(zones, step.plate_degc, step.hold_s, step.rewarm_s, step.cycles, step.glide))
    if problems:
        raise _refused(source, problems)
    return Program(model.name, tuple(steps), model.goal)


def load_program(path: Path) -> Filed:
    """A program from a TOML file.

    Raises:
        SettingsError: It cannot be read, is not TOML, or is no program.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise SettingsError(f"{path} is larger than {MAX_BYTES} bytes: this is no program", path=str(path))
        text = data.decode("utf-8")
        tree = tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SettingsError(f"cannot read {path}: {reason}", path=str(path)) from error
    return Filed(program_from(tree, str(path), text), str(path), array_lines(text, _STEP), tree)


def shipped() -> Path:
    """Where the programs that come with this program are: beside a source tree, or in the installed package."""
    beside = Path(__file__).parents[2] / "config" / "programs"
    return beside if beside.is_dir() else Path(__file__).parents[1] / "_config" / "programs"


def named(name: str) -> Path:
    """The file of a program by its name, or by its path.

    Raises:
        SettingsError: There is no such program; names the one that was meant.
    """
    if name.endswith(".toml") or "/" in name:
        return Path(name)
    known = sorted(path.stem for path in shipped().glob("*.toml"))
    if name in known:
        return shipped() / f"{name}.toml"
    near = difflib.get_close_matches(name, known, n=1)
    meant = f"did you mean {near[0]}" if near else f"there are {', '.join(known)}"
    raise SettingsError(f"no program is named {name!r}; {meant}; a file is named with its ending .toml", name=name)


_ZONES = ", ".join(Zone)


def _refused(source: str, problems: list[Problem]) -> SettingsError:
    return refuse(f"{source} is no program", problems)


def _problem(
    error: ErrorDetails, lines: Mapping[tuple[int, str], int], heads: Mapping[tuple[str, ...], int]
) -> Problem:
    path = error["loc"]
    if len(path) < 3 or not isinstance(path[1], int):  # step, its index, its key
        key = str(path[0]) if path else ""
        line = heads.get((key,), 0) or lines.get((0, ""), 0) * (key == _STEP)
        if error["type"] == "extra_forbidden":
            return Problem(printable(key), _unknown(key, _Program), line)
        return Problem(".".join(str(part) for part in path), message_of(error), line, "", _allowed(key, _Program))
    index, key = path[1], str(path[2])
    line = lines.get((index, key), lines.get((index, ""), 0))
    where = f"{_STEP} {index + 1}.{printable(key)}"
    if error["type"] == "extra_forbidden":
        return Problem(where, _unknown(key, _Step), line)
    shown = "" if error["type"] == "missing" else value_of(error["input"])
    return Problem(where, message_of(error), line, shown, _allowed(key, _Step))


def _unknown(key: str, model: type[BaseModel]) -> str:
    near = difflib.get_close_matches(key, model.model_fields, n=1)
    return f"no such key; did you mean {near[0]}?" if near else f"no such key; keys are {', '.join(model.model_fields)}"


def _allowed(key: str, model: type[BaseModel]) -> str:
    if key in {"zone", "zones"}:
        return _ZONES
    field = model.model_fields.get(key)
    extra: Any = field.json_schema_extra if field is not None else None
    if field is None or not extra:
        return {
            "name": "1 to 64 characters",
            _STEP: f"1 to {MOST_STEPS} tables [[step]]",
            "glide": "true or false",
        }.get(key, "")
    low, high = bounds(field)
    return f"{low:g} to {high:g} {extra['unit']}".strip()
