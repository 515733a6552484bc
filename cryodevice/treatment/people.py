"""What people may ask of the controller, and what it answers: start, stop, reset. Pure.

Stop is always heeded. Start is refused with every reason at once. Reset clears a lockout only when its cause is gone.
"""

import math
from collections.abc import Iterator

from cryodevice.safety.events import EventKind
from cryodevice.safety.exposure import turned_to
from cryodevice.safety.judge import judge
from cryodevice.safety.phases import COOLING, ENDED, TREATING, SessionState
from cryodevice.safety.replacing import replace
from cryodevice.safety.verdict import Action, Clear
from cryodevice.treatment import stopping
from cryodevice.treatment.core import Command, Config, Core, Inputs, Reset, Resetting, Start, Stop
from cryodevice.treatment.evidence import WAND_ITSELF, facts_of, fresh
from cryodevice.treatment.news import Journal
from cryodevice.treatment.program import objections
from cryodevice.treatment.session import begun, ended, moved
from cryodevice.wire.codes import Flag, Refusal

_BEFOREHAND = frozenset({"calibration", "day_sessions", "day_contact", "zone_day", "retreat_time", "retreat_skin"})
"""Rows that would end a session before it cools or as soon as it does, and are known before it starts."""


def heeded(core: Core, command: Command, inputs: Inputs, config: Config, journal: Journal) -> Core:
    """The controller after one command; the journal says whether it was refused and why.

    ``core.verdict`` must be of ``inputs.now_s``: what a person asks is answered on what is known now.
    """
    match command:
        case Start():
            return _start(core, command, inputs, config, journal)
        case Stop(who, own):
            journal.add(EventKind.STOP_COMMANDED, f"stop by {who}", who=who, state=core.session.state.value)
            if not own:
                core = replace(core, stopping=stopping.asked(core, inputs))
            if core.session.state not in TREATING:
                return core
            return replace(core, session=ended(core.session, SessionState.STOPPED, f"stopped by {who}"))
        case _:
            return _reset(core, command, inputs, journal)


def reset_due(core: Core) -> bool:
    """Whether the reset order is to be sent now: asked for, not answered yet, and the wand shows its latched trip."""
    return core.resetting is Resetting.ASKED and _tripped(core)


def reset_answered(core: Core, refused: Refusal | int | None, journal: Journal) -> Core:
    """The controller after the wand answered its reset order; that the trip is gone is for a later status to show."""
    if refused is None:
        return replace(core, resetting=Resetting.TAKEN)
    why = "the wand refused the reset: its cause is still present, or it has had three resets in the last ten minutes"
    journal.add(EventKind.RESET_REFUSED, why, refusal=int(refused))
    return replace(core, resetting=Resetting.NO)


def reset_seen(core: Core, journal: Journal) -> Core:
    """The controller after the first status of a later tick than the reset: unlocked, or the wand has kept its trip."""
    core = replace(core, resetting=Resetting.NO)
    if _tripped(core):
        journal.add(EventKind.RESET_REFUSED, "the wand took the reset and is still tripped: have it serviced")
        return core
    return _unlocked(core, journal)


def _tripped(core: Core) -> bool:
    return core.reading is not None and Flag.TRIP_LATCHED in core.reading.status.flags


def _start(core: Core, command: Start, inputs: Inputs, config: Config, journal: Journal) -> Core:
    reasons = objections(command.treatment, core.limits)
    if any(isinstance(other, Stop) for other in inputs.commands):
        reasons.append("a stop was asked for at the same moment")
    elif core.stopping is not None:
        reasons.append("a stop is being carried out: try again in a moment")
    if core.session.state not in ENDED:
        reasons.append(f"a session is {core.session.state.value}")
    if core.lockout is not None:
        reasons.append(f"locked by {core.lockout.cause}: {core.lockout.hint}")
    if not core.link.claimed or not fresh(core, inputs.now_s):
        reasons.append("the wand is not ready: " + (core.link_why or "it has not taken our session yet"))
    dose = core.dose.closed(inputs.now_s, held=bool(core.session.session_id))
    dose, others = turned_to(command.treatment.client, dose, core.others, inputs.now_s)
    if not reasons:
        reasons.extend(_spent(replace(core, dose=dose), command, inputs, config))
    reasons.extend(
        f"{finding.id}: {finding.hint}"
        for finding in (*core.verdict.active, *core.verdict.pending)
        if finding.action > Action.WARN
    )
    if reasons:
        journal.add(
            EventKind.SESSION_REFUSED,
            "; ".join(reasons),
            session_id=command.session_id,
            reasons=tuple(reasons),
            who=command.who,
        )
        return core
    journal.add(
        EventKind.SESSION_STARTED,
        f"{command.treatment.name}: {len(command.treatment.steps)} steps, started by {command.who}",
        session_id=command.session_id,
        treatment=command.treatment.name,
        steps=len(command.treatment.steps),
        who=command.who,
    )
    session = begun(core.session, command.session_id, command.treatment)
    return replace(
        core, session=session, dose=dose, others=others, coldest_plate_degc=math.inf, begun_at_s=inputs.now_s
    )


def _spent(core: Core, command: Start, inputs: Inputs, config: Config) -> Iterator[str]:
    """Limits of the day that this treatment would meet as soon as it cools, by zone."""
    rows = tuple(row for row in config.table if row.id in _BEFOREHAND)
    told: set[str] = set()
    for number, step in enumerate(command.treatment.steps):
        session = replace(begun(core.session, command.session_id, command.treatment), step=number)
        facts = facts_of(replace(core, session=session), config, inputs)
        verdict = judge(
            rows,
            facts,
            limits=core.limits,
            zone=step.zone,
            states=COOLING | {SessionState.READY},
            since_s={},
            now_s=inputs.now_s,
            reading_fresh=True,
        )
        for finding in verdict.active:
            if finding.id not in told:
                told.add(finding.id)
                yield f"{finding.id}: {finding.hint}"


def _reset(core: Core, command: Reset, inputs: Inputs, journal: Journal) -> Core:
    why = _why_not_reset(core, command, inputs)
    if why:
        journal.add(EventKind.RESET_REFUSED, why, who=command.who)
        return core
    if not _tripped(core):
        return _unlocked(core, journal)
    if core.resetting is Resetting.NO:
        journal.reset_sent()
        core = replace(core, resetting=Resetting.ASKED)
    return core


def _why_not_reset(core: Core, command: Reset, inputs: Inputs) -> str:
    if core.lockout is None:
        return "nothing is locked"
    if core.lockout.clear is Clear.SERVICE and not command.service:
        return f"the lockout by {core.lockout.cause} is cleared by service only"
    if not core.link.claimed or not fresh(core, inputs.now_s):
        return "the wand cannot be reached: " + (core.link_why or "no fresh reading")
    present = [
        finding
        for finding in (*core.verdict.active, *core.verdict.pending)
        if finding.action is Action.LOCKOUT and finding.id != WAND_ITSELF
    ]
    if present:
        return f"the cause is still present: {present[0].id}, {present[0].hint}"
    return ""


def _unlocked(core: Core, journal: Journal) -> Core:
    cause = core.lockout.cause if core.lockout is not None else ""
    journal.add(EventKind.LOCKOUT_CLEARED, f"lockout by {cause} cleared", cause=cause)
    locked = core.session.state is SessionState.LOCKED
    return replace(core, lockout=None, session=moved(core.session, SessionState.IDLE) if locked else core.session)
