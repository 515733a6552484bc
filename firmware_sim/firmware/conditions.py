"""The conditions of one tick as fault bits. Judges nothing: which of them trips, and when, is for the cut-outs."""

from cryodevice.wire.codes import Fault
from firmware_sim.firmware.constants import SUPPLY_MAX_V, SUPPLY_MIN_V
from firmware_sim.firmware.cutouts import current_conditions, plate_conditions, sink_conditions
from firmware_sim.firmware.measurements import Measurements
from firmware_sim.firmware.relay_timer import RelayTimer
from firmware_sim.plant import Samples

_ESTOP, _TIP, _FAN = int(Fault.ESTOP), int(Fault.TIP_MISSING), int(Fault.FAN_STOPPED)
_UNCOMMANDED, _DISOBEYS = int(Fault.DRIVE_UNCOMMANDED), int(Fault.RELAY_DISOBEYS)
_SKIN, _AMBIENT = int(Fault.SKIN_SENSOR), int(Fault.AMBIENT_SENSOR)
_SUPPLY = int(Fault.SUPPLY)


def conditions_of(measured: Measurements, readings: Samples, timer: RelayTimer, *, fan_stopped: bool) -> int:
    """Fault bits of this tick, without those that a boot has left.

    Args:
        measured: Values in force.
        readings: The sample they are from.
        timer: What the independent circuit has seen.
        fan_stopped: Whether a fan that should turn does not.
    """
    faults = (
        measured.sensor_faults
        | plate_conditions(measured.plate_a_degc, measured.plate_b_degc)
        | sink_conditions(measured.sink_degc)
        | current_conditions(readings.drive_ma)
    )
    if readings.estop:
        faults |= _ESTOP
    if not readings.tip:
        faults |= _TIP
    if timer.disobeyed:
        faults |= _DISOBEYS
    if timer.persists:
        faults |= _UNCOMMANDED
    if measured.skin_ir_degc is None and not readings.contact:  # under contact the window sees nothing
        faults |= _SKIN
    if measured.ambient_degc is None:
        faults |= _AMBIENT
    if fan_stopped:
        faults |= _FAN
    if not SUPPLY_MIN_V <= readings.supply_v <= SUPPLY_MAX_V:
        faults |= _SUPPLY
    return faults
