"""The controller: (core, inputs) in, (core, order, events) out. Pure; the control loop is its only interpreter.

One tick: take in what the line brought, advance contact, skin and dose, advance the treatment, judge, obey, order.
An order for cooling is built in one place only, behind the permit.
"""

import math

from cryodevice.errors import QuantityError
from cryodevice.quantities import Celsius, Channel, Seconds
from cryodevice.safety import contact as contact_memory
from cryodevice.safety import freeze_watch, plate_model, plate_watch, skin_estimate
from cryodevice.safety.events import EventKind
from cryodevice.safety.exposure import Dose
from cryodevice.safety.judge import judge
from cryodevice.safety.limits import Zone, intersect
from cryodevice.safety.phases import COOLING, TREATING, SessionState
from cryodevice.safety.plate_model import PlateModel
from cryodevice.safety.plate_watch import PlateWatch
from cryodevice.safety.readings import Reading
from cryodevice.safety.replacing import replace
from cryodevice.safety.verdict import Action, Clear, Lockout
from cryodevice.treatment import doubt, evidence, link, orders, people, proof, stopping, wand_clock
from cryodevice.treatment.core import (
    Answered,
    Config,
    Connected,
    Core,
    Decision,
    Disconnected,
    Inputs,
    LineNews,
    Missed,
    Resetting,
)
from cryodevice.treatment.news import Journal
from cryodevice.treatment.proof import Stage
from cryodevice.treatment.session import READY_WITHIN_K, Seen, ended, obeyed, progressed
from cryodevice.treatment.wand_clock import WandClock
from cryodevice.wire.codes import Capability, Flag, Mode

RECORD_EVERY_S = 1.0
"""The exposure is handed to the store this often while it grows, s (docs/architecture.md)."""
_COUNTED_BELOW_DEGC = 15.0
"""Skin below this is counted, whether touched or not."""
_AT_WORK = COOLING | {SessionState.PAUSED}
"""States in which infra-red that sees nothing means contact, trigger held or not."""
_COLD_PLATE_DEGC = 20.0
"""Outside of a session, contact with a plate from this up is no exposure: the wand lies in its rest (engineering
default)."""


def decide(core: Core, inputs: Inputs, config: Config) -> Decision:
    """One tick.

    Args:
        core: What was remembered.
        inputs: What is new. A ``now_s`` before ``core.now_s`` counts as no time: no reading grows young by it.
        config: What does not change.

    Returns:
        What to remember, what to send, how urgently, and what happened.
    """
    if inputs.now_s < core.now_s:
        inputs = replace(inputs, now_s=core.now_s)
    journal = Journal(inputs.now_s)
    before = core
    for news in inputs.line:
        core = _taken_in(core, news, config, journal)
    core = stopping.followed(_advanced(core, inputs), inputs, journal)
    if inputs.commands:
        core = _judged(core, inputs, config)
    for command in inputs.commands:
        core = people.heeded(core, command, inputs, config, journal)
    seen = _seen(core, inputs.now_s)
    core = replace(core, session=progressed(core.session, seen))
    core = _judged(core, inputs, config)
    judged_states = core.session.judged_states
    core = replace(core, session=obeyed(core.session, core.verdict, touching=seen.touching), now_s=inputs.now_s)
    core = doubt.followed(_latched(core, journal))
    core = _rebased(before, core, inputs.now_s)
    ask = orders.wanted(core, judged_states, config)
    core, order = orders.built(core, ask, config)
    journal.differences(before, core)
    record = _due(before, core)
    if record:
        core = replace(core, recorded_at_s=inputs.now_s, recorded=core.dose)
    takes_away = before.leased and not core.leased
    told_to_stop = core.stopping is not None and before.stopping is None
    urgent = (takes_away or told_to_stop) and order is not None
    return Decision(core, order, urgent, journal.events, record=record, lockout_changed=core.lockout != before.lockout)


def _taken_in(core: Core, news: LineNews, config: Config, journal: Journal) -> Core:
    match news:
        case Connected(identity, token):
            why = evidence.acceptable(identity)
            limits = config.limits
            if not why:
                try:
                    limits = intersect(config.limits, identity)
                except QuantityError as error:
                    why = f"the wand's limits and the settings leave nothing between them: {error.message}"
            fresh = replace(link.connected(identity, token), rejected=why)
            journal.connected(identity, why)
            core = replace(_parted(core), link=fresh, limits=limits, link_why="", reading=None)
            return replace(core, unproven="", refused=None, plate=PlateWatch(), wand_clock=WandClock())
        case Disconnected(why, rejected):
            gone = replace(core.link, rejected=why if rejected else "", claimed=False, replied_at_s=Seconds(-math.inf))
            journal.disconnected(core, why)
            return replace(_parted(core), link=gone, link_why=why or "the line is down")
        case Missed(sent, why):
            if core.resetting is Resetting.ASKED:
                journal.add(EventKind.RESET_REFUSED, f"the reset was not answered: {why}")
                core = replace(core, resetting=Resetting.NO)
            return replace(core, link=link.missed(core.link, sent))
        case _:
            return _replied(core, news, journal)


def _parted(core: Core) -> Core:
    """The controller without the wand it had: whatever comes next resumes neither session nor reset."""
    session = core.session
    if session.state in TREATING:
        session = ended(session, SessionState.STOPPED, "link_lost")
    return replace(core, session=session, leased=False, resetting=Resetting.NO)


def _replied(core: Core, news: Answered, journal: Journal) -> Core:
    reading, sent = news.reading, news.sent
    echoed_ms = core.reading.status.uptime_ms if core.reading is not None else 0
    now_link = link.answered(core.link, reading, sent, echoed_ms, refused=news.refused is not None)
    if news.refused is not None:
        journal.refused(sent, int(news.refused))
    refused = core.refused if sent is None else None if news.refused is None else int(news.refused)
    session = core.session
    if session.state is SessionState.READY and session.proof.stage in (Stage.ARM, Stage.WATCH):
        allowed_ma = core.limits.off_current_ma
        if sent is not None and sent.mode is Mode.OFF and sent.lease_ms > 0 and news.refused is None:
            step = proof.armed(session.proof, reading, echoed_ms, allowed_ma)
        elif session.proof.stage is Stage.WATCH:
            step = proof.watched(session.proof, reading, allowed_ma)
        else:
            step = session.proof
        session = replace(session, proof=step)
    core = replace(core, link=now_link, reading=reading, session=session, refused=refused, link_why="")
    alone = now_link.foreign_orders == 0 and reading.status.token == now_link.token
    if session.proof.stage is Stage.FAILED and not core.unproven and session.state is SessionState.READY and alone:
        core = replace(core, unproven=session.proof.why)
    if core.resetting is Resetting.TAKEN:
        return people.reset_seen(core, journal)
    if core.resetting is Resetting.ASKED and sent is not None and sent.reset_key:
        return people.reset_answered(core, news.refused, journal)
    return core


def _advanced(core: Core, inputs: Inputs) -> Core:
    """Contact, worst-case skin and dose up to now."""
    now = inputs.now_s
    dt = Seconds(now - core.now_s)
    newest = next((news.reading for news in reversed(inputs.line) if isinstance(news, Answered)), None)
    identity = core.link.identity
    capabilities = identity.capabilities if identity is not None else Capability(0)
    zone = core.session.zone
    state = core.session.state
    contact = contact_memory.follow(
        core.contact, newest, capabilities, core.estimate.skin_degc(zone), dt, at_work=state in _AT_WORK
    )
    unseen = state in COOLING and not contact_memory.confirmable(contact, capabilities)
    touched = {zone} if contact.believed or unseen or doubt.blind(core, now) else set()
    reading = core.reading
    room = reading.value(Channel.AMBIENT) if reading is not None else math.nan
    plate_degc = _plate_at_worst(core, now)
    estimate = skin_estimate.advanced(core.estimate, now, plate_degc, room, touched)
    watch, model, freeze, clock, step = core.plate, core.model, core.freeze, core.wand_clock, core.session.current
    if newest is not None and identity is not None:
        limit_ma, off_ma = identity.drive_max_ma, core.limits.off_current_ma
        setpoint_degc = step.plate_degc if step is not None and core.leased else math.nan
        watch = plate_watch.followed(
            watch, newest, limit_ma, off_ma, touching=contact.believed, setpoint_degc=setpoint_degc
        )
        model = PlateModel() if state is SessionState.READY else model
        model = plate_model.followed(model, newest, limit_ma, off_ma, precool=state is SessionState.PRECOOL)
        freeze = freeze_watch.followed(freeze, newest)
        clock = wand_clock.followed(clock, newest)
    reached = core.reached_degc
    if step is None or core.session.state not in COOLING:
        reached = math.nan
    elif reading is not None and abs(reading.plate_cold_degc - step.plate_degc) <= READY_WITHIN_K:
        reached = step.plate_degc
    core = replace(
        core,
        contact=contact,
        estimate=estimate,
        plate=watch,
        model=model,
        freeze=freeze,
        wand_clock=clock,
        reached_degc=reached,
        fan_still_s=_fan_still_s(core, newest, dt),
    )
    return replace(core, dose=_dosed(core, dt, touched, plate_degc, now))


def _fan_still_s(core: Core, newest: Reading | None, dt: Seconds) -> float:
    """Driven time without the fan turning; a pause between two short pulls of the trigger does not begin it anew.

    A pause takes half its length off: a sound fan that is switched on for a fifth of a second at a time hardly turns.
    """
    if newest is not None and Flag.FAN in newest.status.flags:
        return 0.0
    return max(0.0, core.fan_still_s + (dt if core.leased else -0.5 * dt))


def _plate_at_worst(core: Core, now: Seconds) -> float:
    """Plate for the time since the last decision: as read while replies come, not above the floor over a gap.

    A plate that was seen undriven does not get colder in a gap, and no lease outlasts one: it warms up.
    """
    if core.reading is None:
        return core.limits.plate_floor_degc
    plate = doubt.plate_degc(core, now)
    gap = now - min(core.reading.at_s, core.now_s)
    if gap > doubt.WARMED_AFTER_S:
        return max(plate if math.isfinite(plate) else _COLD_PLATE_DEGC, _COLD_PLATE_DEGC)
    status = core.reading.status
    undriven = core.session.state not in TREATING and core.link.told_off(status) and core.link.nobody_else(status)
    if gap <= skin_estimate.GAP_S or (undriven and math.isfinite(plate)):
        return plate
    return min(plate, core.limits.plate_floor_degc)


def _dosed(core: Core, dt: Seconds, touched: set[Zone], plate_degc: float, now: Seconds) -> Dose:
    dose = core.dose.aged(now)
    treated = core.session.state in TREATING and core.session.state is not SessionState.READY
    cold = treated or not plate_degc >= _COLD_PLATE_DEGC
    worked_on = core.session.zone if core.session.state in TREATING else None
    for zone, estimated, fat in core.estimate.every():
        skin = Celsius(min(estimated, evidence.skin_degc(core, now))) if zone is worked_on else estimated
        if (cold and zone in touched) or skin < _COUNTED_BELOW_DEGC:
            exposure = dose.of(zone).plus(dt, skin, fat, contact=cold and zone in touched)
            dose = dose.with_zone(zone, exposure, now)
    return dose


def _judged(core: Core, inputs: Inputs, config: Config) -> Core:
    verdict = judge(
        config.table,
        evidence.facts_of(core, config, inputs),
        limits=core.limits,
        zone=core.session.zone,
        states=core.session.judged_states,
        since_s=core.verdict.since_s,
        now_s=inputs.now_s,
        reading_fresh=evidence.fresh(core, inputs.now_s),
    )
    return replace(core, verdict=verdict)


def _latched(core: Core, journal: Journal) -> Core:
    """Latch the first lockout cause; later ones do not replace it, but what only service clears stays for service."""
    causes = [finding for finding in core.verdict.active if finding.action is Action.LOCKOUT]
    if not causes:
        return core
    first, lockout = causes[0], core.lockout
    if lockout is None:
        hint = evidence.explained(core, first)
        lockout = Lockout(first.id, first.clear, first.value, first.low, first.high, first.unit, hint)
    if any(finding.clear is Clear.SERVICE for finding in causes):
        lockout = replace(lockout, clear=Clear.SERVICE)
    if core.lockout is None:
        journal.locked(lockout)
    return replace(core, lockout=lockout, session=ended(core.session, SessionState.LOCKED, first.id))


def _rebased(before: Core, core: Core, now: Seconds) -> Core:
    """Lower the estimate to the infra-red baseline when a plate is about to be cooled for a zone, held or not."""
    old, new = before.session, core.session
    cold_again = new.state is SessionState.PRECOOL and old.state is not SessionState.PRECOOL
    if not cold_again and (new.step == old.step or new.state not in _AT_WORK):
        return core
    baseline = evidence.infra_red_degc(core, now)
    if not math.isfinite(baseline):  # none fitted, or lost
        baseline = skin_estimate.START_UNSEEN_DEGC + 1.0
    return replace(core, estimate=skin_estimate.rebased(core.estimate, baseline, core.session.zone))


def _seen(core: Core, now: Seconds) -> Seen:
    """What the treatment goes by: the contact flag itself and the plate, of a fresh reading only."""
    dt, believed, reading = Seconds(now - core.now_s), core.contact.believed, core.reading
    following = core.session.following
    next_skin = core.estimate.skin_degc(following.zone) if following is not None else math.nan
    if reading is None or not evidence.fresh(core, now):
        return Seen(dt, False, believed, math.nan, next_skin)
    return Seen(dt, Flag.CONTACT in reading.status.flags, believed, reading.plate_cold_degc, next_skin)


def _due(before: Core, core: Core) -> bool:
    """Whether the exposure must be handed to the store now: at start and end at once, while it grows each second."""
    if before.session.state != core.session.state and (core.session.state in TREATING) != (
        before.session.state in TREATING
    ):
        return True
    changed = core.dose.session != (core.recorded.session if core.recorded is not None else {})
    running = core.session.state in TREATING or changed
    return running and core.now_s - core.recorded_at_s >= RECORD_EVERY_S
