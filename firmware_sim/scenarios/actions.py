"""What can happen in a scenario: the switches of the hand, the room, restarts and faults; and how it is done to a wand.

What is *ordered* is not done here: that is for whoever guards the wand.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from firmware_sim.firmware import BootCause
from firmware_sim.scenarios.fields import AMBIENT, HUMIDITY, ZONE, Kind, Number, Switch, Text, Word
from firmware_sim.scenarios.model import Action, WandPlan
from firmware_sim.simulator import Simulator

ORDERS: Final = ("cool", "stop", "reset", "silent", "talk")
"""What whoever guards the wand can be told. *silent*: it says nothing more, as if dead; *talk*: it speaks again."""

SETS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "contact": Switch(),
        "zone": ZONE,
        "glide": Switch(),
        "trigger": Switch(),
        "estop": Switch(),
        "tip": Switch(),
        "gel": Switch(),
        "conductance_w_m2k": Number(0.0, 1e5, "W/m2K"),
        "ambient_degc": AMBIENT,
        "humidity_pct": HUMIDITY,
    }
)
"""Hand and room; all but *glide* are the plant's own names."""

OTHERS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "order": Word(ORDERS),
        "reboot": Word(tuple(cause.name.lower() for cause in BootCause)),
        "fault": Text(),
        "clear": Text(),
    }
)

_PLANT: Final = {"glide": "motion"}


def prepared(simulator: Simulator, plan: WandPlan) -> None:
    """Put the wand where the scenario begins."""
    simulator.plant.zone = plan.zone
    simulator.plant.humidity_pct = plan.humidity_pct


def act(simulator: Simulator, action: Action) -> None:
    """Do to the wand what happens now. Its time must have been brought up to date."""
    for name, value in action.sets.items():
        setattr(simulator.plant, _PLANT.get(name, name), value)
    if action.reboot:
        simulator.reboot(BootCause[action.reboot.upper()])
    if action.clear:
        for fault in simulator.faults.active():
            if action.clear in {"*", fault["name"]}:
                simulator.faults.clear(int(str(fault["id"])))
    if action.fault is not None:
        simulator.faults.inject(action.fault)
