"""How long contact may go on, as the controller knows it: for those who watch. Pure; nothing decides by it."""

import math
from collections.abc import Mapping

from cryodevice.safety import look_ahead
from cryodevice.safety.limits import static_hold_s
from cryodevice.safety.look_ahead import Spent
from cryodevice.safety.phases import COOLING, SessionState
from cryodevice.treatment import doubt
from cryodevice.treatment.core import Core

_WATCHED = COOLING | {SessionState.PAUSED}


def seconds_left(core: Core) -> Mapping[str, float]:
    """Seconds of contact until each limit, nearest first, if the plate stays as it is; empty outside a cold step."""
    session, dose, now = core.session, core.dose, core.now_s
    plate_degc = doubt.plate_degc(core, now)
    if session.state not in _WATCHED or not math.isfinite(plate_degc):
        return {}
    zone, dwell_s = session.zone, core.contact.dwell_s
    return look_ahead.seconds_left(
        core.estimate,
        zone,
        plate_degc,
        core.limits,
        Spent(
            dose.of(zone),
            dose.day(zone),
            None if core.contact.gliding(now) else (dwell_s, static_hold_s(core.limits, zone)),
            session.touched_s,
            dose.session_contact_s,
            dose.day_contact_s,
        ),
    )
