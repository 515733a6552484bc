"""A line in memory to a simulated wand: bytes take their time, and all time is the simulator's."""

from collections.abc import Callable
from typing import Any

from cryodevice.errors import LinkClosedError
from firmware_sim.simulator import Simulator

BYTE_S = 10 / 115200
REPLY_S = 0.0005


class MemoryLine:
    """The kit's line, and the wand's slave behind it.

    Args:
        simulator: Its time is the line's.
        new_slave: Makes the wand's end of the line, once at the start and once for each reopening.
        is_stream: Whether it is one that the wand can close.
        rate: How fast the line's clock runs beside the wand's.

    Attributes:
        reply_s: How long the wand takes over a reply.
    """

    def __init__(
        self, simulator: Simulator, new_slave: Callable[[], Any], *, is_stream: bool = False, rate: float = 1.0
    ) -> None:
        self.simulator = simulator
        self.is_stream = is_stream
        self._rate = rate
        self.reply_s = REPLY_S
        self._new_slave = new_slave
        self.closed = False
        self.reopen()

    def now(self) -> float:
        return self.simulator.time_s * self._rate

    def reopen(self) -> None:
        self._slave = self._new_slave()
        self._waiting = b""
        self._ready_s = 0.0
        self._last_s = self.now()

    def close(self) -> None:
        self.closed = True

    def send(self, data: bytes) -> None:
        if self._slave.out_of_step:
            raise LinkClosedError("closed by the wand")
        self._pass(self.now() + len(data) * BYTE_S)
        self._said(self._slave.feed(data))
        self._last_s = self.now()

    def sleep(self, duration_s: float) -> None:
        self._pass(self.now() + max(0.0, duration_s))

    def receive(self, until_s: float) -> bytes:
        while not self._waiting:
            if self._slave.out_of_step:
                raise LinkClosedError("closed by the wand")
            silent_s = self._silent_s()
            if silent_s is None or silent_s > until_s:
                self._pass(until_s)
                return b""
            self._pass(silent_s)
        if self._ready_s > until_s:
            self._pass(until_s)
            return b""
        self._pass(self._ready_s)
        data, self._waiting = self._waiting, b""
        return data

    def _said(self, data: bytes) -> None:
        if data:
            self._waiting += data
            self._ready_s = max(self._ready_s, self.now() + self.reply_s) + len(data) * BYTE_S

    def _silent_s(self) -> float | None:
        patience_s = self._slave.patience_s
        return None if patience_s is None else self._last_s + patience_s

    def _pass(self, until_s: float) -> None:
        """Let time pass to there, with the silences that fall into it."""
        silent_s = self._silent_s()
        if silent_s is not None and silent_s <= until_s:
            self._to(silent_s)
            self._said(self._slave.silence())
            self._last_s = self.now()
        self._to(until_s)

    def _to(self, time_s: float) -> None:
        if time_s > self.now():
            self.simulator.advance((time_s - self.now()) / self._rate)
