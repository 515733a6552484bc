"""Skin that jumps up from the cold is seen, skin that rewarms is not taken for it, and hidden skin is no skin."""

import pytest

from cryodevice.quantities import Seconds
from cryodevice.safety.freeze_watch import COLD_DEGC, NOTHING, WITHIN_S, FreezeWatch, followed
from cryodevice.safety.limits import FREEZE_RISEN_K
from cryodevice.safety.readings import read
from tests.safety.samples import status


def watched(*values, every_s=0.05):
    watch = FreezeWatch()
    for number, value in enumerate(values):
        watch = followed(watch, read(status(skin_ir_degc=value), Seconds(10.0 + number * every_s)))
    return watch


def test_a_jump_is_seen_at_once_and_while_it_is_young():
    assert watched(-1.2, -1.25, -0.5).risen_k == pytest.approx(0.75)
    ticks = round(WITHIN_S / 0.05)
    assert watched(-1.25, *[-0.5] * ticks).risen_k == pytest.approx(0.75)
    assert watched(-1.25, *[-0.5] * (ticks + 1)).risen_k == 0.0


def test_skin_that_falls_or_stands_shows_nothing():
    assert watched(1.0, 0.5, 0.0, -0.5).risen_k == 0.0
    assert watched(0.5, 0.6, 0.55).risen_k < FREEZE_RISEN_K


def test_warmer_skin_is_not_looked_at():
    assert watched(5.0, 9.0) == NOTHING
    assert watched(COLD_DEGC).seen
    assert watched(COLD_DEGC + 0.01) == NOTHING
    assert watched(-2.0, 5.0, 0.9).risen_k == 0.0, "what was before it was warm is forgotten"


def test_hidden_skin_is_forgotten():
    assert watched(-2.0, None) == NOTHING
    assert watched(-2.0, None, -0.5).risen_k == 0.0
