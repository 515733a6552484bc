"""The serial protocol on a TCP port of this machine, as a serial-to-network converter gives it. Moves bytes only."""

import asyncio
import socket
from collections.abc import Callable
from types import TracebackType
from typing import Self, cast

from firmware_sim.endpoints.loopback import Address, unavailable
from firmware_sim.endpoints.serial_slave import SerialSlave

MAX_CLIENTS = 8
"""Connections served at once; one more is closed as it comes (engineering default)."""
_UNREAD_MAX = 65536
"""A client that lets this many reply bytes lie unread is disconnected."""


class TcpPort:
    """Serves a slave of its own to each client; to be used as an asynchronous context manager.

    Args:
        new_slave: Makes the slave of one connection, so that their half frames never mix.
        catch_up: Called before received bytes are handled; brings the wand's time to now.
        address: Where to listen.

    Attributes:
        address: Where it listens, with the real port.
        clients: Connections now.

    Raises:
        PortUnavailableError: The port is taken or not permitted.
    """

    def __init__(self, new_slave: Callable[[], SerialSlave], catch_up: Callable[[], None], address: Address) -> None:
        self._new_slave = new_slave
        self._catch_up = catch_up
        self.address = address
        self.clients: set[_Client] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(self._client, self.address.host, self.address.port)
        except OSError as error:
            raise unavailable("serial over TCP", self.address, error) from error
        self._server = server
        self.address = Address(self.address.host, server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            for client in tuple(self.clients):
                client.abort()
            await self._server.wait_closed()

    def _client(self) -> "_Client":
        return _Client(self.clients, self._new_slave(), self._catch_up)


class _Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, clients: "set[_Client]", slave: SerialSlave, catch_up: Callable[[], None]) -> None:
        self._clients = clients
        self._slave = slave
        self._catch_up = catch_up
        self._transport: asyncio.Transport | None = None

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if len(self._clients) >= MAX_CLIENTS:
            self.abort()
            return
        self._clients.add(self)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        self._clients.discard(self)

    def data_received(self, data: bytes) -> None:
        self._catch_up()
        reply = self._slave.feed(data)
        if reply and self._transport is not None:
            self._transport.write(reply)
            if self._transport.get_write_buffer_size() > _UNREAD_MAX:
                self.abort()
