"""What a fault may touch of a wand. Handles only; whoever builds the wand fills them in."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from firmware_sim.faults.line import LineFaults
from firmware_sim.faults.switches import Switches
from firmware_sim.plant import Plant


class FirmwareHandle(Protocol):
    """What a fault may touch of the firmware.

    Attributes:
        quirks: Its deliberate misbehaviours, by name.
        acted: How often each of them has made a difference.
        boot_id, sequence: As the next status says them.
    """

    quirks: Any
    acted: Counter[str]
    boot_id: int
    sequence: int

    @property
    def capabilities(self) -> int:
        """The bits the wand was made with."""
        ...

    @property
    def uptime_ms(self) -> int:
        """True time since the boot."""
        ...

    def reply_status(self, *, whole: bool = True) -> list[int]:
        """The status as another master reads it."""
        ...

    def receive(self, words: Sequence[int]) -> object:
        """Judge an order that has come by another way."""
        ...


@dataclass(slots=True)
class Wand:
    """Everything that a fault may break.

    Args:
        plant: Sensors, actuators, supply.
        firmware: The program.
        reboot: Boots the wand: ``power_on``, ``watchdog`` or ``brown_out``.
        now_ns: Simulated time.
        switches: Who holds which switch of the two records.
        lines: Those that are open.
    """

    plant: Plant
    firmware: FirmwareHandle
    reboot: Callable[[str], None]
    now_ns: Callable[[], int]
    switches: Switches = field(default_factory=Switches)
    lines: list[LineFaults] = field(default_factory=list)

    def record(self, of: str) -> Any:
        """The record of switches of ``plant`` or ``firmware``."""
        return self.plant.disturbances if of == "plant" else self.firmware.quirks
