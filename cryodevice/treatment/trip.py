"""What a trip is: the moment a session is ended by something else than a person, or the wand is locked. Pure.

Tells it from two states of the controller, before and after a decision, with all that a person asks about it later. A
hold is told in the same words: the permit was taken from a wand that cooled, and the session goes on.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cryodevice.safety.interlocks import Interlock
from cryodevice.safety.phases import TREATING, SessionState
from cryodevice.safety.verdict import Action, Clear
from cryodevice.treatment.core import Core
from cryodevice.treatment.evidence import explained

BY_A_PERSON = "stopped by "
"""How the reason of a session begins that a person, or the daemon on its way out, has ended."""
_OF_THE_SESSION: Mapping[str, str] = MappingProxyType(
    {
        "waited_too_long": "the treatment waited longer than it may; start it again when everything is ready",
        "not_rewarmed": "the skin did not come back to its temperature in time: look at it, and treat this zone later",
    }
)
"""Reasons that are no interlock: the session machine gave up."""
OF_THE_HAND = frozenset({"trigger"})
"""Holds that are no record: the hand let go, as it does many times in a treatment, and its event says so."""


@dataclass(frozen=True, slots=True)
class Trip:
    """One trip with its first cause.

    Args:
        cause: Row of the interlock table, or a reason of the session machine.
        action: Stop or lockout; hold for one that is no trip.
        at_s: Monotonic second of the decision.
        value: What was seen; NaN when unknown, or when the cause is no interlock.
        low: Lower end of the safe range (closed).
        high: Upper end of the safe range (closed).
        unit: Unit of the three.
        since_s: Monotonic second since when it had been unsafe.
        dwell_s: How long it had to be unsafe before it acted.
        clear: What lets go of it.
        hint: What a person does about it.
        fact: The fact that was judged; empty when the cause is no interlock.
        hazard: Row of the hazard table.
        source: Where the rule or its number comes from.
        state: Session state it happened in.
        session_id: Session; empty when there was none.
        treatment: Name of the treatment; empty when there was none.
        step: Step, from 1; 0 when there was none.
        steps: Steps of the treatment.
        zone: Zone worked on; empty when there was no session.
        contact_s: Contact of this step until then.
    """

    cause: str
    action: str
    at_s: float
    value: float
    low: float
    high: float
    unit: str
    since_s: float
    dwell_s: float
    clear: Clear
    hint: str
    fact: str = ""
    hazard: str = ""
    source: str = ""
    state: SessionState = SessionState.IDLE
    session_id: str = ""
    treatment: str = ""
    step: int = 0
    steps: int = 0
    zone: str = ""
    contact_s: float = 0.0


def trip_of(before: Core, after: Core, table: tuple[Interlock, ...]) -> Trip | None:
    """The trip between two states, or None. A person's stop is none; a lockout that follows a stop is another one."""
    if before.session is after.session and before.lockout is after.lockout:
        return None
    if after.lockout is not None and before.lockout is None:
        return _told(before, after, table, after.lockout.cause, Action.LOCKOUT)
    was, now = before.session, after.session
    begun = was.state in TREATING or was.session_id != now.session_id
    if now.state is SessionState.STOPPED and begun and not now.ended_why.startswith(BY_A_PERSON):
        return _told(before, after, table, now.ended_why, Action.STOP)
    return None


def hold_of(before: Core, after: Core, table: tuple[Interlock, ...]) -> Trip | None:
    """The permit taken from a wand that was cooling, while the session goes on; None if it was not, or by the hand."""
    if not before.leased or after.session.state is not SessionState.PAUSED:
        return None
    cause = after.verdict.strongest
    if before.session.state is SessionState.PAUSED or cause is None or cause.id in OF_THE_HAND:
        return None
    return _told(before, after, table, cause.id, cause.action)


def _told(before: Core, after: Core, table: tuple[Interlock, ...], cause: str, action: Action) -> Trip:
    found = next((each for each in after.verdict.active if each.id == cause), None)
    row = next((each for each in table if each.id == cause), None)
    session = after.session
    began = before.session if before.session.session_id == session.session_id else session
    treating = began.state in TREATING
    steps = session.treatment.steps if treating and session.treatment is not None else ()
    low, high = row.safe(after.limits, session.zone) if row is not None else (-math.inf, math.inf)
    hint = row.hint if row is not None else _OF_THE_SESSION.get(cause, "the events of the session say what happened")
    return Trip(
        cause=cause,
        action=action.name.lower(),
        at_s=after.now_s,
        value=found.value if found is not None else math.nan,
        low=low,
        high=high,
        unit=row.unit if row is not None else "",
        since_s=found.since_s if found is not None else after.now_s,
        dwell_s=row.dwell.value if row is not None else 0.0,
        clear=row.clear if row is not None else Clear.IDLE,
        hint=explained(after, found) if found is not None else hint,
        fact=row.fact if row is not None else "",
        hazard=row.hazard if row is not None else "",
        source=row.source if row is not None else "",
        state=began.state,
        session_id=session.session_id if treating else "",
        treatment=session.treatment.name if treating and session.treatment is not None else "",
        step=session.step + 1 if steps else 0,
        steps=len(steps),
        zone=session.zone.value if steps else "",
        contact_s=began.contact_s if treating else 0.0,
    )
