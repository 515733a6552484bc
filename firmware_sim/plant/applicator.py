"""Thermoelectric, plate, sink, coolant and fan as heat nodes and a rotor. Knows no skin, no sensors and no control.

Explicit Euler; every time constant here is longer than 0.3 s, so a 10 ms step is far inside its bounds.
"""

import math
from dataclasses import dataclass
from typing import Final

from cryodevice.quantities import ZERO_DEGC_K

PLATE_AREA_M2: Final = 10e-4
"""Contact face of the plate, 10 cm2."""
RATED_RPM: Final = 4200.0
"""Speed of the healthy fan (engineering default)."""
_REFERENCE_DEGC: Final = 25.0
"""Hot side at which the figures of the module stand."""
_HOTTEST_KNOWN_DEGC: Final = 100.0
"""Above this hot side the figures stay as they are there: no data sheet goes so far (engineering default)."""
_FURTHEST_A: Final = 12.0
_CLOSE_K: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Loop:
    """A liquid between sink and air: block, pump and radiator; the pump runs while the fan is powered.

    Attributes:
        block_k_w: Sink to liquid while it flows, K/W (engineering default).
        still_k_w: Sink to liquid while it stands, K/W (engineering default).
        liquid_j_k: Heat capacity of the liquid, J/K: half a litre of water (engineering default).
    """

    block_k_w: float = 0.15
    still_k_w: float = 3.0
    liquid_j_k: float = 2093.0


@dataclass(frozen=True, slots=True)
class ApplicatorParameters:
    """One wand's hardware.

    The module is a TEC1-12706 by its data sheet (25 degC hot side: 14.4 V, 6.4 A, 66 K; 50 degC: 16.4 V, 6.4 A, 75 K);
    ``S``, ``R``, ``K`` of each after Lineykin and Ben-Yaakov 2007, and a straight line between the two. Plate
    40 x 40 x 4 mm aluminium and half the module. The rest are engineering defaults.

    Attributes:
        seebeck_v_k, seebeck_v_k2: Seebeck coefficient of the module, V/K, and its change with the hot side, V/K2.
        resistance_ohm, resistance_ohm_k: Electrical resistance, ohm, and its change, ohm/K.
        conductance_w_k, conductance_w_k2: Thermal conductance from sink to plate, W/K, and its change, W/K2.
        plate_j_k: Heat capacity of the plate, J/K.
        sink_j_k: Heat capacity of the sink, J/K.
        fan_k_w: Sink, or liquid, to air with the fan at rated speed, K/W.
        still_k_w: The same with the fan stopped, K/W.
        plate_loss_w_k: Plate and its collar to air, W/K.
        supply_v: Voltage the bridge can apply, V.
        supply_ohm: Supply, cable and bridge at full duty, ohm.
        drive_max_a: Current the bridge can be commanded to, A.
        spin_up_s, run_down_s: Time constants of the fan's speed, s.
        loop: What the sink is cooled by, if not by air itself.
    """

    seebeck_v_k: float = 0.0483
    seebeck_v_k2: float = (0.0508 - 0.0483) / 25.0
    resistance_ohm: float = 1.75
    resistance_ohm_k: float = (1.97 - 1.75) / 25.0
    conductance_w_k: float = 0.544
    conductance_w_k2: float = (0.537 - 0.544) / 25.0
    plate_j_k: float = 25.0
    sink_j_k: float = 150.0
    fan_k_w: float = 0.4
    still_k_w: float = 3.0
    plate_loss_w_k: float = 0.025
    supply_v: float = 12.0
    supply_ohm: float = 0.05
    drive_max_a: float = 4.0
    spin_up_s: float = 0.5
    run_down_s: float = 1.0
    loop: Loop | None = None


AIR_COOLED: Final = ApplicatorParameters()
LIQUID_COOLED: Final = ApplicatorParameters(sink_j_k=300.0, fan_k_w=0.1, still_k_w=1.0, loop=Loop())
"""A filled block in a loop, and a radiator (engineering default)."""


class Applicator:
    """State of the wand's hardware: plate, sink and liquid temperature, fan speed."""

    __slots__ = (
        *("_conductance_w_k", "_fan_w_k", "_resistance_ohm", "_seebeck_v_k", "_still_w_k"),
        *("fan_rpm", "liquid_degc", "parameters", "plate_degc", "sink_degc"),
    )

    def __init__(self, plate_degc: float, sink_degc: float, parameters: ApplicatorParameters = AIR_COOLED) -> None:
        self.parameters = parameters
        self.plate_degc = plate_degc
        self.sink_degc = sink_degc
        self.liquid_degc = sink_degc
        self.fan_rpm = 0.0
        self._still_w_k = 1.0 / parameters.still_k_w
        self._fan_w_k = (1.0 / parameters.fan_k_w - self._still_w_k) / RATED_RPM
        self._look_up()

    def deliverable(self, wanted_a: float, supply_v: float | None = None) -> float:
        """Current, A, that the supply can drive against the module's own voltage when ``wanted_a`` is asked for.

        Args:
            wanted_a: What the bridge tries to deliver, A.
            supply_v: Supply voltage, V; ``None``: the one it should be.
        """
        p = self.parameters
        volts = p.supply_v if supply_v is None else supply_v
        own_v = self._seebeck_v_k * (self.sink_degc - self.plate_degc)
        ohms = self._resistance_ohm + p.supply_ohm
        wanted_v = own_v + wanted_a * ohms
        if -volts <= wanted_v <= volts:
            return wanted_a
        return (math.copysign(volts, wanted_v) - own_v) / ohms

    def voltage(self, current_a: float) -> float:
        """Voltage over the module, V, while ``current_a`` flows through it."""
        return self._seebeck_v_k * (self.sink_degc - self.plate_degc) + current_a * self._resistance_ohm

    @property
    def air_w_k(self) -> float:
        """Conductance to the air at the fan's present speed, W/K: of the sink, or of the liquid where there is one."""
        return self._still_w_k + self._fan_w_k * self.fan_rpm

    def optimum_a(self, ambient_degc: float, load_w: float = 0.0) -> float:
        """Current that holds the plate coldest in the end, at the present fan; beyond it more current warms the plate.

        Args:
            ambient_degc: Air around the wand.
            load_w: Heat from skin into the plate, W.
        """
        low, high = 0.0, _FURTHEST_A
        for _ in range(40):
            third = (high - low) / 3.0
            if (
                self.rests_at(low + third, ambient_degc, load_w)[0]
                < self.rests_at(high - third, ambient_degc, load_w)[0]
            ):
                high -= third
            else:
                low += third
        return (low + high) / 2.0

    def rests_at(self, current_a: float, ambient_degc: float, load_w: float = 0.0) -> tuple[float, float]:
        """Plate and sink, degC, after a long time at this current and the present fan; found by fixed point."""
        p, plate, sink = self.parameters, self.plate_degc, self.sink_degc
        cooled_w_k = self._cooled_w_k()
        for _ in range(200):
            rise = min(sink, _HOTTEST_KNOWN_DEGC) - _REFERENCE_DEGC
            s, r = p.seebeck_v_k + p.seebeck_v_k2 * rise, p.resistance_ohm + p.resistance_ohm_k * rise
            k, pumped, joule = p.conductance_w_k + p.conductance_w_k2 * rise, s * current_a, current_a**2 * r / 2.0
            # Two balances, linear in the two temperatures while s, r and k stand.
            of_plate, of_sink = pumped + k + p.plate_loss_w_k, cooled_w_k + k - pumped
            into_plate = load_w + joule + p.plate_loss_w_k * ambient_degc - pumped * ZERO_DEGC_K
            into_sink = joule + cooled_w_k * ambient_degc + pumped * ZERO_DEGC_K
            determinant = of_plate * of_sink - k * k
            if determinant <= 0.0:
                return math.inf, math.inf
            before = plate
            plate = (into_plate * of_sink + into_sink * k) / determinant
            sink = (into_sink * of_plate + into_plate * k) / determinant
            if abs(plate - before) < _CLOSE_K:
                break
        return plate, sink

    def advance(
        self,
        dt_s: float,
        current_a: float,
        *,
        ambient_degc: float,
        plate_w: float,
        sink_w: float,
        fan_powered: bool,
        sink_loss: float = 0.0,
    ) -> None:
        """One step.

        Args:
            dt_s: Seconds, at most 0.1.
            current_a: Through the module, + cools the plate.
            ambient_degc: Air around plate and sink.
            plate_w: Heat into the plate from skin and disturbances, W.
            sink_w: Heat into the sink from disturbances, W.
            fan_powered: Whether the rotor is driven; it is not while stalled.
            sink_loss: Share that the sink has lost of its way out: fins full of dust, or liquid that does not flow.
        """
        p = self.parameters
        plate, sink, rpm = self.plate_degc, self.sink_degc, self.fan_rpm
        joule_half_w = 0.5 * current_a * current_a * self._resistance_ohm
        conducted_w = self._conductance_w_k * (sink - plate)
        pumped_w = self._seebeck_v_k * current_a
        taken_w = pumped_w * (plate + ZERO_DEGC_K) - joule_half_w - conducted_w
        given_w = pumped_w * (sink + ZERO_DEGC_K) + joule_half_w - conducted_w
        air_w_k = self._still_w_k + self._fan_w_k * rpm
        if p.loop is None:
            out_w = (1.0 - sink_loss) * air_w_k * (sink - ambient_degc)
        else:
            liquid = self.liquid_degc
            out_w = (1.0 - sink_loss) * self._block_w_k(p.loop) * (sink - liquid)
            self.liquid_degc = liquid + dt_s / p.loop.liquid_j_k * (out_w - air_w_k * (liquid - ambient_degc))
        self.plate_degc = plate + dt_s / p.plate_j_k * (plate_w - taken_w + p.plate_loss_w_k * (ambient_degc - plate))
        self.sink_degc = sink + dt_s / p.sink_j_k * (sink_w + given_w - out_w)
        if fan_powered:
            self.fan_rpm = rpm + (RATED_RPM - rpm) * (dt_s / p.spin_up_s)
        else:
            self.fan_rpm = rpm - rpm * (dt_s / p.run_down_s)
        if self.sink_degc <= _HOTTEST_KNOWN_DEGC:
            self._look_up()

    def _block_w_k(self, loop: Loop) -> float:
        """Sink to liquid at the pump's present speed, which is the fan's."""
        speed = self.fan_rpm / RATED_RPM
        return speed / loop.block_k_w + (1.0 - speed) / loop.still_k_w

    def _look_up(self) -> None:
        """The figures of the module at its hot side."""
        p, rise = self.parameters, self.sink_degc - _REFERENCE_DEGC
        self._seebeck_v_k = p.seebeck_v_k + p.seebeck_v_k2 * rise
        self._resistance_ohm = p.resistance_ohm + p.resistance_ohm_k * rise
        self._conductance_w_k = p.conductance_w_k + p.conductance_w_k2 * rise

    def _cooled_w_k(self) -> float:
        """Sink to air in the end, W/K."""
        loop = self.parameters.loop
        return self.air_w_k if loop is None else 1.0 / (1.0 / self.air_w_k + 1.0 / self._block_w_k(loop))
