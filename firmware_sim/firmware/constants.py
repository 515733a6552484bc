"""The firmware's own numbers: tick, lease, cut-outs, fan, regulator. Never imported from, nor shared with, the daemon.

Values without a source were chosen here and say *engineering default*. Source "wire" is docs/wire.md, *Firmware's own
constants* and *Rules of the lease*.
"""

from typing import Final

TICK_MS: Final = 20
"""Period of the safety task (wire)."""

ECHO_RING: Final = 128
"""Ticks carried by a reply whose sample times are kept (wire)."""
LEASE_MAX_MS: Final = 1000
"""Longest lease accepted: twice the daemon's usual 500 ms (engineering default)."""
RESETS_MAX: Final = 3
RESETS_WINDOW_MS: Final = 600_000
"""At most 3 accepted resets in 10 minutes (wire)."""

SETPOINT_MIN_DEGC: Final = 2.0
SETPOINT_MAX_DEGC: Final = 40.0
"""Setpoints accepted, closed range (wire)."""

PLATE_COLD_DEGC: Final = 1.0
"""Cut when the colder channel is below (wire)."""
PLATE_HOT_DEGC: Final = 42.0
"""Cut when the warmer channel is above (wire)."""
CHANNELS_APART_K: Final = 3.0
"""Cut when the plate channels differ by more (wire)."""
SINK_HOT_DEGC: Final = 55.0
"""Cut when the sink is above (wire)."""
THERMAL_DEBOUNCE_MS: Final = 60
"""A thermal condition must stand this long before it trips (wire)."""

DRIVE_MAX_A: Final = 4.0
DRIVE_MAX_MA: Final = 4000
"""Current clamp: below the optimum current of a half 12706 module on a small sink (Lineykin and Ben-Yaakov 2007)."""
OVER_CURRENT_MA: Final = 4400
"""Cut when the measured current is above 110 % of the maximum, either direction (wire)."""
CURRENT_PRESENT_MA: Final = 200
"""Measured current above this counts as drive: 5 % of the maximum, well over sensor noise (engineering default)."""
CURRENT_PERSISTS_MS: Final = 100
"""Current this long after off opens the relay and trips (wire)."""
RELAY_UNSERVED_MS: Final = 300
"""The independent timer opens the relay when firmware has not served it this long (wire)."""

SUPPLY_MIN_V: Final = 10.0
SUPPLY_MAX_V: Final = 14.0
"""Supply outside this closed range is out of range: 12 V and 2 V either way (engineering default)."""

COOLING_MAX_S: Final = 900
"""Longest contact cooling without a break (wire)."""
COOLING_BREAK_S: Final = 30
"""A pause of contact cooling this long starts the count anew (wire)."""

SENSOR_MIN_DEGC: Final = -40.0
SENSOR_MAX_DEGC: Final = 85.0
"""Range in which a 10 k NTC ratio is a temperature; colder reads as open, hotter as short (10 k B3950 table with 10 k
pull-up: ratio 0.976 at -40 degC, 0.098 at 85 degC)."""
SINK_SENSOR_MAX_DEGC: Final = 125.0
"""Upper end of the sink sensor's range (engineering default)."""

FAN_OFF_DEGC: Final = 35.0
"""The fan runs on until the sink is below (wire)."""
FAN_ON_DEGC: Final = 37.0
"""A sink this warm starts the fan by itself: 2 K above its end, so that it does not chatter (engineering default)."""
FAN_MIN_RPM: Final = 300
FAN_SPIN_UP_MS: Final = 2000
"""A fan switched on this long and slower than this is reported stopped (engineering default)."""

SETPOINT_BAND_K: Final = 0.5
"""Plate this close to the setpoint counts as reached (engineering default)."""
DERATE_FROM_DEGC: Final = 45.0
DERATE_TO_A: Final = 2.0
"""From this sink temperature to the sink cut-out the current clamp falls linearly to this: past the optimum current
more drive warms the plate (engineering default)."""

PLATE_AREA_CM2: Final = 10.0
FIRMWARE_VERSION: Final = 0x0100
FIRMWARE_PATCH: Final = 0
