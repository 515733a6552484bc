"""A rig whose every decision goes to a flight recorder, as the control loop would hand it over."""

from pathlib import Path

from cryodevice.records import FlightRecorder
from cryodevice.records.trip_shelf import TripShelf
from cryodevice.safety.limits import Zone
from cryodevice.treatment.program import Step, Treatment
from tests.system.rig import DEMO, Rig

SETTINGS = "5e" * 32
WALL_S = 1_795_000_000.0
QUICK = Treatment("quick", (Step(Zone.LEFT_CHEEK, 20.0, 20.0, 10.0),))
"""A plate that is ready at once."""


def recorded(rig: Rig, directory: Path, shelf: TripShelf | None = None) -> FlightRecorder:
    """The rig's recorder, open; records of one rig say when they were by its simulated time."""
    recorder = FlightRecorder(directory, rig.config, SETTINGS, lambda: WALL_S + rig.now, shelf)
    recorder.open()
    rig.follow = recorder.follow
    return recorder


def written(recorder: FlightRecorder) -> None:
    """Wait until what was handed over is on the disk."""
    assert recorder.writer.flush(10.0), recorder.failure


def records(directory: Path) -> list[Path]:
    """The records there, oldest first."""
    return [entry.path for entry in TripShelf(directory).entries()]


def estop_while_applying(directory: Path, treatment: Treatment = DEMO, lifted_s: float = 26.0) -> FlightRecorder:
    """The record of an e-stop on the skin, after a lift that makes it reach back as far as a record does."""
    rig = Rig(treatment=treatment)
    recorder = recorded(rig, directory)
    rig.to_applying(1.0)
    rig.sim.plant.contact = False
    rig.run(lifted_s)
    rig.sim.plant.contact = True
    rig.run(5.0)
    rig.sim.plant.estop = True
    rig.run(5.2)
    recorder.close()
    assert not recorder.failure
    return recorder
