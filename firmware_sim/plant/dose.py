"""What cold has really done to one zone: seconds and degree-seconds of its true surface. No limits, no estimate."""

from dataclasses import dataclass
from typing import Final, NamedTuple

DT_S: Final = 0.01
"""Sub-step of the whole plant, seconds."""
WARMEST_COUNTED_DEGC: Final = 15.0
"""Skin above this adds nothing to any sum below; contact and the lowest surface are counted at any temperature."""


@dataclass(slots=True)
class Dose:
    """Sums over the sub-steps of one zone; cumulated, never reset.

    Attributes:
        lowest_degc: Lowest surface so far, degC.
        contact_steps: Sub-steps of all contacts that are over.
        below_15_steps, below_10_steps, below_4_steps: Sub-steps with the surface below 15, 10, 4 degC.
        d10_degc_steps: Sum of ``10 - surface`` over the sub-steps below 10 degC.
        ice_steps: Sub-steps with ice in the zone.
    """

    lowest_degc: float
    contact_steps: int = 0
    below_15_steps: int = 0
    below_10_steps: int = 0
    below_4_steps: int = 0
    d10_degc_steps: float = 0.0
    ice_steps: int = 0


class ZoneTruth(NamedTuple):
    """One zone as it really is, for tests and the control port.

    Attributes:
        surface_degc: Skin surface now.
        contact_s: Seconds with the plate on it.
        below_15_s, below_10_s, below_4_s: Seconds with the surface below 15, 10, 4 degC.
        d10_degc_s: Integral of ``max(0, 10 - surface)``, degC s.
        lowest_degc: Lowest surface so far.
        flow: Share of its resting blood flow that its dermis and fat have now.
        ice_mm: Ice in it now, as the thickness of a layer frozen through, mm.
        ice_s: Seconds with ice in it.
    """

    surface_degc: float
    contact_s: float
    below_15_s: float
    below_10_s: float
    below_4_s: float
    d10_degc_s: float
    lowest_degc: float
    flow: float
    ice_mm: float
    ice_s: float


def told(dose: Dose, contact_s: float, surface_degc: float, flow: float, ice_mm: float) -> ZoneTruth:
    """The sums in seconds."""
    return ZoneTruth(
        surface_degc=surface_degc,
        contact_s=contact_s,
        below_15_s=dose.below_15_steps * DT_S,
        below_10_s=dose.below_10_steps * DT_S,
        below_4_s=dose.below_4_steps * DT_S,
        d10_degc_s=dose.d10_degc_steps * DT_S,
        lowest_degc=dose.lowest_degc,
        flow=flow,
        ice_mm=ice_mm,
        ice_s=dose.ice_steps * DT_S,
    )
