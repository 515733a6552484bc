"""Bytes over TCP (``socket://host:port``) as a link: a serial line carried over it, or Modbus TCP. No RFC 2217, no TLS.

A half-open connection delivers nothing and raises nothing: the caller's deadlines notice it, the kernel's own time-out
closes it later.
"""

import asyncio
import contextlib
import errno
import os
import socket

from cryodevice.errors import LinkTimeoutError, PortUnavailableError
from cryodevice.quantities import Seconds
from cryodevice.transport.descriptor_link import DescriptorLink, Handle
from cryodevice.transport.off_loop import off_loop

_KEEPALIVE_IDLE_S, _KEEPALIVE_INTERVAL_S, _KEEPALIVE_PROBES = 5, 2, 3
"""A silent peer is given up by the kernel after 11 s (engineering default); link lost is decided long before, by
deadlines."""
_USER_TIMEOUT_MS = 5_000
"""Sent bytes not acknowledged for so long close the connection (engineering default)."""

_Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int] | tuple[str, int, int, int]]


class TcpLink(DescriptorLink):
    """One TCP connection to a wand, to a serial server before it, or to the simulator."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(f"socket://[{host}]:{port}" if ":" in host else f"socket://{host}:{port}")
        self._host = host
        self._port = port

    async def _acquire(self, deadline_s: Seconds) -> Handle:
        try:
            return await self._connect_any(deadline_s)
        except TimeoutError as error:
            raise LinkTimeoutError(
                f"{self.name} did not take the connection in time: is the host up, and a firewall in between?",
                port=self.name,
            ) from error
        except OSError as error:
            raise self._explain(error) from error

    async def _connect_any(self, deadline_s: Seconds) -> socket.socket:
        failure: OSError = OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
        for family, kind, protocol, _, address in await self._addresses(deadline_s):
            line = socket.socket(family, kind, protocol)
            try:
                line.setblocking(False)
                _tune(line)
                async with asyncio.timeout_at(deadline_s):
                    await asyncio.get_running_loop().sock_connect(line, address)
            except TimeoutError:
                line.close()
                raise
            except OSError as error:
                line.close()
                failure = error
            except BaseException:
                line.close()
                raise
            else:
                return line
        raise failure

    async def _addresses(self, deadline_s: Seconds) -> list[_Address]:
        try:
            return await off_loop(self._resolve, deadline_s, list.clear)
        except TimeoutError as error:
            raise LinkTimeoutError(
                f"{self.name}: the host name {self._host!r} was not looked up in time: is the name server reached?",
                port=self.name,
            ) from error

    def _resolve(self) -> list[_Address]:
        return socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)  # type: ignore[return-value]  # TCP

    def _explain(self, error: OSError) -> PortUnavailableError:
        if isinstance(error, socket.gaierror):
            why = f"the host name {self._host!r} is not known"
        elif error.errno == errno.ECONNREFUSED:
            why = "the host is up but nothing listens on that port: does the wand, its converter or firmware-sim run?"
        elif error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL):
            why = "no route to that host: check the cable, the address and the network"
        else:
            why = str(error)
        return PortUnavailableError(f"{self.name}: {why}", port=self.name, errno=error.errno, cause=str(error))


def _tune(line: socket.socket) -> None:
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    with contextlib.suppress(OSError):
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_IDLE_S)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE_INTERVAL_S)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _KEEPALIVE_PROBES)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)
