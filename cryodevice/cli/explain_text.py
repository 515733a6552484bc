"""What the interlocks say of given values, as lines a person reads: first what it comes to and what to do."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from cryodevice.safety.explaining import Explanation, Judged
from cryodevice.safety.given import values
from cryodevice.safety.phases import COOLING, SessionState
from cryodevice.safety.verdict import Action

NEAREST = 5
_COMES_TO: Mapping[Action, str] = {
    Action.LOCKOUT: "Cooling is REFUSED and the wand is LOCKED",
    Action.STOP: "Cooling is REFUSED and the session ENDS",
    Action.HOLD: "Cooling is HELD until it is over",
}


def number(value: float, unit: str) -> str:
    """A value with its unit as a person reads it; a yes-or-no one in words."""
    if not math.isfinite(value):
        return "unknown"
    if not unit:
        return {1.0: "yes", 0.0: "no"}.get(value, f"{value:g}")
    return f"{value:.10g} {unit}"


def span(low: float, high: float, unit: str) -> str:
    """A closed range in words."""
    if low == high:
        return number(low, unit)
    if math.isinf(low):
        return f"{number(high, unit)} or less"
    return f"{number(low, unit)} or more" if math.isinf(high) else f"{low:g} to {number(high, unit)}"


def beyond(value: float, low: float, high: float, unit: str) -> str:
    """How far a value is out of its range; empty where that says nothing."""
    if not unit or not math.isfinite(value) or low <= value <= high:
        return ""
    return f", {abs(low - value if value < low else value - high):.4g} {unit} too {'low' if value < low else 'high'}"


def explanation_lines(found: Explanation, state: SessionState, where: str) -> Iterator[str]:
    """All of it.

    Args:
        found: What the rules say.
        state: Session state it was asked for.
        where: Zone and settings, in words.
    """
    if found.withheld:
        first = found.withheld[0]
        yield f"{_COMES_TO[first.row.action]}: {first.row.hint}."
    elif state in COOLING:
        yield "Cooling is PERMITTED as far as these values tell."
    else:
        yield f"Nothing here withholds a permit; but in the state {state} the drive is off anyway."
    yield f"Judged in the state {state}, {where}."
    for title, rules in (
        ("withheld by", found.withheld),
        ("warned of by", found.warned),
        ("not yet, but if it lasts, by", found.waiting),
    ):
        if rules:
            yield ""
            yield f"{title}:"
            for rule in rules:
                yield from _rule(rule)
    near = [rule for rule in found.safe if math.isfinite(rule.margin) and rule.row.unit][:NEAREST]
    if near:
        yield ""
        yield "closest to their limit of those that agree:"
        for rule in near:
            left = f"{number(rule.value, rule.row.unit)}, {rule.margin:.4g} {rule.row.unit} left"
            yield f"  {rule.row.id:22}{left}; safe is {span(rule.low, rule.high, rule.row.unit)}"
    yield ""
    agree = len(found.safe)
    yield f"{agree} {'rule agrees' if agree == 1 else 'rules agree'}; " + (
        f"{len(found.not_asked)} more look at values that were not given and are taken as sound (--strict: as unknown)"
        if found.not_asked
        else "no other applies in this state"
    )


def _rule(rule: Judged) -> Iterator[str]:
    row = rule.row
    yield f"  {row.id} ({row.action.name.lower()}, hazard {row.hazard}; {row.source})"
    out = beyond(rule.value, rule.low, rule.high, row.unit)
    safe = span(rule.low, rule.high, row.unit)
    yield f"      value   {row.fact} is {number(rule.value, row.unit)}{out}; safe is {safe}"
    meaning = values()[row.fact].meaning
    if meaning:
        yield f"              ({meaning[0].lower()}{meaning[1:]})"
    yield f"      acts    {f'after {row.dwell.value:g} s' if row.dwell.value else 'at once'}; clears {row.clear}"
    yield f"      do      {row.hint}"


def explanation_json(found: Explanation, state: SessionState, zone: str) -> dict[str, Any]:
    """The same as plain values; what is not a finite number is null."""
    return {
        "permit": found.verdict.permit,
        "state": state.value,
        "zone": zone,
        "withheld_by": [_plain(rule) for rule in found.withheld],
        "warned_by": [_plain(rule) for rule in found.warned],
        "waiting": [_plain(rule) for rule in found.waiting],
        "agree": [_plain(rule) for rule in found.safe],
        "not_judged": [row.id for row in found.not_asked],
    }


def _plain(rule: Judged) -> dict[str, Any]:
    row = rule.row
    numbers = {"value": rule.value, "low": rule.low, "high": rule.high, "margin": rule.margin}
    return {
        "interlock": row.id,
        "action": row.action.name.lower(),
        "fact": row.fact,
        **{name: one if math.isfinite(one) else None for name, one in numbers.items()},
        "unit": row.unit,
        "dwell_s": row.dwell.value,
        "clears": row.clear.value,
        "hint": row.hint,
        "hazard": row.hazard,
        "source": row.source,
    }
