"""What a lying firmware says instead of what it knows. Changes the values of a reply only, never what the wand does."""

from collections import Counter
from typing import Final

from cryodevice.quantities import U16, U32
from cryodevice.wire.codes import Flag, State, Trip
from firmware_sim.firmware.quirks import IDENTITY_LIES, Quirks
from firmware_sim.firmware.status_block import Values

_DRIVE_FLAGS: Final = int(Flag.LEASE_LIVE | Flag.RELAY_CLOSED)
_TRIP: Final = int(Flag.TRIP_LATCHED)


def tell(values: Values, quirks: Quirks, acted: Counter[str]) -> None:
    """Put the lies of a status in place, and count each that changes something."""
    if quirks.clock_rate != 1.0:
        remaining_ms = round(int(values["lease_remaining_ms"] or 0) * quirks.clock_rate)
        _say(values, acted, "clock_rate", lease_remaining_ms=min(max(remaining_ms, 0), U16 - 1))
    if quirks.lease_report_offset_ms:
        remaining_ms = int(values["lease_remaining_ms"] or 0) + quirks.lease_report_offset_ms
        _say(values, acted, "lease_report_offset_ms", lease_remaining_ms=min(max(remaining_ms, 0), U16 - 1))
    if quirks.uptime_rate != 1.0 or quirks.uptime_offset_ms:
        uptime_ms = round(int(values["uptime_ms"] or 0) * quirks.uptime_rate) + quirks.uptime_offset_ms
        name = "uptime_offset_ms" if quirks.uptime_offset_ms else "uptime_rate"
        _say(values, acted, name, uptime_ms=uptime_ms % U32)
    if quirks.report_drive_off:
        flags = int(values["flags"] or 0) & ~_DRIVE_FLAGS
        lie: Values = {"drive_ma": 0, "drive_mv": 0, "flags": flags, "lease_remaining_ms": 0, "setpoint_degc": None}
        if values["state"] != State.TRIPPED:
            lie["state"] = State.OFF
        _say(values, acted, "report_drive_off", **lie)
    if quirks.report_plate_degc is not None:
        _say(
            values,
            acted,
            "report_plate_degc",
            plate_a_degc=quirks.report_plate_degc,
            plate_b_degc=quirks.report_plate_degc,
        )
    if quirks.report_no_faults:
        lie = {"faults": 0, "trip_code": Trip.NONE, "flags": int(values["flags"] or 0) & ~_TRIP}
        if values["state"] == State.TRIPPED:
            lie["state"] = State.OFF
        _say(values, acted, "report_no_faults", **lie)


def tell_identity(values: Values, quirks: Quirks, acted: Counter[str]) -> None:
    """The same for the identity block."""
    for name in IDENTITY_LIES:
        lie = getattr(quirks, name)
        if lie is not None:
            _say(values, acted, name, **{name: lie})


def _say(values: Values, acted: Counter[str], quirk: str, **lie: float | None) -> None:
    if any(values[name] != value for name, value in lie.items()):
        acted[quirk] += 1
    values |= lie
