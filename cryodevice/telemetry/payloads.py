"""The JSON objects on the topics, as types: what is published is an instance of these or is not published.

NaN and infinities cannot be in them; what has no value is ``null`` and says why. JSON Schemas come from the same types.
"""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from cryodevice.errors import CryodeviceError
from cryodevice.telemetry.topics import DOWN, OFFLINE, ONLINE, UP, Topic

MAX_BYTES = 8192
"""Longest payload, bytes (docs/architecture.md)."""

Quality = Literal["fresh", "stale", "missing", "invalid", "estimated"]


class PayloadTooLargeError(CryodeviceError):
    """A payload would be longer than ``MAX_BYTES``; it is not published."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)


class SchemaRef(_Part):
    """Which of these types a payload is; the version grows when a field changes its meaning or goes."""

    name: str
    version: int


class Payload(_Part):
    """What every payload carries.

    ``id`` is the same when a message is sent again; consumers drop what they have seen. ``simulated`` is null until
    the wand is known.
    """

    schema_: SchemaRef = Field(alias="schema")
    id: str
    device_id: str
    time: str = Field(description="UTC, ISO 8601, of the tick or event it tells of")
    simulated: bool | None


class ReadingValue(_Part):
    """One quantity: a stale value is the last good one, a missing or invalid one has none."""

    value: float | None
    unit: str
    quality: Quality
    age_s: float | None
    reason: str | None = None


class SessionProgress(_Part):
    """Where the session stands, in numbers that run."""

    id: str
    state: str
    step: int
    contact_s: float
    hold_s: float
    rewarm_left_s: float


class ZoneTotals(_Part):
    """Exposure of one zone in this session."""

    contact_s: float
    below_15_s: float
    below_10_s: float
    below_4_s: float
    d10_degc_s: float
    lowest_skin_degc: float | None
    lowest_fat_degc: float | None


class TelemetryPayload(Payload):
    """``telemetry``: the readings of one tick. ``monotonic_s`` orders them; ``skin_estimate_degc`` is a model's.

    ``look_ahead_s`` is one too: seconds of contact until each limit, by its interlock, if the plate stays as it is;
    what is further than 300 s away is left out, and outside a cold step everything.
    """

    monotonic_s: float
    link_up: bool
    permit: bool
    sequence: int | None
    uptime_ms: int | None
    readings: dict[str, ReadingValue]
    session: SessionProgress
    exposure: dict[str, ZoneTotals]
    look_ahead_s: dict[str, float]


class FindingItem(_Part):
    """An interlock that stands: what was seen, its safe range (null for an open end), what it does, how it clears."""

    id: str
    action: str
    value: float | None
    low: float | None
    high: float | None
    unit: str
    active_s: float
    hint: str
    clear: str


class LockoutItem(_Part):
    """The latched lockout with its first cause."""

    cause: str
    clear: str
    value: float | None
    low: float | None
    high: float | None
    unit: str
    hint: str


class TripItem(_Part):
    """The newest trip on record; ``cryodevice explain --trip RECORD`` tells the rest."""

    record: str
    cause: str
    time: str


class LinkItem(_Part):
    """The line to the wand; ``why`` is empty when it is up."""

    up: bool
    why: str


class SessionItem(_Part):
    """The session, in words that change at once."""

    id: str
    state: str
    step: int
    steps: int
    zone: str | None
    setpoint_degc: float | None
    ended_why: str


class WandItem(_Part):
    """What the wand says of itself. ``flags`` are those set, ``trip`` its latched first cause."""

    state: str
    trip: str
    trip_code: int
    flags: list[str]
    faults: list[str]
    last_refusal: str
    boot_id: int


class AlarmItem(_Part):
    """An alarm that stands. ``present`` is its condition, ``sounding`` what is to be heard of it now."""

    id: str
    cause: str
    priority: str
    occurrence: int
    says: str
    present: bool
    latched: bool
    acknowledged: bool
    sounding: bool
    clears: str


class MonitoringItem(_Part):
    """Whether somebody guards the wand; read it together with ``status``, which is ``offline`` when nobody is there."""

    ok: bool
    why: str


class StatePayload(Payload):
    """``state``: what the device does and why it may not do more. ``withheld_by`` is empty when ``permit`` is true.

    ``alarms`` are the most urgent; ``sounding`` is the priority to be heard, null for silence.
    """

    monitoring: MonitoringItem
    sounding: str | None
    audio_paused: bool
    alarms: list[AlarmItem]
    alarms_omitted: int

    link: LinkItem
    session: SessionItem
    permit: bool
    withheld_by: list[str]
    findings: list[FindingItem]
    findings_omitted: int
    lockout: LockoutItem | None
    last_trip: TripItem | None
    wand: WandItem | None


class WandIdentity(_Part):
    """Who the wand is and what it accepts."""

    serial_number: int
    firmware: str
    wire_version: str
    applicator: str
    capabilities: list[str]
    boot_id: int
    calibrated: str
    setpoint_min_degc: float
    setpoint_max_degc: float
    lease_max_ms: int
    cooling_max_s: int
    cold_cutout_degc: float
    hot_cutout_degc: float
    sink_cutout_degc: float
    drive_max_ma: int
    plate_area_cm2: float


class LimitValue(_Part):
    """A limit in force."""

    value: float
    unit: str


class InfoPayload(Payload):
    """``info``: identity, versions, limits in force."""

    daemon_version: str
    wand: WandIdentity | None
    limits: dict[str, LimitValue]


class EventPayload(Payload):
    """``event``: one thing that happened. ``seq`` has no gaps within an ``epoch``; a gap is a loss."""

    epoch: str
    seq: int
    kind: str
    message: str
    monotonic_s: float
    evidence: dict[str, JsonValue]
    evidence_omitted: bool = False


class TickStatistics(_Part):
    """Counts since start; lateness since the last ``health``."""

    ticks: int
    misses: int
    overruns: int
    late_mean_ms: float | None
    late_max_ms: float | None


class PublisherStatistics(_Part):
    """How publishing goes. ``dropped`` events are lost to MQTT, never to the record."""

    protocol: str
    reconnects: int
    published: int
    queue_depth: int
    dropped: int
    refused: int
    failed: int
    last_error: str


class HealthPayload(Payload):
    """``health``: how the daemon itself is."""

    tick: TickStatistics
    publisher: PublisherStatistics
    wand_bad_frames: int | None
    wand_refusals: int | None


VERSIONS: Mapping[type[Payload], tuple[Topic, int]] = MappingProxyType(
    {
        TelemetryPayload: (Topic.TELEMETRY, 1),
        StatePayload: (Topic.STATE, 1),
        InfoPayload: (Topic.INFO, 1),
        EventPayload: (Topic.EVENT, 1),
        HealthPayload: (Topic.HEALTH, 1),
    }
)


def encode(payload: Payload) -> bytes:
    """The payload as UTF-8 JSON without spaces.

    Raises:
        PayloadTooLargeError: Longer than ``MAX_BYTES``.
        ValueError: NaN or an infinity got into free-form evidence.
    """
    tree = payload.model_dump(mode="json", by_alias=True)
    content = json.dumps(tree, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    if len(content) > MAX_BYTES:
        raise PayloadTooLargeError(
            f"{type(payload).__name__} of {len(content)} bytes is longer than {MAX_BYTES}", size=len(content)
        )
    return content


def payload_schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of every topic, by topic."""
    schemas: dict[str, dict[str, Any]] = {
        Topic.STATUS: {"type": "string", "enum": [ONLINE, OFFLINE]},
        Topic.LINK: {"type": "string", "enum": [UP, DOWN]},
    }
    for model, (topic, version) in VERSIONS.items():
        schema = model.model_json_schema(by_alias=True, mode="serialization")
        schema["$id"] = f"urn:cryodevice:{topic}:{version}"
        schemas[topic] = schema
    return schemas
