"""The wand and the skin under it as one thing that time acts on. Decides nothing: firmware writes the actuators.

Tests and the control socket write the hand, the room and the disturbances; nothing moves but by ``advance``.
"""

from collections.abc import Callable
from dataclasses import dataclass

from cryodevice.errors import QuantityError
from cryodevice.quantities import finite
from firmware_sim.plant.applicator import PLATE_AREA_M2, RATED_RPM, Applicator
from firmware_sim.plant.disturbances import Disturbances
from firmware_sim.plant.sensors import Samples, Scene, Sensors
from firmware_sim.plant.tissue import DT_S, SkinUnderWand

_ROUNDING_S = 1e-9


@dataclass(frozen=True, slots=True)
class Truth:
    """What really is, for tests and the control socket; no part of the wire.

    Attributes:
        plate_degc, sink_degc, ambient_degc: Temperatures, degC.
        skin_surface_degc, skin_1mm_degc: Of the zone pointed at.
        lowest_skin_degc: Lowest surface temperature of any zone since the start.
        drive_a: Current through the thermoelectric now, A, + cools.
        fan_rpm: Speed of the rotor.
        zone, contact: Where the wand is.
        contact_s: Seconds of contact by zone.
    """

    plate_degc: float
    sink_degc: float
    ambient_degc: float
    skin_surface_degc: float
    skin_1mm_degc: float
    lowest_skin_degc: float
    drive_a: float
    fan_rpm: float
    zone: str
    contact: bool
    contact_s: dict[str, float]


class Plant:
    """One wand over one face.

    Args:
        seed: Of the sensors' noise; the same seed and the same calls give the same samples to the last bit.
        ambient_degc: Room, -40...60 degC; sink and skin start at rest in it.
        plate_degc: Plate at the start, -40...80 degC.

    Attributes:
        drive_a: Commanded drive, A, + cools; the bridge follows within +-4 A.
        relay_closed: The thermoelectric's supply passes through it; the fan's does not.
        fan_on: The fan is powered.
        contact, zone, conductance_w_m2k: How the plate lies on which skin; 1300 W/m2 K is firm and dry (fitted to
            Anvari 2000).
        trigger, estop, tip, motion: What the hand does.
        ambient_degc, humidity_pct: The room.
        disturbances: What is broken.
        spoil: Changes what the sensors show, where something is to.

    Raises:
        QuantityError: A temperature is not finite or not in its range.
    """

    def __init__(self, seed: int = 0, *, ambient_degc: float = 24.0, plate_degc: float = 24.0) -> None:
        finite(ambient_degc, "ambient_degc", -40.0, 60.0)
        finite(plate_degc, "plate_degc", -40.0, 80.0)
        self.drive_a = 0.0
        self.relay_closed = False
        self.fan_on = False
        self.contact = False
        self.zone = "forehead"
        self.conductance_w_m2k = 1300.0
        self.trigger = False
        self.estop = False
        self.tip = True
        self.motion = False
        self.ambient_degc = ambient_degc
        self.humidity_pct = 45.0
        self.disturbances = Disturbances()
        self.spoil: Callable[[Samples], Samples] | None = None
        self._applicator = Applicator(plate_degc, ambient_degc)
        self._skin = SkinUnderWand(ambient_degc)
        self._sensors = Sensors(seed, plate_degc, ambient_degc, self._skin.surface_degc, DT_S)

    def advance(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass with the actuators, the hand and the room as they are now.

        Args:
            dt_s: 0...86400, a multiple of 10 ms.

        Raises:
            QuantityError: ``dt_s`` is not such a multiple, an input is not finite or not in its range, or no such zone.
        """
        steps = round(finite(dt_s, "dt_s", 0.0, 86400.0) / DT_S)
        if abs(steps * DT_S - dt_s) > _ROUNDING_S:
            raise QuantityError(f"dt_s is {dt_s!r}; the plant moves in steps of {DT_S} s", what="dt_s", value=dt_s)
        if steps == 0:
            return
        finite(self.drive_a, "drive_a", -100.0, 100.0)
        finite(self.humidity_pct, "humidity_pct", 0.0, 100.0)
        ambient = finite(self.ambient_degc, "ambient_degc", -40.0, 60.0)
        skin, applicator, sensors, faults = self._skin, self._applicator, self._sensors, self.disturbances
        skin.place(
            self.zone,
            contact=self.contact,
            conductance_w_m2k=finite(self.conductance_w_m2k, "conductance_w_m2k", 0.0, 1e5),
            ambient_degc=ambient,
        )
        fan_powered = self.fan_on and not faults.fan_stalled
        for _ in range(steps):
            plate_w = skin.advance(applicator.plate_degc) * PLATE_AREA_M2
            sink_w = 0.0
            if not faults.quiet:
                plate_w += faults.plate_heat_w + (faults.heater_w if self._conducts() else 0.0)
                sink_w = faults.sink_heat_w + self._kept_w(ambient)
            applicator.advance(
                DT_S,
                self._current(),
                ambient_degc=ambient,
                plate_w=plate_w,
                sink_w=sink_w,
                fan_powered=fan_powered,
            )
            if faults.fan_loss:
                applicator.fan_rpm = min(applicator.fan_rpm, max(1.0 - faults.fan_loss, 0.0) * RATED_RPM)
            sensors.follow(applicator.plate_degc, applicator.sink_degc, skin.surface_degc)

    def _kept_w(self, ambient_degc: float) -> float:
        """Heat that a sink in good order would give to the air and this one does not, W."""
        applicator, loss = self._applicator, min(max(self.disturbances.sink_loss, 0.0), 1.0)
        return loss * applicator.air_w_k * (applicator.sink_degc - ambient_degc)

    def sample(self) -> Samples:
        """What the sensors show now; call it once each firmware tick, for each call draws its own noise."""
        current = self._current()
        sign = -1.0 if self.disturbances.drive_reversed else 1.0
        scene = Scene(
            ambient_degc=self.ambient_degc,
            humidity_pct=self.humidity_pct,
            drive_a=sign * current,
            drive_v=sign * self._applicator.voltage(current) if self._conducts() else 0.0,
            fan_rpm=self._applicator.fan_rpm,
            rated_rpm=RATED_RPM,
            contact=self.contact,
            trigger=self.trigger,
            estop=self.estop,
            tip=self.tip,
            motion=self.motion,
        )
        samples = self._sensors.sample(scene, self.disturbances)
        return samples if self.spoil is None else self.spoil(samples)

    def truth(self) -> Truth:
        """What really is now. Looking changes nothing."""
        skin = self._skin
        return Truth(
            plate_degc=self._applicator.plate_degc,
            sink_degc=self._applicator.sink_degc,
            ambient_degc=self.ambient_degc,
            skin_surface_degc=skin.surface_of(self.zone),
            skin_1mm_degc=skin.at_depth(self.zone, 1e-3),
            lowest_skin_degc=skin.lowest_degc(),
            drive_a=self._current(),
            fan_rpm=self._applicator.fan_rpm,
            zone=self.zone,
            contact=self.contact,
            contact_s=skin.contact_s(),
        )

    def _conducts(self) -> bool:
        faults = self.disturbances
        return faults.relay_welded or (self.relay_closed and not faults.relay_dead)

    def _current(self) -> float:
        """Current through the thermoelectric with the actuators as they are now, A; the bridge answers in < 1 ms."""
        faults = self.disturbances
        if not (self.relay_closed if faults.quiet else self._conducts()):
            return 0.0
        applicator = self._applicator
        limit = applicator.parameters.drive_max_a
        asked = min(max(self.drive_a, -limit), limit)
        if faults.quiet:
            return applicator.deliverable(asked)
        asked = asked * (1.0 - faults.drive_loss) if faults.drive_stuck_a is None else faults.drive_stuck_a
        return applicator.deliverable(-asked if faults.drive_reversed else asked, faults.supply_v)
