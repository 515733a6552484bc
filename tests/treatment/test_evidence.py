import pytest

from cryodevice.treatment.evidence import acceptable
from tests.safety.samples import identity


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, ""),
        ({"wire_version": 0x01FF}, ""),
        ({"magic": 0x4358}, "not a wand: magic 0x4358"),
        ({"wire_version": 0x0200}, "wire version 2.0 is not 1.x"),
        ({"wire_version": 0x00FF}, "wire version 0.255 is not 1.x"),
        ({"applicator": 1}, "only plate applicators are driven"),
        ({"applicator": 2}, "only plate applicators are driven"),
    ],
)
def test_only_plate_wands_of_our_wire_version_are_acceptable(changes, says):
    why = acceptable(identity(**changes))
    assert why.startswith(says)
    assert bool(why) is bool(says)
