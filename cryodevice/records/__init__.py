"""What is kept: exposure ledger, alarm log and flight recorder; sessions and audit stand beside. Never on the loop."""

from cryodevice.records.alarm_log import SqliteAlarmLog
from cryodevice.records.exposure_store import SqliteExposureStore
from cryodevice.records.ledger_file import quarantine
from cryodevice.records.recorder import FlightRecorder

__all__ = ["FlightRecorder", "SqliteAlarmLog", "SqliteExposureStore", "quarantine"]
