"""The firmware's own cut-outs: conditions seen in a tick, their debounce, and the latched first trip.

Knows no lease, no outputs and none of the daemon's limits. Each row of ``ROWS`` is one cut-out; a condition for *safe*
is a closed range, so that a reading that is no number trips.
"""

from dataclasses import dataclass
from typing import Final

from cryodevice.wire.codes import Fault, Trip
from firmware_sim.firmware.constants import (
    CHANNELS_APART_K,
    COOLING_BREAK_S,
    COOLING_MAX_S,
    OVER_CURRENT_MA,
    PLATE_COLD_DEGC,
    PLATE_HOT_DEGC,
    SINK_HOT_DEGC,
    THERMAL_DEBOUNCE_MS,
    TICK_MS,
)

LONGEST_COOLING: Final = 1 << 31
"""Condition *cooled too long*: it trips but has no fault bit on the wire."""
_PLATE_SENSORS = int(Fault.PLATE_A_OPEN | Fault.PLATE_A_SHORT | Fault.PLATE_B_OPEN | Fault.PLATE_B_SHORT)
_COLD, _HOT, _APART = int(Fault.PLATE_COLD), int(Fault.PLATE_HOT), int(Fault.CHANNELS_APART)
_SINK_HOT, _SINK_SENSOR = int(Fault.SINK_HOT), int(Fault.SINK_SENSOR)
_OVER_CURRENT = int(Fault.OVER_CURRENT)


@dataclass(frozen=True, slots=True)
class Row:
    """One cut-out: these condition bits, standing this long, latch this trip."""

    conditions: int
    trip: Trip
    debounce_ms: int = 0


ROWS: Final = (
    Row(int(Fault.ESTOP), Trip.ESTOP),
    Row(_PLATE_SENSORS, Trip.PLATE_SENSOR),
    Row(_COLD, Trip.PLATE_COLD, THERMAL_DEBOUNCE_MS),
    Row(_HOT, Trip.PLATE_HOT, THERMAL_DEBOUNCE_MS),
    Row(_APART, Trip.CHANNELS_APART, THERMAL_DEBOUNCE_MS),
    Row(_SINK_HOT, Trip.SINK_HOT, THERMAL_DEBOUNCE_MS),
    Row(_SINK_SENSOR, Trip.SINK_SENSOR),
    Row(_OVER_CURRENT, Trip.OVER_CURRENT),
    Row(int(Fault.RELAY_DISOBEYS), Trip.RELAY),
    Row(int(Fault.DRIVE_UNCOMMANDED), Trip.DRIVE_UNCOMMANDED),
    Row(LONGEST_COOLING, Trip.LONGEST_COOLING),
    Row(int(Fault.SUPPLY), Trip.SUPPLY),
    Row(int(Fault.CALIBRATION), Trip.CALIBRATION),
)
"""In the order in which conditions that mature in the same tick are taken for the first cause. Lease expiry (trip 1)
and watchdog (14) are events, not conditions, and latch directly."""
TRIPPING: Final = sum(row.conditions for row in ROWS)
"""Every condition that trips."""


def plate_conditions(plate_a_degc: float | None, plate_b_degc: float | None) -> int:
    """Thermal condition bits of the plate; a channel without a value leaves the other to be judged alone."""
    a = plate_b_degc if plate_a_degc is None else plate_a_degc
    b = plate_a_degc if plate_b_degc is None else plate_b_degc
    if a is None or b is None:
        return 0
    bits = 0
    if not (a >= PLATE_COLD_DEGC and b >= PLATE_COLD_DEGC):
        bits |= _COLD
    if not (a <= PLATE_HOT_DEGC and b <= PLATE_HOT_DEGC):
        bits |= _HOT
    if not -CHANNELS_APART_K <= a - b <= CHANNELS_APART_K:
        bits |= _APART
    return bits


def sink_conditions(sink_degc: float | None) -> int:
    """Condition bits of the sink."""
    if sink_degc is None:
        return _SINK_SENSOR
    return 0 if sink_degc <= SINK_HOT_DEGC else _SINK_HOT


def current_conditions(drive_ma: int) -> int:
    """Condition bits of the measured current, either direction."""
    return 0 if -OVER_CURRENT_MA <= drive_ma <= OVER_CURRENT_MA else _OVER_CURRENT


class Cutouts:
    """Debounces conditions and latches the first trip until it is cleared.

    Attributes:
        trip: The first cause, latched; ``Trip.NONE`` when none.
        ordinal: How many trips have latched since boot; with ``trip`` it names this one trip.
        present: Condition bits of the last tick, undebounced; ``LONGEST_COOLING`` among them.
    """

    def __init__(self) -> None:
        self.trip = Trip.NONE
        self.ordinal = 0
        self.present = 0
        self._since_ms: dict[Trip, int] = {}

    @property
    def cause_present(self) -> bool:
        """Whether any condition that trips stands now, debounced or not."""
        return bool(self.present & TRIPPING)

    def judge(self, present: int, now_ms: int) -> None:
        """Take one tick's conditions; latch what has stood long enough."""
        self.present = present
        if not present & TRIPPING:
            self._since_ms.clear()
            return
        for row in ROWS:
            if not present & row.conditions:
                self._since_ms.pop(row.trip, None)
            elif now_ms - self._since_ms.setdefault(row.trip, now_ms) >= row.debounce_ms:
                self.latch(row.trip)

    def latch(self, trip: Trip) -> None:
        """Latch a trip; one already latched stays the first cause."""
        if self.trip is Trip.NONE:
            self.trip = trip
            self.ordinal += 1

    def clear(self) -> None:
        """Forget the latched trip. Whether that is allowed was decided before."""
        self.trip = Trip.NONE


class CoolingClock:
    """Contact cooling without a long enough break, and in all since boot."""

    def __init__(self) -> None:
        self._run_ms = 0
        self._break_ms = 0
        self._total_ms = 0

    @property
    def total_s(self) -> int:
        """Contact cooling since boot, whole seconds."""
        return self._total_ms // 1000

    def tick(self, *, cooling_on_skin: bool) -> int:
        """Count one firmware tick; returns ``LONGEST_COOLING`` when the run is longer than it may be, else 0."""
        if cooling_on_skin:
            self._run_ms += TICK_MS
            self._total_ms += TICK_MS
            self._break_ms = 0
        else:
            self._break_ms += TICK_MS
            if self._break_ms >= COOLING_BREAK_S * 1000:
                self._run_ms = 0
        return LONGEST_COOLING if self._run_ms > COOLING_MAX_S * 1000 else 0
