"""One crash of a writer of the exposure ledger, as a run of the campaign."""

import tempfile
from pathlib import Path
from typing import Any

from tests.records.conftest import Bench, kill_once_while_writing


def kill_once(seed: int) -> dict[str, Any]:
    """Start a writer, kill -9 it, and hold what it said was durable against what is there."""
    with tempfile.TemporaryDirectory() as directory:
        return {"acknowledged_s": kill_once_while_writing(Bench(Path(directory)), seed)}
