"""Kinds of values a request may carry. Each checks a value and describes itself as JSON Schema; none acts."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, get_args, get_type_hints

from firmware_sim.control.refused import RefusedError

_SHOWN = 40
"""Most characters of a bad value that an error repeats."""


class Kind(ABC):
    """One kind of value."""

    @abstractmethod
    def check(self, name: str, value: object) -> Any:
        """The value, ready for use.

        Raises:
            RefusedError: It is none of this kind; says what is allowed.
        """

    @property
    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """The same as JSON Schema."""


@dataclass(frozen=True, slots=True)
class Switch(Kind):
    """True or false."""

    def check(self, name: str, value: object) -> bool:
        """See ``Kind``."""
        if not isinstance(value, bool):
            raise RefusedError(f"{name}: {_short(value)} is neither true nor false")
        return value

    @property
    def schema(self) -> dict[str, Any]:
        """See ``Kind``."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Number(Kind):
    """A number of a closed range, in the unit its name says."""

    low: float
    high: float

    def check(self, name: str, value: object) -> float:
        """See ``Kind``."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not self.low <= value <= self.high:  # type: ignore[operator]  # it is a number here
            raise RefusedError(f"{name}: {_short(value)} is no number from {self.low:g} to {self.high:g}")
        return float(value)  # type: ignore[arg-type]

    @property
    def schema(self) -> dict[str, Any]:
        """See ``Kind``."""
        return {"type": "number", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True, slots=True)
class Whole(Kind):
    """A whole number of a closed range."""

    low: int
    high: int

    def check(self, name: str, value: object) -> int:
        """See ``Kind``."""
        if not isinstance(value, int) or isinstance(value, bool) or not self.low <= value <= self.high:
            raise RefusedError(f"{name}: {_short(value)} is no whole number from {self.low} to {self.high}")
        return value

    @property
    def schema(self) -> dict[str, Any]:
        """See ``Kind``."""
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True, slots=True)
class Choice(Kind):
    """One of several words."""

    words: tuple[str, ...]

    def check(self, name: str, value: object) -> str:
        """See ``Kind``."""
        if not isinstance(value, str) or value not in self.words:
            raise RefusedError(f"{name}: {_short(value)} is not one of: {', '.join(self.words)}")
        return value

    @property
    def schema(self) -> dict[str, Any]:
        """See ``Kind``."""
        return {"type": "string", "enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class Several(Kind):
    """Some of several words, each once, at least one."""

    words: tuple[str, ...]

    def check(self, name: str, value: object) -> list[str]:
        """See ``Kind``."""
        if not isinstance(value, list) or not value or len(value) > len(self.words):
            raise RefusedError(
                f"{name}: {_short(value)} is no list of 1 to {len(self.words)} of: {', '.join(self.words)}"
            )
        found = [Choice(self.words).check(name, word) for word in value]
        if len(set(found)) < len(found):
            raise RefusedError(f"{name}: {_short(value)} names one twice")
        return found

    @property
    def schema(self) -> dict[str, Any]:
        """See ``Kind``."""
        return {"type": "array", "items": Choice(self.words).schema, "minItems": 1, "uniqueItems": True}


@dataclass(frozen=True, slots=True)
class OneOfMany(Choice):
    """One of more words than an error can list; who uses it looks it up, and says what is near."""

    def check(self, name: str, value: object) -> str:
        """See ``Kind``."""
        if not isinstance(value, str):
            raise RefusedError(f"{name}: {_short(value)} is no text")
        return value


@dataclass(frozen=True, slots=True)
class Maybe(Kind):
    """A value of another kind, or null."""

    kind: Kind

    def check(self, name: str, value: object) -> Any:
        """See ``Kind``."""
        return None if value is None else self.kind.check(name, value)

    @property
    def schema(self) -> dict[str, Any]:
        """See ``Kind``."""
        of = self.kind.schema
        return {**of, "type": [of["type"], "null"]}


@dataclass(frozen=True, slots=True)
class Values(Kind):
    """An object whose values somebody else checks."""

    def check(self, name: str, value: object) -> dict[str, Any]:
        """See ``Kind``."""
        if not isinstance(value, dict):
            raise RefusedError(f"{name}: {_short(value)} is no JSON object")
        return value

    @property
    def schema(self) -> dict[str, Any]:
        """See ``Kind``."""
        return {"type": "object", "additionalProperties": {"type": ["number", "string", "boolean"]}}


@dataclass(frozen=True, slots=True)
class Body:
    """What a request's JSON object may hold.

    Args:
        what: What its members are called in an error.
        fields: Kind of each member.
        required: Members that may not be missing.
    """

    what: str
    fields: Mapping[str, Kind]
    required: Sequence[str] = ()

    def check(self, given: Mapping[str, object]) -> dict[str, Any]:
        """Every member given, checked.

        Raises:
            RefusedError: One is unknown, missing or not of its kind.
        """
        for name in given:
            if name not in self.fields:
                raise RefusedError(f"{self.what} {_short(name)} is not one of: {', '.join(self.fields)}")
        for name in self.required:
            if name not in given:
                raise RefusedError(f"{name} is missing; allowed are: {', '.join(self.fields)}")
        return {name: self.fields[name].check(name, value) for name, value in given.items()}

    @property
    def schema(self) -> dict[str, Any]:
        """The same as JSON Schema."""
        properties = {name: kind.schema for name, kind in self.fields.items()}
        required = {"required": list(self.required)} if self.required else {}
        return {"type": "object", "properties": properties, "additionalProperties": False, **required}


def fields_of(record: type[Any], limit: float, whole_limit: int) -> dict[str, Kind]:
    """The switches of a record of the simulator by their declared types, numbers within +- their limit."""
    found: dict[str, Kind] = {}
    kinds: Mapping[type, Callable[[], Kind]] = {
        bool: Switch,
        int: lambda: Whole(-whole_limit, whole_limit),
        float: lambda: Number(-limit, limit),
    }
    declared = get_type_hints(record)
    for name in (field.name for field in fields(record)):
        parts = get_args(declared[name]) or (declared[name],)
        kind = next(make() for type_, make in kinds.items() if type_ in parts)
        found[name] = Maybe(kind) if type(None) in parts else kind
    return found


def _short(value: object) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
