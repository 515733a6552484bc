"""A fault on the lines: puts a byte filter into each line it is meant for, also into those that are opened later."""

from random import Random
from typing import Final

from firmware_sim.faults.effect import Effect
from firmware_sim.faults.filters import Silent
from firmware_sim.faults.line import ByteFilter, LineFaults
from firmware_sim.faults.parameters import Parameter, Values
from firmware_sim.faults.wand import Wand

LINE: Final = Parameter("line", "all", choices=("all", "serial", "serial_tcp", "modbus_rtu", "modbus_tcp", "memory"))
"""Which lines; a parameter of every fault of the link."""
DIRECTION: Final = Parameter("direction", "to_host", choices=("to_host", "to_wand", "both"))


class LinkEffect(Effect):
    """Filters of one kind in all lines.

    Args:
        values: Parameters; ``line`` among them, and ``direction`` unless it is given here.
        kind: The filter's class.
        direction: ``to_host``, ``to_wand`` or ``both``.
    """

    def __init__(self, values: Values, kind: type[ByteFilter], direction: str | None = None) -> None:
        super().__init__(values)
        self._kind = kind
        self._direction = str(values["direction"]) if direction is None else direction

    def begin(self, wand: Wand, now_s: float) -> None:
        for line in wand.lines:
            self.join(line, now_s)

    def join(self, line: LineFaults, now_s: float) -> None:
        """A line is there that was not when the fault began, or is there as it begins."""
        if not self.means(line):
            return
        for way, chain in (("to_wand", line.to_wand), ("to_host", line.to_host)):
            if self._direction in (way, "both"):
                chance = Random(f"{self.seed}/{line.name}/{line.number}/{way}")
                added = self._kind(self, line.protocol, chance)
                added.begin(now_s)
                chain.filters.append(added)
        line.wake()

    def means(self, line: LineFaults) -> bool:
        """Whether the fault is on this line."""
        return self.values["line"] in {"all", line.name}

    def end(self, wand: Wand, now_s: float) -> None:
        for line in wand.lines:
            line.take_out(self, now_s)


class Unplugged(LinkEffect):
    """The plug is out: the ports go away, and nothing passes where there is none."""

    def __init__(self, values: Values) -> None:
        super().__init__(values, Silent, "both")

    def join(self, line: LineFaults, now_s: float) -> None:
        super().join(line, now_s)
        if self.means(line):
            self.fire()
            line.pull()

    def end(self, wand: Wand, now_s: float) -> None:
        super().end(wand, now_s)
        for line in tuple(wand.lines):
            if self.means(line):
                line.put_back()


def reset_lines(wand: Wand, values: Values) -> None:
    """Pull the plug of the lines that are meant, and put it back at once."""
    for line in tuple(wand.lines):
        if values["line"] in {"all", line.name}:
            line.pull()
            line.put_back()
