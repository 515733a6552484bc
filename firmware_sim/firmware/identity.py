"""What the wand is: its identity block, and the true configuration behind it. No state that changes while it runs."""

from dataclasses import dataclass

from cryodevice.wire import registers
from cryodevice.wire.codes import Applicator, Capability
from firmware_sim.firmware import constants

PLATE_WAND = Capability(0x00FF)
"""Capabilities 0 to 7: everything but warm and the two of the jet."""


@dataclass(frozen=True, slots=True)
class FirmwareConfig:
    """What differs between wands of this firmware.

    Args:
        serial_number: u32.
        calibration_day: Days since 2000-01-01, u16.
        capabilities: What this wand has; the firmware's own checks go by it.
    """

    serial_number: int = 1
    calibration_day: int = 0
    capabilities: Capability = PLATE_WAND


def identity_values(config: FirmwareConfig, boot_id: int) -> dict[str, float | None]:
    """The fields of the identity block, by name."""
    return {
        "magic": registers.WIRE_MAGIC,
        "wire_version": registers.WIRE_VERSION,
        "applicator": Applicator.PLATE,
        "capabilities": config.capabilities,
        "serial_number": config.serial_number,
        "firmware_version": constants.FIRMWARE_VERSION,
        "firmware_patch": constants.FIRMWARE_PATCH,
        "boot_id": boot_id,
        "simulated": 1,
        "setpoint_min_degc": constants.SETPOINT_MIN_DEGC,
        "setpoint_max_degc": constants.SETPOINT_MAX_DEGC,
        "lease_max_ms": constants.LEASE_MAX_MS,
        "cooling_max_s": constants.COOLING_MAX_S,
        "calibration_day": config.calibration_day,
        "cold_cutout_degc": constants.PLATE_COLD_DEGC,
        "hot_cutout_degc": constants.PLATE_HOT_DEGC,
        "sink_cutout_degc": constants.SINK_HOT_DEGC,
        "drive_max_ma": constants.DRIVE_MAX_MA,
        "tick_ms": constants.TICK_MS,
        "plate_area_cm2": constants.PLATE_AREA_CM2,
    }
