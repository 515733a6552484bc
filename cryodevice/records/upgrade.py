"""An older ledger brought to the present schema: in one transaction, with a copy of the old one kept beside it.

There is no way back: an older program refuses what this one has written (``ledger_file.refuse_newer``).
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from cryodevice.errors import StoreError
from cryodevice.records import ledger_file, schema
from cryodevice.records.ledger_file import Contents
from cryodevice.records.schema import APPLICATION_ID, SCHEMA_VERSION

Step = Callable[[sqlite3.Connection], None]


STEPS: Mapping[int, Step] = {1: schema.say_clock_and_wand, 2: schema.say_who_wrote}
"""From each older schema to the next. A step that changes rows checks their CRC and makes a new one."""


def bring_up(path: Path) -> Path | None:
    """Upgrade an older ledger; the caller holds it. Leaves a present, a newer and a damaged one as they are.

    Returns:
        Where the copy of the older ledger is, None when there was nothing to do.

    Raises:
        StoreError: It is older and damaged, or cannot be read; it stays as it was.
        OSError: The copy cannot be written.
        sqlite3.Error: The disk does not take it; the ledger stays as it was.
    """
    version = _older(path)
    if version is None:
        return None
    examine(path)
    copy = _copy(path, version)
    with contextlib.closing(ledger_file.connect(path)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        for number in range(version, SCHEMA_VERSION):
            STEPS[number](connection)
        connection.execute("UPDATE meta SET schema_version = ?", (SCHEMA_VERSION,))
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        connection.execute("COMMIT")
    return copy


def examine(path: Path) -> tuple[Contents, int]:
    """What a sound ledger holds, an older one too, and its schema. Changes nothing.

    Raises:
        StoreError: Missing, damaged or unreadable; the sentence names the file.
        NewerStateError: A newer program wrote it.
    """
    ledger_file.refuse_newer(path)
    version = _older(path) or SCHEMA_VERSION
    with ledger_file.said_of(path), ledger_file.connect_to_read(path, leave=False) as connection:
        ledger_file.check(connection, version)
        return Contents(schema.read_sessions(connection), schema.read_lockout(connection)), version


def _older(path: Path) -> int | None:
    with contextlib.suppress(sqlite3.Error, StoreError, OSError), ledger_file.connect_to_read(path) as connection:
        version = int(ledger_file.pragma(connection, "user_version"))
        if ledger_file.pragma(connection, "application_id") == APPLICATION_ID and version in STEPS:
            return version
    return None


def _copy(path: Path, version: int) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    copy = path.with_name(f"{path.name}.schema-{version}-{stamp}")
    draft = path.with_name(f"{path.name}.copying")
    for leftover in path.parent.glob(f"{draft.name}*"):
        leftover.unlink()
    os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    with ledger_file.connect_to_read(path) as source, contextlib.closing(sqlite3.connect(draft)) as target:
        source.backup(target)
    ledger_file.sync(draft)
    draft.rename(copy)
    ledger_file.sync(path.parent)
    return copy
