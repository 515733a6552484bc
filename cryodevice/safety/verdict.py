"""What the interlocks say together: the findings, the strongest action among them, and the latched first cause."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from types import MappingProxyType

from cryodevice.quantities import Seconds


class Action(IntEnum):
    """What an active interlock does; the strongest wins."""

    WARN = 1
    HOLD = 2
    STOP = 3
    LOCKOUT = 4


class Clear(StrEnum):
    """What makes an interlock let go once its condition is gone."""

    ITSELF = "by itself"
    IDLE = "when idle"
    ACKNOWLEDGE = "on acknowledgement"
    SERVICE = "by service"


@dataclass(frozen=True, slots=True)
class Finding:
    """One interlock whose condition is not in its safe range.

    Args:
        id: Row of the interlock table.
        action: What it does once its dwell is over.
        value: What was seen; NaN when unknown.
        low: Lower end of the safe range (closed).
        high: Upper end of the safe range (closed).
        unit: Unit of the three.
        since_s: Monotonic second since when it has been unsafe.
        hint: What a person does about it.
        clear: How it clears.
    """

    id: str
    action: Action
    value: float
    low: float
    high: float
    unit: str
    since_s: Seconds
    hint: str
    clear: Clear


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement of one tick.

    Args:
        permit: Cooling may be ordered. False whenever anything stronger than a warning stands.
        active: Findings whose dwell is over, in table order.
        pending: Findings still inside their dwell: they withdraw nothing yet, and no session starts on them.
        since_s: Per row, since when it has been unsafe; the memory the next tick needs.
    """

    permit: bool
    active: tuple[Finding, ...]
    pending: tuple[Finding, ...] = ()
    since_s: Mapping[str, Seconds] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def strongest(self) -> Finding | None:
        """The first of the findings with the strongest action."""
        return max(self.active, key=lambda finding: finding.action, default=None)


@dataclass(frozen=True, slots=True)
class Lockout:
    """A latched lockout: survives restart, keeps its first cause, lets go only for a person."""

    cause: str
    clear: Clear
    value: float
    low: float
    high: float
    unit: str
    hint: str
