"""State of another version: an older ledger is brought up with a copy kept, a newer one is refused untouched."""

import hashlib
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from cryodevice import __version__
from cryodevice.errors import ExitCode, NewerStateError
from cryodevice.records import ledger_file, schema, upgrade
from cryodevice.safety.limits import Zone
from tests.records.conftest import Bench, record
from tests.system.processes import Daemon, cryodevice, write_settings

# Schema 1 as version 0.1.0 of November 2026 wrote it, check sums worked out by hand: one session that ended, one that
# a crash cut short, one lockout that stands.
SCHEMA_1 = """
PRAGMA journal_mode=WAL;
BEGIN;
PRAGMA application_id=1129792856;
PRAGMA user_version=1;
CREATE TABLE meta (schema_version INTEGER NOT NULL, created_wall_s REAL NOT NULL) STRICT;
CREATE TABLE session (
  session_id TEXT PRIMARY KEY, client TEXT NOT NULL, zone TEXT NOT NULL, coldest_plate_degc REAL,
  started_wall_s REAL NOT NULL, updated_wall_s REAL NOT NULL, boot_id TEXT NOT NULL, updated_boot_s REAL NOT NULL,
  ended_why TEXT NOT NULL, crc INTEGER NOT NULL) STRICT;
CREATE TABLE session_zone (
  session_id TEXT NOT NULL, zone TEXT NOT NULL, contact_s REAL NOT NULL, below_15_s REAL NOT NULL,
  below_10_s REAL NOT NULL, below_4_s REAL NOT NULL, d10_degc_s REAL NOT NULL,
  lowest_skin_degc REAL, lowest_fat_degc REAL, PRIMARY KEY (session_id, zone)) STRICT;
CREATE TABLE lockout (
  number INTEGER PRIMARY KEY, wall_s REAL NOT NULL, latched INTEGER NOT NULL, cause TEXT NOT NULL,
  clear TEXT NOT NULL, value REAL, low REAL, high REAL, unit TEXT NOT NULL, hint TEXT NOT NULL,
  crc INTEGER NOT NULL) STRICT;
INSERT INTO meta VALUES (1, 1789990000.0);
INSERT INTO session VALUES
  ('s1', 'anonymous', 'nose', 8.0, 1789999000.0, 1789999400.0, 'boot-0', 400.0, 'complete', 2653024645);
INSERT INTO session_zone VALUES ('s1', 'nose', 40.0, 20.0, 10.0, 0.0, 120.0, 9.5, 14.25);
INSERT INTO session VALUES
  ('s2', 'anonymous', 'neck', 8.0, 1789999500.0, 1789999600.0, 'boot-0', 600.0, '', 2981740006);
INSERT INTO session_zone VALUES ('s2', 'neck', 12.0, 6.0, 3.0, 0.0, 36.0, 9.5, NULL);
INSERT INTO lockout VALUES
  (1, 1789999700.0, 1, 'skin_stop', 'by service', 1.5, 2.0, 40.0, 'degC', 'look at the skin', 2132808034);
COMMIT;
"""
# What a later program might keep: another column, another table, its own name. ``meta`` says so in any schema.
SCHEMA_9 = """
BEGIN;
PRAGMA user_version=9;
UPDATE meta SET schema_version = 9, written_by = '0.9.0';
ALTER TABLE session ADD COLUMN operator TEXT NOT NULL DEFAULT '';
CREATE TABLE audit (number INTEGER PRIMARY KEY, said TEXT NOT NULL) STRICT;
COMMIT;
"""

KILLED = """
import os, signal, sys
from pathlib import Path
from cryodevice.records import ledger_file, upgrade

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def step(connection):
    real(connection)
    die()

real = upgrade.STEPS[1]
if sys.argv[2] == "while copying":
    ledger_file.sync = die
elif sys.argv[2] == "in the transaction":
    upgrade.STEPS = {1: step}
upgrade.bring_up(Path(sys.argv[1]))
die()
"""


def older(bench: Bench) -> None:
    bench.directory.mkdir()
    script(bench.path, SCHEMA_1)


def newer(path: Path) -> None:
    script(path, SCHEMA_9)


def script(path: Path, text: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(text)
    connection.close()


def hashes(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in directory.rglob("*")
        if path.is_file()
    }


def copies(bench: Bench) -> list[Path]:
    return sorted(bench.directory.glob("exposure.db.schema-1-*Z"))


def assert_all_there(bench: Bench) -> None:
    ledger = bench.load()
    assert ledger.known, ledger.why_unknown
    assert [past.zones[Zone.NOSE].contact_s for past in ledger.dose.past if Zone.NOSE in past.zones] == [40.0]
    assert ledger.lockout.hint == "look at the skin"
    assert [past.zones[Zone.NECK].contact_s for past in ledger.dose.past if Zone.NECK in past.zones] == [15.0]


def test_an_older_ledger_is_brought_up_and_the_old_one_kept(bench: Bench) -> None:
    older(bench)
    store = bench.opened_store()
    store.submit_session(record("s3", zone=Zone.CHIN_JAW))
    store.close()
    assert_all_there(bench)
    with ledger_file.connect_to_read(bench.path) as connection:
        ledger_file.check(connection, schema.SCHEMA_VERSION)
        assert schema.read_signature(connection) == __version__
    (copy,) = copies(bench)
    assert store.upgraded_from == copy
    assert copy.stat().st_mode & 0o777 == 0o600
    with ledger_file.connect_to_read(copy) as connection:
        ledger_file.check(connection, 1)
        assert connection.execute("SELECT count(*) FROM session").fetchone() == (2,)
    assert bench.opened_store().upgraded_from is None
    assert copies(bench) == [copy]


def test_a_ledger_half_way_takes_only_the_steps_it_needs(bench: Bench) -> None:
    older(bench)
    with closing(ledger_file.connect(bench.path)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        schema.say_clock_and_wand(connection)
        connection.execute("UPDATE meta SET schema_version = 2")
        connection.execute("PRAGMA user_version=2")
        connection.execute("COMMIT")
    assert_all_there(bench)
    assert [path.name[:21] for path in bench.directory.glob("*schema*Z")] == ["exposure.db.schema-2-"]


def test_a_copy_put_back_is_the_ledger_it_was(bench: Bench) -> None:
    older(bench)
    bench.opened_store().close()
    (copy,) = copies(bench)
    copy.rename(bench.path)
    assert_all_there(bench)


@pytest.mark.parametrize(
    ("damage", "because"),
    [
        ("UPDATE session_zone SET contact_s = 4.0 WHERE zone = 'nose'", "'s1' is damaged"),
        ("UPDATE lockout SET latched = 0", "lockout history is damaged"),
        ("DELETE FROM meta", "schema version is missing"),
    ],
)
def test_an_older_ledger_that_is_damaged_is_not_brought_up(bench: Bench, damage: str, because: str) -> None:
    older(bench)
    script(bench.path, damage)
    before = bench.path.read_bytes()
    ledger = bench.load()
    assert not ledger.known
    assert because in ledger.why_unknown
    assert "records quarantine" in ledger.why_unknown
    assert bench.path.read_bytes() == before


@pytest.mark.req("T07")
@pytest.mark.parametrize(("when", "kept"), [("while copying", 1), ("in the transaction", 2), ("at the end", 1)])
def test_an_upgrade_cut_short_is_begun_anew(bench: Bench, when: str, kept: int) -> None:
    older(bench)
    child = subprocess.run([sys.executable, "-c", KILLED, str(bench.path), when], check=False, timeout=20)
    assert child.returncode == -signal.SIGKILL
    assert_all_there(bench)
    assert len(copies(bench)) == kept
    assert not list(bench.directory.glob("*.copying*"))


def test_a_disk_that_takes_no_copy_locks_and_leaves_the_ledger(bench: Bench, monkeypatch) -> None:
    older(bench)
    before = bench.path.read_bytes()

    def full(_path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(upgrade.ledger_file, "sync", full)
    ledger = bench.load()
    assert not ledger.known
    assert "No space left" in ledger.why_unknown
    assert bench.path.read_bytes() == before


@pytest.mark.req("T07")
@pytest.mark.parametrize("in_the_log", [False, True])
def test_a_newer_ledger_is_refused_and_not_touched(bench: Bench, in_the_log: bool) -> None:
    bench.written(record())
    connection = sqlite3.connect(bench.path, isolation_level=None)
    connection.executescript(SCHEMA_9)
    kept = {path: path.read_bytes() for path in bench.directory.iterdir() if path.suffix != ".db-shm"}
    connection.close()
    if in_the_log:
        for path, content in kept.items():
            path.write_bytes(content)
        assert (bench.directory / "exposure.db-wal").stat().st_size > 0
    before = {name: digest for name, digest in hashes(bench.directory).items() if not name.endswith("-shm")}
    with pytest.raises(NewerStateError) as refused:
        bench.load()
    assert refused.value.exit_code is ExitCode.USAGE
    for part in (str(bench.path), "0.9.0", "schema 9", __version__, f"schema {schema.SCHEMA_VERSION}", "Install"):
        assert part in refused.value.message
    after = {name: digest for name, digest in hashes(bench.directory).items() if not name.endswith("-shm")}
    assert after == before
    assert bench.store().failure == "the exposure store is not open"


def test_a_newer_ledger_that_does_not_name_its_program_is_refused_all_the_same(bench: Bench) -> None:
    bench.written(record())
    newer(bench.path)
    script(bench.path, "ALTER TABLE meta DROP COLUMN written_by")
    with pytest.raises(NewerStateError, match=r"a newer cryodevice \(ledger schema 9\)"):
        bench.load()


def test_every_older_schema_has_its_step() -> None:
    assert sorted(upgrade.STEPS) == list(range(1, schema.SCHEMA_VERSION))


def test_the_daemon_refuses_newer_state_before_it_touches_anything(tmp_path: Path) -> None:
    state = tmp_path / "state"
    Bench(state).written(record())
    newer(state / "exposure.db")
    before = hashes(tmp_path / "state")
    port = tmp_path / "no-port"
    config = write_settings(tmp_path / "c.toml", str(port), state, mqtt={"mode": "embedded"})
    done = cryodevice("run", "--config", config)
    assert done.returncode == 2, done
    assert "0.9.0" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert hashes(state) == before


def test_the_daemon_brings_older_state_up_and_says_so(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "state")
    older(bench)
    config = write_settings(tmp_path / "c.toml", str(tmp_path / "no-port"), bench.directory)
    with Daemon(config, bench.directory) as daemon:
        status = daemon.until(lambda status: status["lockout"], 15, "the lockout of the older ledger")
        assert status["lockout"]["cause"] == "skin_stop"
        said = next(line for line in daemon.logged() if line["event"] == "records brought to the present schema")
        assert said["copy"] == str(copies(bench)[0])
