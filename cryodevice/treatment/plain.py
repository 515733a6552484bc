"""The controller's records as plain values that JSON can carry, and back again without the loss of a bit. Pure.

Goes by the fields and types of the dataclasses themselves, so a field that is added is carried without a word here. A
number that is none or infinite becomes a word. It knows neither files nor what the values mean.
"""

import math
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from cryodevice.errors import RecordError
from cryodevice.safety.readings import Reading, read
from cryodevice.treatment.core import Command, LineNews
from cryodevice.wire.blocks import Order, Status

_WORDS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_TAGGED = frozenset(get_args(LineNews) + get_args(Command))
"""Records that stand where any of several may: they carry their name."""
BY_PLACE = (Status, Order)
"""Written as lists, since there are many of them; ``places`` names what stands where."""


def places() -> dict[str, list[str]]:
    """The order of the fields in the records that are written as lists."""
    return {kind.__name__: list(_names(kind)) for kind in BY_PLACE}


def plain(value: Any) -> Any:
    """A record, or anything that is in one, as values JSON can carry.

    Raises:
        RecordError: It holds something that has no plain form.
    """
    kind = type(value)
    if kind is float and not math.isfinite(value):
        return _word(value)
    if value is None or kind in _SCALARS:
        return value
    for of, form in _FORMS:
        if isinstance(value, of):
            return form(value)
    if is_dataclass(kind):
        return _record(value, kind)
    raise RecordError(f"{kind.__name__} has no plain form")


_SCALARS = frozenset({float, int, str, bool})
_FORMS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (Enum, lambda one: one.value),
    (Reading, lambda reading: {"status": plain(reading.status), "at_s": plain(reading.at_s)}),
    ((tuple, list), lambda many: [plain(each) for each in many]),
    (Mapping, lambda mapping: {str(plain(key)): plain(each) for key, each in mapping.items()}),
    (np.ndarray, lambda array: plain(array.tolist())),
)


def _word(value: float) -> str:
    return "nan" if math.isnan(value) else "inf" if value > 0.0 else "-inf"


def _record(value: Any, kind: type) -> Any:
    if kind in BY_PLACE:
        return [plain(getattr(value, name)) for name in _names(kind)]
    found = {"is": kind.__name__} if kind in _TAGGED else {}
    return found | {name: plain(getattr(value, name)) for name in _names(kind)}


def built(kind: Any, value: Any) -> Any:
    """What ``plain`` made of a value of this type, as it was.

    Raises:
        RecordError: These are not the fields of such a record: damaged, or of another version of the program.
    """
    try:
        return _built(kind, value)
    except RecordError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RecordError(f"no {getattr(kind, '__name__', kind)}: {type(error).__name__}: {error}") from error


def _built(kind: Any, value: Any) -> Any:
    kind = getattr(kind, "__supertype__", kind)
    origin = get_origin(kind)
    if origin is not None:
        return _generic(kind, origin, value)
    if kind is float:
        return _number(value)
    if kind in _SCALARS:
        return _exactly(kind, value)
    if kind is Reading:
        return read(_built(Status, value["status"]), _built(float, value["at_s"]))
    return kind(value) if issubclass(kind, Enum) else _of_fields(kind, value)


def _generic(kind: Any, origin: Any, value: Any) -> Any:
    of = get_args(kind)
    if origin in (Union, types.UnionType):
        return _one_of(of, value)
    if origin is tuple:
        return _tuple(of, value)
    if origin is np.ndarray:
        return np.array(_numbers(value), dtype=np.float64)
    return types.MappingProxyType({_built(of[0], key): _built(of[1], each) for key, each in value.items()})


def _exactly(kind: Any, value: Any) -> Any:
    if type(value) is not kind:
        raise RecordError(f"{value!r} is no {kind.__name__}")
    return value


def _number(value: Any) -> float:
    if isinstance(value, str):
        return _WORDS[value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RecordError(f"{value!r} is no number")
    return float(value)


def _numbers(value: Any) -> Any:
    return [_numbers(each) for each in value] if isinstance(value, list) else _number(value)


def _one_of(kinds: tuple[Any, ...], value: Any) -> Any:
    if value is None and type(None) in kinds:
        return None
    name = value.get("is") if isinstance(value, dict) else None
    kinds = tuple(kind for kind in kinds if kind is not type(None) and (name is None or kind.__name__ == name))
    for kind in kinds[:-1]:
        try:
            return _built(kind, value)
        except (RecordError, KeyError, TypeError, ValueError, AttributeError):
            continue
    return _built(kinds[-1], value) if kinds else _unknown(name)


def _unknown(name: object) -> Any:
    raise RecordError(f"this version knows no {name!r}")


def _tuple(kinds: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if kinds[-1] is ...:
        return tuple(_built(kinds[0], each) for each in value)
    return tuple(_built(kind, each) for kind, each in zip(kinds, value, strict=True))


def _of_fields(kind: Any, value: Any) -> Any:
    hints, names = _hints(kind), _names(kind)
    if kind in BY_PLACE:
        value = dict(zip(names, value, strict=True))
    unknown = value.keys() - {*names, "is"}
    lacking = [name for name in names if name not in value and not _has_default(kind, name)]
    if unknown or lacking:
        raise RecordError(f"{kind.__name__}: unknown {sorted(unknown)}, lacking {lacking}")
    return kind(**{name: _built(hints[name], value[name]) for name in names if name in value})


def _has_default(kind: Any, name: str) -> bool:
    field = kind.__dataclass_fields__[name]
    return field.default is not MISSING or field.default_factory is not MISSING


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


@cache
def _hints(kind: Any) -> Mapping[str, Any]:
    return types.MappingProxyType(get_type_hints(kind))
