"""What a clause of the kit is: an id of docs/wire.md, a caption, where it can be judged, and what judges it.

The ids are those of the page. Where the kit has more than one test for a rule, the id carries what is tested after a
point (``LEASE-07.4`` is row 4 of the table of LEASE-07, ``MODBUS-04.fc6`` the part about function 6).
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from firmware_sim.conformance.wand import Wand


class Lines(Enum):
    """On which lines a clause can be judged."""

    ANY = "any line"
    SERIAL = "serial"
    MODBUS = "Modbus"
    RTU = "Modbus RTU"
    TCP = "Modbus TCP"


class Wants(Enum):
    """In which state the wand must be."""

    ANY = "any"
    FREE = "not tripped"
    ESTOP = "tripped by an e-stop that is still pressed"


Judge = Callable[[Wand], str]
"""Judges one clause and returns what was seen. Raises ``FailedError``, ``SkippedError`` or an error of the line."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One test.

    Args:
        id: As above.
        caption: What is demanded, in a few words.
        judge: Judges it.
        lines: Where it can be judged.
        wants: The state it needs.
        drives: Whether it orders a drive.
        session: Whether a session is opened before it.
        also: Further clauses it shows.
    """

    id: str
    caption: str
    judge: Judge
    lines: Lines
    wants: Wants
    drives: bool
    session: bool
    also: tuple[str, ...]

    @property
    def rule(self) -> str:
        """The clause of docs/wire.md."""
        return self.id.partition(".")[0]


class Group:
    """Clauses under one heading, in the order they are judged."""

    def __init__(self, heading: str, lines: Lines = Lines.ANY, *, session: bool = True) -> None:
        self.heading = heading
        self.clauses: list[Clause] = []
        self._lines = lines
        self._session = session

    def clause(
        self,
        id: str,  # noqa: A002  # what it is
        caption: str,
        *also: str,
        lines: Lines | None = None,
        wants: Wants = Wants.FREE,
        drives: bool = False,
    ) -> Callable[[Judge], Judge]:
        """Put the decorated function in this group."""

        def add(judge: Judge) -> Judge:
            where = self._lines if lines is None else lines
            self.clauses.append(Clause(id, caption, judge, where, wants, drives, self._session, also))
            return judge

        return add
