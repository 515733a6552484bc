"""Telemetry: what watches over MQTT gets to see; nothing here can slow a tick, permit anything, or be waited for."""

from cryodevice.telemetry.broker import RunningBroker, start_broker
from cryodevice.telemetry.publisher import Publisher, PublisherHealth

__all__ = ["Publisher", "PublisherHealth", "RunningBroker", "start_broker"]
