"""Records that were said to be written survive kill -9 at any moment; what a kill leaves half written is no record."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cryodevice.records.trip_file import read
from cryodevice.records.trip_shelf import TripShelf
from cryodevice.treatment.replay import replayed, why_not_the_same
from tests.system.processes import ENVIRONMENT, ROOT
from tests.system.recording import records

CHILD = """
import sys
from pathlib import Path
from tests.records.test_recorder import tripped
from tests.system.recording import recorded, records, written
from tests.system.rig import Rig
rig = Rig()
directory = Path(sys.argv[1])
recorder = recorded(rig, directory)
rig.until(lambda: rig.core.link.claimed, 3.0)
print("open", flush=True)
for number in range(3):  # a wand takes three resets in ten minutes
    rig.run(1.0)
    tripped(rig)
    written(recorder)
    print(recorder.latest.record, flush=True)
"""


def kill_while_recording(directory: Path, number: int) -> int:
    """Kill a child that trips again and again; how many records it had said to be written."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(directory)],
        stdout=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT | {"PYTHONPATH": str(ROOT)},
        cwd=ROOT,
    )
    with child:
        try:
            assert child.stdout.readline() == "open\n"
            time.sleep(random.Random(number).uniform(0.0, 0.4))  # noqa: S311 - a moment, not a secret
        finally:
            child.send_signal(signal.SIGKILL)
        said = child.stdout.read().splitlines()
    there = records(directory)
    assert {path.name for path in there} >= set(said)
    for path in there:
        found = read(path)
        assert (found.damage, found.unreadable) == ("", "")
        assert why_not_the_same(found.trip, replayed(found.recorded.stretches, found.recorded.config)) == ""
    TripShelf(directory).sweep()
    assert sorted(path.name for path in directory.glob("*") if path.is_file()) == [path.name for path in there]
    return len(said)


@pytest.mark.campaign
@pytest.mark.timeout(600)
def test_what_was_written_survives_50_times_kill_9(tmp_path):
    said = [kill_while_recording(tmp_path / str(number), number) for number in range(50)]
    assert sum(count > 0 for count in said) >= 10, "too few children were killed after a record"
