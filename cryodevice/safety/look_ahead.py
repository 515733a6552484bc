"""How long contact may go on: seconds until each limit, on the worst-case tissue, at the plate as it is now.

Under one plate and one film the tissue moves linearly, so each second of the way is one row of a matrix made at import.
It foretells nothing that a hand does, and no interlock acts on it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cryodevice.safety.exposure import ZoneExposure
from cryodevice.safety.limits import Limits, Zone
from cryodevice.safety.skin_estimate import PLATE_MARGIN_K, SkinEstimate, touched_ahead

HORIZON_S = 300
"""Limits further away than this are not told, s: longer than any one contact may be (engineering default)."""

Array = npt.NDArray[np.float64]

_SURFACE, _FAT = touched_ahead(HORIZON_S)


@dataclass(frozen=True, slots=True)
class Spent:
    """What has been used up of the limits that go by time of contact, s.

    Args:
        zone: Totals of the zone in this session.
        day: Totals of the zone over the rolling day.
        static_s: Static contact on one spot, and the longest that may be; None while the plate is kept moving.
        step_s, session_s, day_s: Contact of this step, of all zones in this session, and over the rolling day.
    """

    zone: ZoneExposure
    day: ZoneExposure
    static_s: tuple[float, float] | None
    step_s: float
    session_s: float
    day_s: float


def curves(estimate: SkinEstimate, zone: Zone, plate_degc: float) -> tuple[Array, Array]:
    """Worst-case skin and dermis/fat boundary now and after each whole second of contact, degC."""
    temps, surface = estimate.cells(zone), estimate.skin_degc(zone)
    plate = min(plate_degc - PLATE_MARGIN_K, surface)  # a warmer plate does not warm the modelled skin
    skin = np.empty(HORIZON_S + 1)
    fat = np.empty(HORIZON_S + 1)
    skin[0], fat[0] = surface, estimate.fat_degc(zone)
    skin[1:] = _SURFACE.weights @ temps + (plate * _SURFACE.environment + _SURFACE.constant)
    fat[1:] = _FAT.weights @ temps + (plate * _FAT.environment + _FAT.constant)
    return skin, fat


def seconds_left(
    estimate: SkinEstimate, zone: Zone, plate_degc: float, limits: Limits, spent: Spent
) -> Mapping[str, float]:
    """Seconds of contact until each limit, by its interlock, nearest first; what is beyond the horizon is left out.

    Args:
        estimate: Worst-case tissue now.
        zone: Where the plate is, or would be.
        plate_degc: Plate from now on, already the pessimistic one.
        limits: Limits in force.
        spent: What has been used up of them.
    """
    skin, fat = curves(estimate, zone, plate_degc)
    below = {degc: np.cumsum(skin[1:] < degc, dtype=np.float64) for degc in (15.0, 10.0, 4.0)}
    index = np.cumsum(np.maximum(10.0 - skin[1:], 0.0))
    day = (
        2.0 * limits.zone_contact_s - spent.day.contact_s,
        _uses_up(below[15.0], 2.0 * limits.zone_below_15_s - spent.day.below_15_s),
        _uses_up(below[10.0], 2.0 * limits.zone_below_10_s - spent.day.below_10_s),
        _uses_up(index, 2.0 * limits.zone_d10_degc_s - spent.day.d10_degc_s),
    )
    told: dict[str, float | None] = {
        **dict(_by_time(limits, spent)),
        "skin_stop": _falls_below(skin, limits.skin_stop_degc),
        "skin_warn": _falls_below(skin, limits.skin_warn_degc),
        "fat_boundary": _falls_below(fat, limits.fat_boundary_degc),
        "zone_below_15": _uses_up(below[15.0], limits.zone_below_15_s - spent.zone.below_15_s),
        "zone_below_10": _uses_up(below[10.0], limits.zone_below_10_s - spent.zone.below_10_s),
        "zone_below_4": _uses_up(below[4.0], limits.zone_below_4_s - spent.zone.below_4_s),
        "zone_d10": _uses_up(index, limits.zone_d10_degc_s - spent.zone.d10_degc_s),
        "zone_day": max(0.0, min(left for left in day if left is not None)),
    }
    near = [(name, left) for name, left in told.items() if left is not None and left <= HORIZON_S]
    return dict(sorted(near, key=lambda item: item[1]))


def _by_time(limits: Limits, spent: Spent) -> Iterator[tuple[str, float]]:
    """Limits that contact itself uses up, second by second."""
    if spent.static_s is not None:
        had_s, longest_s = spent.static_s
        yield "static_dwell", max(0.0, longest_s - had_s)
    yield "step_contact", max(0.0, limits.step_contact_s - spent.step_s)
    yield "zone_contact", max(0.0, limits.zone_contact_s - spent.zone.contact_s)
    yield "session_contact", max(0.0, limits.session_contact_s - spent.session_s)
    yield "day_contact", max(0.0, limits.day_contact_s - spent.day_s)


def _falls_below(curve: Array, limit_degc: float) -> float | None:
    """When a curve first is below a limit, s; between two whole seconds on the straight line. None: not in sight."""
    under = np.flatnonzero(curve < limit_degc)
    if not len(under):
        return None
    after = int(under[0])
    if after == 0:
        return 0.0
    before_degc, then_degc = float(curve[after - 1]), float(curve[after])
    return after - 1 + (before_degc - limit_degc) / (before_degc - then_degc)


def _uses_up(total: Array, left: float) -> float | None:
    """When a growing total first is above what is left, s; between two whole seconds on the straight line."""
    if left < 0.0:
        return 0.0
    after = int(np.searchsorted(total, left, side="right"))
    if after == len(total):
        return None
    before = float(total[after - 1]) if after else 0.0
    return after + (left - before) / (float(total[after]) - before)
