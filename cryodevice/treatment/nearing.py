"""Whether a session comes near one of its time limits: said before the limit ends it. Pure; holds nothing up."""

from cryodevice.safety.phases import TREATING
from cryodevice.treatment.core import Core

NEAR_SHARE = 0.8
"""Four fifths of a limit (clinical note 6.2, A06)."""


def nearing(core: Core) -> str:
    """The first time limit that is nearly used up, in words; empty while there is none, and outside of a session."""
    if core.session.state not in TREATING:
        return ""
    limits, dose = core.limits, core.dose
    for name, used_s, limit_s in (
        ("step", core.session.touched_s, limits.step_contact_s),
        ("zone", dose.of(core.session.zone).contact_s, limits.zone_contact_s),
        ("session", dose.session_contact_s, limits.session_contact_s),
        ("day", dose.day_contact_s, limits.day_contact_s),
    ):
        if used_s >= NEAR_SHARE * limit_s:
            return f"contact time of the {name}: {used_s:.0f} of {limit_s:.0f} s are used"
    return ""
