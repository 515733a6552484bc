"""A file descriptor on the event loop: the part of a link that serial ports and sockets share.

Does not open anything; a subclass does. The descriptor's reader stays registered while the link is open, so a hang-up
is noticed at once and its port released at once: a descriptor left registered after a hang-up is always ready and takes
a whole core, and one left open makes a replugged USB adapter come back under another name.
"""

import asyncio
import contextlib
import os
from abc import ABC, abstractmethod
from typing import Protocol

from cryodevice.errors import LinkClosedError, LinkTimeoutError
from cryodevice.quantities import Seconds
from cryodevice.transport.link import RECEIVE_LIMIT

_CHUNK = 16 * 1024
"""Most bytes read in one turn of the loop: a flood takes turns with everything else."""


class Handle(Protocol):
    """What a subclass opens: a non-blocking descriptor and its owner."""

    def fileno(self) -> int:
        """The descriptor."""
        ...

    def close(self) -> None:
        """Release it."""
        ...


class DescriptorLink(ABC):
    """A ``Link`` over any non-blocking descriptor. Hang-up is EOF or any read or write error."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._handle: Handle | None = None
        self._fd = -1
        self._loop: asyncio.AbstractEventLoop | None = None
        self._received = bytearray()
        self._incoming: asyncio.Future[bool] | None = None
        self._outgoing: asyncio.Future[bool] | None = None
        self._why_closed = "it was never opened"
        self._closings = 0

    @abstractmethod
    async def _acquire(self, deadline_s: Seconds) -> Handle:
        """Open the port; raises as ``Link.open`` does and leaks nothing when cancelled."""

    def _before_close(self, handle: Handle) -> None:  # noqa: B027  # only a serial port has something to do here
        """Last act on a handle that is about to be closed. Must not block."""

    @property
    def is_open(self) -> bool:
        """Whether bytes can move; false at once when the other end hangs up."""
        return self._handle is not None

    async def open(self, deadline_s: Seconds) -> None:
        """Open the line; see ``Link.open``."""
        if self._handle is not None:
            raise RuntimeError(f"{self.name} is open already")
        closings = self._closings
        handle = await self._acquire(deadline_s)
        if self.is_open or closings != self._closings:
            handle.close()
            raise LinkClosedError(f"{self.name} was closed while it was being opened", port=self.name)
        self._handle, self._fd = handle, handle.fileno()
        self._received.clear()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._fd, self._on_readable)

    async def send(self, data: bytes, deadline_s: Seconds) -> None:
        """Hand all of ``data`` to the operating system; see ``Link.send``."""
        rest = data
        while rest := rest[self._write(rest) :]:
            await self._until_writable(deadline_s, len(rest))

    async def receive(self, deadline_s: Seconds) -> bytes:
        """The bytes that have come, at least one; see ``Link.receive``."""
        if not self._received and not await self._until_readable(deadline_s):
            raise LinkTimeoutError(f"{self.name}: nothing came before the deadline", port=self.name)
        if not self._received:
            raise self._closed_error()
        data = bytes(self._received)
        self._received.clear()
        return data

    def discard(self) -> int:
        """Drop what has come and was not taken; see ``Link.discard``. Looks at no more than the receive limit."""
        dropped = len(self._received)
        self._received.clear()
        for _ in range(RECEIVE_LIMIT // _CHUNK):
            if self._handle is None:
                break
            self._on_readable()
            if not self._received:
                break
            dropped += len(self._received)
            self._received.clear()
        return dropped

    def close(self) -> None:
        """Release the port; see ``Link.close``."""
        self._closings += 1
        self._release("it was closed here")
        self._received.clear()

    def _write(self, data: bytes) -> int:
        if self._handle is None:
            raise self._closed_error()
        try:
            return os.write(self._fd, data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            self._release(error.strerror or str(error))
            raise self._closed_error() from error

    def _on_readable(self) -> None:
        try:
            data = os.read(self._fd, _CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._release(error.strerror or str(error))
            return
        if not data:
            self._release("the other end hung up")
            return
        self._received += data
        if len(self._received) > RECEIVE_LIMIT:
            del self._received[:-RECEIVE_LIMIT]
        _wake(self._incoming)

    async def _until_readable(self, deadline_s: Seconds) -> bool:
        """False at the deadline; true when there are bytes, or the line closed."""
        if self._handle is None or self._loop is None:
            raise self._closed_error()
        if self._incoming is not None:
            raise RuntimeError(f"two tasks receive from {self.name}")
        waiter: asyncio.Future[bool] = self._loop.create_future()
        self._incoming = waiter
        timer = self._loop.call_at(deadline_s, _expire, waiter)
        try:
            return await waiter
        finally:
            timer.cancel()
            self._incoming = None

    async def _until_writable(self, deadline_s: Seconds, left: int) -> None:
        if self._handle is None or self._loop is None:
            raise self._closed_error()
        if self._outgoing is not None:
            raise RuntimeError(f"two tasks send to {self.name}")
        waiter: asyncio.Future[bool] = self._loop.create_future()
        self._outgoing = waiter
        self._loop.add_writer(self._fd, _wake, waiter)
        timer = self._loop.call_at(deadline_s, _expire, waiter)
        try:
            in_time = await waiter
        finally:
            timer.cancel()
            self._outgoing = None
            # Left in place it would fire for ever once the line has drained.
            if self.is_open:
                self._loop.remove_writer(self._fd)
        if not in_time:
            raise LinkTimeoutError(f"{self.name} took no more bytes before the deadline", port=self.name, left=left)

    def _release(self, why: str) -> None:
        handle, self._handle = self._handle, None
        if handle is None:
            return
        self._why_closed = why
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
        self._fd = -1
        with contextlib.suppress(OSError):
            self._before_close(handle)
            handle.close()
        _wake(self._incoming)
        _wake(self._outgoing)

    def _closed_error(self) -> LinkClosedError:
        return LinkClosedError(f"{self.name} is closed: {self._why_closed}", port=self.name, why=self._why_closed)


def _wake(waiter: "asyncio.Future[bool] | None", *, outcome: bool = True) -> None:
    if waiter is not None and not waiter.done() and not waiter.get_loop().is_closed():
        waiter.set_result(outcome)


def _expire(waiter: "asyncio.Future[bool]") -> None:
    _wake(waiter, outcome=False)
