"""A scenario as data: who, when, what, and what must come of it. Checked when it is loaded; nothing here judges."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from firmware_sim.faults import Injection

Value = bool | float | str


@dataclass(frozen=True, slots=True)
class WandPlan:
    """The wand, the room and the person at the start; ``individual``: the typical one, or one drawn by the seed."""

    zone: str = "left_cheek"
    ambient_degc: float = 24.0
    plate_degc: float = 24.0
    humidity_pct: float = 45.0
    individual: str = "typical"


@dataclass(frozen=True, slots=True)
class HostPlan:
    """The built-in host. It cools from ``order = "cool"`` on, and only while the trigger is held if ``hold_to_run``."""

    setpoint_degc: float = 8.0
    lease_ms: int = 500
    period_ms: float = 50.0
    hold_to_run: bool = True


@dataclass(frozen=True, slots=True)
class Step:
    """One contact of the treatment that a daemon is asked for; the built-in host does not look at it."""

    zone: str
    plate_degc: float
    hold_s: float
    rewarm_s: float
    glide: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """What happens at one instant.

    Args:
        at_s: Simulated time.
        sets: Switches and values of hand and room, by name, in the order of the file.
        order: What whoever guards the wand is told: cool, stop, reset, silent, talk; empty for nothing.
        reboot: Why the wand restarts; empty if it does not.
        fault: What breaks.
        clear: Name of the fault that ends; empty for none, ``*`` for all.
    """

    at_s: float
    sets: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))
    order: str = ""
    reboot: str = ""
    fault: Injection | None = None
    clear: str = ""


@dataclass(frozen=True, slots=True)
class Expectation:
    """One thing that must be true.

    Args:
        name: Which kind.
        value: What is expected.
        who: ``host``, ``daemon``, or empty for whoever guards the wand.
        from_s, until_s: The part of the run it is about.
        by_s: The latest moment it must have become true.
        at_least: How often.
        line: Where it stands in the file.
    """

    name: str
    value: Value
    who: str = ""
    from_s: float = 0.0
    until_s: float = float("inf")
    by_s: float = float("inf")
    at_least: int = 1
    line: int = 0


@dataclass(frozen=True, slots=True)
class Scenario:
    """One file."""

    name: str
    about: str
    duration_s: float
    hazards: tuple[str, ...] = ()
    seed: int = 0
    source: str = ""
    wand: WandPlan = field(default_factory=WandPlan)
    host: HostPlan = field(default_factory=HostPlan)
    steps: tuple[Step, ...] = ()
    actions: tuple[Action, ...] = ()
    expectations: tuple[Expectation, ...] = ()
