"""The status block: one snapshot of the last completed tick, with the few fields that reflect the last order.

Builds words only; that a reply has carried them is noted by the firmware.
"""

from dataclasses import dataclass
from operator import itemgetter
from typing import Final, NamedTuple

from cryodevice.frozen import maker
from cryodevice.quantities import U16, U32
from cryodevice.wire import registers
from cryodevice.wire.codes import Capability, Flag, Mode, State, Trip
from firmware_sim.firmware.lease import Lease
from firmware_sim.firmware.measurements import Measurements

TRIP_LATCHED: Final = int(Flag.TRIP_LATCHED)
_CONTACT, _TRIGGER, _ESTOP, _TIP = int(Flag.CONTACT), int(Flag.TRIGGER), int(Flag.ESTOP), int(Flag.TIP)
_FAN, _REACHED, _MOTION = int(Flag.FAN), int(Flag.SETPOINT_REACHED), int(Flag.MOTION)
_LEASE_LIVE, _RELAY = int(Flag.LEASE_LIVE), int(Flag.RELAY_CLOSED)
_WORST_I16: Final = 32767
_BLOCK: Final = registers.layout(registers.STATUS)
_in_order = itemgetter(*_BLOCK.names)
Values = dict[str, float | None]
"""Fields of a block by name; ``None`` is *not available*."""


@dataclass(frozen=True, slots=True)
class Tick:
    """What one completed firmware tick left behind, measurements apart.

    Args:
        sequence: Status sequence, u16.
        sampled_ms: When its measurements were taken, simulator's clock.
        uptime_ms: The same, since boot.
        flags: Flag bits but *lease live* and *relay closed*.
        faults: Fault bits.
        trip: Latched trip.
        trip_ordinal: Which trip that is, 0 when none is latched.
        cooling_s: Contact cooling since boot.
    """

    sequence: int = 0
    sampled_ms: int | None = None
    uptime_ms: int = 0
    flags: int = 0
    faults: int = 0
    trip: Trip = Trip.NONE
    trip_ordinal: int = 0
    cooling_s: int = 0


tick_of = maker(Tick)


class Live(NamedTuple):
    """What reflects the last order or a deliberate lie rather than the tick."""

    state: State
    lease_live: bool
    relay_closed: bool
    lease_remaining_ms: int
    uptime_ms: int
    bad_frames: int
    boot_id: int


def input_flags(measured: Measurements, have: int, *, reached: bool) -> int:
    """Flag bits of the inputs this wand has (``have``: capability bits); an input it lacks reads 0."""
    readings = measured.readings
    if readings is None:
        return 0
    bits = _ESTOP if readings.estop else 0
    if readings.contact and have & _HAS_CONTACT:
        bits |= _CONTACT
    if readings.trigger and have & _HAS_TRIGGER:
        bits |= _TRIGGER
    if readings.tip and have & _HAS_TIP:
        bits |= _TIP
    if readings.fan_running and have & _HAS_FAN:
        bits |= _FAN
    if readings.motion and have & _HAS_MOTION:
        bits |= _MOTION
    return bits | _REACHED if reached else bits


_HAS_CONTACT, _HAS_TRIGGER, _HAS_TIP = int(Capability.CONTACT), int(Capability.TRIGGER), int(Capability.TIP)
_HAS_FAN, _HAS_MOTION = int(Capability.FAN_TACHOMETER), int(Capability.MOTION)
_HAS_SKIN_IR, _HAS_HUMIDITY = int(Capability.SKIN_IR), int(Capability.HUMIDITY)
_STATES: Final = {Mode.OFF: State.ARMED, Mode.COOL: State.COOLING, Mode.WARM: State.WARMING}


def state_of(trip: Trip, mode: Mode, *, lease_live: bool) -> State:
    """State of status +3."""
    if trip is not Trip.NONE:
        return State.TRIPPED
    if not lease_live:
        return State.OFF
    return _STATES[mode]


def status_values(tick: Tick, measured: Measurements, lease: Lease, live: Live, have: int) -> Values:
    """The fields by name; ``have``: capability bits."""
    readings = measured.readings
    flags = tick.flags | (_LEASE_LIVE if live.lease_live else 0) | (_RELAY if live.relay_closed else 0)
    return {
        "sequence": tick.sequence,
        "uptime_ms": live.uptime_ms % U32,
        "state": live.state,
        "flags": flags,
        "faults": tick.faults,
        "trip_code": tick.trip,
        "plate_a_degc": measured.plate_a_degc,
        "plate_b_degc": measured.plate_b_degc,
        "skin_ir_degc": measured.skin_ir_degc if have & _HAS_SKIN_IR else None,
        "sink_degc": measured.sink_degc,
        "ambient_degc": measured.ambient_degc,
        "humidity_pct": measured.humidity_pct if have & _HAS_HUMIDITY else None,
        "drive_ma": None if readings is None else _i16(readings.drive_ma),
        "drive_mv": None if readings is None else _i16(readings.drive_mv),
        "fan_rpm": readings.fan_rpm if readings is not None and have & _HAS_FAN else None,
        "lease_remaining_ms": min(max(live.lease_remaining_ms, 0), U16 - 1),
        "setpoint_degc": lease.setpoint_degc,
        "order_sequence": lease.order_sequence,
        "supply_kpa": None,
        "distance_mm": None,
        "token": lease.token,
        "order_epoch": lease.epoch,
        "last_refusal": lease.last_refusal,
        "refusals": lease.refusals,
        "bad_frames": live.bad_frames % U16,
        "cooling_s": tick.cooling_s % U16,
        "boot_id_now": live.boot_id,
        "status_reserved_29": 0,
        "status_reserved_30": 0,
        "status_reserved_31": 0,
    }


def words_of(values: Values) -> list[int]:
    """The 32 registers.

    Raises:
        WireError: A value does not fit its register.
    """
    return _BLOCK.write(_in_order(values))


def _i16(count: int) -> int:
    """Saturated, as the converter saturates."""
    return min(max(count, -_WORST_I16), _WORST_I16)
