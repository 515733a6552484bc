"""The catalogue of firmware: what it does wrong, and what it says that is not so."""

from collections.abc import Callable
from typing import Final

from firmware_sim.faults.effects import Act, FirmwareSwitches
from firmware_sim.faults.kinds import FaultKind
from firmware_sim.faults.parameters import Parameter, Values


def _quirk(name: str) -> Callable[[Values], FirmwareSwitches]:
    """A quirk that is on."""
    return lambda values: FirmwareSwitches(values, {name: True})


def _overrun(values: Values) -> FirmwareSwitches:
    return FirmwareSwitches(values, {"lease_overrun_ms": int(values["overrun_ms"])})


def _watchdog(values: Values) -> Act:
    return Act(values, lambda wand, _: wand.reboot("watchdog"))


KINDS: Final = (
    FaultKind(
        "safety_task_dead",
        "firmware",
        ("F02", "F03"),
        "The safety task hangs with the outputs as they are while communication lives on; the relay timer still acts.",
        _quirk("hang_safety_task"),
    ),
    FaultKind(
        "lease_overrun",
        "firmware",
        ("F10",),
        "A lease really ends this much after its deadline.",
        _overrun,
        (Parameter("overrun_ms", 200, 1, 65535, "ms", whole=True),),
    ),
    FaultKind(
        "watchdog_reset",
        "firmware",
        ("F01", "F02"),
        "The watchdog resets the wand.",
        _watchdog,
        count=1,
    ),
)
