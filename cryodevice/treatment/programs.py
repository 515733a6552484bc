"""A program: typed steps of zones, plate, hold, rewarm and cycles, and the contacts they come to. Pure; runs nothing.

Whether the limits allow it is for ``program.objections``, what the skin makes of it for ``forecast``.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from cryodevice.safety.exposure import ANONYMOUS
from cryodevice.safety.limits import Zone
from cryodevice.treatment.program import SHORTEST_REWARM_S, Step, Treatment

MOST_CYCLES = 20
"""More cycles of one step than any session has time for."""


@dataclass(frozen=True, slots=True)
class ProgramStep:
    """The same cold on one zone or several, once or in cycles.

    Args:
        zones: Where, in this order.
        plate_degc: Plate setpoint, degC.
        hold_s: Contact of one zone in one cycle, s.
        rewarm_s: Time off the skin, drive off. From 30 s up each zone has as long between its contacts, and meanwhile
            the wand works the others; less is a pause in one contact, and each zone has all its cycles before the next.
        cycles: How often each zone is treated.
        glide: The plate is kept moving; else it rests on one spot.
    """

    zones: tuple[Zone, ...]
    plate_degc: float
    hold_s: float
    rewarm_s: float
    cycles: int = 1
    glide: bool = False

    @property
    def cycling(self) -> bool:
        """Whether its zones rewarm in turn, behind the cycle gate."""
        return self.cycles > 1 and self.rewarm_s >= SHORTEST_REWARM_S

    @property
    def gap_s(self) -> float:
        """Time off the skin between two contacts, s: in cycles only what the work on the other zones leaves of it."""
        if not self.cycling:
            return self.rewarm_s
        others = len(self.zones) - 1
        return max(0.0, (self.rewarm_s - others * self.hold_s) / (others + 1))


@dataclass(frozen=True, slots=True)
class Program:
    """Steps in their order, for anybody.

    Args:
        name: What it is called.
        steps: What is done.
        goal: What it is for, in a sentence that claims no medical effect.
    """

    name: str
    steps: tuple[ProgramStep, ...]
    goal: str = ""


def spread(program: Program, client: str = ANONYMOUS) -> Treatment:
    """The treatment a program comes to: one contact after the other."""
    contacts = tuple(
        contact for number, step in enumerate(program.steps, start=1) for contact in _contacts(step, number)
    )
    return Treatment(program.name, contacts, client)


def _contacts(step: ProgramStep, number: int) -> Iterator[Step]:
    """The contacts of one step; after its last one all of the rewarm time passes."""
    if step.cycling:
        order = step.zones * step.cycles
        give_up_s = step.gap_s + step.rewarm_s  # what is left of 2 x rewarm_s when the contact before it ends
    else:
        order = tuple(zone for zone in step.zones for _ in range(step.cycles))
        give_up_s = 0.0
    for place, zone in enumerate(order, start=1):
        last = place == len(order)
        yield Step(
            zone,
            step.plate_degc,
            step.hold_s,
            step.rewarm_s if last else step.gap_s,
            step.glide,
            0.0 if last else give_up_s,
            number,
        )
