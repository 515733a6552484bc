"""The wand and the skin under it as one thing that time acts on. Decides nothing: firmware writes the actuators.

Tests and the control write the hand, the room and the disturbances; nothing moves but by ``advance``.
"""

from collections.abc import Callable

from cryodevice.errors import QuantityError
from cryodevice.quantities import finite
from firmware_sim.plant.applicator import AIR_COOLED, PLATE_AREA_M2, RATED_RPM, Applicator, ApplicatorParameters
from firmware_sim.plant.body import BLOCK
from firmware_sim.plant.disturbances import Disturbances
from firmware_sim.plant.dose import DT_S, ZoneTruth
from firmware_sim.plant.hand import Hand
from firmware_sim.plant.individual import Individual
from firmware_sim.plant.moisture import Moisture, dew_point_degc
from firmware_sim.plant.sensors import Samples, Sensors
from firmware_sim.plant.tissue import AIR_W_M2K, SkinUnderWand
from firmware_sim.plant.truth import Truth

_ROUNDING_S = 1e-9
_USUAL = {DT_S: 1, 2 * DT_S: 2}
_RANGES = {
    "drive_a": (-100.0, 100.0),
    "humidity_pct": (0.0, 100.0),
    "ambient_degc": (-40.0, 60.0),
    "conductance_w_m2k": (0.0, 1e5),
    "air_w_m2k": (0.0, 1e4),
}


def _whole_steps(dt_s: float) -> int:
    steps = round(finite(dt_s, "dt_s", 0.0, 86400.0) / DT_S)
    if abs(steps * DT_S - dt_s) > _ROUNDING_S:
        raise QuantityError(f"dt_s is {dt_s!r}; the plant moves in steps of {DT_S} s", what="dt_s", value=dt_s)
    return steps


class _Setting:
    """An input of the plant that is looked at only after somebody has set it; reading it costs nothing."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __set__(self, plant: "Plant", value: object) -> None:
        plant.__dict__[self._name] = value
        plant.__dict__["_unseen"] = True


class Plant:
    """One wand over one face.

    Args:
        seed: Of the sensors' noise and of supercooling; the same seed and the same calls give the same to the last bit.
        ambient_degc: Room, -40...60 degC; sink and skin start at rest in it.
        plate_degc: Plate at the start, -40...80 degC.
        individual: Whose skin it is; the typical person's if not given.
        applicator: The wand's hardware.

    Attributes:
        drive_a: Commanded drive, A, + cools; the bridge follows within +-4 A.
        relay_closed: The thermoelectric's supply passes through it; the fan's does not.
        fan_on: The fan is powered.
        contact, zone, conductance_w_m2k: How the plate lies on which skin; 1300 W/m2 K is firm and dry (fitted to
            Anvari 2000).
        gel: There is gel between them.
        hand: Moves the wand, where somebody is to: it then sets the four above, and ``motion``.
        trigger, estop, tip, motion: What the hand does.
        ambient_degc, humidity_pct: The room.
        air_w_m2k: Skin to air, W/m2 K: 10 in still air, more in wind.
        disturbances: What is broken.
        spoil: Changes what the sensors show, where something is to.

    Raises:
        QuantityError: A temperature is not finite or not in its range.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        ambient_degc: float = 24.0,
        plate_degc: float = 24.0,
        individual: Individual | None = None,
        applicator: ApplicatorParameters = AIR_COOLED,
    ) -> None:
        finite(ambient_degc, "ambient_degc", -40.0, 60.0)
        finite(plate_degc, "plate_degc", -40.0, 80.0)
        self._unseen = True
        self.drive_a = 0.0
        self.relay_closed = False
        self.fan_on = False
        self.contact = False
        self.zone = "forehead"
        self.individual = individual or Individual.typical()
        self.conductance_w_m2k = self.individual.conductance.dry_w_m2k
        self.gel = False
        self.hand: Hand | None = None
        self.trigger = False
        self.estop = False
        self.tip = True
        self.motion = False
        self.ambient_degc = ambient_degc
        self.humidity_pct = 45.0
        self.air_w_m2k = AIR_W_M2K
        self.disturbances = Disturbances()
        self.spoil: Callable[[Samples], Samples] | None = None
        self._applicator = Applicator(plate_degc, ambient_degc, applicator)
        self._moisture = Moisture()
        self._skin = SkinUnderWand(
            ambient_degc,
            self.individual.tissues(),
            vessels=self.individual.vessels,
            rested_degc=ambient_degc + self.individual.rested_offset_k,
            seed=seed,
        )
        self._sensors = Sensors(seed, plate_degc, ambient_degc, self._skin.surface_degc, DT_S)
        self._steps = 0
        self._water_w = 0.0
        self._flux_w_m2 = 0.0

    @property
    def time_s(self) -> float:
        """Seconds since the start."""
        return self._steps * DT_S

    def advance(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass with the actuators, the hand and the room as they are now.

        Args:
            dt_s: 0...86400, a multiple of 10 ms.

        Raises:
            QuantityError: ``dt_s`` is not such a multiple, an input is not finite or not in its range, or no such zone.
        """
        steps = _USUAL.get(dt_s) or _whole_steps(dt_s)
        if steps == 0:
            return
        if self._unseen or not -100.0 <= self.drive_a <= 100.0:
            self._look()
        ambient = self.ambient_degc
        skin, applicator, sensors, faults = self._skin, self._applicator, self._sensors, self.disturbances
        fan_powered = self.fan_on and not faults.fan_stalled
        asked = self._asked()
        for _ in range(steps):
            if self.hand is not None and self.hand.next_s <= self._steps * DT_S:
                self._follow(self.hand)
            if not self._steps % BLOCK:
                self._wet(ambient)
            self._steps += 1
            self._flux_w_m2 = flux_w_m2 = skin.advance(applicator.plate_degc)
            plate_w = flux_w_m2 * PLATE_AREA_M2 + self._water_w
            sink_w = sink_loss = 0.0
            if not faults.quiet:
                plate_w += faults.plate_heat_w + (faults.heater_w if self._conducts() else 0.0)
                sink_w, sink_loss = faults.sink_heat_w, min(max(faults.sink_loss, 0.0), 1.0)
            applicator.advance(
                DT_S,
                0.0 if asked is None else applicator.deliverable(asked, faults.supply_v),
                ambient_degc=ambient,
                plate_w=plate_w,
                sink_w=sink_w,
                fan_powered=fan_powered,
                sink_loss=sink_loss,
            )
            if faults.fan_loss:
                applicator.fan_rpm = min(applicator.fan_rpm, max(1.0 - faults.fan_loss, 0.0) * RATED_RPM)
            sensors.follow(applicator.plate_degc, applicator.sink_degc, skin.surface_degc)

    def _look(self) -> None:
        """Take in what somebody has set, once it makes sense."""
        for name, (low, high) in _RANGES.items():
            finite(getattr(self, name), name, low, high)
        self._skin.place(
            self.zone,
            contact=self.contact,
            conductance_w_m2k=self.conductance_w_m2k,
            ambient_degc=self.ambient_degc,
            air_w_m2k=self.air_w_m2k,
            wet=self.gel or self._moisture.wet,
        )
        self._unseen = False

    def _follow(self, hand: Hand) -> None:
        """Put the wand where the hand has it now."""
        grip = hand.at(self._steps * DT_S)
        self.contact, self.zone, self.motion, self.gel = grip.contact, grip.zone, grip.motion, grip.gel
        self.conductance_w_m2k = grip.conductance_w_m2k
        self._look()

    def _wet(self, ambient_degc: float) -> None:
        """Dew and frost, once in a block of sub-steps: they take minutes."""
        self._water_w = self._moisture.advance(
            BLOCK * DT_S,
            plate_degc=self._applicator.plate_degc,
            plate_j_k=self._applicator.parameters.plate_j_k,
            ambient_degc=ambient_degc,
            humidity_pct=self.humidity_pct,
            open_=not self.contact,
        )

    def sample(self) -> Samples:
        """What the sensors show now; call it once each firmware tick, for each call draws its own noise."""
        current = self._current()
        sign = -1.0 if self.disturbances.drive_reversed else 1.0
        samples = self._sensors.sample(
            self,
            self.disturbances,
            drive_a=sign * current,
            drive_v=sign * self._applicator.voltage(current) if self._conducts() else 0.0,
            fan_rpm=self._applicator.fan_rpm,
            rated_rpm=RATED_RPM,
        )
        return samples if self.spoil is None else self.spoil(samples)

    def truth(self) -> Truth:
        """What really is now. Looking changes nothing."""
        skin, applicator, current = self._skin, self._applicator, self._current()
        return Truth(
            plate_degc=applicator.plate_degc,
            sink_degc=applicator.sink_degc,
            liquid_degc=applicator.sink_degc if applicator.parameters.loop is None else applicator.liquid_degc,
            ambient_degc=self.ambient_degc,
            skin_surface_degc=skin.surface_of(self.zone),
            skin_1mm_degc=skin.at_depth(self.zone, 1e-3),
            lowest_skin_degc=skin.lowest_degc(),
            drive_a=current,
            drive_w=current * applicator.voltage(current),
            flux_w_m2=self._flux_w_m2,
            fan_rpm=applicator.fan_rpm,
            dew_point_degc=dew_point_degc(self.ambient_degc, self.humidity_pct),
            dew_g_m2=self._moisture.dew_g_m2,
            frost_g_m2=self._moisture.frost_g_m2,
            zone=self.zone,
            contact=self.contact,
            conductance_w_m2k=self.conductance_w_m2k,
            contact_s=skin.contact_s(),
        )

    def zones(self) -> dict[str, ZoneTruth]:
        """Every zone's true skin and true dose now. Looking changes nothing."""
        return self._skin.zones()

    @property
    def current_a(self) -> float:
        """Current through the thermoelectric now, A, + cools; cheaper to ask for than ``truth``."""
        return self._current()

    def _conducts(self) -> bool:
        faults = self.disturbances
        return faults.relay_welded or (self.relay_closed and not faults.relay_dead)

    def _current(self) -> float:
        """Current through the thermoelectric with the actuators as they are now, A; the bridge answers in < 1 ms."""
        asked = self._asked()
        return 0.0 if asked is None else self._applicator.deliverable(asked, self.disturbances.supply_v)

    def _asked(self) -> float | None:
        """Current that the bridge tries to drive through the thermoelectric, A, + cools; None: no circuit."""
        faults = self.disturbances
        if faults.quiet and not self.relay_closed:
            return None
        limit = self._applicator.parameters.drive_max_a
        asked = min(max(self.drive_a, -limit), limit)
        if faults.quiet:
            return asked
        if not self._conducts():
            return None
        asked = asked * (1.0 - faults.drive_loss) if faults.drive_stuck_a is None else faults.drive_stuck_a
        return -asked if faults.drive_reversed else asked


for _name in ("contact", "zone", "conductance_w_m2k", "gel", "ambient_degc", "humidity_pct", "air_w_m2k"):
    setattr(Plant, _name, _Setting(_name))
