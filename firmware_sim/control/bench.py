"""What can be done to a running wand, as plain calls: reads, and changes whole or not at all. Knows no HTTP."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from cryodevice.bioheat import ZONES
from cryodevice.errors import CryodeviceError
from cryodevice.wire.codes import Refusal
from firmware_sim.control.fields import Body, Choice, Maybe, Number, OneOfMany, Switch, Values, Whole, fields_of
from firmware_sim.control.random_hand import MOVES, described, hand_of
from firmware_sim.control.refused import RefusedError
from firmware_sim.endpoints.pacer import FASTEST, SLOWEST, Pacer
from firmware_sim.faults import CATALOGUE, FaultError, injection
from firmware_sim.faults.listing import as_json
from firmware_sim.firmware import BootCause, Quirks
from firmware_sim.plant import Disturbances
from firmware_sim.simulator import Simulator

LONGEST_STEP_S: Final = 600.0
_FIELD_MAX: Final = 1000.0
"""Largest disturbance in kelvin, watts or amperes: far past every cut-out, and the plant's arithmetic still holds."""
_LIE_MAX: Final = 250.0
"""Largest quirk in kelvin or degC: with a setpoint it still fits its register."""
_LATEST_S: Final = 1e6
_CAUSES: Final = {cause.name.lower(): cause for cause in BootCause}

ROOM = Body("room", {"ambient_degc": Number(-40.0, 60.0), "humidity_pct": Number(0.0, 100.0)})
DISTURBANCES = Body("disturbance", fields_of(Disturbances, _FIELD_MAX, 0xFFFF))
QUIRKS = Body(
    "quirk",
    {**fields_of(Quirks, _LIE_MAX, 0xFFFF), "refuse_orders": Maybe(Whole(min(Refusal), max(Refusal)))},
)
REBOOT = Body("reboot", {"cause": Choice(tuple(_CAUSES))})
CLOCK = Body("clock", {"speed": Number(SLOWEST, FASTEST), "paused": Switch()})
STEP = Body("step", {"seconds": Number(0.0, LONGEST_STEP_S)}, required=("seconds",))


HAND = Body(
    "hand",
    {
        "contact": Switch(),
        "zone": Choice(tuple(ZONES)),
        "conductance_w_m2k": Number(0.0, 1e5),
        **dict.fromkeys(("trigger", "estop", "tip", "motion"), Switch()),
    },
)
INJECTION = Body(
    "fault",
    {
        "name": OneOfMany(tuple(CATALOGUE)),
        "values": Values(),
        "start_s": Number(0.0, _LATEST_S),
        "duration_s": Maybe(Number(0.0, _LATEST_S)),
        "count": Maybe(Whole(1, 2**31 - 1)),
    },
    required=("name",),
)


class Bench:
    """One running wand and its clock.

    Args:
        simulator: The wand.
        pacer: What moves its time.
    """

    def __init__(self, simulator: Simulator, pacer: Pacer) -> None:
        self._simulator = simulator
        self._pacer = pacer
        self._held: dict[str, Any] = {}

    def catch_up(self) -> None:
        """Bring the wand's time to now."""
        self._pacer.catch_up()

    def truth(self) -> dict[str, Any]:
        """What really is."""
        return self._simulator.truth()

    def hand(self) -> dict[str, Any]:
        """What the hand does."""
        return _values(self._simulator.plant, HAND)

    def set_hand(self, **values: Any) -> dict[str, Any]:
        """Change what is named.

        Raises:
            RefusedError: A random hand decides it.
        """
        taken = [name for name in values if name in MOVES]
        if taken and self._held:
            raise RefusedError(
                f"{', '.join(taken)}: a random hand holds the wand; take it away first with DELETE /hand/random",
                HTTPStatus.CONFLICT,
            )
        _assign(self._simulator.plant, values)
        return self.hand()

    def random_hand(self) -> dict[str, Any]:
        """Whether one holds the wand, and how."""
        return {"holds": bool(self._held), "how": self._held or None}

    def hold(self, **values: Any) -> dict[str, Any]:
        """Let a random hand take the wand, from now on.

        Raises:
            RefusedError: It cannot hold it so.
        """
        held, plant = described(values), self._simulator.plant
        plant.hand = hand_of(held, plant.individual.conductance, plant.time_s)
        self._held = held
        return self.random_hand()

    def let_go(self) -> dict[str, Any]:
        """Take the random hand away, and the plate off the skin."""
        if self._held:
            plant = self._simulator.plant
            plant.hand, self._held = None, {}
            plant.contact = plant.motion = plant.gel = False
        return self.random_hand()

    def room(self) -> dict[str, Any]:
        """The room."""
        return _values(self._simulator.plant, ROOM)

    def set_room(self, **values: Any) -> dict[str, Any]:
        """Change what is named."""
        _assign(self._simulator.plant, values)
        return self.room()

    def disturbances(self) -> dict[str, Any]:
        """Switches of the plant."""
        return _values(self._simulator.plant.disturbances, DISTURBANCES)

    def set_disturbances(self, **values: Any) -> dict[str, Any]:
        """Change what is named."""
        _assign(self._simulator.plant.disturbances, values)
        return self.disturbances()

    def quirks(self) -> dict[str, Any]:
        """Switches of the firmware."""
        return _values(self._simulator.firmware.quirks, QUIRKS)

    def set_quirks(self, **values: Any) -> dict[str, Any]:
        """Change what is named.

        Raises:
            RefusedError: A lie that fits no register cannot be told.
        """
        firmware = self._simulator.firmware
        before = {name: getattr(firmware.quirks, name) for name in values}
        _assign(firmware.quirks, values)
        try:
            firmware.identity_words()
        except CryodeviceError as error:
            _assign(firmware.quirks, before)
            raise RefusedError(error.message) from error
        return self.quirks()

    def faults(self) -> dict[str, Any]:
        """Faults in force or waiting, and how often each kind has made a difference so far."""
        bench = self._simulator.faults
        fired = {name: count for name in CATALOGUE if (count := bench.fired(name))}
        return {"active": bench.active(), "fired": fired}

    def inject(self, name: str, values: Mapping[str, Any] | None = None, **times: Any) -> dict[str, Any]:
        """Put a fault in.

        Raises:
            RefusedError: It cannot be put in so; says what is allowed.
        """
        try:
            return {"id": self._simulator.faults.inject(injection(name, values or {}, **times))}
        except FaultError as error:
            raise RefusedError(error.message) from error

    def clear(self, number: int | None = None) -> dict[str, Any]:
        """Take one fault out, or all.

        Raises:
            RefusedError: There is none of this id.
        """
        try:
            self._simulator.faults.clear(number)
        except FaultError as error:
            raise RefusedError(error.message, HTTPStatus.NOT_FOUND) from error
        return self.faults()

    def reboot(self, cause: str = "power_on") -> dict[str, Any]:
        """Boot the firmware anew."""
        self._simulator.reboot(_CAUSES[cause])
        return {"boot_id": self._simulator.firmware.boot_id}

    def clock(self) -> dict[str, Any]:
        """Time, and how it runs."""
        pacer, firmware = self._pacer, self._simulator.firmware
        return {
            "time_s": self._simulator.time_s,
            "uptime_ms": firmware.now_ms - firmware.boot_ms,
            "speed": pacer.speed,
            "paused": pacer.paused,
            "lost_s": pacer.lost_s,
        }

    def set_clock(self, *, speed: float | None = None, paused: bool | None = None) -> dict[str, Any]:
        """Faster, slower, still, on."""
        if speed is not None:
            self._pacer.set_speed(speed)
        if paused is not None:
            self._pacer.pause(paused)
        return self.clock()

    async def step(self, seconds: float) -> dict[str, Any]:
        """Let time pass while it is paused.

        Raises:
            RefusedError: It is not paused.
        """
        try:
            await self._pacer.step(seconds)
        except CryodeviceError as error:
            raise RefusedError(
                'time is running; pause it first with PATCH /clock {"paused": true}', HTTPStatus.CONFLICT
            ) from error
        return self.clock()


def catalogue() -> dict[str, Any]:
    """Every fault that can be put in."""
    return {"faults": as_json()}


def _values(record: object, body: Body) -> dict[str, Any]:
    return {name: getattr(record, name) for name in body.fields}


def _assign(target: object, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(target, name, value)
