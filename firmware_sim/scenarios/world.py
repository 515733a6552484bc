"""One wand, one serial line and one timeline under one time: lets it pass, and does on the way what is due.

No clock and no loop: time passes because ``pass_until`` is called. All times are whole nanoseconds inside.
"""

import hashlib
from collections import deque
from collections.abc import Callable

from firmware_sim.endpoints.serial_slave import SerialSlave
from firmware_sim.scenarios.actions import act, prepared
from firmware_sim.scenarios.model import Scenario
from firmware_sim.scenarios.watch import LOOK_S, Watch
from firmware_sim.simulator import Simulator

_NS = 1e9
_LOOK_NS = round(LOOK_S * _NS)


class World:
    """The world of one run.

    Args:
        scenario: What happens in it.
        simulator: The wand, at its time 0.
        ordered: Told of each ``order`` when it falls due.

    Attributes:
        watch: What has been true.
    """

    def __init__(self, scenario: Scenario, simulator: Simulator, ordered: Callable[[str], None]) -> None:
        self.simulator = simulator
        self.watch = Watch(simulator)
        self._ordered = ordered
        self._actions = deque(scenario.actions)
        self._slave = simulator.line("serial", SerialSlave(simulator.firmware))
        self._slave.attach(lambda: None, self._plug)
        self._plugged = True
        self._heard = b""
        self._look_ns = 0
        self._hash = hashlib.sha256()
        prepared(simulator, scenario.wand)

    @property
    def now_s(self) -> float:
        """Simulated time."""
        return self.simulator.time_s

    @property
    def digest(self) -> str:
        """SHA-256 of all bytes on the line with their times."""
        return self._hash.hexdigest()

    def send(self, data: bytes) -> None:
        """The host sends bytes; nobody is there to take them while the port is gone."""
        if self._plugged:
            self._note(">", data)
            self._hear(self._slave.feed(data))

    def heard(self) -> bytes:
        """What has come for the host since it last asked."""
        heard, self._heard = self._heard, b""
        return heard

    def pass_until(self, at_s: float, *, or_heard: bool = False) -> None:
        """Let time pass up to ``at_s``, or only until something has come for the host."""
        end_ns = round(at_s * _NS)
        while not (or_heard and self._heard):
            self._do_what_is_due()
            now_ns = self._now_ns()
            if now_ns >= end_ns:
                return
            due = [end_ns, self._look_ns]
            if self._actions:
                due.append(round(self._actions[0].at_s * _NS))
            patience_s = self._slave.patience_s
            speaks_ns = None if patience_s is None else now_ns + max(1, round(patience_s * _NS))
            if speaks_ns is not None:
                due.append(speaks_ns)
            next_ns = max(now_ns, min(due))
            self.simulator.advance((next_ns - now_ns) / _NS)
            if speaks_ns is not None and next_ns >= speaks_ns:
                self._hear(self._slave.silence())

    def _now_ns(self) -> int:
        return round(self.simulator.time_s * _NS)

    def _do_what_is_due(self) -> None:
        now_ns = self._now_ns()
        while self._actions and round(self._actions[0].at_s * _NS) <= now_ns:
            action = self._actions.popleft()
            act(self.simulator, action)
            if action.order:
                self._ordered(action.order)
        while self._look_ns <= now_ns:
            self.watch.look()
            self._look_ns += _LOOK_NS

    def _hear(self, data: bytes) -> None:
        if data and self._plugged:
            self._note("<", data)
            self._heard += data

    def _plug(self, there: bool) -> None:  # noqa: FBT001  # a plug is in or out
        self._plugged = there
        self._heard = b""

    def _note(self, way: str, data: bytes) -> None:
        self._hash.update(f"{self._now_ns()}{way}{data.hex()}\n".encode())
