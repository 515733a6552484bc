"""The controller's memory as a picture for those who watch. Formats nothing, decides nothing."""

import math
from functools import partial

from cryodevice.frozen import maker
from cryodevice.quantities import Seconds
from cryodevice.runtime.alarm_desk import AlarmView
from cryodevice.runtime.ports import TripNote
from cryodevice.runtime.snapshot import SessionView, Snapshot
from cryodevice.safety.phases import TREATING, SessionState
from cryodevice.treatment import outlook
from cryodevice.treatment.core import Core, Decision
from cryodevice.treatment.evidence import fresh, skin_degc
from cryodevice.wire.blocks import Order

_snapshot, _session = maker(Snapshot), maker(SessionView)


def session_view(core: Core) -> SessionView:
    """The session as a person sees it."""
    session = core.session
    step, treatment = session.current, session.treatment
    rewarming = session.state is SessionState.REWARMING and step is not None
    return _session(
        session_id=session.session_id,
        state=session.state,
        step=session.step + 1 if treatment is not None else 0,
        steps=len(treatment.steps) if treatment is not None else 0,
        zone=step.zone if step is not None else None,
        setpoint_degc=step.plate_degc if step is not None and session.state in TREATING else None,
        hold_s=step.hold_s if step is not None else 0.0,
        contact_s=session.contact_s,
        rewarm_left_s=max(0.0, step.rewarm_s - session.rewarm_s) if rewarming and step is not None else 0.0,
        ended_why=session.ended_why,
    )


def snapshot_of(
    decision: Decision,
    wall_s: float,
    order: Order | None,
    *,
    late_s: float,
    ticks: int,
    misses: int,
    overruns: int,
    alarms: AlarmView,
    trip: TripNote | None = None,
    trips_failing: str = "",
) -> Snapshot:
    """One tick as a snapshot."""
    core = decision.core
    now = core.now_s
    up = fresh(core, now) and core.link.identity is not None and not core.link_why
    zone = core.session.zone
    return _snapshot(
        at_s=Seconds(now),
        wall_s=wall_s,
        link_up=up,
        link_why="" if up else core.link_why or "no good reply",
        reading=core.reading,
        identity=core.link.identity,
        session=session_view(core),
        permit=decision.permit,
        findings=core.verdict.active,
        lockout=core.lockout,
        order=order,
        skin_estimate_degc=skin_degc(core, now) if core.session.state in TREATING else math.nan,
        exposure={**core.dose.session, zone: core.dose.of(zone)} if core.session.session_id else core.dose.session,
        limits=core.limits,
        tick_late_ms=late_s * 1000.0,
        ticks=ticks,
        misses=misses,
        overruns=overruns,
        claimed=core.link.claimed,
        alarms=alarms,
        trip=trip,
        trips_failing=trips_failing,
        look_ahead=partial(outlook.seconds_left, core),
    )
