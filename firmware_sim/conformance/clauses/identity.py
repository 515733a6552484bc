"""What the wand says it is, and whether its readings have the scale and the gaps of the page. Sends no order."""

from cryodevice.wire.codes import Capability, Flag, State
from firmware_sim.conformance.blocks import Identity, Status
from firmware_sim.conformance.clause import Group, Wants
from firmware_sim.conformance.verdict import FailedError, SkippedError, expect
from firmware_sim.conformance.wand import Wand

GROUP = Group("Identity and readings", session=False)
MAGIC, MAJOR = 0x4357, 1
ROOM_DEGC = (5.0, 45.0)
REST_K = 15.0
"""A wand at rest is this close to its room (engineering default)."""
_NAMED_CAPABILITIES, _NAMED_FLAGS, _NAMED_FAULTS = (1 << 11) - 1, (1 << 10) - 1, (1 << 21) - 1
_GAPS = (
    (Capability.SKIN_IR, "skin_ir_degc"),
    (Capability.HUMIDITY, "humidity_pct"),
    (Capability.FAN_TACHOMETER, "fan_rpm"),
    (Capability.SUPPLY_PRESSURE, "supply_kpa"),
    (Capability.DISTANCE, "distance_mm"),
)


@GROUP.clause("VERSION-01", "magic and major version are those of this wire", wants=Wants.ANY)
def version(wand: Wand) -> str:
    """Magic 0x4357, version 1.x."""
    who = wand.identity
    expect(who.magic == MAGIC, f"magic is 0x{who.magic:04X}, not 0x{MAGIC:04X} ('CW')")
    expect(who.wire_version >> 8 == MAJOR, f"wire version is {_version(who)}; this kit knows major version {MAJOR}")
    return f"wire {_version(who)}, wand {who.serial_number}"


@GROUP.clause("WIRE-09", "the boot id is not 0, stays, and stands in the status too", wants=Wants.ANY)
def boot_id(wand: Wand) -> str:
    """Identity twice, status once."""
    again, status = wand.dialect.identity(), wand.status()
    expect(again == wand.identity, "the identity block changed between two reads")
    expect(again.boot_id != 0, "boot_id is 0")
    expect(
        status.boot_id_now == again.boot_id,
        f"boot_id_now is {status.boot_id_now}, the identity says boot {again.boot_id}",
    )
    return f"boot {again.boot_id}"


@GROUP.clause(
    "CUTOUT-01",
    "the cut-outs in the identity are those of the page",
    "CUTOUT-02",
    "CUTOUT-05",
    "CUTOUT-08",
    wants=Wants.ANY,
)
def cutouts(wand: Wand) -> str:
    """1.00, 42.00, 55.00 degC and 900 s."""
    who = wand.identity
    seen = (who.cold_cutout_degc, who.hot_cutout_degc, who.sink_cutout_degc, float(who.cooling_max_s))
    expect(
        seen == (1.0, 42.0, 55.0, 900.0),
        f"cold, hot, sink cut-out and longest cooling are {', '.join(f'{value:g}' for value in seen)}; "
        "the page has 1, 42, 55 °C and 900 s",
    )
    return "1, 42, 55 °C, 900 s"


@GROUP.clause("CUTOUT-13", "setpoints from +2 to +40 °C are announced", wants=Wants.ANY)
def setpoints(wand: Wand) -> str:
    """Identity +10, +11."""
    who = wand.identity
    expect(
        (who.setpoint_min_degc, who.setpoint_max_degc) == (2.0, 40.0),
        f"announced are {who.setpoint_min_degc:.2f} to {who.setpoint_max_degc:.2f} °C; the page has 2.00 to 40.00",
    )
    return "2.00 to 40.00 °C"


@GROUP.clause("WIRE-08", "reserved registers and bits are 0", wants=Wants.ANY)
def reserved(wand: Wand) -> str:
    """In a wand of wire 1.0; a later minor version may use them."""
    who, status = wand.identity, wand.status()
    if who.wire_version & 0xFF:
        raise SkippedError(f"wire {_version(who)} may give them a meaning")
    for what, value in (
        ("identity 21 to 23", any(who.reserved)),
        ("status 29 to 31", any(status.reserved)),
        ("capability bits from 11", who.capabilities & ~_NAMED_CAPABILITIES),
        ("flag bits from 10", status.flags & ~_NAMED_FLAGS),
        ("fault bits from 21", status.faults & ~_NAMED_FAULTS),
    ):
        expect(not value, f"{what} are not all 0")
    return "all 0"


@GROUP.clause("WIRE-05", "a quantity without a sensor is not available", wants=Wants.ANY)
def gaps(wand: Wand) -> str:
    """By the capability bits."""
    status, have = wand.status(), wand.identity.capabilities
    lacking = [name for bit, name in _GAPS if not have & bit]
    shown = [name for name in lacking if getattr(status, name) is not None]
    expect(not shown, f"{', '.join(shown)} shows a value, and the capability bit says there is no such sensor")
    return f"not available: {', '.join(lacking) or 'none need be'}"


@GROUP.clause("WIRE-03", "temperatures have sign and scale: a wand at rest is near its room")
def scale(wand: Wand) -> str:
    """Room plausible; plate and sink near it."""
    status = wand.status()
    if status.has(Flag.CONTACT):
        raise SkippedError("the plate touches skin; lift it and run again")
    room = status.ambient_degc
    if room is not None:
        expect(
            ROOM_DEGC[0] <= room <= ROOM_DEGC[1],
            f"the room is said to be {room:.2f} °C; a count is 0.01 °C, 24 °C is 2400",
        )
    known = {name: value for name, value in _temperatures(status).items() if value is not None}
    if len(known) < 2:
        raise FailedError("neither plate channel shows a temperature")
    lowest, highest = min(known, key=known.__getitem__), max(known, key=known.__getitem__)
    expect(
        known[highest] - known[lowest] <= REST_K,
        f"{lowest} is {known[lowest]:.2f} °C and {highest} {known[highest]:.2f} °C: a wrong scale (0.01 °C a count), "
        "or a wand that has not come to rest; let it rest and run again",
    )
    return ", ".join(f"{name} {value:.2f}" for name, value in known.items()) + " °C"


def _temperatures(status: Status) -> dict[str, float | None]:
    return {
        "plate A": status.plate_a_degc,
        "plate B": status.plate_b_degc,
        "sink": status.sink_degc,
        "room": status.ambient_degc,
    }


@GROUP.clause("LEASE-15.off", "without a lease: state off, relay open, drive zero")
def at_rest(wand: Wand) -> str:
    """The state the run found the wand in."""
    status = wand.status()
    expect(not status.has(Flag.RELAY_CLOSED), "the relay is closed (flag 8) and no lease is live")
    expect(status.state == State.OFF, f"state is {status.state}, not 0 (off)")
    left_ms = status.lease_remaining_ms
    expect(left_ms == 0, f"lease_remaining_ms is {left_ms}, and flag 0 says that no lease is live")
    expect(is_zero(wand, status), f"{status.drive_ma} mA flow and no lease is live")
    return f"state 0, relay open, {status.drive_ma} mA"


def is_zero(wand: Wand, status: Status) -> bool:
    """Whether no drive current is seen: at most 5 % of the highest, for the sensor's sake (engineering default)."""
    return status.drive_ma is None or abs(status.drive_ma) * 20 <= wand.identity.drive_max_ma


def _version(who: Identity) -> str:
    return f"{who.wire_version >> 8}.{who.wire_version & 0xFF}"
