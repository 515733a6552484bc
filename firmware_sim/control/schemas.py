"""What the replies look like, as JSON Schema. Words and units only; the values come from the simulator."""

from collections.abc import Mapping
from typing import Any, Final

from firmware_sim.control import bench

Schema = dict[str, Any]


def _of(kind: str, what: str = "", *, null: bool = False) -> Schema:
    told: Schema = {"type": [kind, "null"] if null else kind}
    return {**told, "description": what} if what else told


def _object(properties: Mapping[str, Schema], *, more: bool = False) -> Schema:
    """All members are there, and no others unless ``more`` may come with a newer simulator."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": more,
    }


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _filled(body: Schema) -> Schema:
    """A reply with every member that a request may set."""
    return {**body, "required": list(body["properties"])}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


TRUTH: Final = _object(
    {
        "time_s": _of("number", "Simulated time since the start; all times *_s of the truth are of it."),
        "uptime_ms": _of("integer", "Since the last boot."),
        "boot_id": _of("integer"),
        "sequence": _of("integer", "Of the last completed firmware tick."),
        "state": _of("string", "off, armed, cooling, warming or tripped."),
        "trip": _of("string", "The first cause, latched; none."),
        "trip_code": _of("integer"),
        "faults": _list(_of("string", "A fault bit that the firmware reports.")),
        "plate_degc": _of("number"),
        "sink_degc": _of("number"),
        "skin_surface_degc": _of("number", "Of the zone pointed at."),
        "skin_1mm_degc": _of("number", "Of the zone pointed at, 1 mm deep."),
        "lowest_skin_degc": _of("number", "Lowest surface of any zone since the start."),
        "ambient_degc": _of("number"),
        "drive_a": _of("number", "Current through the thermoelectric, + cools."),
        "drive_command_a": _of("number", "What the firmware asks for."),
        "drive_on_since_s": _of("number", "Since when current flows; null when it does not.", null=True),
        "drive_off_at_s": _of("number", "When current last went to zero; null when it never did.", null=True),
        "relay_closed": _of("boolean"),
        "fan_on": _of("boolean", "The fan is powered."),
        "fan_rpm": _of("number"),
        "mode": _of("string", "Of the order in force."),
        "setpoint_degc": _of("number", null=True),
        "lease_live": _of("boolean"),
        "lease_remaining_ms": _of("integer"),
        "deadline_s": _of("number", "Of the last order accepted with a lease.", null=True),
        "last_echo_sample_s": _of("number", "When the status that it names was sampled.", null=True),
        "token": _of("integer"),
        "order_epoch": _of("integer"),
        "orders_accepted": _of("integer"),
        "refusals": _of("integer"),
        "last_refusal": _of("string"),
        "bad_frames": _of("integer"),
        "cooling_s": _of("number", "Contact cooling since boot, as the firmware counts it."),
        "zone": _of("string"),
        "contact": _of("boolean"),
        "contact_s": {"type": "object", "additionalProperties": _of("number"), "description": "By zone."},
        "trigger": _of("boolean"),
        "estop": _of("boolean"),
        "tip": _of("boolean"),
        "motion": _of("boolean"),
        "faults_active": _list(_ref("ActiveFault")),
        "simulated": {"type": "boolean", "const": True},
    },
    more=True,
)

_VALUE: Schema = {"type": ["number", "string"]}

SCHEMAS: Final[Mapping[str, Schema]] = {
    "Error": _object({"error": _of("string", "One sentence: what is wrong, and what is allowed.")}),
    "Overview": _object(
        {
            "program": _of("string"),
            "version": _of("string"),
            "simulated": {"type": "boolean", "const": True},
            "lines": {"type": "object", "additionalProperties": _of("string", null=True)},
            "requests": _list(_of("string")),
        }
    ),
    "Document": {"type": "object", "description": "This document."},
    "Truth": TRUTH,
    "Hand": _filled(bench.HAND.schema),
    "Room": _filled(bench.ROOM.schema),
    "Disturbances": _filled(bench.DISTURBANCES.schema),
    "Quirks": _filled(bench.QUIRKS.schema),
    "Boot": _object({"boot_id": _of("integer")}),
    "Clock": _object(
        {
            "time_s": _of("number", "Simulated time since the start."),
            "uptime_ms": _of("integer", "Since the last boot."),
            "speed": _of("number", "Simulated seconds in a real one."),
            "paused": _of("boolean"),
            "lost_s": _of("number", "What this machine was too slow for at the speed asked, simulated seconds."),
        }
    ),
    "ActiveFault": _object(
        {
            "id": _of("integer"),
            "name": _of("string"),
            "values": {"type": "object", "additionalProperties": _VALUE},
            "start_s": _of("number", "Simulated time."),
            "end_s": _of("number", "Simulated time; null: until cleared.", null=True),
            "running": _of("boolean", "False: it waits for its time."),
            "fired": _of("integer", "How often it has made a difference."),
        },
        more=True,
    ),
    "Faults": _object(
        {
            "active": _list(_ref("ActiveFault")),
            "fired": {
                "type": "object",
                "additionalProperties": _of("integer"),
                "description": "How often each kind has made a difference, those that have ended included.",
            },
        }
    ),
    "Injected": _object({"id": _of("integer", "To clear it by.")}),
    "Catalogue": _object(
        {
            "faults": _list(
                _object(
                    {
                        "name": _of("string"),
                        "where": _of("string"),
                        "rows": _list(_of("string", "Of the fault matrix.")),
                        "summary": _of("string"),
                        "count": _of("integer", "How often it fires before it ends by itself.", null=True),
                        "parameters": _list(
                            _object(
                                {
                                    "name": _of("string"),
                                    "unit": _of("string", null=True),
                                    "default": _VALUE,
                                    "low": _of("number", null=True),
                                    "high": _of("number", null=True),
                                    "choices": {"type": ["array", "null"], "items": _of("string")},
                                    "whole": _of("boolean", "Only whole numbers."),
                                },
                                more=True,
                            )
                        ),
                    },
                    more=True,
                )
            )
        }
    ),
}
