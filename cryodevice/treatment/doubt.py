"""What contact costs once the wand's word of it has turned out not to be true: the worst it may have been. Pure.

A finding that the plate's sensors, or all samples, cannot be believed ends the session; skin may still lie on a cold
plate then, and may have while nothing was sampled.
"""

import math

from cryodevice.quantities import Celsius, Seconds
from cryodevice.safety.phases import TREATING, SessionState
from cryodevice.safety.replacing import replace
from cryodevice.treatment.core import Core

UNTRUSTED = frozenset(
    {
        *("sensor_invalid", "channels_apart", "plate_jump", "plate_frozen", "no_response", "plate_unheld", "residual"),
        "sequence_stopped",
    }
)
"""Rows after which what the plate sensors show is not taken for the plate."""
WARMED_AFTER_S = 120.0
"""A plate that has not been driven for longer than this is no longer cold, s: no lease outlasts half a second, and heat
leaking back from the sink takes a plate from 5 to 20 degC in about a minute (engineering default)."""
STOOD_STILL_S = 0.5
"""Both plate channels repeating themselves for longer than this means that nothing was sampled, s: with a noise of two
hundredths each of ten samples differs (engineering default)."""
SURE_K = 0.5
"""Residual that noise and lag explain, K: what is above it is taken off the plate (engineering default)."""


def followed(core: Core) -> Core:
    """The controller after the verdict of this tick: whether the plate is doubted, and what is charged for it."""
    if core.session.state is SessionState.PRECOOL:  # it has been seen to agree with the sink
        return replace(core, doubted=False, stuck_degc=None) if core.doubted else core
    if core.doubted or not core.now_s - core.leased_at_s <= WARMED_AFTER_S:
        return core
    if not any(finding.id in UNTRUSTED for finding in core.verdict.active):
        return core
    return _stood_still(replace(core, doubted=True))


def plate_degc(core: Core, now_s: float) -> float:
    """Plate of the newest reading as far as it is believed; NaN if that has no good channel."""
    plate = core.reading.plate_cold_degc if core.reading is not None else math.nan
    if core.doubted and now_s - core.leased_at_s <= WARMED_AFTER_S:
        floor = core.limits.plate_floor_degc
        return min(floor, plate)  # the floor where that is no number
    if core.session.state not in TREATING:
        return plate
    warmer_k = core.model.residual_k - SURE_K
    return plate - warmer_k if warmer_k > 0.0 else plate


def blind(core: Core, now_s: float) -> bool:
    """Whether nothing has been sampled since, so that the contact flag says nothing and the plate may still be cold."""
    return (
        core.stuck_degc is not None and now_s - core.leased_at_s <= WARMED_AFTER_S and _plates(core) == core.stuck_degc
    )


def _stood_still(core: Core) -> Core:
    """Time in which nothing was sampled is charged as contact, for the contact flag stood still as well."""
    stopped = any(finding.id == "sequence_stopped" for finding in core.verdict.active)
    still_s = max(core.plate.both_same_s, core.link.sequence_age_s)
    if not (stopped or still_s > STOOD_STILL_S):
        return core
    core = replace(core, stuck_degc=_plates(core))
    if core.contact.believed:
        return core  # that has been charged
    zone, floor = core.session.zone, core.limits.plate_floor_degc
    exposure = core.dose.of(zone).plus(Seconds(still_s), Celsius(floor), Celsius(floor), contact=True)
    return replace(core, dose=core.dose.with_zone(zone, exposure, core.now_s))


def _plates(core: Core) -> tuple[float | None, float | None]:
    status = core.reading.status if core.reading is not None else None
    return (status.plate_a_degc, status.plate_b_degc) if status is not None else (None, None)
