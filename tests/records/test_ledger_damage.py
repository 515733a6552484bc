import os
import random
import shutil
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cryodevice.errors import StoreError
from cryodevice.records import ledger_file, quarantine
from cryodevice.records.exposure_store import BootTime, this_boot
from cryodevice.safety.exposure import Dose
from cryodevice.safety.limits import Zone
from cryodevice.safety.verdict import Clear, Lockout
from tests.records.conftest import Bench, record, wait_for

LOCKOUT = Lockout("skin_stop", Clear.SERVICE, 1.5, 2.0, 40.0, "degC", "look at the skin")


def filled(bench: Bench) -> None:
    store = bench.opened_store()
    for number in range(12):
        store.submit_session(record(f"s{number}", 10.0 + number, zone=list(Zone)[number % 9]))
    store.submit_lockout(LOCKOUT)
    store.close()


def files(bench: Bench) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in bench.directory.glob("exposure.db*") if path.suffix != ".db-shm"}


def assert_locked(bench: Bench, because: str) -> None:
    before = files(bench)
    store = bench.store()
    ledger = store.load()
    assert not ledger.known
    assert because in ledger.why_unknown
    assert str(bench.path) in ledger.why_unknown
    assert "treatment stays locked" in ledger.why_unknown
    assert ledger.dose == Dose()
    assert store.failure == ledger.why_unknown
    store.submit_session(record())
    store.submit_lockout(LOCKOUT)
    store.close()
    after = files(bench)
    assert {name: after[name] for name in before} == before, "the file was touched"


def altered(bench: Bench, statement: str) -> None:
    connection = sqlite3.connect(bench.path)
    connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.req("R-H23-2")
@pytest.mark.req("T05")
@pytest.mark.parametrize(
    ("statement", "because"),
    [
        ("PRAGMA user_version=4", "not a sound exposure ledger"),
        ("PRAGMA user_version=0", "not a sound exposure ledger"),
        ("PRAGMA application_id=7", "not a sound exposure ledger"),
        ("PRAGMA journal_mode=DELETE", "not a sound exposure ledger"),
        ("DELETE FROM meta", "schema version is missing"),
        ("DROP TABLE lockout", "no such table"),
        ("UPDATE session SET updated_wall_s = 0 WHERE session_id = 's3'", "session 's3' is damaged"),
        ("UPDATE session_zone SET contact_s = 1 WHERE session_id = 's4'", "session 's4' is damaged"),
        ("DELETE FROM session_zone WHERE session_id = 's5'", "session 's5' is damaged"),
        ("DELETE FROM session WHERE session_id = 's6'", "zone totals without their session"),
        ("UPDATE lockout SET latched = 0", "row 1 of the lockout history is damaged"),
        ("UPDATE lockout SET number = 3", "row 1 of the lockout history is damaged"),
    ],
)
def test_what_is_not_as_it_was_written_locks(bench: Bench, statement: str, because: str) -> None:
    filled(bench)
    altered(bench, statement)
    assert_locked(bench, because)


@pytest.mark.parametrize(
    "content", [b"", b"not a database at all, but long enough to look like one" * 100, b"SQLite format 3\0"]
)
def test_a_file_that_is_no_ledger_locks(bench: Bench, content: bytes) -> None:
    filled(bench)
    bench.path.write_bytes(content)
    assert_locked(bench, "")


@pytest.mark.req("R-H10-4")
def test_a_deleted_ledger_is_no_fresh_start(bench: Bench) -> None:
    filled(bench)
    bench.path.unlink()
    assert_locked(bench, "was here and is gone")
    assert not bench.path.exists()


def test_a_ledger_left_without_its_marker_is_marked_again(bench: Bench) -> None:
    filled(bench)
    marker = bench.directory / "exposure.exists"
    marker.unlink()
    assert bench.load().dose.earlier_sessions == 12
    assert marker.exists()


def test_creation_cut_short_is_begun_anew(bench: Bench) -> None:
    bench.directory.mkdir()
    (bench.directory / "exposure.new").write_bytes(b"half")
    (bench.directory / "exposure.new-wal").write_bytes(b"half")
    assert bench.load().known
    assert not list(bench.directory.glob("*.new*"))


def contents(dose: Dose) -> str:
    """A dose without the instants its sessions are counted from: those depend on when it was loaded."""
    return f"{dose.client!r} {dose.session} {[past.zones for past in dose.past]}"


def flip_and_load(bench: Bench, name: str, place: int, *, clean: bytes) -> str:
    """What the next start says after one byte of a file is inverted; all files are put back before."""
    target = bench.directory / name
    target.write_bytes(clean[:place] + bytes([clean[place] ^ 0xFF]) + clean[place + 1 :])
    ledger = bench.load()
    if not ledger.known:
        return "unknown"
    return f"{contents(ledger.dose)} {ledger.lockout} {ledger.interrupted}"


def sweep(bench: Bench, places: list[int]) -> dict[str, int]:
    filled(bench)
    clean = bench.path.read_bytes()
    same = bench.load()
    truth = f"{contents(same.dose)} {same.lockout} {same.interrupted}"
    counts = {"unknown": 0, "same": 0}
    for place in places:
        for beside in ("exposure.db-wal", "exposure.db-shm"):
            (bench.directory / beside).unlink(missing_ok=True)
        said = flip_and_load(bench, "exposure.db", place % len(clean), clean=clean)
        assert said in {"unknown", truth}, f"byte {place % len(clean)} of {len(clean)}: another dose was believed"
        counts["unknown" if said == "unknown" else "same"] += 1
    return counts


@pytest.mark.req("R-H23-2")
@pytest.mark.req("T05")
def test_no_flipped_byte_of_header_or_pages_makes_another_dose_believed(bench: Bench) -> None:
    chance = random.Random(1)  # noqa: S311 - places, not secrets
    counts = sweep(bench, [*range(100), *(chance.randrange(1 << 30) for _ in range(200))])
    assert counts["unknown"] >= 50


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_no_flipped_byte_anywhere_makes_another_dose_believed(bench: Bench) -> None:
    filled(bench)
    sweep(bench, list(range(bench.path.stat().st_size)))


def logged(bench: Bench) -> bytes:
    """A ledger as a crash leaves it, with three acknowledged commits of an open session in its log."""
    filled(bench)
    store = bench.opened_store()
    for count in (1.0, 2.0, 3.0):
        store.submit_session(record("open", count, count, ended_why=""))
        wait_for(lambda count=count: store.durable_at_s == count)
    crashed = bench.directory.with_name("crashed")
    shutil.copytree(bench.directory, crashed)
    bench.directory = crashed
    (crashed / "exposure.db-shm").unlink()
    log = (crashed / "exposure.db-wal").read_bytes()
    assert len(log) > 32 + 3 * 4120
    return log


def test_a_sound_log_is_read(bench: Bench) -> None:
    logged(bench)
    assert bench.load().interrupted.exposure[Zone.NOSE].contact_s == 6.0


def test_no_flipped_byte_in_the_log_hides_an_acknowledged_commit_but_the_last(bench: Bench) -> None:
    log = logged(bench)
    base = bench.path.read_bytes()
    chance = random.Random(2)  # noqa: S311 - places, not secrets
    unknown = 0
    for place in [*range(32), *(chance.randrange(len(log)) for _ in range(60))]:
        bench.path.write_bytes(base)
        (bench.directory / "exposure.db-shm").unlink(missing_ok=True)
        said = flip_and_load(bench, "exposure.db-wal", place, clean=log)
        unknown += said == "unknown"
        # 6 s: all three commits and the allowance. 5 s: the last one was taken for the one a crash cut short.
        assert said == "unknown" or "'open', client='anonymous'" in said
        assert said == "unknown" or "contact_s=6.0" in said or "contact_s=5.0" in said
    assert unknown >= 60


def test_a_log_torn_in_its_last_commit_costs_that_commit_only(bench: Bench) -> None:
    log = logged(bench)
    (bench.directory / "exposure.db-wal").write_bytes(log[:-100])
    assert bench.load().interrupted.exposure[Zone.NOSE].contact_s == 5.0


def test_only_one_daemon_holds_a_ledger_and_a_closed_one_is_free(bench: Bench) -> None:
    first = bench.opened_store()
    with pytest.raises(StoreError, match="in use by another cryodevice"):
        bench.store().load()
    link = bench.directory.with_name("other")
    link.symlink_to(bench.directory)
    with pytest.raises(StoreError, match="in use by another cryodevice"):
        Bench(link).store().load()
    with pytest.raises(StoreError, match="in use by another cryodevice"):
        quarantine(bench.path)
    first.close()
    assert bench.load().known


def test_quarantine_keeps_the_old_ledger_and_lets_a_new_one_begin(bench: Bench) -> None:
    logged(bench)
    altered_log = bench.directory / "exposure.db-wal"
    altered_log.write_bytes(b"\0" * altered_log.stat().st_size)
    assert not bench.load().known
    kept = files(bench)
    when = datetime(2026, 5, 13, 10, 11, 12, tzinfo=UTC)
    aside = quarantine(bench.path, when)
    assert aside.name == "exposure.db.quarantined-20260513T101112Z"
    assert aside.read_bytes() == kept["exposure.db"]
    assert aside.with_name(aside.name + "-wal").read_bytes() == kept["exposure.db-wal"]
    fresh = bench.load()
    assert fresh.known
    assert fresh.dose == Dose()
    assert quarantine(bench.path, when).name == "exposure.db.quarantined-20260513T101112Z-2"
    with pytest.raises(StoreError, match="nothing to put aside"):
        quarantine(bench.path, when)


def test_a_directory_that_cannot_be_made_locks(bench: Bench) -> None:
    bench.directory.write_text("a file where the directory should be")
    store = bench.store()
    ledger = store.load()
    assert not ledger.known
    assert "cannot be created or written" in ledger.why_unknown
    assert store.failure == ledger.why_unknown


def test_a_file_replaced_under_a_running_daemon_is_a_failure(bench: Bench) -> None:
    store = bench.opened_store()
    store.submit_session(record(at_s=1.0, ended_why=""))
    wait_for(lambda: store.durable_at_s == 1.0)
    bench.path.unlink()
    store.submit_session(record(at_s=2.0, ended_why=""))
    wait_for(lambda: store.failure)
    store.submit_session(record(at_s=3.0, ended_why=""))
    assert store.durable_at_s == 1.0


FULL_DISK = """
import resource, sys, time
from pathlib import Path
from cryodevice.records.exposure_store import SqliteExposureStore
from cryodevice.runtime.ports import SessionRecord
from cryodevice.safety.exposure import ZoneExposure
from cryodevice.safety.limits import Zone

def wait_for(condition):
    end = time.monotonic() + 10.0
    while not condition():
        assert time.monotonic() < end, store.failure
        time.sleep(0.01)

def submit(at_s):
    store.submit_session(SessionRecord("s", "anonymous", Zone.NOSE, 8.0, {Zone.NOSE: ZoneExposure(at_s)}, at_s))

path = Path(sys.argv[1])
store = SqliteExposureStore(path, time.time)
assert store.load().known
submit(1.0)
wait_for(lambda: store.durable_at_s == 1.0)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (path.with_name("exposure.db-wal").stat().st_size, hard))
submit(2.0)
wait_for(lambda: store.failure)
assert "cannot be written" in store.failure, store.failure
for at_s in (3.0, 4.0):
    began = time.monotonic()
    submit(at_s)
    assert time.monotonic() - began < 0.1
    time.sleep(0.6)
assert store.durable_at_s < 4.0
assert store.failure
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
wait_for(lambda: store.durable_at_s == 4.0)
assert store.failure == ""
store.close()
print("recovered")
"""


@pytest.mark.req("T03")
def test_a_full_disk_withholds_durability_until_there_is_space_again(bench: Bench) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(bench.path)], capture_output=True, text=True, timeout=40, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "recovered\n", "")
    assert bench.load().interrupted.exposure[Zone.NOSE].contact_s == 7.0


FULL_AT_START = """
import resource, sys, time
from pathlib import Path
from cryodevice.records.exposure_store import SqliteExposureStore

_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
store = SqliteExposureStore(Path(sys.argv[1]), time.time)
ledger = store.load()
print(ledger.known, store.failure == ledger.why_unknown != "", store.durable_at_s)
store.close()
"""


@pytest.mark.req("T03")
@pytest.mark.parametrize("used", [False, True])
def test_a_disk_full_at_start_locks(bench: Bench, used: bool) -> None:
    if used:
        filled(bench)
    done = subprocess.run(
        [sys.executable, "-c", FULL_AT_START, str(bench.path)], capture_output=True, text=True, timeout=40, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "False True -inf\n", "")
    assert bench.load().known, "what was there is still there"


@pytest.mark.req("T09")
def test_a_read_only_state_directory_locks(bench: Bench) -> None:
    if os.geteuid() == 0:
        locked = bench.path.with_name("exposure.lock")
        bench.directory.mkdir()
        locked.mkdir()  # root ignores permissions; a directory in the way of the lock is refused to everybody
    else:
        bench.directory.mkdir(mode=0o500)
    store = bench.store()
    ledger = store.load()
    assert not ledger.known
    assert "cannot be created or written" in store.failure


def test_boot_id_is_read_from_this_machine() -> None:
    assert this_boot().boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert BootTime("", 0.0).at_s < this_boot().at_s


def test_every_commit_waits_for_the_disk_in_write_ahead_mode(bench: Bench) -> None:
    filled(bench)
    connection = ledger_file.connect(bench.path.resolve())
    # Power cannot be cut here: 2 is FULL, without which a commit returns before its fsync.
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
