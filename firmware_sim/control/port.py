"""The port of the control: open at once, served as soon as the HTTP server has been imported beside the running wand.

The import takes 0.1 to 0.2 s, which nobody who wants a line should wait for. A request that comes before is not lost:
the system holds it.
"""

import asyncio
import importlib
import socket
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Self

from firmware_sim.control.bench import Bench
from firmware_sim.endpoints.loopback import Address, unavailable

_BACKLOG = 16


class ControlPort:
    """Serves the control of one wand on a loopback port; to be used as an asynchronous context manager.

    Args:
        bench: What requests act on.
        address: Where to listen.
        lines: Where the wand's lines are, for people who ask.

    Attributes:
        address: Where it listens, with the real port.

    Raises:
        PortUnavailableError: The port is taken or not permitted.
    """

    def __init__(self, bench: Bench, address: Address, lines: Mapping[str, str | None]) -> None:
        self._bench = bench
        self._lines = dict(lines)
        self.address = address

    async def __aenter__(self) -> Self:
        host, port = self.address.host, self.address.port
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        except OSError as error:
            raise unavailable("the control", self.address, error) from error
        self.address = Address(host, self._listener.getsockname()[1])
        self._ended = asyncio.Event()
        self._serving = asyncio.create_task(self._serve(), name="control")
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        with suppress(asyncio.CancelledError):
            await self._serving
        self._listener.close()

    async def _serve(self) -> None:
        try:
            server = await asyncio.to_thread(importlib.import_module, "firmware_sim.control.server")
        except ImportError as error:
            print(f"firmware-sim: the control cannot be served: {error}", file=sys.stderr)  # noqa: T201  # the wand lives on
            self._listener.close()
            return
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(server.ControlServer(self._bench, self._listener, self._lines))
            await self._ended.wait()
