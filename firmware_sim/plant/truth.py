"""What really is, for tests, scenarios and the control port; no part of the wire."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Truth:
    """The wand and the skin under it at one moment.

    Attributes:
        plate_degc, sink_degc, liquid_degc, ambient_degc: Temperatures, degC; without liquid it is the sink's.
        skin_surface_degc, skin_1mm_degc: Of the zone pointed at.
        lowest_skin_degc: Lowest surface temperature of any zone since the start.
        drive_a: Current through the thermoelectric now, A, + cools.
        drive_w: Electrical power into it, W.
        flux_w_m2: Heat from skin into the plate in the last sub-step, W/m2.
        fan_rpm: Speed of the rotor.
        dew_point_degc: Of the room.
        dew_g_m2, frost_g_m2: Water and ice on the plate.
        zone, contact, conductance_w_m2k: Where the wand is, and how it lies there.
        contact_s: Seconds of contact by zone.
    """

    plate_degc: float
    sink_degc: float
    liquid_degc: float
    ambient_degc: float
    skin_surface_degc: float
    skin_1mm_degc: float
    lowest_skin_degc: float
    drive_a: float
    drive_w: float
    flux_w_m2: float
    fan_rpm: float
    dew_point_degc: float
    dew_g_m2: float
    frost_g_m2: float
    zone: str
    contact: bool
    conductance_w_m2k: float
    contact_s: dict[str, float]
