"""What is kept: the exposure ledger now; sessions, audit and the flight recorder stand beside it. Never on the loop."""

from cryodevice.records.exposure_store import SqliteExposureStore
from cryodevice.records.ledger_file import quarantine

__all__ = ["SqliteExposureStore", "quarantine"]
