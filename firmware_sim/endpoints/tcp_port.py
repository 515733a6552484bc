"""A TCP port of this machine with a slave for each connection. Moves bytes only."""

import asyncio
import socket
import struct
from collections.abc import Callable
from types import TracebackType
from typing import Self, cast

from firmware_sim.endpoints.loopback import Address, unavailable
from firmware_sim.endpoints.silence_timer import SilenceTimer
from firmware_sim.endpoints.slave import Slave

MAX_CLIENTS = 8
"""Connections served at once (engineering default)."""
_UNREAD_MAX = 65536
"""A client that lets this many reply bytes lie unread is disconnected."""
_CHUNK = 4096
"""Most bytes handled in one turn of the loop, so that a flood on one line keeps no other waiting."""


class TcpPort:
    """Serves a slave of its own to each client; to be used as an asynchronous context manager.

    Args:
        new_slave: Makes the slave of one connection, so that their half frames never mix.
        catch_up: Called before received bytes are handled; brings the wand's time to now.
        address: Where to listen.
        what: What is served, as an error names it.
        eldest_gives_way: Whether, at the limit, the client idle longest is disconnected for a new one, those that never
            asked for anything first. Else the new one is closed as it comes.

    Attributes:
        address: Where it listens, with the real port.
        clients: Connections now, the one idle longest first.

    Raises:
        PortUnavailableError: The port is taken or not permitted.
    """

    def __init__(
        self,
        new_slave: Callable[[], Slave],
        catch_up: Callable[[], None],
        address: Address,
        what: str = "serial over TCP",
        *,
        eldest_gives_way: bool = False,
    ) -> None:
        self._new_slave = new_slave
        self._catch_up = catch_up
        self._what = what
        self._eldest_gives_way = eldest_gives_way
        self.address = address
        self.clients: dict[_Client, None] = {}
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(self._client, self.address.host, self.address.port)
        except OSError as error:
            raise unavailable(self._what, self.address, error) from error
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
        return _Client(self, self._new_slave(), self._catch_up)

    def enter(self, client: "_Client") -> bool:
        """A client has come; returns whether it may stay."""
        if len(self.clients) >= MAX_CLIENTS:
            if not self._eldest_gives_way:
                return False
            eldest = next((other for other in self.clients if not other.has_asked), next(iter(self.clients)))
            self.leave(eldest)
            eldest.abort()
        self.clients[client] = None
        return True

    def leave(self, client: "_Client") -> None:
        """A client has gone."""
        self.clients.pop(client, None)

    def answered(self, client: "_Client") -> None:
        """A client has had an answer: all others have been idle longer."""
        if client in self.clients:
            del self.clients[client]
            self.clients[client] = None


class _Client(asyncio.BufferedProtocol):
    """One connection."""

    def __init__(self, port: TcpPort, slave: Slave, catch_up: Callable[[], None]) -> None:
        self._port = port
        self._slave = slave
        self._catch_up = catch_up
        self._transport: asyncio.Transport | None = None
        self._silence = SilenceTimer(self._on_silence)
        self._view = memoryview(bytearray(_CHUNK))
        self.has_asked = False

    def abort(self) -> None:
        """Disconnect at once; replies not yet sent are lost."""
        self._silence.set(None)
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if not self._port.enter(self):
            self.abort()
            return
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._slave.attach(self._listen_on, self._plug)
        self._listen_on()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        self._silence.set(None)
        self._slave.close()
        self._port.leave(self)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  # asyncio's signature
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        self._catch_up()
        self._send(self._slave.feed(bytes(self._view[:nbytes])))

    def _on_silence(self) -> None:
        self._catch_up()
        self._send(self._slave.silence())

    def _send(self, replies: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if replies:
            self.has_asked = True
            self._port.answered(self)
            self._transport.write(replies)
        if self._slave.out_of_step:
            self._transport.close()
        elif self._transport.get_write_buffer_size() > _UNREAD_MAX:
            self.abort()
        else:
            self._listen_on()

    def _plug(self, there: bool) -> None:  # noqa: FBT001  # a plug is in or out
        """A plug that is pulled resets the connection; for half an open one there is a fault of its own."""
        if not there and self._transport is not None:
            now = struct.pack("ii", 1, 0)  # linger for no time: what closes sends a reset
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
            self.abort()

    def _listen_on(self) -> None:
        self._silence.set(self._slave.patience_s)
