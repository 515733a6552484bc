"""A request before it is looked at: where it comes from, what it asks, its body. Refuses browsers and oversize.

The control has no login, so a page in a browser on this machine must not reach it: a name that was made to lead here
has another Host, a page that posts has an Origin, and a form cannot send JSON.
"""

import asyncio
import ipaddress
import json
from http import HTTPStatus
from typing import Any, Final, NoReturn

from aiohttp import web

from firmware_sim.control.refused import RefusedError
from firmware_sim.control.routes import ROUTES, Route, allowed

MAX_BODY: Final = 16_384
"""Longest body, bytes; the longest useful one has under 1000."""
BODY_S: Final = 5.0
"""A body that has begun must be there by then."""
PREPARED: Final = ("/", "/openapi.json")


def local_only(request: web.BaseRequest) -> None:
    """Whether a program on this machine asks, and no page in a browser.

    Raises:
        RefusedError: Not so.
    """
    host = request.headers.get("Host", "")
    if not _is_loopback(host):
        raise RefusedError(
            f"the Host {host[:60]!r} is not this machine; ask 127.0.0.1, ::1 or localhost", HTTPStatus.FORBIDDEN
        )
    if "Origin" in request.headers or request.headers.get("Sec-Fetch-Site", "none") != "none":
        raise RefusedError("this is for programs on this machine, not for pages in a browser", HTTPStatus.FORBIDDEN)


def _is_loopback(host: str) -> bool:
    name, colon, port = host.rpartition(":")
    if not colon or not port.isdigit():
        name = host
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False


def find(method: str, path: str) -> tuple[Route, dict[str, int]]:
    """The route of a request, and the numbers in its path.

    Raises:
        RefusedError: There is none; says which paths or methods there are.
    """
    parts = tuple(path.split("/")[1:])
    routes = allowed(parts)
    for route in routes:
        if route.method == method:
            return route, route.numbers(parts) or {}
    if routes or path in PREPARED:
        methods = ", ".join(route.method for route in routes) or "GET"
        raise RefusedError(f"{path[:60]} understands {methods}, not {method[:20]}", HTTPStatus.METHOD_NOT_ALLOWED)
    paths = dict.fromkeys((*PREPARED, *(route.path for route in ROUTES)))
    raise RefusedError(f"there is no {path[:60]!r}; there are: {', '.join(paths)}", HTTPStatus.NOT_FOUND)


async def body_of(request: web.BaseRequest, route: Route) -> dict[str, Any]:
    """The checked members of a request's body; none where it has none.

    Raises:
        RefusedError: It is too long, comes too slowly, is no JSON object, or holds what the route does not allow.
    """
    if (request.content_length or 0) > MAX_BODY:
        _too_long()
    data = b""
    try:
        async with asyncio.timeout(BODY_S):
            while piece := await request.content.read(MAX_BODY + 1 - len(data)):
                data += piece
                if len(data) > MAX_BODY:
                    _too_long()
    except TimeoutError as error:
        raise RefusedError(f"the body did not come within {BODY_S:g} s", HTTPStatus.REQUEST_TIMEOUT) from error
    if route.body is None:
        if data:
            raise RefusedError(f"{route.method} {route.path} takes no body")
        return {}
    if not data and route.body_optional:
        return {}
    if request.content_type != "application/json" or request.headers.get("Content-Encoding"):
        raise RefusedError(
            "the body must be JSON, sent as Content-Type: application/json (curl --json does it)",
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        )
    return route.body.check(_object(data))


def _too_long() -> NoReturn:
    raise RefusedError(f"a body may have {MAX_BODY} bytes", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data, parse_constant=_no_number, object_pairs_hook=_once)
    except RecursionError as error:
        raise RefusedError("the body is nested too deeply; it is one flat JSON object") from error
    except ValueError as error:
        raise RefusedError(f"the body is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise RefusedError('the body must be a JSON object, such as {"contact": true}')
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member comes twice")
    return found
