"""What every line to a wand can do: move bytes before a deadline. Does not know what the bytes mean.

Deadlines are instants of the running loop's clock (``asyncio.get_running_loop().time()``), never durations and never
wall-clock time, so the same code runs on a loop whose time is virtual.
"""

from typing import Protocol

from cryodevice.quantities import Seconds

RECEIVE_LIMIT = 64 * 1024
"""Most bytes a link keeps that nobody has taken, bytes; beyond it the oldest are dropped. Row L08 of the fault matrix:
a flood must cost neither memory nor ticks. 250 times the longest frame (engineering default)."""


class Link(Protocol):
    """One line to one wand. One task sends and receives; ``close`` may be called from anywhere on the loop."""

    @property
    def name(self) -> str:
        """The port as the user wrote it."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether bytes can move; false at once when the other end hangs up."""
        ...

    async def open(self, deadline_s: Seconds) -> None:
        """Open the line with nothing left in it from before. A link may be opened again after it closed.

        Raises:
            PortUnavailableError: Absent, busy, not permitted, refused, or no such port; says what to do.
            LinkTimeoutError: The operating system did not open it before ``deadline_s``.
        """
        ...

    async def send(self, data: bytes, deadline_s: Seconds) -> None:
        """Hand all of ``data`` to the operating system.

        Raises:
            LinkTimeoutError: Not all of it was taken before ``deadline_s``; part of it may be on the line.
            LinkClosedError: The line is closed, or closed meanwhile.
        """
        ...

    async def receive(self, deadline_s: Seconds) -> bytes:
        """The bytes that have come, at least one; waits for them until ``deadline_s``.

        Raises:
            LinkTimeoutError: Nothing came before ``deadline_s``.
            LinkClosedError: The line is closed and all that came before has been taken.
        """
        ...

    def discard(self) -> int:
        """Drop what has come and was not taken, in the operating system's buffer too; how many bytes that was."""
        ...

    def close(self) -> None:
        """Release the port. Wakes whoever waits with ``LinkClosedError``. Closing a closed link does nothing."""
        ...
