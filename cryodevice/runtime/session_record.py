"""What the ledger is told of a session: the controller's memory as one record. Writes nothing and decides nothing."""

from dataclasses import replace

from cryodevice.quantities import Celsius, Seconds
from cryodevice.runtime.ports import OUTSIDE, SessionRecord
from cryodevice.safety.exposure import after_crash
from cryodevice.safety.phases import TREATING
from cryodevice.treatment.core import Core


def record_of(core: Core, at_s: Seconds, *, unfinished: str = "", allowance: bool = False) -> SessionRecord:
    """The record of the present session.

    Args:
        core: The controller's memory.
        at_s: Monotonic second of the record.
        unfinished: Why a session that is still running ends with this record; empty: it does not.
        allowance: Add what a crash costs: nobody counts from here on, and the wand may still cool.
    """
    session, dose, coldest = core.session, core.dose, coldest_degc(core)
    over = "" if session.state in TREATING else session.ended_why or session.state.value
    exposure = dose.session
    if allowance:
        exposure = {**exposure, session.zone: after_crash(dose.of(session.zone), coldest)}
    return SessionRecord(
        session_id=session.session_id,
        client=dose.client,
        zone=session.zone,
        coldest_plate_degc=coldest,
        exposure=exposure,
        at_s=at_s,
        ended_why=over or unfinished,
        simulated=core.link.identity is not None and core.link.identity.simulated,
    )


def touched_outside(core: Core, run: str) -> SessionRecord:
    """The record of a cold plate touched before any session of this run of the daemon: dose, and no session."""
    return replace(record_of(core, core.now_s), session_id=f"outside-{run}", ended_why=OUTSIDE)


def coldest_degc(core: Core) -> Celsius:
    """Coldest plate of the session, for the allowance after a crash: as ordered, or as the present step will order."""
    step = core.session.current
    planned = step.plate_degc if step is not None else core.limits.plate_floor_degc
    return Celsius(max(min(core.coldest_plate_degc, planned), core.limits.plate_floor_degc))
