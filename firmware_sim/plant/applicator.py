"""Thermoelectric, plate, sink and fan as two heat nodes and a rotor. Knows no skin, no sensors and no control.

Explicit Euler; every time constant here is longer than 0.3 s, so a 10 ms step is far inside its bounds.
"""

from dataclasses import dataclass
from typing import Final

from cryodevice.quantities import ZERO_DEGC_K

PLATE_AREA_M2: Final = 10e-4
"""Contact face of the plate, 10 cm2."""
RATED_RPM: Final = 4200.0
"""Speed of the healthy fan (engineering default)."""


@dataclass(frozen=True, slots=True)
class ApplicatorParameters:
    """One wand's hardware.

    The module is a TEC1-12706 by its data sheet at 25 degC hot side (14.4 V, 6.4 A, 66 K); ``S``, ``R``, ``K`` after
    Lineykin and Ben-Yaakov 2007. Plate 40 x 40 x 4 mm aluminium and half the module. The rest are engineering defaults.

    Attributes:
        seebeck_v_k: Seebeck coefficient of the module, V/K.
        resistance_ohm: Electrical resistance, ohm.
        conductance_w_k: Thermal conductance from sink to plate, W/K.
        plate_j_k: Heat capacity of the plate, J/K.
        sink_j_k: Heat capacity of the sink, J/K.
        fan_k_w: Sink to air with the fan at rated speed, K/W.
        still_k_w: Sink to air with the fan stopped, K/W.
        plate_loss_w_k: Plate and its collar to air, W/K.
        supply_v: Voltage the bridge can apply, V.
        drive_max_a: Current the bridge can be commanded to, A.
        spin_up_s, run_down_s: Time constants of the fan's speed, s.
    """

    seebeck_v_k: float = 0.0483
    resistance_ohm: float = 1.75
    conductance_w_k: float = 0.544
    plate_j_k: float = 25.0
    sink_j_k: float = 150.0
    fan_k_w: float = 0.4
    still_k_w: float = 3.0
    plate_loss_w_k: float = 0.025
    supply_v: float = 12.0
    drive_max_a: float = 4.0
    spin_up_s: float = 0.5
    run_down_s: float = 1.0


class Applicator:
    """State of the wand's hardware: plate and sink temperature, fan speed."""

    __slots__ = ("fan_rpm", "parameters", "plate_degc", "sink_degc")

    def __init__(self, plate_degc: float, sink_degc: float, parameters: ApplicatorParameters | None = None) -> None:
        self.parameters = parameters or ApplicatorParameters()
        self.plate_degc = plate_degc
        self.sink_degc = sink_degc
        self.fan_rpm = 0.0

    def deliverable(self, wanted_a: float, supply_v: float | None = None) -> float:
        """Current, A, that the supply can drive against the module's own voltage when ``wanted_a`` is asked for.

        Args:
            wanted_a: What the bridge tries to deliver, A.
            supply_v: Supply voltage, V; ``None``: the one it should be.
        """
        p = self.parameters
        if supply_v is None:
            supply_v = p.supply_v
        seebeck_v = p.seebeck_v_k * (self.sink_degc - self.plate_degc)
        return min(max(wanted_a, (-supply_v - seebeck_v) / p.resistance_ohm), (supply_v - seebeck_v) / p.resistance_ohm)

    def voltage(self, current_a: float) -> float:
        """Voltage over the module, V, while ``current_a`` flows through it."""
        p = self.parameters
        return p.seebeck_v_k * (self.sink_degc - self.plate_degc) + current_a * p.resistance_ohm

    @property
    def air_w_k(self) -> float:
        """Sink to air at the fan's present speed, W/K."""
        p, speed = self.parameters, self.fan_rpm / RATED_RPM
        return speed / p.fan_k_w + (1.0 - speed) / p.still_k_w

    def advance(
        self, dt_s: float, current_a: float, *, ambient_degc: float, plate_w: float, sink_w: float, fan_powered: bool
    ) -> None:
        """One step.

        Args:
            dt_s: Seconds, at most 0.1.
            current_a: Through the module, + cools the plate.
            ambient_degc: Air around plate and sink.
            plate_w: Heat into the plate from skin and disturbances, W.
            sink_w: Heat into the sink from disturbances, W.
            fan_powered: Whether the rotor is driven; it is not while stalled.
        """
        p = self.parameters
        plate, sink = self.plate_degc, self.sink_degc
        joule_half_w = 0.5 * current_a * current_a * p.resistance_ohm
        conducted_w = p.conductance_w_k * (sink - plate)
        pumped_w = p.seebeck_v_k * current_a
        taken_w = pumped_w * (plate + ZERO_DEGC_K) - joule_half_w - conducted_w
        given_w = pumped_w * (sink + ZERO_DEGC_K) + joule_half_w - conducted_w
        speed = self.fan_rpm / RATED_RPM
        air_w_k = speed / p.fan_k_w + (1.0 - speed) / p.still_k_w
        self.plate_degc = plate + dt_s / p.plate_j_k * (plate_w - taken_w + p.plate_loss_w_k * (ambient_degc - plate))
        self.sink_degc = sink + dt_s / p.sink_j_k * (sink_w + given_w - air_w_k * (sink - ambient_degc))
        if fan_powered:
            self.fan_rpm += (RATED_RPM - self.fan_rpm) * min(dt_s / p.spin_up_s, 1.0)
        else:
            self.fan_rpm -= self.fan_rpm * min(dt_s / p.run_down_s, 1.0)
