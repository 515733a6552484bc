"""One fault as somebody asks for it: which, with what parameters, from when, for how long, how often. Checked once."""

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from firmware_sim.faults.catalogue import CATALOGUE
from firmware_sim.faults.kinds import FaultKind
from firmware_sim.faults.parameters import FaultError, Value, Values

_TIMES = ("start_s", "duration_s", "count")


@dataclass(frozen=True, slots=True)
class Injection:
    """A checked order for a fault; made by ``injection``.

    Args:
        kind: Which fault.
        values: All its parameters.
        start_s: Simulated time from which it is in force; a time that has passed means now.
        duration_s: How long it is in force; ``None``: until cleared.
        count: After how many times that it made a difference it ends; ``None``: never by itself.
    """

    kind: FaultKind
    values: Values
    start_s: float = 0.0
    duration_s: float | None = None
    count: int | None = None

    @property
    def name(self) -> str:
        """Of the fault."""
        return self.kind.name


def injection(
    name: str,
    values: Mapping[str, object] = MappingProxyType({}),
    *,
    start_s: float = 0.0,
    duration_s: float | None = None,
    count: int | None = None,
) -> Injection:
    """A fault by its name in the catalogue; parameters not given have their defaults.

    Raises:
        FaultError: No such fault or parameter, or a value that is not allowed; says what is.
    """
    kind = CATALOGUE.get(name)
    if kind is None:
        near = difflib.get_close_matches(name, CATALOGUE, 3, 0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "'firmware-sim faults' lists them"
        raise FaultError(f"there is no fault {name!r}; {hint}", fault=name)
    given = {key: kind.value(key, value) for key, value in values.items()}
    full: dict[str, Value] = {parameter.name: parameter.default for parameter in kind.parameters} | given
    if not _number(start_s) or not 0.0 <= start_s < math.inf:
        raise FaultError(f"start_s is {start_s!r}; it is simulated time, 0 or later", fault=name)
    if duration_s is not None and (not _number(duration_s) or not 0.0 < duration_s < math.inf):
        raise FaultError(f"duration_s is {duration_s!r}; give seconds above 0, or leave it out", fault=name)
    if count is not None and (not _number(count) or count < 1 or count != int(count)):
        raise FaultError(f"count is {count!r}; give a whole number from 1, or leave it out", fault=name)
    times = kind.count if count is None else count
    return Injection(kind, MappingProxyType(full), float(start_s), duration_s, None if times is None else int(times))


def injection_from_words(name: str, words: Iterable[str]) -> Injection:
    """The same from ``key=value`` words: parameters of the fault, ``start_s``, ``duration_s``, ``count``.

    Raises:
        FaultError: As ``injection``, and for a word that is no ``key=value`` or comes twice.
    """
    given: dict[str, str] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not key or key in given:
            raise FaultError(f"{word[:40]!r} is no key=value, or comes twice", fault=name)
        given[key] = text
    times = {key: _read_number(key, given.pop(key)) for key in _TIMES if key in given}
    kind = CATALOGUE.get(name)
    values = {key: text if kind is None else kind.value(key, text, written=True) for key, text in given.items()}
    count = times.get("count")
    return injection(
        name,
        values,
        start_s=times.get("start_s", 0.0),
        duration_s=times.get("duration_s"),
        count=None if count is None else int(count) if count == int(count) else -1,
    )


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _read_number(key: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise FaultError(f"{key} is {text[:40]!r}; give a number", parameter=key)
    return value
