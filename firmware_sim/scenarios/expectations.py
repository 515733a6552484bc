"""What a scenario can expect, each a question about the truth that was watched, with an answer in words.

Two of them ask the daemon: which interlock acted, and why the session ended. The built-in host has neither.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from cryodevice.wire.codes import Fault, Trip
from firmware_sim.faults import CATALOGUE
from firmware_sim.scenarios.fields import TIME, Kind, Number, Switch, Text, Word
from firmware_sim.scenarios.model import Expectation, Scenario
from firmware_sim.scenarios.watch import Watch

_DEGC = Number(-60.0, 100.0, "degC")
_SLACK_S = 1e-6


@dataclass(frozen=True, slots=True)
class Guard:
    """What is known of who guarded the wand.

    Args:
        who: ``host`` or ``daemon``.
        interlocks: Rows that withdrew a permit or stopped a session, in order.
        ended_why: Why the last session ended.
    """

    who: str = "host"
    interlocks: tuple[str, ...] = ()
    ended_why: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """One expectation and what came of it; ``met`` is ``None`` where it asks nothing of this run."""

    expectation: Expectation
    met: bool | None
    seen: str


Judge = Callable[[Expectation, Watch, Guard], tuple[bool, str]]


@dataclass(frozen=True, slots=True)
class _Question:
    kind: Kind
    judge: Judge
    takes: tuple[str, ...] = ()
    of_daemon: bool = False


def _drive_on(asked: Expectation, watch: Watch, _: Guard) -> tuple[bool, str]:
    first = next((at_s for at_s, flows in watch.drive if flows and at_s >= asked.from_s), None)
    if first is None:
        return False, "the drive never came on"
    return first <= _number(asked), f"the drive came on at {first:.3f} s"


def _drive_off(asked: Expectation, watch: Watch, _: Guard) -> tuple[bool, str]:
    by_s = _number(asked)
    drove = watch.drove(by_s, asked.until_s)
    if drove is not None:
        return False, f"current flowed from {drove[0]:.3f} s to {drove[1]:.3f} s"
    last = max((at_s for at_s, flows in watch.drive if not flows and at_s <= by_s + _SLACK_S), default=None)
    return True, "the drive was never on" if last is None else f"the drive went off at {last:.3f} s"


def _no_drive(asked: Expectation, watch: Watch, _: Guard) -> tuple[bool, str]:
    drove = watch.drove(asked.from_s, asked.until_s)
    seen = "no current flowed" if drove is None else f"current flowed from {drove[0]:.3f} s to {drove[1]:.3f} s"
    return (drove is None) is asked.value, seen


def _relay_open(asked: Expectation, watch: Watch, _: Guard) -> tuple[bool, str]:
    by_s = _number(asked)
    state = [closed for at_s, closed in watch.relay if at_s <= by_s + 0.02]
    later = [at_s for at_s, closed in watch.relay if closed and by_s + 0.02 < at_s <= asked.until_s]
    opened = max((at_s for at_s, closed in watch.relay if not closed), default=0.0)
    return not (state and state[-1]) and not later, f"the relay last opened at {opened:.2f} s"


def _skin_above(asked: Expectation, watch: Watch, _: Guard) -> tuple[bool, str]:
    lowest = watch.lowest_skin_degc
    return lowest >= _number(asked), f"lowest true skin {lowest:.2f} degC"


def _skin_reaches(asked: Expectation, watch: Watch, _: Guard) -> tuple[bool, str]:
    lowest = watch.lowest_skin_degc
    return lowest <= _number(asked), f"lowest true skin {lowest:.2f} degC"


def _extreme(name: str, sign: float) -> Judge:
    def judge(asked: Expectation, watch: Watch, _: Guard) -> tuple[bool, str]:
        seen = [
            (sign * getattr(look, f"{name}_degc"), look.at_s) for look in watch.between(asked.from_s, asked.until_s)
        ]
        if not seen:
            return False, "nothing was seen in that window"
        worst, at_s = max(seen)
        extreme = "highest" if sign > 0 else "lowest"
        return worst <= sign * _number(asked), f"{extreme} {name} {sign * worst:.2f} degC at {at_s:.2f} s"

    return judge


def _trip(asked: Expectation, watch: Watch, _: Guard) -> tuple[bool, str]:
    if not watch.trips:
        return False, "the wand did not trip"
    at_s, name = watch.trips[0]
    return name == asked.value and at_s <= asked.by_s + _SLACK_S, f"trip {name} at {at_s:.2f} s"


def _no_trip(asked: Expectation, watch: Watch, _: Guard) -> tuple[bool, str]:
    trips = [(at_s, name) for at_s, name in watch.trips if asked.from_s <= at_s <= asked.until_s]
    seen = "the wand did not trip" if not trips else f"trip {trips[0][1]} at {trips[0][0]:.2f} s"
    return (not trips) is asked.value, seen


def _fault_bit(asked: Expectation, watch: Watch, _: Guard) -> tuple[bool, str]:
    at_s = watch.faults.get(str(asked.value))
    if at_s is None:
        return False, f"fault bits seen: {', '.join(watch.faults) or 'none'}"
    return at_s <= asked.by_s + _SLACK_S, f"set at {at_s:.2f} s"


def _fired(asked: Expectation, watch: Watch, _: Guard) -> tuple[bool, str]:
    times = watch.simulator.faults.fired(str(asked.value))
    return times >= asked.at_least, f"fired {times} times"


def _interlock(asked: Expectation, _: Watch, guard: Guard) -> tuple[bool, str]:
    return asked.value in guard.interlocks, f"interlocks that acted: {', '.join(guard.interlocks) or 'none'}"


def _session_ends(asked: Expectation, _: Watch, guard: Guard) -> tuple[bool, str]:
    return guard.ended_why == asked.value, f"it ended: {guard.ended_why or 'not at all'}"


def _number(asked: Expectation) -> float:
    return float(asked.value)


_WINDOW = ("from_s", "until_s")
_QUESTIONS: Final[Mapping[str, _Question]] = MappingProxyType(
    {
        "drive_on_by_s": _Question(TIME, _drive_on, ("from_s",)),
        "drive_off_by_s": _Question(TIME, _drive_off, ("until_s",)),
        "no_drive": _Question(Switch(), _no_drive, _WINDOW),
        "relay_open_by_s": _Question(TIME, _relay_open, ("until_s",)),
        "skin_stays_above_degc": _Question(_DEGC, _skin_above),
        "skin_reaches_degc": _Question(_DEGC, _skin_reaches),
        "plate_stays_above_degc": _Question(_DEGC, _extreme("plate", -1.0), _WINDOW),
        "plate_stays_below_degc": _Question(_DEGC, _extreme("plate", 1.0), _WINDOW),
        "sink_stays_below_degc": _Question(_DEGC, _extreme("sink", 1.0), _WINDOW),
        "trip": _Question(Word(tuple(trip.name.lower() for trip in Trip if trip)), _trip, ("by_s",)),
        "no_trip": _Question(Switch(), _no_trip, _WINDOW),
        "fault_bit": _Question(Word(tuple(str(fault.name).lower() for fault in Fault)), _fault_bit, ("by_s",)),
        "fired": _Question(Word(tuple(CATALOGUE)), _fired, ("at_least",)),
        "interlock": _Question(Text(), _interlock, of_daemon=True),
        "session_ends": _Question(Text(), _session_ends, of_daemon=True),
    }
)

KINDS: Final[Mapping[str, Kind]] = MappingProxyType({name: question.kind for name, question in _QUESTIONS.items()})
"""What each expectation holds, by name."""


def fitting(name: str) -> tuple[str, ...]:
    """The keys beside ``who`` that mean something to an expectation."""
    return _QUESTIONS[name].takes


def judged(scenario: Scenario, watch: Watch, guard: Guard) -> tuple[Judged, ...]:
    """Every expectation of a scenario, answered."""
    return tuple(_judged(asked, watch, guard) for asked in scenario.expectations)


def _judged(asked: Expectation, watch: Watch, guard: Guard) -> Judged:
    question = _QUESTIONS[asked.name]
    if asked.who not in {"", guard.who} or (question.of_daemon and guard.who != "daemon"):
        return Judged(asked, None, f"asked of the {asked.who or 'daemon'}")
    met, seen = question.judge(asked, watch, guard)
    return Judged(asked, met, seen)
