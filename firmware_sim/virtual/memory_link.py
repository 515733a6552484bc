"""A line to the wand in memory: the same bytes as on a real one, none of its chances. The host's end of it.

It has the shape of the daemon's ``Link``. Deadlines are instants of the running loop's clock, so it works in real time
too; on a virtual loop a whole exchange costs no turn of the loop unless the line is given a speed.
"""

import asyncio
from collections.abc import Callable

from cryodevice.errors import LinkClosedError, LinkTimeoutError, PortUnavailableError
from firmware_sim.endpoints.silence_timer import SilenceTimer
from firmware_sim.endpoints.slave import Slave

Tap = Callable[[float, str, bytes], None]
"""Told of all bytes that pass: when, ``>`` to the wand or ``<`` from it, which."""


class MemoryLink:
    """One line to one wand.

    Args:
        new_slave: The wand's end; asked for at the first opening, and at each one after it where it is not lasting.
        catch_up: Brings the wand's time to now; called before bytes or silence reach it.
        lasting: Whether the wand's end outlives a hang-up, as that of a serial line does; else it ends with it.
        name: What the host calls the port.
        byte_s: Time one byte takes on the line, s; 0: none. 115200 baud 8N1: 86.8e-6.
        tap: Told of all bytes that pass.

    Attributes:
        opened: When it was opened, or tried to be, on the loop's clock.
    """

    def __init__(
        self,
        new_slave: Callable[[], Slave],
        catch_up: Callable[[], None],
        *,
        lasting: bool = True,
        name: str = "memory",
        byte_s: float = 0.0,
        tap: Tap | None = None,
    ) -> None:
        self.name = name
        self.opened: list[float] = []
        self._new_slave = new_slave
        self._catch_up = catch_up
        self._lasting = lasting
        self._byte_s = byte_s
        self._tap = tap
        self._loop = asyncio.get_running_loop()
        self._silence = SilenceTimer(self._on_silence)
        self._slave: Slave | None = None
        self._up = True
        self._plugged = True
        self._open = False
        self._came = b""
        self._waiter: asyncio.Future[None] | None = None
        self._free_s = [0.0, 0.0]

    @property
    def is_open(self) -> bool:
        """Whether bytes can move."""
        return self._open

    @property
    def up(self) -> bool:
        """Whether the cable is in. Pulling it is a hang-up that the host sees at once."""
        return self._up

    @up.setter
    def up(self, up: bool) -> None:
        self._up = up
        if not up:
            self.close()

    async def open(self, deadline_s: float) -> None:
        """Open the line with nothing left in it from before.

        Raises:
            PortUnavailableError: The cable is out.
        """
        del deadline_s  # it opens at once
        self.opened.append(self._loop.time())
        self._catch_up()  # a port that was away may be back by now
        if self._slave is None and self._up:
            self._plugged = True
            self._slave = self._new_slave()
            self._slave.attach(self._woken, self._plug)
        if self._slave is None or not self._up or not self._plugged:
            raise PortUnavailableError(f"{self.name}: the cable is out; plug it in", port=self.name)
        self._open, self._came = True, b""
        self._listen_on()

    async def send(self, data: bytes, deadline_s: float) -> None:
        """Hand over all of ``data``.

        Raises:
            LinkClosedError: The line is closed.
        """
        del deadline_s  # it is taken at once
        slave = self._slave
        if not self._open or slave is None:
            raise LinkClosedError(f"{self.name}: the line is closed", port=self.name)
        self._travel(0, data, lambda: self._arrived(slave, data))

    async def receive(self, deadline_s: float) -> bytes:
        """The bytes that have come; waits for them until ``deadline_s``.

        Raises:
            LinkTimeoutError: Nothing came.
            LinkClosedError: The line is closed and all that came has been taken.
        """
        if not self._came and self._open:
            await self._wait_until(deadline_s)
        came, self._came = self._came, b""
        if came:
            return came
        if not self._open:
            raise LinkClosedError(f"{self.name}: the line is closed", port=self.name)
        raise LinkTimeoutError(f"{self.name}: nothing came in time", port=self.name)

    def discard(self) -> int:
        """Drop what has come and was not taken; how many bytes that was."""
        dropped, self._came = len(self._came), b""
        return dropped

    def close(self) -> None:
        """Release the line; wakes whoever waits."""
        self._open = False
        if self._slave is not None and not self._lasting:
            self._silence.set(None)
            self._slave.close()
            self._slave = None
        self._wake()

    async def _wait_until(self, deadline_s: float) -> None:
        self._waiter = self._loop.create_future()
        timer = self._loop.call_at(deadline_s, self._wake)
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _travel(self, way: int, data: bytes, arrive: Callable[[], None]) -> None:
        """Let bytes arrive now, or once a line of this speed has carried them and all before them the same way."""
        if not self._byte_s:
            arrive()
            return
        now_s = self._loop.time()
        self._free_s[way] = max(now_s, self._free_s[way]) + len(data) * self._byte_s
        self._loop.call_at(self._free_s[way], arrive)

    def _arrived(self, slave: Slave, data: bytes) -> None:
        if slave is not self._slave or not self._up:
            return  # a connection that is no more
        self._catch_up()
        if self._tap is not None:
            self._tap(self._loop.time(), ">", data)
        self._reply(slave, slave.feed(data))

    def _on_silence(self) -> None:
        if self._slave is not None:
            self._catch_up()
            self._reply(self._slave, self._slave.silence())

    def _listen_on(self) -> None:
        """Ask the wand's end anew when silence will mean something to it."""
        if self._slave is not None:
            self._catch_up()
            self._silence.set(self._slave.patience_s)

    def _woken(self) -> None:
        """The wand has something to say by itself; it says so while it is being advanced, so it is asked after that."""
        self._loop.call_soon(self._listen_on)

    def _plug(self, there: bool) -> None:  # noqa: FBT001  # a plug is in or out
        self._plugged = there
        if not there:
            self.close()

    def _reply(self, slave: Slave, data: bytes) -> None:
        self._silence.set(slave.patience_s)
        if data:
            self._travel(1, data, lambda: self._came_back(slave, data))
        if slave.out_of_step:
            self.close()

    def _came_back(self, slave: Slave, data: bytes) -> None:
        if slave is not self._slave or not self._open:
            return
        if self._tap is not None:
            self._tap(self._loop.time(), "<", data)
        self._came += data
        self._wake()
