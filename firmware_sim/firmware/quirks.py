"""Deliberate misbehaviours of the firmware, all off by default, for tests of what stands beside the wand.

They change what the firmware does or says, never the physics; physical faults are the plant's disturbances.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Quirks:
    """Mutable switches; each takes effect at once. ``None``, 0, 1.0 and ``False`` mean behaving well.

    Args:
        magic: What the identity block says instead of the truth; likewise the next ones up to ``calibration_day``.
            They are lies only: the firmware's own checks go by its true configuration.
        wire_version: Version 8.8.
        applicator: 0 plate, 1 jet.
        capabilities: Capability bits.
        simulated: 0 or 1.
        setpoint_min_degc: Lowest setpoint said to be accepted, degC.
        setpoint_max_degc: Highest, degC.
        calibration_day: Days since 2000-01-01.
        hang_safety_task: Sequence and samples stop, drive and relay stay as they are, communication lives on; only the
            independent relay timer still acts.
        status_frozen: Every status reply repeats the words of the last one before the switch.
        lease_report_offset_ms: Added to the lease remaining that is reported, ms.
        lease_overrun_ms: The lease really ends this much after its deadline, ms.
        setpoint_offset_k: An order's setpoint comes into force this much off, K.
        uptime_rate: Reported uptime runs this many times as fast.
        drive_ignores_off: The drive stage keeps its last current when told off.
        supply_out_of_range: The supply monitor reports a fault.
        calibration_invalid: The stored calibration fails its check.
        cutouts_off: The firmware's own cut-outs trip on nothing; fault bits are still reported.
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
    hang_safety_task: bool = False
    status_frozen: bool = False
    lease_report_offset_ms: int = 0
    lease_overrun_ms: int = 0
    setpoint_offset_k: float = 0.0
    uptime_rate: float = 1.0
    drive_ignores_off: bool = False
    supply_out_of_range: bool = False
    calibration_invalid: bool = False
    cutouts_off: bool = False
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
)
"""Quirks that replace a field of the identity block of the same name."""
