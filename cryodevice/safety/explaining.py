"""The interlocks on values a person gives: which rules withhold, and how far every other one is from its limit. Pure.

It judges by ``judge`` and the table in force and decides nothing itself. What a person does not say is taken as sound,
unless everything is to be judged, as the daemon does.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from cryodevice.quantities import Seconds
from cryodevice.safety.facts import Facts
from cryodevice.safety.interlocks import TABLE, Interlock
from cryodevice.safety.judge import judge
from cryodevice.safety.limits import Limits, Zone
from cryodevice.safety.phases import SessionState
from cryodevice.safety.verdict import Action, Verdict


@dataclass(frozen=True, slots=True)
class Judged:
    """One rule on the given values.

    Args:
        row: The rule.
        value: What it judged.
        low: Lower end of the safe range (closed).
        high: Upper end of the safe range (closed).
        margin: Distance to the nearer end, negative outside; NaN for an unknown value, infinite without an end.
        safe: The value lies in the range.
        acts: It is unsafe, and has been for as long as the rule waits.
    """

    row: Interlock
    value: float
    low: float
    high: float
    margin: float
    safe: bool
    acts: bool

    @property
    def closeness(self) -> float:
        """The margin as a share of the limit or of the range, to compare rules of different units."""
        width = self.high - self.low
        size = width if math.isfinite(width) else abs(self.high if math.isfinite(self.high) else self.low)
        return self.margin / max(size, 1.0)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the rules say of given values.

    Args:
        verdict: The judgement.
        withheld: Rules that act and are more than a warning, the strongest first.
        warned: Rules that act and only warn.
        waiting: Rules whose value is unsafe and whose dwell is not over.
        safe: Rules that agree, the closest to its limit first.
        not_asked: Rules of this state that look at values nobody gave.
    """

    verdict: Verdict
    withheld: tuple[Judged, ...]
    warned: tuple[Judged, ...]
    waiting: tuple[Judged, ...]
    safe: tuple[Judged, ...]
    not_asked: tuple[Interlock, ...]


def explain(
    facts: Mapping[str, float],
    *,
    limits: Limits,
    zone: Zone,
    state: SessionState,
    lasting_s: float = math.inf,
    everything: bool = False,
    table: tuple[Interlock, ...] = TABLE,
) -> Explanation:
    """Judge facts in a state.

    Args:
        facts: What is known, by name.
        limits: Limits in force.
        zone: Zone worked on.
        state: Session state.
        lasting_s: For how long it has been so.
        everything: Judge what was not given as unknown, which is never safe; else leave it alone.
        table: The interlocks.
    """
    applying = tuple(row for row in table if state in row.states)
    rows = tuple(row for row in applying if everything or row.fact in facts)
    verdict = judge(
        rows,
        Facts(**facts),
        limits=limits,
        zone=zone,
        states=(state,),
        since_s={row.id: Seconds(-lasting_s) for row in rows},
        now_s=Seconds(0.0),
        reading_fresh=True,
    )
    active = {finding.id for finding in verdict.active}
    unsafe = active | {finding.id for finding in verdict.pending}
    judged = [
        _judged(row, facts.get(row.fact, math.nan), row.safe(limits, zone), (row.id in unsafe, row.id in active))
        for row in rows
    ]
    acting = sorted((each for each in judged if each.acts), key=lambda each: -each.row.action)
    return Explanation(
        verdict=verdict,
        withheld=tuple(each for each in acting if each.row.action > Action.WARN),
        warned=tuple(each for each in acting if each.row.action is Action.WARN),
        waiting=tuple(each for each in judged if not each.safe and not each.acts),
        safe=tuple(sorted((each for each in judged if each.safe), key=lambda each: each.closeness)),
        not_asked=tuple(row for row in applying if row not in rows),
    )


def _judged(row: Interlock, value: float, span: tuple[float, float], found: tuple[bool, bool]) -> Judged:
    unsafe, acts = found
    return Judged(row, value, *span, margin_of(value, *span), safe=not unsafe, acts=acts)


def margin_of(value: float, low: float, high: float) -> float:
    """Distance of a value to the nearer end of its safe range, negative outside; NaN for an unknown value."""
    return min(value - low, high - value) if math.isfinite(value) else math.nan
