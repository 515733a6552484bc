"""The session machine: from idle through the steps and back. It says what a treatment wants; permits are not its.

Pure. Every change of state is in ``ALLOWED``; ``moved`` refuses any other.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cryodevice.quantities import Seconds
from cryodevice.safety.limits import CYCLE_SKIN_DEGC, Zone
from cryodevice.safety.phases import COOLING, TREATING, SessionState
from cryodevice.safety.replacing import replace
from cryodevice.safety.verdict import Action, Verdict
from cryodevice.treatment.program import SHORTEST_REWARM_S, Step, Treatment, goes_on
from cryodevice.treatment.proof import Proof, Stage

S = SessionState
LONGEST_PAUSE_S = 300.0
"""A pause, or a wait for the wand, longer than this ends the session, s (docs/architecture.md)."""
LONGEST_LIFTED_S = 60.0
"""A cold plate held ready with the trigger pulled and no contact seen for longer than this ends the session, s: should
the contact sensor be dead, skin under a plate at 5 degC keeps its fat boundary above 10 degC this long (clinical
note 3)."""
LIFTED_FOR_S = 1.0
"""Time off the skin before the next step may begin, s: as long as it takes to believe a lift (engineering default)."""
READY_WITHIN_K = 1.0
"""The plate is at its setpoint within this, K (docs/architecture.md)."""

ALLOWED: Mapping[SessionState, frozenset[SessionState]] = MappingProxyType(
    {
        S.IDLE: frozenset({S.READY, S.LOCKED}),
        S.SCREENING: frozenset({S.READY, S.STOPPED, S.LOCKED}),
        S.READY: frozenset({S.PRECOOL, S.STOPPED, S.LOCKED}),
        S.PRECOOL: frozenset({S.LIFTED, S.PAUSED, S.STOPPED, S.LOCKED}),
        S.LIFTED: frozenset({S.APPLYING, S.PAUSED, S.STOPPED, S.LOCKED}),
        S.APPLYING: frozenset({S.LIFTED, S.REWARMING, S.PAUSED, S.STOPPED, S.LOCKED}),
        S.REWARMING: frozenset({S.PRECOOL, S.COMPLETE, S.STOPPED, S.LOCKED}),
        S.PAUSED: frozenset({S.PRECOOL, S.APPLYING, S.STOPPED, S.LOCKED}),
        S.COMPLETE: frozenset({S.READY, S.LOCKED}),
        S.STOPPED: frozenset({S.READY, S.LOCKED}),
        S.LOCKED: frozenset({S.IDLE}),
    }
)
"""From each state, the states that may follow. A lockout is left only through a person's reset, to idle."""


_UNPROVEN = Proof()


@dataclass(frozen=True, slots=True)
class Session:
    """Where the treatment stands.

    Args:
        state: Present state.
        session_id: Chosen by whoever starts it; empty before the first.
        treatment: What is being done.
        step: Index of the present step.
        contact_s: Contact of this step that counts as treatment: cooled, with the trigger held.
        touched_s: All believed contact since this step began, treatment or not.
        rewarm_s: Time off the skin since the step's contact ended.
        waiting_s: Time in a pause, or waiting for plate or wand, since the last change of state.
        untouched_s: Time the plate has been held cold and driven without a contact seen; pauses do not begin it anew.
        resume: While paused, the state it came from.
        proof: The lease proof of this session.
        ended_why: Why it ended; empty while it runs and after it completed.
    """

    state: SessionState = S.IDLE
    session_id: str = ""
    treatment: Treatment | None = None
    step: int = 0
    contact_s: float = 0.0
    touched_s: float = 0.0
    rewarm_s: float = 0.0
    waiting_s: float = 0.0
    untouched_s: float = 0.0
    resume: SessionState = S.PRECOOL
    proof: Proof = _UNPROVEN
    ended_why: str = ""

    @property
    def current(self) -> Step | None:
        """The present step; None before the first session."""
        return self.treatment.steps[self.step] if self.treatment is not None else None

    @property
    def following(self) -> Step | None:
        """The step after the present one; None at the last."""
        steps = self.treatment.steps if self.treatment is not None else ()
        return steps[self.step + 1] if self.step + 1 < len(steps) else None

    @property
    def zone(self) -> Zone:
        """Zone worked on; the strictest one while nothing else is known."""
        step = self.current
        return step.zone if step is not None else Zone.OTHER

    @property
    def judged_states(self) -> frozenset[SessionState]:
        """States whose interlocks apply: while paused, also those of the state to resume."""
        return frozenset({self.state, self.resume}) if self.state is S.PAUSED else frozenset({self.state})

    @property
    def wants_cooling(self) -> bool:
        """Whether the treatment asks for the drive."""
        return self.state in COOLING


@dataclass(frozen=True, slots=True)
class Seen:
    """What the machine needs to know of the world this tick.

    Args:
        dt_s: Since the tick before.
        touching: The contact flag is set in a fresh reading.
        believed: Contact is believed, as far as dose goes.
        plate_degc: Colder plate channel; NaN unknown.
        next_skin_degc: Worst-case skin of the next step's zone; NaN without one.
    """

    dt_s: Seconds
    touching: bool
    believed: bool
    plate_degc: float
    next_skin_degc: float = math.nan


def moved(session: Session, state: SessionState, **changes: object) -> Session:
    """The session in another state, its waiting time begun anew.

    Raises:
        ValueError: The change is not in ``ALLOWED`` (a programming error).
    """
    if state not in ALLOWED[session.state]:
        raise ValueError(f"no way from {session.state} to {state}")
    return replace(session, state=state, waiting_s=0.0, **changes)  # type: ignore[arg-type]  # fields by name


def begun(session: Session, session_id: str, treatment: Treatment) -> Session:
    """A new session in place of an ended one, waiting for its proof."""
    return moved(replace(Session(), state=session.state), S.READY, session_id=session_id, treatment=treatment)


def ended(session: Session, state: SessionState, why: str) -> Session:
    """The session stopped or locked; a session that had already ended keeps its reason."""
    if session.state is state or state not in ALLOWED[session.state]:
        return session
    return moved(session, state, ended_why=why if session.state in TREATING else session.ended_why)


def progressed(session: Session, seen: Seen) -> Session:
    """One tick of the treatment itself: clocks, contact, steps. Interlocks have their say in ``obeyed``."""
    advance = _PROGRESS.get(session.state)
    if advance is None:
        return session
    if seen.believed:
        session = replace(session, touched_s=session.touched_s + seen.dt_s)
    return advance(session, seen)


def obeyed(session: Session, verdict: Verdict, *, touching: bool) -> Session:
    """The session after the verdict: locked, stopped, paused, resumed, or going on."""
    strongest = verdict.strongest
    action = strongest.action if strongest is not None else Action.WARN
    if strongest is not None and action is Action.LOCKOUT:
        return ended(session, S.LOCKED, strongest.id)
    if strongest is not None and action is Action.STOP and session.state in TREATING:
        return ended(session, S.STOPPED, strongest.id)
    if session.state is S.READY and session.proof.stage is Stage.PASSED and verdict.permit and not verdict.pending:
        return moved(session, S.PRECOOL)
    if session.state in COOLING and not verdict.permit:
        return moved(session, S.PAUSED, resume=session.state)
    if session.state is S.PAUSED and verdict.permit:
        resume = S.APPLYING if touching and session.resume is not S.PRECOOL else S.PRECOOL
        return moved(session, resume)
    return session


def _waited(session: Session, seen: Seen) -> Session:
    waiting = session.waiting_s + seen.dt_s
    if waiting > LONGEST_PAUSE_S:
        return ended(session, S.STOPPED, "waited_too_long")
    return replace(session, waiting_s=waiting)


def _precooled(session: Session, seen: Seen) -> Session:
    step = session.current
    if step is not None and abs(seen.plate_degc - step.plate_degc) <= READY_WITHIN_K:
        return moved(session, S.LIFTED)  # a plate still colder from the step before is no more ready than a warm one
    return _waited(session, seen)


def _lifted(session: Session, seen: Seen) -> Session:
    if seen.touching:
        return moved(session, S.APPLYING, untouched_s=0.0)
    untouched = session.untouched_s + seen.dt_s
    if untouched > LONGEST_LIFTED_S:
        return ended(session, S.STOPPED, "waited_too_long")
    return replace(session, untouched_s=untouched)


def _applied(session: Session, seen: Seen) -> Session:
    step = session.current
    contact = session.contact_s + seen.dt_s
    if step is None or contact >= step.hold_s:
        return moved(session, S.REWARMING, contact_s=contact, rewarm_s=0.0)
    if not seen.touching:
        return moved(session, S.LIFTED)
    return replace(session, contact_s=contact)


def _rewarmed(session: Session, seen: Seen) -> Session:
    if seen.touching:
        return _waited(session, seen)
    rewarm = session.rewarm_s + seen.dt_s
    step, following = session.current, session.following
    if step is None or rewarm < max(step.rewarm_s, LIFTED_FOR_S):
        return replace(session, rewarm_s=rewarm)
    if following is None:
        return moved(session, S.COMPLETE)
    one_contact = goes_on(step, following)
    if one_contact or seen.next_skin_degc >= CYCLE_SKIN_DEGC:
        touched_s = session.touched_s if one_contact else 0.0
        return moved(session, S.PRECOOL, step=session.step + 1, contact_s=0.0, touched_s=touched_s, rewarm_s=0.0)
    if rewarm > 2.0 * max(step.rewarm_s, SHORTEST_REWARM_S):
        return ended(session, S.STOPPED, "not_rewarmed")
    return replace(session, rewarm_s=rewarm)


_PROGRESS: Mapping[SessionState, Callable[[Session, Seen], Session]] = MappingProxyType(
    {
        S.READY: _waited,
        S.PRECOOL: _precooled,
        S.LIFTED: _lifted,
        S.APPLYING: _applied,
        S.REWARMING: _rewarmed,
        S.PAUSED: _waited,
    }
)
