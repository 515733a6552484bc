"""What is kept: exposure ledger and flight recorder now; sessions and audit stand beside them. Never on the loop."""

from cryodevice.records.exposure_store import SqliteExposureStore
from cryodevice.records.ledger_file import quarantine
from cryodevice.records.recorder import FlightRecorder

__all__ = ["FlightRecorder", "SqliteExposureStore", "quarantine"]
