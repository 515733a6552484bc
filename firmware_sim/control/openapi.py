"""The OpenAPI 3.1 document of the control, made from its table of requests. Nothing in it is written twice."""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from cryodevice import __version__
from firmware_sim.control.routes import ROUTES, Route
from firmware_sim.control.schemas import SCHEMAS

_JSON = "application/json"
_PREPARED: Sequence[tuple[str, str, str, str]] = (
    ("/", "getOverview", "What this is, where its lines are, what it understands.", "Overview"),
    ("/openapi.json", "getDocument", "This document.", "Document"),
)
"""What the server answers by itself: path, operation, summary, schema."""


def document() -> dict[str, Any]:
    """The whole document, ready for JSON."""
    paths: dict[str, dict[str, Any]] = {
        path: {"get": _operation(name, summary, schema, HTTPStatus.OK)} for path, name, summary, schema in _PREPARED
    }
    for route in ROUTES:
        operation = _operation(route.name, route.summary, route.reply, route.status, *_errors(route))
        if numbers := re.findall(r"{(\w+)}", route.path):
            operation["parameters"] = [
                {"name": name, "in": "path", "required": True, "schema": {"type": "integer", "minimum": 0}}
                for name in numbers
            ]
        if route.body is not None:
            content = {_JSON: {"schema": route.body.schema}}
            operation["requestBody"] = {"required": not route.body_optional, "content": content}
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "firmware-sim control",
            "version": __version__,
            "summary": "Live control of a simulated wand.",
            "description": "On loopback only, without a login: whoever is on this machine may break the simulated "
            "wand. Requests with an Origin, or for a Host that is not loopback, are refused. Bodies are JSON.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": dict(SCHEMAS)},
    }


def _errors(route: Route) -> tuple[HTTPStatus, ...]:
    bad = () if route.body is None else (HTTPStatus.BAD_REQUEST,)
    return (*bad, *route.refuses)


def _operation(name: str, summary: str, schema: str, status: HTTPStatus, *errors: HTTPStatus) -> dict[str, Any]:
    responses = {str(status.value): _response("Done." if status != HTTPStatus.OK else "As asked.", schema)}
    for error in errors:
        responses[str(error.value)] = _response("Refused; nothing has changed.", "Error")
    responses["default"] = _response("Refused before it was looked at.", "Error")
    return {"operationId": name, "summary": summary, "responses": responses}


def _response(description: str, schema: str) -> dict[str, Any]:
    return {"description": description, "content": {_JSON: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}}
