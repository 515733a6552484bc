"""Deliberate misbehaviours of the firmware, all off by default, for tests of what stands beside the wand.

They change what the firmware does or says, never the physics; physical faults are the plant's disturbances.
"""

from dataclasses import dataclass

from firmware_sim.plant.watched import Watched


@dataclass(slots=True)
class Quirks(Watched):
    """Mutable switches; each takes effect at once. ``None``, 0, 1.0 and ``False`` mean behaving well.

    Args:
        magic: What the identity block says instead of the truth; likewise the next ones up to ``firmware_version``.
            They are lies only: the firmware's own checks go by its true configuration.
        wire_version: Version 8.8.
        applicator: 0 plate, 1 jet.
        capabilities: Capability bits.
        simulated: 0 or 1.
        setpoint_min_degc: Lowest setpoint said to be accepted, degC.
        setpoint_max_degc: Highest, degC.
        calibration_day: Days since 2000-01-01.
        serial_number: u32.
        firmware_version: Version 8.8.
        unpowered: Nothing runs and all outputs are off.
        hung: The whole program hangs with the outputs as they are; only the independent relay timer still acts.
        relay_timer_dead: That timer does not act either.
        boot_id_reused: A boot does not count.
        hang_safety_task: Sequence and samples stop, drive and relay stay as they are, communication lives on; only the
            independent relay timer still acts.
        adc_frozen: No new samples, and honest about it: the sequence stops while everything else runs on.
        sampling_stopped: No new samples, but the sequence counts on as if there were.
        status_frozen: Every status reply repeats the words of the last one before the switch.
        lease_report_offset_ms: Added to the lease remaining that is reported, ms.
        lease_overrun_ms: The lease really ends this much after its deadline, ms.
        lease_from_arrival: The lease is counted from when the order came, not from the sample it echoes.
        ignores_stop: A stop is answered and counted as any other, and changes nothing.
        orders_unapplied: Orders other than a stop are answered as good and change nothing.
        refuse_orders: Orders other than a stop are refused for this reason, a value of status 24.
        setpoint_offset_k: An order's setpoint comes into force this much off, K.
        clock_rate: The wand's clock runs this many times as fast, above 0: leases are so much shorter, and what is left
            of them is told by that clock.
        uptime_rate: Reported uptime runs this many times as fast.
        uptime_offset_ms: Added to the reported uptime, ms.
        report_drive_off: Says that the drive is off, the relay open, no lease live, whatever is.
        report_plate_degc: Says that both plate channels show this, degC.
        report_no_faults: Says that there is no fault and no trip.
        regulate_offset_k: Added to the setpoint that the plate is held at, K.
        full_drive: Under a lease for cooling the drive is always the full one.
        fan_never_on: The fan is never switched on.
        drive_ignores_off: The drive stage keeps its last current when told off.
        supply_out_of_range: The supply monitor reports a fault.
        calibration_invalid: The stored calibration fails its check.
        cutouts_off: The firmware's own cut-outs trip on nothing; fault bits are still reported.
        trip_unlatched: A trip ends with its cause.
        drop_requests: Bytes from the host never arrive.
        drop_replies: Bytes to the host never leave.
    """

    magic: int | None = None
    wire_version: int | None = None
    applicator: int | None = None
    capabilities: int | None = None
    simulated: int | None = None
    setpoint_min_degc: float | None = None
    setpoint_max_degc: float | None = None
    calibration_day: int | None = None
    serial_number: int | None = None
    firmware_version: int | None = None
    unpowered: bool = False
    hung: bool = False
    relay_timer_dead: bool = False
    boot_id_reused: bool = False
    hang_safety_task: bool = False
    adc_frozen: bool = False
    sampling_stopped: bool = False
    status_frozen: bool = False
    lease_report_offset_ms: int = 0
    lease_overrun_ms: int = 0
    lease_from_arrival: bool = False
    ignores_stop: bool = False
    orders_unapplied: bool = False
    refuse_orders: int | None = None
    setpoint_offset_k: float = 0.0
    clock_rate: float = 1.0
    uptime_rate: float = 1.0
    uptime_offset_ms: int = 0
    report_drive_off: bool = False
    report_plate_degc: float | None = None
    report_no_faults: bool = False
    regulate_offset_k: float = 0.0
    full_drive: bool = False
    fan_never_on: bool = False
    drive_ignores_off: bool = False
    supply_out_of_range: bool = False
    calibration_invalid: bool = False
    cutouts_off: bool = False
    trip_unlatched: bool = False
    drop_requests: bool = False
    drop_replies: bool = False


IDENTITY_LIES = (
    "magic",
    "wire_version",
    "applicator",
    "capabilities",
    "simulated",
    "setpoint_min_degc",
    "setpoint_max_degc",
    "calibration_day",
    "serial_number",
    "firmware_version",
)
"""Quirks that replace a field of the identity block of the same name."""
