"""The OpenAPI document: valid, and the same as what the server does, request by request."""

import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from firmware_sim.control import schemas
from firmware_sim.control.openapi import document
from firmware_sim.control.requests import PREPARED
from firmware_sim.control.routes import ROUTES

EXAMPLES: dict[str, Any] = {
    "getOverview": None,
    "getDocument": None,
    "getTruth": None,
    "getHand": None,
    "setHand": {"contact": True, "zone": "nose", "conductance_w_m2k": 500, "trigger": True, "motion": False},
    "getRandomHand": None,
    "holdAtRandom": {"zones": ["nose", "neck"], "glide": True, "surface": "gel", "seed": 3, "lifts_per_min": 6},
    "letGo": None,
    "getRoom": None,
    "setRoom": {"ambient_degc": -3.5, "humidity_pct": 80},
    "getFaults": None,
    "injectFault": {"name": "plate_offset", "values": {"offset_k": -2.5}, "start_s": 1, "duration_s": 2, "count": 3},
    "clearFaults": None,
    "clearFault": None,
    "getCatalogue": None,
    "getDisturbances": None,
    "setDisturbances": {"drive_stuck_a": 2.0, "fan_stalled": True},
    "getQuirks": None,
    "setQuirks": {"magic": 0x1111, "uptime_rate": 1.03, "setpoint_min_degc": None, "hang_safety_task": True},
    "reboot": {"cause": "watchdog"},
    "getClock": None,
    "setClock": {"speed": 2, "paused": True},
    "step": {"seconds": 0.1},
}
DOCUMENT = document()
OPERATIONS = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}


def check(schema: dict[str, Any], value: Any) -> None:
    Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(value)


def test_the_document_is_valid_openapi_3_1():
    OpenAPIV31SpecValidator(DOCUMENT).validate()
    broken = {**DOCUMENT, "paths": {"/truth": {"get": {"responses": {"200": {}}}}}}
    with pytest.raises(Exception, match="description"):
        OpenAPIV31SpecValidator(broken).validate()


def test_every_route_is_in_the_document_and_nothing_else():
    served = {(route.method, route.path) for route in ROUTES} | {("GET", path) for path in PREPARED}
    assert served == {(method, path) for method, path, _ in OPERATIONS.values()}
    assert set(EXAMPLES) == set(OPERATIONS)


@pytest.mark.parametrize("name", EXAMPLES)
async def test_every_request_does_what_the_document_says(served: Any, name: str):
    method, path, operation = OPERATIONS[name]
    number = served.wand.simulator.faults.inject(injection_of_a_relay())
    if name == "step":
        served.pacer.pause(True)
    body = EXAMPLES[name]
    if body is not None:
        check(operation["requestBody"]["content"]["application/json"]["schema"], body)
    else:
        assert not operation.get("requestBody", {}).get("required")
    answer = await served.ask(method, re.sub("{id}", str(number), path), body)
    (good,) = (status for status in operation["responses"] if status.startswith("2"))
    assert (answer.status, answer.headers["content-type"].split(";")[0]) == (int(good), "application/json")
    check(operation["responses"][good]["content"]["application/json"]["schema"], answer.json)
    if name == "getDocument":
        assert answer.json == DOCUMENT


UNITS = {
    "degc": "degC", "s": "s", "ms": "ms", "a": "A", "w": "W", "rpm": "rpm", "mm": "mm", "w_m2": "W/m2", "g_m2": "g/m2",
    "w_m2k": "W/m2 K", "degc_s": "degC s",
}  # fmt: skip
"""What the end of a key says its unit is; the longest end counts."""


def test_every_key_of_the_truth_is_described_with_its_unit(served: Any):
    truth = served.wand.simulator.truth()
    assert set(truth) == set(schemas.TRUTH["properties"])
    for zone in truth["zones"].values():
        assert set(zone) == set(schemas.ZONE_TRUTH["properties"])
    for name, schema in {**schemas.TRUTH["properties"], **schemas.ZONE_TRUTH["properties"]}.items():
        assert schema["description"], name
        if "number" in schema["type"]:
            ends = [end for end in UNITS if name.endswith(f"_{end}")]
            assert schema["x-unit"] == (UNITS[max(ends, key=len)] if ends else "1"), name


def injection_of_a_relay() -> Any:
    from firmware_sim.faults import injection  # noqa: PLC0415

    return injection("relay_welded")


async def test_an_empty_hand_changes_nothing_and_a_reply_shows_all(served: Any):
    before = served.wand.simulator.truth()
    answer = await served.ask("PATCH", "/hand", {})
    assert (answer.status, answer.json["zone"]) == (200, "forehead")
    assert served.wand.simulator.truth() == before


def test_a_schema_can_be_missed():
    with pytest.raises(Exception, match="Additional properties"):
        check({"$ref": "#/components/schemas/Boot"}, {"boot_id": 1, "more": 2})
    with pytest.raises(Exception, match="required"):
        check({"$ref": "#/components/schemas/Truth"}, {})
