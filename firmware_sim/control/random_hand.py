"""A hand that holds the wand by itself, with its lifts, slips and crossings: what may be asked of it. Moves nothing."""

from collections.abc import Sequence
from typing import Any, Final

from cryodevice.bioheat import ZONES
from firmware_sim.control.fields import Body, Choice, Number, Several, Switch, Whole
from firmware_sim.control.refused import RefusedError
from firmware_sim.plant.hand import Habits, Hand
from firmware_sim.plant.individual import Conductance

_USUAL: Final = Habits()
_HABITS: Final = {
    "lifts_per_min": Number(0.0, 600.0),
    "lift_s": Number(0.01, 600.0),
    "slips_per_min": Number(0.0, 600.0),
    "spread": Number(0.0, 2.0),
    "crossings_per_min": Number(0.0, 600.0),
}
HOLD: Final = Body(
    "random hand",
    {
        "zones": Several(tuple(ZONES)),
        "glide": Switch(),
        "surface": Choice(("dry", "gel", "light")),
        "seed": Whole(0, 2**63 - 1),
        **_HABITS,
    },
    required=("zones",),
)
MOVES: Final = ("contact", "zone", "conductance_w_m2k", "motion")
"""What such a hand decides, and nobody else while it holds the wand."""


def described(given: dict[str, Any]) -> dict[str, Any]:
    """What was asked, and the usual where nothing was.

    Raises:
        RefusedError: Several zones without a glide.
    """
    habits = {name: getattr(_USUAL, name) for name in _HABITS}
    told = {"glide": False, "surface": "gel" if given.get("glide") else "dry", "seed": 0, **habits, **given}
    if len(told["zones"]) > 1 and not told["glide"]:
        raise RefusedError('zones: a hand that does not glide holds the plate on one; say "glide": true')
    return told


def hand_of(told: dict[str, Any], conductance: Conductance, now_s: float) -> Hand:
    """The hand described, which takes hold now."""
    zones: Sequence[str] = told["zones"]
    habits = Habits(**{name: told[name] for name in _HABITS})
    hand = Hand(told["seed"], zones[0], habits, conductance)
    if told["glide"]:
        hand.glide(now_s, zones, told["surface"])
    else:
        hand.lay(now_s, zones[0], told["surface"])
    return hand
