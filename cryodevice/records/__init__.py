"""What is kept: exposure ledger and alarm log; sessions, audit and recorder stand beside. Never on the loop."""

from cryodevice.records.alarm_log import SqliteAlarmLog
from cryodevice.records.exposure_store import SqliteExposureStore
from cryodevice.records.ledger_file import quarantine

__all__ = ["SqliteAlarmLog", "SqliteExposureStore", "quarantine"]
