"""The wand's firmware, rule by rule: lease, cut-outs, regulator, relay timer. Its own numbers, none of the daemon's."""

from firmware_sim.firmware.firmware import BootCause, GoodFirmware
from firmware_sim.firmware.identity import PLATE_WAND, FirmwareConfig
from firmware_sim.firmware.misbehaving import Firmware
from firmware_sim.firmware.quirks import Quirks

__all__ = ["PLATE_WAND", "BootCause", "Firmware", "FirmwareConfig", "GoodFirmware", "Quirks"]
