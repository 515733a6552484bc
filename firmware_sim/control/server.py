"""The HTTP server of the control: connections, bounds, JSON out. What requests mean stands in the table of routes."""

import asyncio
import inspect
import json
import logging
import socket
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self, cast

from aiohttp import web

from cryodevice import __version__
from cryodevice.errors import CryodeviceError
from firmware_sim.control.bench import Bench
from firmware_sim.control.openapi import document
from firmware_sim.control.refused import RefusedError
from firmware_sim.control.requests import body_of, find, local_only
from firmware_sim.control.routes import ROUTES, allowed

MAX_CLIENTS: Final = 16
"""Connections served at once (engineering default); one more is told so and sent away."""
IDLE_S: Final = 30.0
"""A connection that has begun no request for so long, or has not read the answer to its last, is closed."""
_SWEEP_S: Final = 1.0
_LINGER_S: Final = 1.0
_END_S: Final = 0.1
"""What is under way when the wand ends has so long to be answered."""
_MAX_LINE: Final = 4096
_log = logging.getLogger(__name__)


class ControlServer:
    """Serves the control of one wand on a socket that listens; to be used as an asynchronous context manager.

    Args:
        bench: What requests act on.
        listener: The socket; closed at the end.
        lines: Where the wand's lines are, for people who ask.
    """

    def __init__(self, bench: Bench, listener: socket.socket, lines: Mapping[str, str | None]) -> None:
        self._bench = bench
        self._lines = dict(lines)
        self._listener = listener
        self._document = document()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._http = _Http(self._handle)
        self._server = await loop.create_server(self._http.connection, sock=self._listener)
        self._sweeper = asyncio.create_task(self._http.sweep(), name="control, idle connections")
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        self._sweeper.cancel()
        with suppress(asyncio.CancelledError):
            await self._sweeper
        self._http.pre_shutdown()
        await self._http.shutdown(_END_S)
        await asyncio.sleep(0)  # what has been closed is told so in the loop's next turn
        await self._server.wait_closed()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self._http.seen(request)
        try:
            status, reply = await self._answer(request)
        except RefusedError as error:
            headers = {}
            if error.status == HTTPStatus.METHOD_NOT_ALLOWED:
                methods = [route.method for route in allowed(tuple(request.path.split("/")[1:]))]
                headers["Allow"] = ", ".join(methods or ["GET"])
            return _json(error.status, {"error": error.message}, headers)
        except CryodeviceError as error:
            return _json(HTTPStatus.BAD_REQUEST, {"error": error.message})
        return _json(status, reply)

    async def _answer(self, request: web.BaseRequest) -> tuple[HTTPStatus, dict[str, Any]]:
        local_only(request)
        if request.method == "GET" and request.path == "/openapi.json":
            return HTTPStatus.OK, self._document
        if request.method == "GET" and request.path == "/":
            return HTTPStatus.OK, self._overview()
        route, numbers = find(request.method, request.path)
        values = await body_of(request, route)
        self._bench.catch_up()
        reply = route.act(self._bench, **numbers, **values)
        return route.status, await reply if inspect.isawaitable(reply) else reply

    def _overview(self) -> dict[str, Any]:
        requests = [f"{route.method} {route.path}: {route.summary}" for route in ROUTES]
        return {
            "program": "firmware-sim",
            "version": __version__,
            "simulated": True,
            "lines": self._lines,
            "requests": [*requests, "GET /openapi.json: All of this as an OpenAPI document."],
        }


class _Http(web.Server):
    """aiohttp's server with bounds: so many connections, each only so long idle."""

    def __init__(self, handler: Any) -> None:
        super().__init__(
            handler,
            access_log=None,
            keepalive_timeout=IDLE_S,
            lingering_time=_LINGER_S,
            auto_decompress=False,
            max_line_size=_MAX_LINE,
            max_field_size=_MAX_LINE,
        )
        self._last_s: dict[asyncio.BaseProtocol, float] = {}
        self._full = set[asyncio.Transport]()

    def connection(self) -> asyncio.Protocol:
        """The protocol of one more connection."""
        if len(self.connections) >= MAX_CLIENTS:
            return _Full(self._full)
        return _Connection(self, loop=asyncio.get_running_loop(), **self._kwargs)

    async def shutdown(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  # aiohttp's signature
        """Close every connection."""
        for transport in self._full:
            transport.abort()
        await super().shutdown(timeout)

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """A client has come."""
        self._last_s[handler] = asyncio.get_running_loop().time()
        super().connection_made(handler, transport)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        """A client has gone."""
        self._last_s.pop(handler, None)
        super().connection_lost(handler, exc)

    def seen(self, request: web.BaseRequest) -> None:
        """A client has begun a request."""
        if request.protocol in self._last_s:
            self._last_s[request.protocol] = asyncio.get_running_loop().time()

    async def sweep(self) -> None:
        """Close what has been idle too long, for ever: half a head, nothing at all, an answer nobody reads."""
        while True:
            await asyncio.sleep(_SWEEP_S)
            now_s = asyncio.get_running_loop().time()
            for handler in self.connections:
                if now_s - self._last_s.get(handler, now_s) > IDLE_S:
                    handler.force_close()


class _Connection(web.RequestHandler):
    """One connection; what aiohttp refuses by itself is said in JSON too."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to a request that is no HTTP, or that met a mistake in this program."""
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            _log.error("%s %s", request.method, request.path, exc_info=exc)
            text = f"a mistake in firmware-sim, please report it: {type(exc).__name__}: {exc}"
        else:
            text = f"this is no HTTP request: {(message or str(exc)).splitlines()[0][:200]}"
        self.keep_alive(False)
        response = _json(HTTPStatus(status), {"error": text})
        response.force_close()
        return response


class _Full(asyncio.Protocol):
    """A connection too many: waits for its request, says why it is not answered, and closes."""

    def __init__(self, full: set[asyncio.Transport]) -> None:
        self._full = full

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It has come."""
        self._transport = cast("asyncio.Transport", transport)
        self._full.add(self._transport)
        asyncio.get_running_loop().call_later(_LINGER_S, self._transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        """It has gone."""
        self._full.discard(self._transport)

    def data_received(self, data: bytes) -> None:  # noqa: ARG002  # whatever it asks
        """It asks."""
        body = json.dumps({"error": f"{MAX_CLIENTS} connections are served at once; close one and ask again"}).encode()
        head = f"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self._transport.write(f"{head}Connection: close\r\n\r\n".encode() + body)
        self._transport.close()


def _json(status: HTTPStatus, reply: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> web.Response:
    """A response nobody keeps or guesses the type of."""
    return web.Response(
        body=json.dumps(reply, allow_nan=False).encode(),
        status=status.value,
        content_type="application/json",
        headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **(headers or {})},
    )
