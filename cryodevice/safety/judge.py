"""Evaluates the interlock table on the facts of a tick. Pure; remembers only what it is handed back."""

import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from operator import attrgetter
from types import MappingProxyType
from typing import NamedTuple

from cryodevice.quantities import Seconds
from cryodevice.safety.facts import Facts
from cryodevice.safety.interlocks import Interlock
from cryodevice.safety.limits import Limits, Zone
from cryodevice.safety.phases import SessionState
from cryodevice.safety.verdict import Action, Finding, Verdict


def judge(
    table: tuple[Interlock, ...],
    facts: Facts,
    *,
    limits: Limits,
    zone: Zone,
    states: Collection[SessionState],
    since_s: Mapping[str, Seconds],
    now_s: Seconds,
    reading_fresh: bool,
) -> Verdict:
    """Judge one tick.

    Args:
        table: The interlocks in force.
        facts: What is known; NaN is unknown and never safe, nor is an infinite value.
        limits: Limits in force.
        zone: Zone worked on, for limits that differ by zone.
        states: Session states that decide which rows apply: the present one and, while paused, the one to resume.
        since_s: ``Verdict.since_s`` of the tick before.
        now_s: Monotonic second.
        reading_fresh: Whether a fresh reading stands behind the facts; rows that need one keep their clock without it.

    Returns:
        The verdict. A row that is safe, or does not apply, forgets since when it was unsafe.
    """
    active: list[Finding] = []
    pending: list[Finding] = []
    unsafe_since: dict[str, Seconds] = {}
    rows, values_of = _applicable(table, frozenset(states), limits, zone)
    for (row, lowest, highest), value in zip(rows, values_of(facts), strict=True):
        if not reading_fresh and row.needs_reading:
            if row.id in since_s:
                unsafe_since[row.id] = since_s[row.id]
            continue
        if lowest <= value <= highest:
            continue
        since = since_s.get(row.id, now_s)
        unsafe_since[row.id] = since
        low, high = row.safe(limits, zone)
        finding = Finding(row.id, row.action, value, low, high, row.unit, since, row.hint, row.clear)
        (active if now_s - since >= row.dwell.value else pending).append(finding)
    permit = reading_fresh and not any(finding.action > Action.WARN for finding in active)
    return Verdict(permit, tuple(active), tuple(pending), MappingProxyType(unsafe_since))


class _Plan(NamedTuple):
    """Rows that apply, each with the finite part of its range, and what takes their values out of the facts."""

    rows: tuple[tuple[Interlock, float, float], ...]
    values_of: Callable[[Facts], Iterable[float]]


_MOST_PLANS = 64
_PLANS: dict[tuple[int, frozenset[SessionState], int, Zone], tuple[tuple[Interlock, ...], Limits, _Plan]] = {}
"""The same for many ticks. Keyed by identity, and held so that identity lasts."""
_LARGEST = sys.float_info.max
"""An infinite value is no measurement: an open end of a range stops here."""


def _applicable(table: tuple[Interlock, ...], states: frozenset[SessionState], limits: Limits, zone: Zone) -> _Plan:
    key = (id(table), states, id(limits), zone)
    known = _PLANS.get(key)
    if known is None:
        if len(_PLANS) >= _MOST_PLANS:
            _PLANS.clear()
        known = _PLANS[key] = (table, limits, _planned(table, states, limits, zone))
    return known[2]


def _planned(table: tuple[Interlock, ...], states: frozenset[SessionState], limits: Limits, zone: Zone) -> _Plan:
    rows = tuple((row, *_finite(*row.safe(limits, zone))) for row in table if not row.states.isdisjoint(states))
    names = [row.fact for row, _, _ in rows]
    if len(names) < 2:  # one name alone would come back as no tuple
        return _Plan(rows, lambda facts: [getattr(facts, name) for name in names])
    return _Plan(rows, attrgetter(*names))


def _finite(low: float, high: float) -> tuple[float, float]:
    """The finite part of a closed range; an end that is not a number stays one, so nothing lies within."""
    return max(low, -_LARGEST), min(high, _LARGEST)
