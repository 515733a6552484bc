"""Keeps what is true of a wand while a scenario runs, for judging and for plotting. Looking changes nothing.

One look each firmware tick, at temperatures each fifth; the times of the drive are the wand's own, to the millisecond.
"""

from dataclasses import dataclass, field

from cryodevice.wire.codes import Fault, Trip
from firmware_sim.firmware.constants import TICK_MS
from firmware_sim.simulator import Simulator

LOOK_S = TICK_MS / 1000.0


@dataclass(frozen=True, slots=True)
class Look:
    """What was true at one moment."""

    at_s: float
    plate_degc: float
    sink_degc: float
    skin_degc: float
    skin_1mm_degc: float
    drive_a: float
    contact: bool


@dataclass
class Watch:
    """What has been true so far.

    Args:
        simulator: The wand.
        keep_every: How many looks go to one row of temperatures.

    Attributes:
        looks: Temperatures, one row each 100 ms if looks are one a tick.
        drive: When current began to flow and when it stopped, in turn: (time, flows).
        trips: Each trip when it was latched, by name.
        faults: Names of the fault bits that were set at any time, with the first time.
        relay: When the relay closed and opened, in turn.
        lowest_skin_degc: Lowest true surface temperature of any zone.
    """

    simulator: Simulator
    keep_every: int = 5
    looks: list[Look] = field(default_factory=list)
    drive: list[tuple[float, bool]] = field(default_factory=list)
    trips: list[tuple[float, str]] = field(default_factory=list)
    faults: dict[str, float] = field(default_factory=dict)
    relay: list[tuple[float, bool]] = field(default_factory=list)
    lowest_skin_degc: float = float("inf")
    _count: int = 0
    _flows: bool = False
    _trip: Trip = Trip.NONE
    _bits: int = 0
    _closed: bool = False

    def look(self) -> None:
        """Take note of what is true now."""
        simulator = self.simulator
        firmware, plant, now_s = simulator.firmware, simulator.plant, simulator.time_s
        if self._count % self.keep_every == 0:
            truth = plant.truth()
            self.lowest_skin_degc = truth.lowest_skin_degc
            self.looks.append(
                Look(
                    now_s,
                    truth.plate_degc,
                    truth.sink_degc,
                    truth.skin_surface_degc,
                    truth.skin_1mm_degc,
                    truth.drive_a,
                    truth.contact,
                )
            )
        self._count += 1
        self._note_drive()
        if firmware.cutouts.trip is not self._trip:
            self._trip = firmware.cutouts.trip
            if self._trip is not Trip.NONE:
                self.trips.append((now_s, self._trip.name.lower()))
        fresh = firmware.completed.faults & ~self._bits
        if fresh:
            self._bits |= fresh
            for fault in Fault(fresh):
                self.faults[str(fault.name).lower()] = now_s
        if plant.relay_closed is not self._closed:
            self._closed = plant.relay_closed
            self.relay.append((now_s, self._closed))

    def _note_drive(self) -> None:
        since_s, off_s = self.simulator.drive_times
        if (since_s is not None) is self._flows:
            return
        self._flows = not self._flows
        at_s = since_s if self._flows else off_s
        self.drive.append((self.simulator.time_s if at_s is None else at_s, self._flows))

    def drove(self, from_s: float, until_s: float) -> tuple[float, float] | None:
        """The first stretch of drive current inside the window, ends excluded; ``None`` if there is none."""
        began_s: float | None = None
        for at_s, flows in [*self.drive, (float("inf"), False)]:
            if flows:
                began_s = at_s
            elif began_s is not None:
                if max(began_s, from_s) < min(at_s, until_s):
                    return began_s, at_s
                began_s = None
        return None

    def between(self, from_s: float, until_s: float) -> list[Look]:
        """Looks inside the window."""
        return [look for look in self.looks if from_s <= look.at_s <= until_s]
