"""The session machine: from idle through the steps and back. It says what a treatment wants; permits are not its.

Pure. Every change of state is in ``session_table``; ``moved`` knows no other.
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
from cryodevice.treatment.program import Step, Treatment, goes_on, same_part
from cryodevice.treatment.proof import Proof, Stage
from cryodevice.treatment.session_table import IGNORED, WAYS, Happening

H, S = Happening, SessionState
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
        left_out: The present step is one that was left out, so its contact has not been.
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
    left_out: bool = False
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


def moved(session: Session, happening: Happening, **changes: object) -> Session:
    """The session where this leads, its waiting time begun anew.

    Raises:
        ValueError: It is ignored in this state (a programming error).
    """
    to = WAYS.get((session.state, happening))
    if to is None:
        raise ValueError(f"{happening.name} in {session.state}: {IGNORED[session.state, happening]}")
    return replace(session, state=to, waiting_s=0.0, **changes)  # type: ignore[arg-type]  # fields by name


def begun(session: Session, session_id: str, treatment: Treatment) -> Session:
    """A new session in place of an ended one, waiting for its proof."""
    return moved(replace(Session(), state=session.state), Happening.START, session_id=session_id, treatment=treatment)


def ended(session: Session, happening: Happening, why: str) -> Session:
    """The session stopped or locked, where that means something; one that had already ended keeps its reason."""
    if (session.state, happening) in IGNORED:
        return session
    return moved(session, happening, ended_why=why if session.state in TREATING else session.ended_why)


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
        return ended(session, H.LOCKOUT, strongest.id)
    if strongest is not None and action is Action.STOP and session.state in TREATING:
        return ended(session, H.STOP, strongest.id)
    if session.state is S.READY and session.proof.stage is Stage.PASSED and verdict.permit and not verdict.pending:
        return moved(session, H.PROVEN)
    if session.state in COOLING and not verdict.permit:
        return moved(session, H.HOLD, resume=session.state)
    if session.state is S.PAUSED and verdict.permit:
        on_skin = touching and session.resume is not S.PRECOOL
        return moved(session, H.RELEASED_ON_SKIN if on_skin else H.RELEASED)
    return session


def _waited(session: Session, seen: Seen) -> Session:
    waiting = session.waiting_s + seen.dt_s
    if waiting > LONGEST_PAUSE_S:
        return ended(session, H.TOO_LONG, "waited_too_long")
    return replace(session, waiting_s=waiting)


def _precooled(session: Session, seen: Seen) -> Session:
    step = session.current
    if step is not None and abs(seen.plate_degc - step.plate_degc) <= READY_WITHIN_K:
        return moved(
            session, H.PLATE_READY
        )  # a plate still colder from the step before is no more ready than a warm one
    return _waited(session, seen)


def _lifted(session: Session, seen: Seen) -> Session:
    if seen.touching:
        return moved(session, H.TOUCHED, untouched_s=0.0)
    untouched = session.untouched_s + seen.dt_s
    if untouched > LONGEST_LIFTED_S:
        return ended(session, H.TOO_LONG, "waited_too_long")
    return replace(session, untouched_s=untouched)


def _applied(session: Session, seen: Seen) -> Session:
    step = session.current
    contact = session.contact_s + seen.dt_s
    if step is None or contact >= step.hold_s:
        return moved(session, H.CONTACT_DONE, contact_s=contact, rewarm_s=0.0)
    if not seen.touching:
        return moved(session, H.LIFTED_OFF)
    return replace(session, contact_s=contact)


def _rewarmed(session: Session, seen: Seen) -> Session:
    if seen.touching:
        return _waited(session, seen)
    rewarm = session.rewarm_s + seen.dt_s
    step, following = session.current, session.following
    if step is None or rewarm < max(step.rewarm_s, LIFTED_FOR_S):
        return replace(session, rewarm_s=rewarm)
    if following is None:
        return moved(session, H.LAST)
    one_contact = goes_on(step, following) and not session.left_out
    if one_contact or seen.next_skin_degc >= CYCLE_SKIN_DEGC:
        touched_s = session.touched_s if one_contact else 0.0
        return moved(
            session, H.NEXT, step=session.step + 1, contact_s=0.0, touched_s=touched_s, rewarm_s=0.0, left_out=False
        )
    if rewarm > step.longest_rewarm_s:
        return _left_out(session)
    return replace(session, rewarm_s=rewarm)


def _left_out(session: Session) -> Session:
    """The session without what is left of the step that cannot begin; the one after it waits for its own zone."""
    steps = session.treatment.steps if session.treatment is not None else ()
    last = session.step + 1
    while last + 1 < len(steps) and same_part(steps[last], steps[last + 1]):
        last += 1
    if last + 1 >= len(steps):
        return ended(session, H.NOT_REWARMED, "not_rewarmed")
    return moved(session, H.LEFT_OUT, step=last, rewarm_s=0.0, left_out=True)


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
