"""The catalogue of inputs: contact, trigger, e-stop, tip, motion. Each can say yes for ever, no for ever, or flicker."""

from typing import Final

from firmware_sim.faults.effect import Effect
from firmware_sim.faults.kinds import FaultKind
from firmware_sim.faults.parameters import Parameter, Values
from firmware_sim.faults.sample_effects import Fixed, Flicker

_FLICKER: Final = (
    Parameter("period_ms", 100.0, 20.0, 60_000.0, "ms"),
    Parameter("share_on", 0.6, 0.0, 1.0),
)


def _says(name: str, row: str, summary: str, **shown: object) -> FaultKind:
    return FaultKind(name, "sensor", (row,), summary, lambda values: Fixed(values, **shown))


def _flickers(name: str, row: str, of: str, summary: str) -> FaultKind:
    def new(values: Values) -> Effect:
        return Flicker(values, of)

    return FaultKind(name, "sensor", (row,), summary, new, _FLICKER)


KINDS: Final = (
    _says("contact_stuck", "S12", "The contact sensor says contact whatever the plate lies on.", contact=True),
    _says("contact_dead", "S13", "The contact sensor says no contact whatever the plate lies on.", contact=False),
    _flickers("contact_flicker", "S13", "contact", "Contact that is there drops out for a part of each period."),
    _says("trigger_stuck", "S12", "The trigger says held whatever the hand does.", trigger=True),
    _says("trigger_dead", "S13", "The trigger says released whatever the hand does.", trigger=False),
    _flickers("trigger_flicker", "S13", "trigger", "A trigger that is held drops out for a part of each period."),
    _says("estop_wire_cut", "A10", "The wire of the e-stop is cut: it says pressed.", estop=True),
    _says("estop_dead", "A10", "The e-stop says not pressed whatever the hand does.", estop=False),
    _says("tip_lost", "S13", "The tip sensor says that no tip is fitted.", tip=False),
    _flickers("tip_flicker", "S13", "tip", "The tip sensor drops out for a part of each period."),
    _says("motion_stuck", "S12", "The motion sensor says that the wand glides, also while it rests.", motion=True),
    _says("motion_dead", "S13", "The motion sensor says that the wand rests, also while it glides.", motion=False),
)
