"""The stretch of line between a port and its slave: every byte passes the chains of faults in both directions here.

To the port it is a slave like any other. What is late is told to the port as patience; the port then calls ``silence``.
"""

from collections.abc import Callable

from firmware_sim.endpoints.slave import Slave
from firmware_sim.faults.line import LineFaults

_SOONEST_S = 0.001
"""A port is never asked to come back sooner: simulated time may stand still while it waits."""
_ROUNDING_S = 1e-6


class FaultyLine(Slave):
    """A slave behind a line that may be faulty.

    Args:
        slave: Answers what gets through.
        faults: The chains of this line.
        now_s: Simulated time; the port has brought it up to date before each call.
        closed: Called once when the line is closed.
    """

    def __init__(
        self, slave: Slave, faults: LineFaults, now_s: Callable[[], float], closed: Callable[[LineFaults], None]
    ) -> None:
        self._slave = slave
        self._faults = faults
        self._now_s = now_s
        self._closed = closed
        self._fed_s = 0.0
        self.protocol = slave.protocol

    @property
    def out_of_step(self) -> bool:  # type: ignore[override]  # what a plain slave keeps, a line asks for
        """Whether the slave is, and all that it has said has been sent."""
        return self._slave.out_of_step and self._faults.to_host.empty

    @property
    def patience_s(self) -> float | None:
        """Until the slave has been left alone long enough, or until a late byte is there."""
        faults, patience_s = self._faults, self._slave.patience_s
        if faults.idle:
            return patience_s
        waits = [] if patience_s is None else [self._fed_s + patience_s]
        if faults.due_s is not None:
            waits.append(faults.due_s)
        return max(min(waits) - self._now_s(), _SOONEST_S) if waits else None

    def attach(self, wake: Callable[[], None], plug: Callable[[bool], None]) -> None:
        """The port that serves this line: how to wake it, and how to make it go away and come back."""
        self._faults.wake = wake
        self._faults.plug = plug
        if not self._faults.plugged:
            plug(False)

    def feed(self, data: bytes) -> bytes:
        """Bytes have come from the host; returns those that reach it now."""
        now_s = self._now_s()
        if self._faults.idle:
            self._fed_s = now_s
            return self._slave.feed(data)
        self._faults.from_host(data, now_s)
        return self._move(now_s)

    def silence(self) -> bytes:
        """Nothing has come from the host for ``patience_s``; returns what reaches it now."""
        return self._slave.silence() if self._faults.idle else self._move(self._now_s())

    def close(self) -> None:
        """The line is gone, with all that was under way on it."""
        self._closed(self._faults)

    def _move(self, now_s: float) -> bytes:
        faults, slave, until_s = self._faults, self._slave, now_s + _ROUNDING_S
        out = b"".join(faults.to_host.arrived(until_s))
        for piece in faults.to_wand.arrived(until_s):
            self._fed_s = now_s
            faults.from_wand(slave.feed(piece), now_s)
        patience_s = slave.patience_s
        if patience_s is not None and self._fed_s + patience_s <= until_s:
            self._fed_s = now_s
            faults.from_wand(slave.silence(), now_s)
        return out + b"".join(faults.to_host.arrived(until_s))
