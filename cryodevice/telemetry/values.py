"""Numbers, codes, times and evidence as JSON can carry them. Rounds for a person; never for a judgement."""

import datetime as dt
import math
from collections.abc import Mapping
from enum import Enum, IntEnum, IntFlag

from pydantic import JsonValue

_LONGEST_TEXT = 500


def utc(wall_s: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC, to the millisecond."""
    moment = dt.datetime.fromtimestamp(wall_s, dt.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rounded(value: float) -> float:
    """A finite number to four decimals."""
    return round(float(value), 4)


def number(value: float | None) -> float | None:
    """A number to four decimals; ``None`` for none, NaN and infinities."""
    return rounded(value) if value is not None and math.isfinite(value) else None


def text(said: str, longest: int = _LONGEST_TEXT) -> str:
    """A text, cut with an ellipsis where it is too long."""
    return said if len(said) <= longest else said[: longest - 1] + "…"


def code(kind: type[IntEnum], value: int) -> str:
    """The name of a code, and the number of one this version does not know."""
    return next((member.name.lower() for member in kind if member.value == value), f"unknown_{value}")


def names(bits: IntFlag) -> list[str]:
    """The names of the bits that are set."""
    return [bit.name.lower() for bit in type(bits) if bit in bits and bit.name]


def plain(value: object) -> JsonValue:
    """Any value as JSON can carry it: not-a-number becomes null, what is no JSON becomes text."""
    match value:
        case Enum():
            told: JsonValue = value.value if isinstance(value, str) else str(value.name).lower()
        case None | bool() | int():
            told = value
        case float():
            told = number(value)
        case Mapping():
            told = {str(key): plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            told = [plain(item) for item in value]
        case bytes():
            told = value.hex()
        case _:
            told = text(str(value))
    return told
