"""Say what is wrong with a settings file: file, line, key, value, allowed range, and the key that was meant.

Values of keys that could hold a secret, and of keys that do not exist, are never shown.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, get_args

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from cryodevice.errors import SettingsError
from cryodevice.safety.limits import ENVELOPE
from cryodevice.settings.sections import File

_HIDDEN = frozenset({"host", "username", "password_file", "ca_file"})
"""Keys whose value may carry an account or a password pasted by mistake."""
_LONGEST_VALUE = 60
_SECTIONS = tuple(File.model_fields)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong. ``line`` counts from 1, 0 when not known."""

    key: str
    message: str
    line: int = 0
    value: str = ""
    allowed: str = ""

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        shown = f" = {self.value}" if self.value else ""
        allowed = f"; allowed: {self.allowed}" if self.allowed else ""
        return f"{where}{self.key}{shown}: {self.message}{allowed}"


def refuse(source: str, problems: Sequence[Problem], so: str = "nothing was started") -> SettingsError:
    """The error that carries all problems, in the order of the file."""
    ordered = sorted(problems, key=lambda problem: problem.line)
    count = "1 problem" if len(ordered) == 1 else f"{len(ordered)} problems"
    text = "\n".join(f"  {problem}" for problem in ordered)
    return SettingsError(
        f"{source}: {count}, {so}\n{text}",
        path=source,
        problems=[asdict(problem) for problem in ordered],
    )


def from_pydantic(errors: Iterable[ErrorDetails], lines: Mapping[tuple[str, ...], int]) -> list[Problem]:
    """Problems of the validator's findings."""
    return [_problem(error, lines) for error in errors]


def shown(value: object) -> str:
    """A value as a person may see it: one line, not too long."""
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "..."


def _problem(error: ErrorDetails, lines: Mapping[tuple[str, ...], int]) -> Problem:
    path = tuple(str(part) for part in error["loc"])
    key = ".".join(path)
    line = next((lines[path[:depth]] for depth in range(len(path), 0, -1) if path[:depth] in lines), 0)
    if error["type"] == "extra_forbidden":
        return Problem(printable(key), _unknown(path), line)
    if len(path) == 1:
        return Problem(key, "must be a table of keys", line, allowed=f"[{key}]")
    value = "" if path[-1] in _HIDDEN else value_of(error["input"])
    return Problem(key, message_of(error), line, value, allowed(path[0], path[1]))


def value_of(value: object) -> str:
    """A value of a file, whatever it is."""
    try:
        return shown(value)
    except ValueError:  # an integer with more digits than Python prints
        return "(a number of thousands of digits)"


def message_of(error: ErrorDetails) -> str:
    """What is wrong with a value, in words of ours."""
    kind, value = error["type"], error["input"]
    if isinstance(value, bool):
        return "a truth value is not what this key takes"
    if kind == "finite_number":
        return "not a finite number"
    if kind in {"greater_than_equal", "less_than_equal"}:
        return "outside its range"
    return {
        "float_type": "must be a number",
        "int_type": "must be a whole number",
        "int_from_float": "must be a whole number",
        "bool_type": "must be true or false",
        "string_type": "must be text in quotes",
        "literal_error": "not one of the choices",
        "string_pattern_mismatch": "not of the form this key takes",
        "string_too_long": "not of the form this key takes",
        "missing": "is missing",
        "enum": "not one of the choices",
    }.get(kind, error["msg"])


def allowed(section: str, key: str) -> str:
    """What a key may be, for a person: range and unit, choices, or form."""
    field = _fields(section)[key]
    extra: Any = field.json_schema_extra or {}
    low, high = bounds(field)
    if low is not None:
        unit = f" {extra['unit']}" if extra.get("unit") else ""
        source = f" ({ENVELOPE[key].source})" if section == "limits" else ""
        return f"{low!r} to {high!r}{unit}{source}"
    choices = get_args(field.annotation)
    if choices and all(isinstance(choice, str) for choice in choices):
        return ", ".join(repr(choice) for choice in choices)
    if field.annotation is bool:
        return "true or false"
    pattern = next((getattr(item, "pattern", None) for item in field.metadata if hasattr(item, "pattern")), None)
    return f"text; {field.description}" + (f"; form {pattern}" if pattern and key == "id" else "")


def bounds(field: FieldInfo) -> tuple[Any, Any]:
    """Smallest and largest value of a field; None without one."""
    low = next((item.ge for item in field.metadata if isinstance(item, annotated_types.Ge)), None)
    high = next((item.le for item in field.metadata if isinstance(item, annotated_types.Le)), None)
    return low, high


def _fields(section: str) -> Mapping[str, FieldInfo]:
    model = File.model_fields[section].annotation
    if not (isinstance(model, type) and issubclass(model, BaseModel)):  # pragma: no cover  # every section is a model
        raise TypeError(section)
    return model.model_fields


def _unknown(path: tuple[str, ...]) -> str:
    return _unknown_section(path[0]) if len(path) == 1 else _unknown_key(path[0], path[-1])


def _unknown_section(name: str) -> str:
    if near := difflib.get_close_matches(name, _SECTIONS, n=1):
        return f"no such section; did you mean [{near[0]}]?"
    owner = next((section for section in _SECTIONS if name in _fields(section)), None)
    if owner is not None:
        return f"no such section; {name} belongs under [{owner}]"
    return f"no such section; sections are {', '.join(_SECTIONS)}"


def _unknown_key(section: str, key: str) -> str:
    if "pass" in key.lower() or "secret" in key.lower():
        return "no such key; a password stands in a file of its own, named by mqtt.password_file"
    here = "" if difflib.get_close_matches(key, _fields(section), n=1) else " here"
    for owner in (section, *_SECTIONS):
        if near := difflib.get_close_matches(key, _fields(owner), n=1):
            return f"no such key{here}; did you mean {owner}.{near[0]}?"
    return f"no such key; keys of [{section}] are {', '.join(_fields(section))}"


def printable(key: str) -> str:
    """A key of a file, whatever it is."""
    return key if key.isprintable() and len(key) <= _LONGEST_VALUE else shown(key)
