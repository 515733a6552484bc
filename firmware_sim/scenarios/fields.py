"""What a value of a scenario may be: its kind and its range, and the words that refuse another. Knows no file."""

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cryodevice.bioheat import ZONES
from firmware_sim.scenarios.model import Value


class FieldError(ValueError):
    """A value that cannot be; the message says what can."""


@dataclass(frozen=True, slots=True)
class Number:
    """A finite number of a closed range; ``whole`` for integers."""

    low: float
    high: float
    unit: str = ""
    whole: bool = False

    def read(self, value: object) -> float:
        """The number.

        Raises:
            FieldError: It is none, or out of range.
        """
        kinds = int if self.whole else int | float
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise FieldError(f"{value!r} is no {'whole ' if self.whole else ''}number; {self._allowed()}")
        if not (math.isfinite(value) and self.low <= value <= self.high):
            raise FieldError(f"{value!r} is out of range; {self._allowed()}")
        return int(value) if self.whole else float(value)

    def _allowed(self) -> str:
        return f"allowed is {self.low:g} to {self.high:g}{' ' + self.unit if self.unit else ''}"


@dataclass(frozen=True, slots=True)
class Switch:
    """True or false."""

    def read(self, value: object) -> bool:
        """The switch.

        Raises:
            FieldError: It is neither.
        """
        if not isinstance(value, bool):
            raise FieldError(f"{value!r} is neither true nor false")
        return value


@dataclass(frozen=True, slots=True)
class Word:
    """One of a few words."""

    allowed: tuple[str, ...]

    def read(self, value: object) -> str:
        """The word.

        Raises:
            FieldError: It is none of them.
        """
        if not isinstance(value, str) or value not in self.allowed:
            raise FieldError(f"{value!r} is not one of {', '.join(self.allowed)}{meant(value, self.allowed)}")
        return value


@dataclass(frozen=True, slots=True)
class Text:
    """Any text that says something."""

    def read(self, value: object) -> str:
        """The text, without blanks around it.

        Raises:
            FieldError: It is no text, or says nothing.
        """
        if not isinstance(value, str) or not value.strip():
            raise FieldError(f"{value!r} is no text that says something")
        return value.strip()


Kind = Number | Switch | Word | Text

TIME = Number(0.0, 86_400.0, "s")
ZONE = Word(tuple(ZONES))
SETPOINT = Number(-20.0, 60.0, "degC")
AMBIENT = Number(-40.0, 60.0, "degC")
HUMIDITY = Number(0.0, 100.0, "%")


def meant(word: object, known: Iterable[str]) -> str:
    """``; did you mean ...?`` where something known is close."""
    close = difflib.get_close_matches(str(word), list(known), 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def unknown(word: str, what: str, known: Iterable[str]) -> str:
    """The words that refuse a key nobody knows."""
    names = sorted(known)
    return f"there is no {what} {word!r}{meant(word, names)}; there are {', '.join(names)}"


def read(kinds: Mapping[str, Kind], name: str, value: object) -> Value:
    """One value of a table of kinds.

    Raises:
        FieldError: It cannot be.
    """
    return kinds[name].read(value)
