"""The hazard file, typed: hazards, requirements, and the interlock rows and rows of the fault matrix behind them."""

import tomllib
from dataclasses import dataclass
from functools import cache

from tests.system.processes import ROOT

FILE = ROOT / "docs" / "hazards.toml"


@dataclass(frozen=True)
class Requirement:
    """What must hold.

    Args:
        id: ``R-``, hazard, number.
        text: One sentence.
        interlocks: Rows of the interlock table that keep it; each must have a test that fails without it.
        matrix: Rows of the fault matrix whose tests show it too.
    """

    id: str
    text: str
    interlocks: tuple[str, ...] = ()
    matrix: tuple[str, ...] = ()


@dataclass(frozen=True)
class Hazard:
    """What can go wrong.

    Args:
        id: ``H`` and two digits.
        harm: What may happen.
        cause: Why.
        control: What stands against it.
        requirements: What must hold for that.
        open: What nothing stands against yet.
    """

    id: str
    harm: str
    cause: str
    control: str
    requirements: tuple[Requirement, ...] = ()
    open: str = ""

    @property
    def interlocks(self) -> tuple[str, ...]:
        """Rows of the interlock table that guard against it, each once."""
        return tuple(dict.fromkeys(row for each in self.requirements for row in each.interlocks))


@cache
def hazards() -> tuple[Hazard, ...]:
    """All of them, in the order of the file."""
    read = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return tuple(_hazard(**entry) for entry in read["hazard"])


def _hazard(*, requirement: tuple[dict, ...] = (), **entry: str) -> Hazard:
    return Hazard(**entry, requirements=tuple(_requirement(**each) for each in requirement))


def _requirement(*, interlocks: tuple[str, ...] = (), matrix: tuple[str, ...] = (), **entry: str) -> Requirement:
    return Requirement(**entry, interlocks=tuple(interlocks), matrix=tuple(matrix))


def requirements() -> dict[str, Requirement]:
    """All requirements by id."""
    return {each.id: each for hazard in hazards() for each in hazard.requirements}


def of_row(interlock: str) -> tuple[str, ...]:
    """Requirements that a row of the interlock table keeps."""
    return tuple(each.id for each in requirements().values() if interlock in each.interlocks)
