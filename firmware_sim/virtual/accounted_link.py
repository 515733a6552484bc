"""A real line in virtual time: any link whose bytes are counted in and out, so that time stands while some are inside.

A pseudo-terminal gives bytes out when the kernel likes. A loop that jumps to the next timer meanwhile sees time-outs
that never were. Works only where both ends live in one process.
"""

from collections.abc import Awaitable
from typing import Protocol

from firmware_sim.virtual.loop import VirtualLoop


class RealLink(Protocol):
    """The host's link as far as it is used here."""

    @property
    def name(self) -> str:
        """The port."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether bytes can move."""
        ...

    def open(self, deadline_s: float) -> Awaitable[None]:
        """Open the line."""
        ...

    def send(self, data: bytes, deadline_s: float) -> Awaitable[None]:
        """Hand over all of ``data``."""
        ...

    def receive(self, deadline_s: float) -> Awaitable[bytes]:
        """The bytes that have come."""
        ...

    def discard(self) -> int:
        """Drop what has come; how many bytes that was."""
        ...

    def close(self) -> None:
        """Release the port."""
        ...


class AccountedLink:
    """The host's end of a line whose other end is accounted for too (``PtyPort(moved=loop.moved)``).

    Args:
        link: The host's own link to the port.
        loop: Whose time stands while bytes are in flight.
    """

    def __init__(self, link: RealLink, loop: VirtualLoop) -> None:
        self._link = link
        self._loop = loop

    @property
    def name(self) -> str:
        """The port."""
        return self._link.name

    @property
    def is_open(self) -> bool:
        """Whether bytes can move."""
        return self._link.is_open

    async def open(self, deadline_s: float) -> None:
        """Open the line; that takes real time and no virtual time."""
        release = self._loop.hold()
        try:
            await self._link.open(deadline_s)
        finally:
            release()

    async def send(self, data: bytes, deadline_s: float) -> None:
        """Hand over all of ``data``."""
        self._loop.moved(len(data))
        await self._link.send(data, deadline_s)

    async def receive(self, deadline_s: float) -> bytes:
        """The bytes that have come."""
        data = await self._link.receive(deadline_s)
        self._loop.moved(-len(data))
        return data

    def discard(self) -> int:
        """Drop what has come; how many bytes that was."""
        dropped = self._link.discard()
        self._loop.moved(-dropped)
        return dropped

    def close(self) -> None:
        """Release the port; what was in flight to it is nobody's."""
        self._link.close()
        self._loop.in_flight = 0
