"""Statuses and identities of a wand that is well, to be changed in one place by a test."""

import json

from cryodevice.safety.events import Event, EventKind
from cryodevice.wire.blocks import Identity, Status
from cryodevice.wire.codes import Capability, Fault, Flag, State

WELL = Flag.TIP | Flag.FAN


def status(**changes) -> Status:
    values = {
        "sequence": 100,
        "uptime_ms": 10_000,
        "state": State.OFF,
        "flags": WELL,
        "faults": Fault(0),
        "trip_code": 0,
        "plate_a_degc": 20.0,
        "plate_b_degc": 20.1,
        "skin_ir_degc": 34.0,
        "sink_degc": 25.0,
        "ambient_degc": 24.0,
        "humidity_pct": 45.0,
        "drive_ma": 0,
        "drive_mv": 0,
        "fan_rpm": 4200,
        "lease_remaining_ms": 0,
        "setpoint_degc": None,
        "order_sequence": 0,
        "supply_kpa": None,
        "distance_mm": None,
        "token": 7,
        "order_epoch": 5,
        "last_refusal": 0,
        "refusals": 0,
        "bad_frames": 0,
        "cooling_s": 0,
        "boot_id": 3,
    }
    return Status(**{**values, **changes})


def identity(**changes) -> Identity:
    values = {
        "magic": 0x4357,
        "wire_version": 0x0100,
        "applicator": 0,
        "capabilities": Capability(0xFF),
        "serial_number": 1,
        "firmware_version": 0x0100,
        "firmware_patch": 0,
        "boot_id": 3,
        "simulated": False,
        "setpoint_min_degc": 2.0,
        "setpoint_max_degc": 40.0,
        "lease_max_ms": 1000,
        "cooling_max_s": 900,
        "calibration_day": 9000,
        "cold_cutout_degc": 1.0,
        "hot_cutout_degc": 42.0,
        "sink_cutout_degc": 55.0,
        "drive_max_ma": 4000,
        "tick_ms": 20,
        "plate_area_cm2": 10.0,
    }
    return Identity(**{**values, **changes})


UNKNOWN_AT_TIMES = {"sequence", "value", "low", "high", "lowest_skin_estimate_degc"}
"""Evidence that may be missing: of an order nobody knows any more, a value nobody knows, a range without an end."""


def told(events) -> None:
    """Every event says what, in words, with evidence that is there and can be written down."""
    for event in events:
        assert isinstance(event, Event)
        assert isinstance(event.kind, EventKind)
        assert isinstance(event.message, str)
        assert "None" not in event.message, event.message
        assert not [key for key, value in event.evidence.items() if value is None and key not in UNKNOWN_AT_TIMES], (
            event
        )
        json.dumps(dict(event.evidence), allow_nan=False)
