"""The topics under ``cryodevice/<device_id>`` (fixed) and how each is published.

``status`` and ``link`` are plain words; every other topic carries one JSON object (``payloads``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

BASE = "cryodevice"

ONLINE, OFFLINE = "online", "offline"
UP, DOWN = "up", "down"


class Topic(StrEnum):
    """Last level of a topic."""

    STATUS = "status"
    LINK = "link"
    INFO = "info"
    STATE = "state"
    TELEMETRY = "telemetry"
    EVENT = "event"
    HEALTH = "health"


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a topic is published. ``expiry_s`` is the MQTT 5 message expiry, ``None`` for never."""

    retain: bool
    qos: int
    expiry_s: int | None = None


DELIVERY: Mapping[Topic, Delivery] = MappingProxyType(
    {
        Topic.STATUS: Delivery(retain=True, qos=1),
        Topic.LINK: Delivery(retain=True, qos=1),
        Topic.INFO: Delivery(retain=True, qos=1),
        Topic.STATE: Delivery(retain=True, qos=1),
        # A reading ten seconds old is history, and history has its own topic (engineering default).
        Topic.TELEMETRY: Delivery(retain=False, qos=0, expiry_s=10),
        Topic.EVENT: Delivery(retain=False, qos=1),
        Topic.HEALTH: Delivery(retain=True, qos=1),
    }
)


def full_topic(device_id: str, topic: Topic) -> str:
    """The whole topic of one device."""
    return f"{BASE}/{device_id}/{topic}"
