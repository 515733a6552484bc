"""What the replies look like, as JSON Schema. Words and units only; the values come from the simulator."""

from collections.abc import Mapping
from typing import Any, Final

from firmware_sim.control import bench
from firmware_sim.control.random_hand import HOLD

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


def _measured(unit: str, what: str, *, kind: str = "number", null: bool = False) -> Schema:
    """A number with its unit, which a reader finds under ``x-unit`` too."""
    return {**_of(kind, f"{what} Unit: {unit}.", null=null), "x-unit": unit}


def _counted(what: str) -> Schema:
    return _measured("1", what, kind="integer")


def _coded(what: str) -> Schema:
    return _of("integer", what)


_DEGC, _S, _MS, _A = "degC", "s", "ms", "A"

ZONE_TRUTH: Final = _object(
    {
        "surface_degc": _measured(_DEGC, "Skin surface now."),
        "contact_s": _measured(_S, "With the plate on it, since the start."),
        "below_15_s": _measured(_S, "With its surface below 15 degC, since the start."),
        "below_10_s": _measured(_S, "With its surface below 10 degC, since the start."),
        "below_4_s": _measured(_S, "With its surface below 4 degC, since the start."),
        "d10_degc_s": _measured("degC s", "Integral of max(0, 10 - surface), since the start."),
        "lowest_degc": _measured(_DEGC, "Lowest surface since the start."),
        "flow": _measured("1", "Share of the resting blood flow that dermis and fat have now."),
        "ice_mm": _measured("mm", "Ice in it now, as the thickness of a layer frozen through."),
        "ice_s": _measured(_S, "With ice in it, since the start."),
    }
)

TRUTH: Final = _object(
    {
        "time_s": _measured(_S, "Simulated time since the start; all times *_s of the truth are of it."),
        "uptime_ms": _measured(_MS, "Since the last boot.", kind="integer"),
        "boot_id": _coded("The persisted boot counter."),
        "sequence": _coded("Status sequence of the last completed firmware tick."),
        "state": _of("string", "off, armed, cooling, warming or tripped."),
        "trip": _of("string", "The first cause, latched; none."),
        "trip_code": _coded("The same as it is on the wire; 0 for none."),
        "faults": {**_list(_of("string")), "description": "Fault bits that the firmware reports, by name."},
        "plate_degc": _measured(_DEGC, "The plate itself, whatever its sensors show."),
        "sink_degc": _measured(_DEGC, "The sink itself."),
        "skin_surface_degc": _measured(_DEGC, "Skin surface of the zone pointed at."),
        "skin_1mm_degc": _measured(_DEGC, "Of the zone pointed at, 1 mm deep."),
        "lowest_skin_degc": _measured(_DEGC, "Lowest surface of any zone since the start."),
        "liquid_degc": _measured(_DEGC, "Coolant; the sink's temperature in a wand cooled by air."),
        "flux_w_m2": _measured("W/m2", "Heat from skin into the plate in the last 10 ms; 0 off the skin."),
        "dew_point_degc": _measured(_DEGC, "Of the room: a plate colder than this gathers dew."),
        "dew_g_m2": _measured("g/m2", "Water on the plate."),
        "frost_g_m2": _measured("g/m2", "Ice on the plate."),
        "ambient_degc": _measured(_DEGC, "The room."),
        "drive_a": _measured(_A, "Current through the thermoelectric, + cools."),
        "drive_w": _measured("W", "Electrical power into the thermoelectric."),
        "drive_command_a": _measured(_A, "What the firmware asks for, + cools."),
        "drive_on_since_s": _measured(_S, "Since when current flows; null when it does not.", null=True),
        "drive_off_at_s": _measured(_S, "When current last went to zero; null when it never did.", null=True),
        "relay_closed": _of("boolean", "The cut-off relay is told to be closed."),
        "fan_on": _of("boolean", "The fan is powered."),
        "fan_rpm": _measured("rpm", "Speed of the fan's rotor."),
        "mode": _of("string", "Of the order in force: off, cool or warm."),
        "setpoint_degc": _measured(_DEGC, "Setpoint in force; null without one.", null=True),
        "lease_live": _of("boolean", "A lease stands that has not expired."),
        "lease_remaining_ms": _measured(_MS, "Until the lease ends; 0 without one.", kind="integer"),
        "deadline_s": _measured(_S, "Of the last order accepted with a lease; null before one.", null=True),
        "last_echo_sample_s": _measured(_S, "When the status that it names was sampled; null before one.", null=True),
        "token": _coded("Session token in force; 0 for none."),
        "order_epoch": _counted("Orders accepted from any master since boot, modulo 65536."),
        "orders_accepted": _counted("The same, not wrapped."),
        "refusals": _counted("Orders refused since boot, modulo 65536."),
        "last_refusal": _of("string", "Why the last of them was refused; none."),
        "bad_frames": _counted("Bad frames that the lines have brought since boot."),
        "cooling_s": _measured(_S, "Contact cooling since boot, as the firmware counts it.", kind="integer"),
        "zone": _of("string", "The zone pointed at."),
        "contact": _of("boolean", "The plate lies on it."),
        "conductance_w_m2k": _measured("W/m2 K", "Plate to skin, of this contact or the next."),
        "contact_s": {
            "type": "object",
            "additionalProperties": _measured(_S, "Contact since the start."),
            "description": "By zone.",
        },
        "zones": {
            "type": "object",
            "additionalProperties": _ref("ZoneTruth"),
            "description": "What has been done to each zone, and how it is now.",
        },
        "trigger": _of("boolean", "A hand holds the trigger."),
        "estop": _of("boolean", "The e-stop is pressed."),
        "tip": _of("boolean", "The tip is on the wand."),
        "motion": _of("boolean", "The wand moves over the skin."),
        "faults_active": {**_list(_ref("ActiveFault")), "description": "Injected faults that run or wait."},
        "simulated": {"type": "boolean", "const": True, "description": "Always: there is no real wand."},
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
    "ZoneTruth": ZONE_TRUTH,
    "Hand": _filled(bench.HAND.schema),
    "RandomHand": _object({"holds": _of("boolean"), "how": {"oneOf": [_filled(HOLD.schema), {"type": "null"}]}}),
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
