"""What leaves: its shape, its size, and that nothing in it is not a number."""

import json
import math
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from cryodevice.quantities import Channel, Seconds
from cryodevice.runtime.ports import TripNote
from cryodevice.safety.exposure import NOTHING, ZoneExposure
from cryodevice.safety.interlocks import TABLE
from cryodevice.safety.limits import Zone
from cryodevice.safety.readings import read
from cryodevice.safety.verdict import Action
from cryodevice.telemetry.compose import Composer
from cryodevice.telemetry.pacing import state_key
from cryodevice.telemetry.payloads import (
    MAX_BYTES,
    Payload,
    PayloadTooLargeError,
    PublisherStatistics,
    encode,
    payload_schemas,
)
from cryodevice.telemetry.topics import DELIVERY, Topic, full_topic
from cryodevice.telemetry.values import plain, utc
from cryodevice.wire.codes import Fault, Flag, Trip

STATISTICS = PublisherStatistics(
    protocol="5", reconnects=0, published=9, queue_depth=0, dropped=0, refused=0, failed=0, last_error=""
)


@pytest.fixture
def composer() -> Composer:
    return Composer("wand-1", "abcd")


def tree(payload: Payload) -> dict[str, Any]:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} has left")

    return json.loads(encode(payload), parse_constant=refuse)


TYPES = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
    "object": dict,
    "array": list,
}


def check(value: Any, schema: dict[str, Any], root: dict[str, Any], where: str = "$") -> None:
    """As much of JSON Schema as the payloads' schemas use; an unknown word in a schema is an error."""
    if "$ref" in schema:
        check(value, root["$defs"][schema["$ref"].rsplit("/", 1)[1]], root, where)
        return
    known = {"type", "title", "description", "default", "anyOf", "enum", "items", "properties", "required"}
    known |= {"additionalProperties", "$defs", "$id"}
    assert not schema.keys() - known, schema.keys() - known
    if "anyOf" in schema:
        assert any(fits(value, option, root) for option in schema["anyOf"]), (where, value)
        return
    assert value in schema.get("enum", [value]), where
    if "type" in schema:
        assert isinstance(value, TYPES[schema["type"]]), (where, value, schema)
        assert isinstance(value, bool) is (schema["type"] == "boolean"), (where, value)
    if schema.get("type") == "object":
        assert not set(schema.get("required", ())) - value.keys(), where
        for key, item in value.items():
            inner = schema.get("properties", {}).get(key, schema.get("additionalProperties", False))
            assert inner is not False, f"{where}.{key} is not in the schema"
            check(item, inner, root, f"{where}.{key}")
    for item in value if schema.get("type") == "array" else ():
        check(item, schema["items"], root, f"{where}[]")


def fits(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    try:
        check(value, schema, root)
    except AssertionError:
        return False
    return True


def every(composer: Composer, samples: Any, snapshot: Any) -> dict[Topic, Payload]:
    return {
        Topic.TELEMETRY: composer.telemetry(snapshot),
        Topic.STATE: composer.state(snapshot),
        Topic.INFO: composer.info(snapshot),
        Topic.EVENT: composer.event(samples.event(1, why={"limit": 2.0, "seen": [1, None]})),
        Topic.HEALTH: composer.health(snapshot, [0.1, 0.3], STATISTICS),
    }


def test_every_payload_is_of_its_schema_and_says_which(composer: Composer, samples: Any) -> None:
    schemas = payload_schemas()
    assert schemas.keys() == {topic.value for topic in Topic}
    rich = replace(
        samples.snapshot(),
        findings=(samples.finding(),),
        lockout=samples.lockout,
        permit=False,
        alarms=samples.alarms("skin_stop", "trigger"),
    )
    bare = replace(samples.snapshot(), reading=None, identity=None, exposure=MappingProxyType({}))
    for snapshot in (samples.snapshot(), rich, bare):
        for topic, payload in every(composer, samples, snapshot).items():
            told = tree(payload)
            check(told, schemas[topic], schemas[topic])
            assert told["schema"] == {"name": f"cryodevice.{topic}", "version": 1}
            assert schemas[topic]["$id"] == f"urn:cryodevice:{topic}:1"
            assert told["device_id"] == "wand-1"
            assert set(schemas[topic]["required"]) <= told.keys()


def test_a_schema_refuses_what_is_not_in_it(composer: Composer, samples: Any) -> None:
    schema = payload_schemas()["state"]
    told = tree(composer.state(samples.snapshot()))
    for spoilt in (
        {**told, "extra": 1},
        {key: told[key] for key in told if key != "permit"},
        {**told, "permit": "yes"},
    ):
        with pytest.raises(AssertionError):
            check(spoilt, schema, schema)


def test_the_state_names_the_record_of_the_last_trip(composer: Composer, samples: Any) -> None:
    note = TripNote("000007-20261125T163000Z-estop.jsonl", "estop", 1_795_624_200.0)
    told = tree(composer.state(replace(samples.snapshot(), trip=note)))
    assert told["last_trip"] == {"record": note.record, "cause": "estop", "time": "2026-11-25T16:30:00.000Z"}
    assert tree(composer.state(samples.snapshot()))["last_trip"] is None


def test_readings_say_value_unit_quality_and_age(composer: Composer, samples: Any) -> None:
    told = tree(composer.telemetry(samples.snapshot()))["readings"]
    assert told.keys() >= {channel.value for channel in Channel}
    assert told["plate_a_degc"] == {"value": 8.02, "unit": "degC", "quality": "fresh", "age_s": 0.02, "reason": None}
    assert told["drive_ma"]["unit"] == "mA"
    assert told["skin_ir_degc"]["quality"] == "missing"
    assert told["skin_ir_degc"]["value"] is None
    assert told["setpoint_degc"]["value"] == 8.0
    assert told["lease_remaining_ms"]["value"] == 455.0
    assert told["skin_estimate_degc"]["quality"] == "estimated"


def test_old_readings_get_worse_and_then_have_no_value(composer: Composer, samples: Any) -> None:
    snapshot = samples.snapshot()
    for age_s, quality, value in ((0.3, "fresh", 8.02), (0.31, "stale", 8.02), (5.1, "missing", None)):
        later = replace(snapshot, at_s=Seconds(snapshot.reading.at_s + age_s))
        told = tree(composer.telemetry(later))["readings"]
        for name in ("plate_a_degc", "setpoint_degc"):
            assert told[name]["quality"] == quality, (age_s, name)
        assert told["plate_a_degc"]["value"] == value


def test_an_invalid_reading_says_why_and_has_no_value(composer: Composer, samples: Any) -> None:
    snapshot = samples.snapshot()
    status = replace(snapshot.reading.status, faults=Fault.PLATE_A_OPEN, sink_degc=200.0)
    told = tree(composer.telemetry(replace(snapshot, reading=read(status, snapshot.reading.at_s))))["readings"]
    assert (told["plate_a_degc"]["quality"], told["plate_a_degc"]["reason"]) == ("invalid", "open")
    assert (told["sink_degc"]["quality"], told["sink_degc"]["value"]) == ("invalid", None)


def test_what_has_no_value_is_null_and_never_nan(composer: Composer, samples: Any) -> None:
    snapshot = replace(
        samples.snapshot(),
        skin_estimate_degc=math.nan,
        exposure=MappingProxyType({Zone.NOSE: NOTHING}),
        findings=(replace(samples.finding(), value=math.nan, low=-math.inf, high=math.inf),),
        permit=False,
    )
    telemetry, state = tree(composer.telemetry(snapshot)), tree(composer.state(snapshot))
    assert telemetry["readings"]["skin_estimate_degc"]["value"] is None
    assert telemetry["exposure"]["nose"]["lowest_skin_degc"] is None
    assert [state["findings"][0][key] for key in ("value", "low", "high")] == [None, None, None]
    assert tree(composer.health(snapshot, [math.nan], STATISTICS))["tick"]["late_max_ms"] is None


def test_state_says_why_the_permit_is_withheld_and_what_tripped(composer: Composer, samples: Any) -> None:
    status = replace(
        samples.snapshot().reading.status,
        state=4,
        trip_code=Trip.SINK_HOT,
        faults=Fault.SINK_HOT,
        flags=Flag.TRIP_LATCHED,
    )
    snapshot = replace(
        samples.snapshot(),
        reading=read(status, Seconds(99.98)),
        findings=(samples.finding("sink_warn", Action.WARN), samples.finding("sink_trip", Action.LOCKOUT)),
        lockout=samples.lockout,
        permit=False,
    )
    told = tree(composer.state(snapshot))
    assert told["withheld_by"] == ["plate_under_floor", "sink_trip"]
    assert [(item["id"], item["action"]) for item in told["findings"]] == [
        ("sink_trip", "lockout"),
        ("sink_warn", "warn"),
    ]
    assert (told["lockout"]["cause"], told["lockout"]["value"]) == ("plate_under_floor", 3.9)
    assert told["wand"] | {"boot_id": 7} == {
        "state": "tripped",
        "trip": "sink_hot",
        "trip_code": 6,
        "flags": ["trip_latched"],
        "faults": ["sink_hot"],
        "last_refusal": "none",
        "boot_id": 7,
    }
    assert tree(composer.state(replace(snapshot, permit=True, lockout=None, findings=())))["withheld_by"] == []


def test_a_code_of_a_later_version_is_carried_never_guessed(composer: Composer, samples: Any) -> None:
    status = replace(samples.snapshot().reading.status, state=9, trip_code=99)
    told = tree(composer.state(replace(samples.snapshot(), reading=read(status, Seconds(99.98)))))
    assert (told["wand"]["state"], told["wand"]["trip"], told["wand"]["trip_code"]) == ("unknown_9", "unknown_99", 99)


def test_info_says_simulated_identity_and_limits_with_units(composer: Composer, samples: Any) -> None:
    told = tree(composer.info(samples.snapshot()))
    assert told["simulated"] is True
    assert (told["wand"]["firmware"], told["wand"]["wire_version"], told["wand"]["calibrated"]) == (
        "1.2.3",
        "1.0",
        "2025-11-22",
    )
    assert told["wand"]["capabilities"] == ["contact", "trigger", "fan_tachometer", "cutoff_relay"]
    assert told["limits"]["plate_floor_degc"] == {"value": 5.0, "unit": "degC"}


def test_simulated_is_unknown_until_the_wand_is_and_then_stays_known(composer: Composer, samples: Any) -> None:
    unknown = replace(samples.snapshot(), identity=None)
    assert tree(composer.telemetry(unknown))["simulated"] is None
    assert tree(composer.event(samples.event(1)))["simulated"] is None
    assert tree(composer.telemetry(samples.snapshot()))["simulated"] is True
    assert tree(composer.event(samples.event(2)))["simulated"] is True


def test_the_session_token_of_the_lease_never_leaves(composer: Composer, samples: Any) -> None:
    token = samples.snapshot().reading.status.token
    for payload in every(composer, samples, samples.snapshot()).values():
        assert str(token) not in encode(payload).decode()


def test_an_event_has_the_same_id_each_time_and_other_messages_never(composer: Composer, samples: Any) -> None:
    assert composer.event(samples.event(7)) == composer.event(samples.event(7))
    assert tree(composer.event(samples.event(7)))["id"] == "run-7"
    ids = [composer.telemetry(samples.snapshot()).id for _ in range(5)]
    assert len(set(ids)) == 5
    assert all(name.startswith("abcd-") for name in ids)


def test_the_worst_tick_stays_under_8_kib(composer: Composer, samples: Any) -> None:
    total = ZoneExposure(*[599.99999 - index for index in range(5)], -12.34567, -11.98765)
    findings = tuple(
        replace(samples.finding(f"interlock_number_{row}", Action(1 + row % 4)), hint="h" * 500) for row in range(60)
    )
    snapshot = replace(
        samples.snapshot(),
        exposure=MappingProxyType(dict.fromkeys(Zone, total)),
        findings=findings,
        lockout=replace(samples.lockout, hint="h" * 5000),
        link_why="w" * 5000,
        session=replace(samples.session, ended_why="e" * 5000),
        permit=False,
        alarms=replace(samples.alarms(*(row.id for row in TABLE), says="s" * 500)),
    )
    for topic, payload in every(composer, samples, snapshot).items():
        assert len(encode(payload)) <= MAX_BYTES, topic
    told = tree(composer.state(snapshot))
    assert len(told["findings"]) >= 5
    assert len(told["alarms"]) >= 5
    assert told["findings_omitted"] == 60 - len(told["findings"])
    assert told["alarms_omitted"] == len(TABLE) - len(told["alarms"])
    assert {item["priority"] for item in told["alarms"]} == {"high"}
    assert {item["action"] for item in told["findings"]} == {"lockout"}


def test_the_state_says_which_alarms_stand_and_whether_anybody_guards_the_wand(
    composer: Composer, samples: Any
) -> None:
    told = tree(composer.state(replace(samples.snapshot(), alarms=samples.alarms("trigger", "link_lost", "skin_stop"))))
    assert told["monitoring"] == {"ok": False, "why": "the wand does not answer: lift the wand"}
    assert (told["sounding"], told["audio_paused"], told["alarms_omitted"]) == ("high", False, 0)
    assert [(item["cause"], item["priority"]) for item in told["alarms"]] == [
        ("link_lost", "high"),
        ("skin_stop", "high"),
        ("trigger", "low"),
    ]
    first = told["alarms"][1]
    assert (first["present"], first["latched"], first["acknowledged"], first["sounding"]) == (True, True, False, True)
    assert first["clears"] == "the skin is warmer than its stop limit, then acknowledge"
    told = tree(composer.state(samples.snapshot()))
    assert (told["monitoring"]["ok"], told["sounding"], told["alarms"]) == (True, None, [])


def test_a_change_of_an_alarm_is_published_at_once(samples: Any) -> None:
    quiet, view = samples.snapshot(), samples.alarms("skin_stop")
    keys = [
        state_key(replace(quiet, alarms=alarms))
        for alarms in (
            quiet.alarms,
            view,
            replace(view, standing=(replace(view.standing[0], acknowledged=True),)),
            replace(view, standing=(replace(view.standing[0], present=False),)),
            replace(view, sounding=None, pause_left_s=60.0),
        )
    ]
    assert len(set(keys)) == len(keys)
    assert state_key(replace(quiet, alarms=replace(view, pause_left_s=60.0))) == state_key(
        replace(quiet, alarms=replace(view, pause_left_s=59.0))
    ), "a running number is not published at once"


def test_a_usual_state_shows_twelve_findings_and_eight_alarms(composer: Composer, samples: Any) -> None:
    findings = tuple(samples.finding(f"row_{number}") for number in range(12))
    causes = [row.id for row in TABLE[:8]]
    told = tree(composer.state(replace(samples.snapshot(), findings=findings, alarms=samples.alarms(*causes))))
    assert (len(told["findings"]), told["findings_omitted"]) == (12, 0)
    assert (len(told["alarms"]), told["alarms_omitted"]) == (8, 0)


def test_an_event_with_too_much_evidence_goes_without_it_and_says_so(composer: Composer, samples: Any) -> None:
    told = tree(composer.event(samples.event(1, frames=["ab" * 200] * 100)))
    assert (told["evidence"], told["evidence_omitted"], told["seq"]) == ({}, True, 1)
    long = samples.event(2)
    told = tree(composer.event(replace(long, event=replace(long.event, message="ä" * 9000))))
    assert len(told["message"]) == 500


def test_a_payload_too_long_is_refused(composer: Composer, samples: Any) -> None:
    info = composer.info(samples.snapshot())
    with pytest.raises(PayloadTooLargeError):
        encode(info.model_copy(update={"daemon_version": "x" * MAX_BYTES}))


JSONABLE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.sampled_from([Action.STOP, Zone.NOSE, Flag.CONTACT | Flag.TRIP_LATCHED, object()]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4) | st.tuples(inner),
    max_leaves=12,
)


@hypothesis_settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(evidence=st.dictionaries(st.text(), JSONABLE, max_size=4))
def test_any_evidence_becomes_json(composer: Composer, samples: Any, evidence: dict[str, object]) -> None:
    numbered = samples.event(1)
    payload = composer.event(replace(numbered, event=replace(numbered.event, evidence=evidence)))
    told = tree(payload)
    assert len(told["evidence"]) == len(evidence) or told["evidence_omitted"]
    assert len(encode(payload)) <= MAX_BYTES


def test_values_as_json() -> None:
    assert plain({"a": math.nan, 1: (1.23456789, math.inf), "b": b"\x01\xff", "c": Action.STOP, "d": Zone.NOSE}) == {
        "a": None,
        "1": [1.2346, None],
        "b": "01ff",
        "c": "stop",
        "d": "nose",
    }
    assert plain(True) is True
    assert utc(1_764_000_000.5) == "2025-11-24T16:00:00.500Z"


def test_the_topics_are_the_fixed_ones() -> None:
    assert full_topic("wand-1", Topic.STATUS) == "cryodevice/wand-1/status"
    assert {topic.value: (delivery.retain, delivery.qos) for topic, delivery in DELIVERY.items()} == {
        "status": (True, 1),
        "link": (True, 1),
        "info": (True, 1),
        "state": (True, 1),
        "telemetry": (False, 0),
        "event": (False, 1),
        "health": (True, 1),
    }
