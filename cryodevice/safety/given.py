"""The values a person may give to have them judged: the facts by their names, and plainer words for some. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from cryodevice.safety.facts import FACT_NAMES, Facts
from cryodevice.safety.interlocks import TABLE, Interlock


class Kind(Enum):
    """How a value is given."""

    YES_NO = "yes or no"
    NUMBER = "a number"


@dataclass(frozen=True, slots=True)
class Value:
    """A value a person may give: a fact, or a plainer word for some.

    Args:
        name: As it is given.
        kind: Yes or no, or a number.
        unit: Of the number.
        low: Smallest number that makes sense.
        high: Largest one.
        meaning: What it is.
        facts: Facts it settles.
    """

    name: str
    kind: Kind
    unit: str
    low: float
    high: float
    meaning: str
    facts: tuple[str, ...]


def _meanings() -> dict[str, str]:
    """What each fact is, as its own documentation says."""
    lines = (line.strip().partition(": ") for line in (Facts.__doc__ or "").splitlines())
    return {name: meaning.rstrip(".") for name, _, meaning in lines if name in FACT_NAMES}


_DEGC = (-40.0, 85.0)
_PLATE = ("plate_cold_degc", "plate_warm_degc", "channels_apart_k")
_WORDS = (
    Value("plate_degc", Kind.NUMBER, "degC", *_DEGC, "Both plate channels", _PLATE),
    Value("plate_a_degc", Kind.NUMBER, "degC", *_DEGC, "Plate channel A; give B too", _PLATE),
    Value("plate_b_degc", Kind.NUMBER, "degC", *_DEGC, "Plate channel B; give A too", _PLATE),
    Value("setpoint_degc", Kind.NUMBER, "degC", *_DEGC, "Setpoint the plate has reached", ("plate_over_setpoint_k",)),
    Value("contact", Kind.YES_NO, "", 0.0, 1.0, "The plate touches the skin", ("off_skin",)),
    Value("trigger", Kind.YES_NO, "", 0.0, 1.0, "A hand holds the trigger", ("trigger_held",)),
    Value("estop", Kind.YES_NO, "", 0.0, 1.0, "The e-stop is pressed", ("estop_released",)),
    Value("tip", Kind.YES_NO, "", 0.0, 1.0, "The tip is on the wand", ("tip_fitted",)),
)
_OPPOSITE = frozenset({"contact", "estop"})
"""Plain words that say the opposite of the fact they settle."""


def values(table: tuple[Interlock, ...] = TABLE) -> Mapping[str, Value]:
    """Every value that may be given, plain words first."""
    units = {row.fact: row.unit for row in table}
    meanings = _meanings()
    found = {word.name: word for word in _WORDS}
    for name in FACT_NAMES:
        unit = units.get(name, "")
        kind = Kind.NUMBER if unit else Kind.YES_NO
        low, high = (0.0, 1.0) if not unit else _DEGC if unit == "degC" else (-1e9, 1e9)
        found[name] = Value(name, kind, unit, low, high, meanings.get(name, ""), (name,))
    return found


def facts_from(given: Mapping[str, float]) -> dict[str, float]:
    """The facts that given values settle; NaN for what is said to be unknown.

    Raises:
        ValueError: Two values say the same thing, or one lacks another; the message is for a person.
    """
    known = values()
    settled: dict[str, str] = {}
    for name in given:
        for fact in known[name].facts:
            other = settled.setdefault(fact, name)
            if other != name and {other, name} != {"plate_a_degc", "plate_b_degc"}:
                raise ValueError(f"{other} and {name} say the same thing: give one of them")
    found = {name: value for name, value in given.items() if name in FACT_NAMES}
    return found | _plate(given, found) | _yes_no(given)


def _plate(given: Mapping[str, float], known: Mapping[str, float]) -> dict[str, float]:
    found: dict[str, float] = {}
    plates = [given[name] for name in ("plate_degc", "plate_a_degc", "plate_b_degc") if name in given]
    if len(plates) == 1 and "plate_degc" not in given:
        raise ValueError("plate_a_degc and plate_b_degc go together: give both, or plate_degc")
    if plates:
        sound = not any(math.isnan(plate) for plate in plates)
        coldest, warmest = (min(plates), max(plates)) if sound else (math.nan, math.nan)
        found = dict(zip(_PLATE, (coldest, warmest, warmest - coldest), strict=True))
    if "setpoint_degc" in given:
        coldest = found.get("plate_cold_degc", known.get("plate_cold_degc", math.inf))
        if coldest == math.inf:
            raise ValueError("setpoint_degc needs plate_degc, to be held against it")
        found["plate_over_setpoint_k"] = coldest - given["setpoint_degc"]
    return found


def _yes_no(given: Mapping[str, float]) -> dict[str, float]:
    words = (word for word in _WORDS if word.kind is Kind.YES_NO and word.name in given)
    return {word.facts[0]: 1.0 - given[word.name] if word.name in _OPPOSITE else given[word.name] for word in words}
