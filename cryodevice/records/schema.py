"""The exposure ledger as tables: what a row holds, how it is written, and how a damaged row is known.

Pure translation between records and rows; opens no file, starts no thread and reads no clock.

SQLite finds a broken page but not a flipped bit inside a number, so every row carries a CRC-32 over its values (a
session's row over its zone rows too). A row whose CRC is wrong makes the whole ledger unknown, never a smaller dose.

``meta`` keeps ``schema_version`` and ``written_by`` in every schema from 3 on, so that an older program can say which
one it would take to read the file.
"""

import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from sqlite3 import Connection
from types import MappingProxyType

from cryodevice.errors import QuantityError, StoreError
from cryodevice.quantities import Celsius, finite
from cryodevice.safety.exposure import ZoneExposure
from cryodevice.safety.limits import Zone
from cryodevice.safety.verdict import Clear, Lockout

SCHEMA_VERSION = 3
"""1 said neither whether the wall clock was kept nor whether the wand was simulated, 2 not which program wrote."""
APPLICATION_ID = 0x4357_4558
"""``PRAGMA application_id`` of a ledger: "CWEX"."""

_SESSION_TABLE = """
CREATE TABLE session (
  session_id TEXT PRIMARY KEY, client TEXT NOT NULL, zone TEXT NOT NULL, coldest_plate_degc REAL,
  started_wall_s REAL NOT NULL, updated_wall_s REAL NOT NULL, boot_id TEXT NOT NULL, updated_boot_s REAL NOT NULL,
  ended_why TEXT NOT NULL, synchronised INTEGER NOT NULL, simulated INTEGER NOT NULL, crc INTEGER NOT NULL) STRICT
"""
TABLES = f"""
CREATE TABLE meta (
  schema_version INTEGER NOT NULL, created_wall_s REAL NOT NULL, written_by TEXT NOT NULL DEFAULT '') STRICT;
{_SESSION_TABLE};
CREATE TABLE session_zone (
  session_id TEXT NOT NULL, zone TEXT NOT NULL, contact_s REAL NOT NULL, below_15_s REAL NOT NULL,
  below_10_s REAL NOT NULL, below_4_s REAL NOT NULL, d10_degc_s REAL NOT NULL,
  lowest_skin_degc REAL, lowest_fat_degc REAL, PRIMARY KEY (session_id, zone)) STRICT;
CREATE TABLE lockout (
  number INTEGER PRIMARY KEY, wall_s REAL NOT NULL, latched INTEGER NOT NULL, cause TEXT NOT NULL,
  clear TEXT NOT NULL, value REAL, low REAL, high REAL, unit TEXT NOT NULL, hint TEXT NOT NULL,
  crc INTEGER NOT NULL) STRICT;
"""
_TOTALS = tuple(field.name for field in fields(ZoneExposure))
_LOWEST = ("lowest_skin_degc", "lowest_fat_degc")

Value = str | float | int | None


@dataclass(frozen=True, slots=True)
class StoredSession:
    """One session as the ledger holds it.

    Args:
        coldest_plate_degc: Coldest plate ordered; infinite when none was recorded.
        started_wall_s, updated_wall_s: First and newest record, seconds since 1970 UTC.
        boot_id, updated_boot_s: Boot of the machine that wrote the newest record, and its seconds since that boot.
        ended_why: Empty while the session runs, and still empty if a crash ended it.
        synchronised: The wall clock was kept by somebody when the newest record was made.
        simulated: The wand was a simulated one.
    """

    session_id: str
    client: str
    zone: Zone
    coldest_plate_degc: Celsius
    started_wall_s: float
    updated_wall_s: float
    boot_id: str
    updated_boot_s: float
    ended_why: str
    exposure: Mapping[Zone, ZoneExposure]
    synchronised: bool = False
    simulated: bool = False

    @property
    def contact_s(self) -> float:
        """Contact of all zones, s."""
        return sum(totals.contact_s for totals in self.exposure.values())


@dataclass(frozen=True, slots=True)
class SessionRows:
    """A session ready to be written: one row, and one row a zone."""

    session: tuple[Value, ...]
    zones: tuple[tuple[Value, ...], ...]


def session_rows(stored: StoredSession) -> SessionRows:
    """Rows of a session.

    Raises:
        QuantityError: A total is not a finite number, or a text cannot be stored.
    """
    zones = tuple(
        (_text(stored.session_id), zone.value, *_totals(zone, totals))
        for zone, totals in sorted(stored.exposure.items())
    )
    head = (
        _text(stored.session_id),
        _text(stored.client),
        stored.zone.value,
        _or_null(stored.coldest_plate_degc),
        _number(stored.started_wall_s, "started_wall_s"),
        _number(stored.updated_wall_s, "updated_wall_s"),
        _text(stored.boot_id),
        _number(stored.updated_boot_s, "updated_boot_s"),
        _text(stored.ended_why),
        int(stored.synchronised),
        int(stored.simulated),
    )
    return SessionRows((*head, _crc(head, *zones)), zones)


def lockout_row(lockout: Lockout | None, wall_s: float) -> tuple[Value, ...]:
    """Row of a lockout, or of its clearing.

    Raises:
        QuantityError: A text cannot be stored.
    """
    wall = _number(wall_s, "wall_s")
    row: tuple[Value, ...] = (wall, 0, "", "", None, None, None, "", "")
    if lockout is not None:
        row = (
            wall,
            1,
            _text(lockout.cause),
            lockout.clear.value,
            *(None if math.isnan(number) else number + 0.0 for number in (lockout.value, lockout.low, lockout.high)),
            _text(lockout.unit),
            _text(lockout.hint),
        )
    return (*row, _crc(row))


def sign(connection: Connection, program: str) -> None:
    """Say which program writes from now on, inside the caller's transaction."""
    connection.execute("UPDATE meta SET written_by = ?", (program,))


def read_signature(connection: Connection) -> str:
    """Version of the program that wrote last; empty when it was a schema before 3."""
    return str(connection.execute("SELECT written_by FROM meta").fetchone()[0])


def write_session(connection: Connection, rows: SessionRows) -> None:
    """Put a session in place of what the ledger held of it, inside the caller's transaction."""
    connection.execute("DELETE FROM session_zone WHERE session_id = ?", rows.session[:1])
    connection.execute("INSERT OR REPLACE INTO session VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", rows.session)
    connection.executemany("INSERT INTO session_zone VALUES (?,?,?,?,?,?,?,?,?)", rows.zones)


def write_lockout(connection: Connection, row: tuple[Value, ...]) -> None:
    """Append to the history of lockouts, inside the caller's transaction."""
    connection.execute("INSERT INTO lockout VALUES (NULL,?,?,?,?,?,?,?,?,?,?)", row)


def say_clock_and_wand(connection: Connection) -> None:
    """From schema 1 to 2, inside the caller's transaction; what version 1 did not know counts as not kept.

    Raises:
        StoreError: A row is damaged.
    """
    sessions = read_sessions(connection)
    connection.execute("DROP TABLE session")
    connection.execute(_SESSION_TABLE)
    for session in sessions:
        write_session(connection, session_rows(session))


def say_who_wrote(connection: Connection) -> None:
    """From schema 2 to 3, inside the caller's transaction."""
    connection.execute("ALTER TABLE meta ADD COLUMN written_by TEXT NOT NULL DEFAULT ''")


def read_sessions(connection: Connection) -> tuple[StoredSession, ...]:
    """Every session, in the order of their newest records; of a ledger of version 1 too.

    Raises:
        StoreError: A row is damaged.
    """
    zones: dict[str, list[tuple[Value, ...]]] = {}
    for row in connection.execute("SELECT * FROM session_zone ORDER BY session_id, zone"):
        zones.setdefault(row[0], []).append(tuple(row))
    sessions = []
    for row in connection.execute("SELECT * FROM session"):
        of_session = zones.pop(row[0], [])
        if _crc(tuple(row[:-1]), *of_session) != row[-1]:
            raise StoreError(f"the record of session {row[0]!r} is damaged (its check sum is wrong)")
        sessions.append(_session(row, of_session))
    if zones:
        raise StoreError(f"zone totals without their session: {sorted(zones)}")
    return tuple(sorted(sessions, key=lambda session: session.updated_wall_s))


def read_lockout(connection: Connection) -> Lockout | None:
    """The lockout that stands: the last row of the history, if it is a latching.

    Raises:
        StoreError: A row is damaged or one is missing.
    """
    standing = None
    for expected, row in enumerate(connection.execute("SELECT * FROM lockout ORDER BY number"), start=1):
        if row[0] != expected or _crc(tuple(row[1:-1])) != row[-1]:
            raise StoreError(f"row {expected} of the lockout history is damaged or missing")
        standing = row
    if standing is None or not standing[2]:
        return None
    value, low, high = (math.nan if number is None else number for number in standing[5:8])
    return Lockout(standing[3], Clear(standing[4]), value, low, high, standing[8], standing[9])


def _session(row: tuple[Value, ...], zones: list[tuple[Value, ...]]) -> StoredSession:
    exposure = {
        Zone(str(zone[1])): ZoneExposure(*(math.inf if total is None else float(total) for total in zone[2:]))
        for zone in zones
    }
    coldest = math.inf if row[3] is None else float(row[3])
    return StoredSession(
        str(row[0]),
        str(row[1]),
        Zone(str(row[2])),
        Celsius(coldest),
        float(row[4] or 0.0),
        float(row[5] or 0.0),
        str(row[6]),
        float(row[7] or 0.0),
        str(row[8]),
        MappingProxyType(exposure),
        *(bool(flag) for flag in row[9:-1]),
    )


def _totals(zone: Zone, totals: ZoneExposure) -> tuple[Value, ...]:
    return tuple(
        None if name in _LOWEST and value == math.inf else _number(value, f"{name} of {zone}")
        for name, value in ((name, getattr(totals, name)) for name in _TOTALS)
    )


def _number(value: float, what: str) -> float:
    return finite(float(value), what) + 0.0  # SQLite keeps -0.0 as 0.0; adding 0.0 makes them one before the CRC


def _or_null(value: float) -> float | None:
    return float(value) + 0.0 if math.isfinite(value) else None


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise QuantityError(f"text {text!r} cannot be stored as UTF-8", text=repr(text)) from error
    return text


def _crc(*rows: tuple[Value, ...]) -> int:
    return zlib.crc32(json.dumps(rows).encode())
