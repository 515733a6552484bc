"""What is foretold of a treatment is there while it is cold, and comes true."""

from dataclasses import replace

import pytest

from cryodevice.safety.limits import Zone
from cryodevice.treatment import outlook
from cryodevice.treatment.program import Step, Treatment
from tests.system.rig import Rig

RESTING = Treatment("t", (Step(Zone.NOSE, 8.0, 10.0, 5.0),))


def test_a_dwell_comes_when_it_was_foretold():
    rig = Rig(treatment=RESTING)
    rig.run(0.5)
    assert outlook.seconds_left(rig.core) == {}
    rig.to_applying(2.0)
    ahead, began = outlook.seconds_left(rig.core), rig.now
    assert next(iter(ahead)) == "static_dwell"
    rig.until(lambda: rig.core.contact.dwell_s > 10.0, 12.0)
    assert rig.now - began == pytest.approx(ahead["static_dwell"], abs=0.11)


def test_a_glide_and_an_unknown_plate():
    rig = Rig(treatment=RESTING)
    rig.to_applying(0.5)
    moving = replace(rig.core, contact=replace(rig.core.contact, moved_at_s=rig.core.now_s))
    assert "static_dwell" not in outlook.seconds_left(moving)
    assert outlook.seconds_left(replace(rig.core, reading=None)) == {}
