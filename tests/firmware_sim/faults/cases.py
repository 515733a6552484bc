"""What each fault of the wand itself shows: a look at the wand, and what that look sees while the fault is there."""

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import pstdev
from typing import Any

from cryodevice.wire.codes import Capability, Fault, Flag, Mode, Refusal, State
from tests.firmware_sim.faults.bed import Bed


def _nothing(_: Bed) -> None:
    return None


@dataclass(frozen=True)
class Case:
    """``shows(look(bed))`` is true while the fault is there, and false before and after."""

    look: Callable[[Bed], Any]
    shows: Callable[[Any], bool]
    values: dict[str, Any] = field(default_factory=dict)
    prepare: Callable[[Bed], Any] = _nothing


def status(bed: Bed) -> Any:
    return bed.status()


def cold(bed: Bed) -> None:
    bed.cooled(5.0, 4.0)


def hand(**values: Any) -> Callable[[Bed], None]:
    def prepare(bed: Bed) -> None:
        for name, value in values.items():
            setattr(bed.plant, name, value)

    return prepare


def plate_a(bed: Bed) -> list[float]:
    return bed.ticks(lambda s: s.plate_a_degc)


def apart(bed: Bed) -> list[float]:
    return bed.ticks(lambda s: s.plate_a_degc - s.plate_b_degc)


def truly(name: str, seconds: float = 0.1) -> Callable[[Bed], Any]:
    """A truth while the wand cools."""

    def look(bed: Bed) -> Any:
        bed.cooled(seconds)
        return bed.truth[name]

    return look


def flag(bit: Flag) -> Callable[[Bed], list[bool]]:
    return lambda bed: bed.ticks(lambda s: bit in s.flags)


def rise(of: str, act: Callable[[Bed], Any]) -> Callable[[Bed], float]:
    """How much a temperature rises while something is done."""

    def look(bed: Bed) -> float:
        start = bed.truth[of]
        act(bed)
        return bed.truth[of] - start

    return look


def hot_sink(bed: Bed) -> float:
    """How much a sink at 50 degC cools in a second; the fan runs by itself."""
    bed.plant._applicator.sink_degc = 50.0
    bed.run(1.0)
    return 50.0 - bed.truth["sink_degc"]


def both_channels(bed: Bed) -> tuple[Any, Any]:
    """The channels of this wand and of its twin, which nobody breaks."""
    twin = bed.before.setdefault("twin", Bed())
    seen, real = bed.status(0.02), twin.status(0.02)
    return (seen.plate_a_degc, seen.plate_b_degc), (real.plate_b_degc, real.plate_a_degc)


def boots(bed: Bed) -> tuple[bool, bool, Any]:
    """Whether the boot id and the uptime went on since the last look, and the status."""
    seen = bed.status(0.1)
    last_id, now_id = bed.since("boot", seen.boot_id)
    last_ms, now_ms = bed.since("uptime", seen.uptime_ms)
    return last_id != now_id, now_ms < last_ms, seen


def pressed(bed: Bed) -> Any:
    """A wand whose e-stop is pressed."""
    bed.fresh()
    bed.plant.estop = True
    seen = bed.status(0.1)
    bed.plant.estop = False
    return seen


def pressed_and_released(bed: Bed) -> Any:
    pressed(bed)
    return bed.status(0.1)


def stopped(bed: Bed) -> Any:
    """What is left of cooling after a stop; the session is the one of before."""
    bed.host.stop()
    bed.run(0.2, cooling=True)
    bed.host.stop()
    bed.run(0.02)
    return bed.truth | {"output_a": bed.plant.drive_a}


def left_alone(seconds: float) -> Callable[[Bed], Any]:
    """Cooling whose lease of 500 ms nobody renews."""

    def look(bed: Bed) -> Any:
        bed.fresh()
        bed.host.cool()
        bed.run(seconds)
        return bed.truth["relay_closed"]

    return look


def old_echo(bed: Bed) -> int:
    """What is left of a lease of 500 ms that echoes a status of 300 ms ago."""
    bed.fresh()
    bed.host.status()
    echo = bed.firmware.sequence
    bed.run(0.3)
    bed.host.send(Mode.COOL, echo=echo)
    return bed.host.status().lease_remaining_ms


def ordered(bed: Bed) -> tuple[Refusal, Any]:
    bed.fresh()
    return bed.host.cool(), bed.host.status()


def frozen(bed: Bed) -> tuple[list[int], list[float]]:
    return bed.ticks(lambda s: s.sequence), plate_a(bed)


def stepped(bed: Bed) -> int:
    """By how much more than the ticks the sequence has moved since the last look."""
    last, now = bed.since("sequence", bed.status(0.2).sequence)
    last_s, now_s = bed.since("time", bed.simulator.time_s)
    return (now - last - round((now_s - last_s) / 0.02)) % 65536


def uptime(bed: Bed) -> tuple[int, int]:
    """How much uptime passes in a second, and how far it is from the truth."""
    first = bed.status(0.02).uptime_ms
    last = bed.status(1.0).uptime_ms
    return (last - first) % 2**32, last - bed.truth["uptime_ms"]


def identity(bed: Bed) -> Any:
    return bed.identity()


def requests_answered(bed: Bed) -> tuple[int, Any]:
    """How many exchanges of a wand that cooled were answered."""
    return len(bed.talk().frames), bed.truth


def only(bit: Fault) -> Callable[[Any], bool]:
    return lambda seen: bit in seen.faults


def twenty(bed: Bed) -> float:
    bed.plant._applicator.plate_degc = 22.0
    bed.cooled(8.0, 20.0)
    return bed.truth["plate_degc"]


def warm_setpoint(bed: Bed) -> float:
    bed.cooled(0.2, 23.5)
    return bed.truth["drive_command_a"]


SENSORS = {
    "plate_open": Case(status, lambda s: Fault.PLATE_A_OPEN in s.faults and s.plate_a_degc is None),
    "plate_short": Case(status, lambda s: Fault.PLATE_B_SHORT in s.faults and s.plate_b_degc is None, {"channel": "b"}),
    "plate_stuck": Case(plate_a, lambda a: len(set(a)) == 1),
    "plate_offset": Case(apart, lambda d: min(d) > 2.0),
    "plate_common_offset": Case(
        lambda bed: (bed.status(), bed.truth["plate_degc"]),
        lambda x: x[0].plate_a_degc - x[1] > 4.5 and x[0].plate_b_degc - x[1] > 4.5,
    ),
    "plate_drift": Case(apart, lambda d: 0.5 < d[-1] < 1.5 and d[-1] > d[0] + 0.4, {"rate_k_s": 4.0}),
    "plate_spike": Case(apart, lambda d: sum(x > 15.0 for x in d) == 1),
    "plate_swing": Case(apart, lambda d: max(d) - min(d) > 2.0),
    "plate_no_number": Case(status, lambda s: s.plate_a_degc is None and s.plate_b_degc is not None, {"value": "inf"}),
    "plate_off_plate": Case(
        lambda bed: (bed.status(), bed.truth["plate_degc"]),
        lambda x: x[0].plate_a_degc > x[1] + 4.0,
        {"lag_s": 0.05},
        cold,
    ),
    "plate_sluggish": Case(
        lambda bed: (bed.cooled(0.6), bed.truth)[0], lambda s: s.plate_a_degc > s.plate_b_degc + 0.6, {"channel": "a"}
    ),
    "plate_noise": Case(plate_a, lambda a: pstdev(a) > 0.5, {"sigma_k": 2.0}),
    "plate_swapped": Case(both_channels, lambda x: x[0] == x[1]),
    "plate_sink_swapped": Case(
        status, lambda s: s.plate_a_degc > s.plate_b_degc + 4.0 and s.sink_degc < 23.0, prepare=cold
    ),
    "plate_scale": Case(status, lambda s: s.plate_a_degc > s.plate_b_degc + 3.0, {"factor": 0.5}, cold),
    "plate_fahrenheit": Case(status, lambda s: s.plate_a_degc > 70.0),
    "plate_coarse": Case(plate_a, lambda a: all(x == round(x) for x in a)),
    "sink_lost": Case(status, lambda s: s.sink_degc is None and Fault.SINK_SENSOR in s.faults),
    "sink_offset": Case(lambda bed: bed.status().sink_degc - bed.truth["sink_degc"], lambda d: d > 2.0),
    "sink_stuck": Case(lambda bed: bed.ticks(lambda s: s.sink_degc), lambda v: len(set(v)) == 1),
    "ir_lost": Case(status, lambda s: s.skin_ir_degc is None and Fault.SKIN_SENSOR in s.faults),
    "ir_offset": Case(lambda bed: bed.status().skin_ir_degc - bed.truth["skin_surface_degc"], lambda d: d > 2.0),
    "ir_stuck": Case(lambda bed: bed.ticks(lambda s: s.skin_ir_degc), lambda v: len(set(v)) == 1),
    "ambient_lost": Case(
        lambda bed: bed.status(2.1),
        lambda s: s.ambient_degc is None and s.humidity_pct is None and Fault.AMBIENT_SENSOR in s.faults,
    ),
    "ambient_offset": Case(status, lambda s: s.ambient_degc > 40.0),
    "current_sensor_dead": Case(
        lambda bed: (bed.cooled(0.2), bed.truth), lambda x: x[0].drive_ma == 0 and x[1]["drive_a"] == 4.0
    ),
    "current_sensor_offset": Case(status, lambda s: s.drive_ma == 500),
    "fan_tachometer_dead": Case(
        lambda bed: (bed.cooled(1.0), bed.truth),
        lambda x: x[0].fan_rpm == 0 and Flag.FAN not in x[0].flags and x[1]["fan_rpm"] > 3000,
    ),
    "fan_tachometer_stuck": Case(
        lambda bed: (bed.status(), bed.truth),
        lambda x: x[0].fan_rpm == 4200 and Flag.FAN in x[0].flags and x[1]["fan_rpm"] < 10,
    ),
    "contact_stuck": Case(flag(Flag.CONTACT), all),
    "contact_dead": Case(flag(Flag.CONTACT), lambda f: not any(f), prepare=hand(contact=True)),
    "contact_flicker": Case(flag(Flag.CONTACT), lambda f: 5 < sum(f) < 10, prepare=hand(contact=True)),
    "trigger_stuck": Case(flag(Flag.TRIGGER), all),
    "trigger_dead": Case(flag(Flag.TRIGGER), lambda f: not any(f), prepare=hand(trigger=True)),
    "trigger_flicker": Case(flag(Flag.TRIGGER), lambda f: 5 < sum(f) < 10, prepare=hand(trigger=True)),
    "estop_wire_cut": Case(
        status, lambda s: Flag.ESTOP in s.flags and s.state == State.TRIPPED and Fault.ESTOP in s.faults
    ),
    "estop_dead": Case(pressed, lambda s: Flag.ESTOP not in s.flags),
    "tip_lost": Case(status, lambda s: Flag.TIP not in s.flags and Fault.TIP_MISSING in s.faults),
    "tip_flicker": Case(flag(Flag.TIP), lambda f: 5 < sum(f) < 10),
    "motion_stuck": Case(flag(Flag.MOTION), all),
    "motion_dead": Case(flag(Flag.MOTION), lambda f: not any(f), prepare=hand(motion=True)),
}

ACTUATORS = {
    "drive_stuck": Case(lambda bed: (bed.armed(0.1), bed.truth["drive_a"])[1], lambda a: a == 2.0),
    "drive_open": Case(
        lambda bed: (bed.cooled(0.1), bed.truth),
        lambda x: x[1]["drive_a"] == 0.0 < x[1]["drive_command_a"] and x[0].drive_ma == 0,
    ),
    "drive_gain": Case(truly("drive_a"), lambda a: a == 2.0),
    "drive_reversed": Case(truly("drive_a"), lambda a: a == -4.0),
    "relay_welded": Case(
        lambda bed: bed.truth["drive_a"] if bed.run(0.02) is None else None,
        lambda a: a == 1.0,
        prepare=lambda bed: setattr(bed.plant.disturbances, "drive_stuck_a", 1.0),
    ),
    "relay_not_closing": Case(
        lambda bed: (bed.cooled(0.1), bed.truth)[1], lambda t: t["relay_closed"] and t["drive_a"] == 0.0
    ),
    "heater_stuck": Case(rise("plate_degc", lambda bed: bed.armed(0.4)), lambda k: k > 0.1),
    "fan_stalled": Case(truly("fan_rpm", 1.5), lambda rpm: rpm < 2000),
    "fan_weak": Case(truly("fan_rpm", 1.5), lambda rpm: rpm == 0.4 * 4200),
    "sink_blocked": Case(hot_sink, lambda k: k < 0.25, prepare=hot_sink),
    "coolant_lost": Case(hot_sink, lambda k: k < 0.25, {"drain_s": 0.1}, hot_sink),
    "sink_heated": Case(rise("sink_degc", lambda bed: bed.run(1.0)), lambda k: 0.3 < k < 0.5),
    "plate_heated": Case(rise("plate_degc", lambda bed: bed.run(1.0)), lambda k: 0.3 < k < 0.5),
    "supply_voltage": Case(
        lambda bed: (bed.cooled(0.1), bed.plant._applicator.deliverable(4.0, bed.plant.disturbances.supply_v)),
        lambda x: Fault.SUPPLY in x[0].faults and x[0].state == State.TRIPPED and x[1] < 0.9,
        {"volts": 1.5},
    ),
    "brown_out": Case(boots, lambda x: x[:2] == (True, True) and Fault.BROWNOUT_RESET in x[2].faults),
    "power_cut": Case(requests_answered, lambda x: x[0] == 0 and not x[1]["relay_closed"] and not x[1]["fan_on"]),
}

FIRMWARE = {
    "safety_task_dead": Case(frozen, lambda x: len(set(x[0])) == 1),
    "hung": Case(lambda bed: (bed.line.feed(b"\0"), requests_answered(bed))[1], lambda x: x[0] == 0),
    "watchdog_reset": Case(boots, lambda x: x[:2] == (True, True) and Fault.WATCHDOG_RESET in x[2].faults),
    "reboot": Case(boots, lambda x: x[:2] == (True, True) and x[2].faults == 0),
    "reset_loop": Case(
        lambda bed: (bed.truth["boot_id"], bed.run(1.0), bed.truth["boot_id"]),
        lambda x: x[2] - x[0] >= 4,
        {"period_s": 0.2},
    ),
    "boot_id_reused": Case(boots, lambda x: x[:2] == (False, True)),
    "calibration_invalid": Case(status, only(Fault.CALIBRATION)),
    "supply_fault": Case(status, only(Fault.SUPPLY)),
    "sequence_jump": Case(stepped, lambda n: n == 1000),
    "sequence_wrap": Case(stepped, lambda n: n != 0),
    "adc_frozen": Case(frozen, lambda x: len(set(x[0])) == 1 and len(set(x[1])) == 1),
    "cutouts_off": Case(pressed, lambda s: Fault.ESTOP in s.faults and s.trip_code == 0),
    "trip_unlatched": Case(pressed_and_released, lambda s: s.trip_code == 0),
    "ignores_stop": Case(stopped, lambda t: t["relay_closed"] and t["drive_a"] > 0.0),
    "ignores_lease": Case(left_alone(2.0), lambda closed: closed),
    "lease_overrun": Case(left_alone(0.6), lambda closed: closed),
    "lease_from_arrival": Case(old_echo, lambda ms: ms > 400),
    "refuses_orders": Case(
        ordered, lambda x: x[0] is Refusal.TOKEN and x[1].last_refusal == Refusal.TOKEN, {"reason": "token"}
    ),
    "orders_unapplied": Case(ordered, lambda x: x[0] is Refusal.NONE and x[1].state == State.OFF),
    "setpoint_altered": Case(ordered, lambda x: x[1].setpoint_degc == 7.0),
    "regulates_elsewhere": Case(twenty, lambda degc: degc < 18.0),
    "full_drive": Case(warm_setpoint, lambda a: a == 4.0),
    "drive_ignores_off": Case(stopped, lambda t: t["output_a"] > 0.0 == t["drive_command_a"]),
    "fan_never_on": Case(truly("fan_on"), lambda on: not on),
}

LIES = {
    "lies_drive_off": Case(
        lambda bed: (bed.cooled(0.1), bed.truth),
        lambda x: (
            (x[0].state, x[0].drive_ma, x[0].lease_remaining_ms) == (State.OFF, 0, 0)
            and not x[0].flags & (Flag.RELAY_CLOSED | Flag.LEASE_LIVE)
            and x[1]["drive_a"] == 4.0
        ),
    ),
    "lies_plate": Case(status, lambda s: s.plate_a_degc == s.plate_b_degc == 8.0),
    "lies_no_faults": Case(
        pressed, lambda s: (s.faults, s.trip_code, s.state) == (0, 0, State.OFF) and Flag.TRIP_LATCHED not in s.flags
    ),
    "status_frozen": Case(lambda bed: (bed.status(), bed.status()), lambda x: x[0] == x[1]),
    "sequence_without_sampling": Case(frozen, lambda x: len(set(x[0])) == 12 and len(set(x[1])) == 1),
    "lease_report_wrong": Case(lambda bed: ordered(bed)[1].lease_remaining_ms, lambda ms: ms == 600),
    "clock_drift": Case(uptime, lambda x: x[0] == 1100),
    "uptime_jump": Case(uptime, lambda x: x == (1000, 5000)),
    "uptime_rollover": Case(uptime, lambda x: x[0] == 1000 and x[1] < -1000, {"before_ms": 500}),
    "calibration_old": Case(identity, lambda i: i.calibration_day == 7000),
    "wrong_magic": Case(identity, lambda i: i.magic == 0x1234),
    "wrong_wire_version": Case(identity, lambda i: i.wire_version == 0x0200),
    "older_firmware": Case(identity, lambda i: i.firmware == "0.1.0"),
    "wrong_applicator": Case(identity, lambda i: i.applicator == 1),
    "wrong_serial_number": Case(identity, lambda i: i.serial_number == 4711),
    "missing_capability": Case(identity, lambda i: i.capabilities == Capability(0xFF) & ~Capability.TRIGGER),
    "claims_to_be_real": Case(identity, lambda i: not i.simulated),
    "wider_limits": Case(identity, lambda i: (i.setpoint_min_degc, i.setpoint_max_degc) == (-10.0, 50.0)),
}
