import math
import sqlite3
import stat
import time
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cryodevice.errors import StoreError
from cryodevice.records import schema
from cryodevice.records.exposure_store import RESTARTED, BootTime
from cryodevice.runtime.ports import OUTSIDE, ExposureStore, SessionRecord
from cryodevice.safety.exposure import NOTHING, Dose, ZoneExposure, after_crash
from cryodevice.safety.limits import Zone
from cryodevice.safety.verdict import Clear, Lockout
from tests.records.conftest import NOW, Bench, record, wait_for

HOUR_S = 3600.0
LOCKOUT = Lockout("skin_stop", Clear.SERVICE, 1.5, 2.0, math.inf, "degC", "look at the skin")


def summed(dose: Dose) -> dict[Zone, ZoneExposure]:
    """What all earlier sessions of the day add up to, by zone."""
    return {zone: dose.day(zone) for past in dose.past for zone in past.zones}


def test_a_new_directory_is_known_and_empty(bench: Bench) -> None:
    store: ExposureStore = bench.store()
    ledger = store.load()
    assert (ledger.known, ledger.dose, ledger.interrupted, ledger.lockout) == (True, Dose(), None, None)
    assert store.durable_at_s == -math.inf
    assert store.failure == ""
    assert stat.S_IMODE(bench.path.stat().st_mode) == 0o600


def test_what_is_submitted_is_loaded_after_a_restart(bench: Bench) -> None:
    bench.written(record(), record("s2", 20.0, 9.0, zone=Zone.NECK), record("s3", 0.0, 9.5))
    ledger = bench.load()
    assert ledger.interrupted is None
    assert ledger.dose.session == {}
    assert summed(ledger.dose) == {
        Zone.NOSE: record().exposure[Zone.NOSE].joined(record("s3", 0.0).exposure[Zone.NOSE]),
        Zone.NECK: record(contact_s=20.0, zone=Zone.NECK).exposure[Zone.NECK],
    }
    assert ledger.dose.earlier_sessions == 2  # s3 never touched


def test_never_measured_lowest_temperatures_stay_infinite(bench: Bench) -> None:
    bench.written(SessionRecord("s", "anonymous", Zone.NECK, math.inf, {Zone.NECK: NOTHING}, 1.0, "stopped"))
    assert summed(bench.load().dose)[Zone.NECK] == NOTHING


def test_each_client_has_its_own_dose(bench: Bench) -> None:
    bench.written(record("s1", client="anna"), record("s2", 20.0, client="ben"))
    assert summed(bench.load("anna").dose)[Zone.NOSE].contact_s == 10.0
    assert summed(bench.load("ben").dose)[Zone.NOSE].contact_s == 20.0
    assert bench.load("anna").dose.client == "anna"
    ledger = bench.load()
    assert summed(ledger.dose) == {}
    assert {client: sum(past.contact_s for past in books) for client, books in ledger.others.items()} == {
        "anna": 10.0,
        "ben": 20.0,
    }
    assert bench.load("anna").others.keys() == {"ben"}


def test_what_was_touched_outside_of_a_session_is_dose_and_no_session(bench: Bench) -> None:
    bench.written(record("outside-1", ended_why=OUTSIDE), record("s1"))
    dose = bench.load().dose
    assert (dose.day_contact_s, dose.earlier_sessions) == (20.0, 1)


def test_durable_follows_the_newest_committed_record(bench: Bench) -> None:
    store = bench.opened_store()
    for at_s in (1.0, 2.0, 3.0):
        store.submit_session(record(at_s=at_s, ended_why=""))
        wait_for(lambda at_s=at_s: store.durable_at_s == at_s)


def test_many_records_become_one_commit_and_the_newest_wins(bench: Bench) -> None:
    store = bench.opened_store()
    store.submit_session(record("other"))
    wait_for(lambda: store.durable_at_s == 5.0)
    before = store._writer.commits
    foreign = sqlite3.connect(bench.path, isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")  # nothing can be written while somebody else holds the file
    began = time.monotonic()
    for count in range(1, 501):
        store.submit_session(record("s1", float(count), 10.0 + count, ended_why=""))
    store.submit_lockout(LOCKOUT)
    store.submit_session(record("s2", 7.0, 600.0))
    assert time.monotonic() - began < 1.0, "submit waited for the disk"
    assert store.durable_at_s == 5.0
    foreign.execute("ROLLBACK")
    foreign.close()
    wait_for(lambda: store.durable_at_s == 600.0)
    assert store._writer.commits - before <= 2
    store.submit_session(record("s1", 500.0, 700.0))
    store.close()
    assert summed(bench.load().dose)[Zone.NOSE].contact_s == 517.0


@pytest.mark.req("T06")
@pytest.mark.req("T04")
def test_a_file_locked_by_others_is_a_failure_until_they_let_go(bench: Bench) -> None:
    store = bench.opened_store()
    foreign = sqlite3.connect(bench.path, isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")
    store.submit_session(record(at_s=1.0, ended_why=""))
    wait_for(lambda: store.failure)
    assert "exposure.db cannot be written (database is locked)" in store.failure
    store.submit_session(record(at_s=2.0, ended_why=""))
    assert store.durable_at_s == -math.inf
    foreign.execute("ROLLBACK")
    foreign.close()
    wait_for(lambda: store.durable_at_s == 2.0)
    assert store.failure == ""


def test_a_session_without_an_end_was_interrupted_and_is_closed_with_its_allowance(bench: Bench) -> None:
    bench.written(record("done"), record("open", 20.0, ended_why=""))
    ledger = bench.load()
    expected = after_crash(record(contact_s=20.0).exposure[Zone.NOSE], 8.0)
    assert ledger.interrupted.session_id == "open"
    assert (ledger.interrupted.zone, ledger.interrupted.coldest_plate_degc) == (Zone.NOSE, 8.0)
    assert ledger.interrupted.exposure == {Zone.NOSE: expected}
    assert expected.contact_s == 23.0
    assert summed(ledger.dose)[Zone.NOSE].contact_s == 33.0
    assert summed(ledger.dose)[Zone.NOSE].lowest_skin_degc == 8.0
    assert ledger.dose.earlier_sessions == 2
    again = bench.load()
    assert again.interrupted is None
    assert summed(again.dose) == summed(ledger.dose)
    with sqlite3.connect(bench.path) as connection:
        ended = dict(connection.execute("SELECT session_id, ended_why FROM session"))
    connection.close()
    assert ended == {"done": "complete", "open": RESTARTED}


def test_a_session_killed_before_first_contact_still_gets_its_allowance(bench: Bench) -> None:
    bench.written(SessionRecord("s", "anonymous", Zone.NECK, 8.0, {}, 1.0))
    assert summed(bench.load().dose) == {Zone.NECK: after_crash(NOTHING, 8.0)}


def test_durability_of_an_earlier_run_is_not_taken_for_this_one(bench: Bench) -> None:
    bench.written(record("open", at_s=1e6, ended_why=""))
    store = bench.store()
    assert store.load().interrupted is not None
    assert store.durable_at_s == -math.inf


def test_a_lockout_survives_until_it_is_cleared_and_its_history_stays(bench: Bench) -> None:
    store = bench.opened_store()
    store.submit_lockout(LOCKOUT)
    store.close()
    assert bench.load().lockout == LOCKOUT
    store = bench.opened_store()
    store.submit_lockout(None)
    store.close()
    assert bench.load().lockout is None
    unknown = Lockout("sensor", Clear.ACKNOWLEDGE, math.nan, -math.inf, 1.0, "K", "")
    store = bench.opened_store()
    store.submit_lockout(LOCKOUT)
    store.submit_lockout(unknown)
    store.close()
    loaded = bench.load().lockout
    assert math.isnan(loaded.value)
    assert (loaded.cause, loaded.clear, loaded.low, loaded.high) == ("sensor", Clear.ACKNOWLEDGE, -math.inf, 1.0)
    with sqlite3.connect(bench.path) as connection:
        rows = connection.execute("SELECT latched, cause FROM lockout ORDER BY number").fetchall()
    connection.close()
    assert rows == [(1, "skin_stop"), (0, ""), (1, "skin_stop"), (1, "sensor")]


@pytest.mark.parametrize(
    ("later_s", "counts"),
    [(23 * HOUR_S, True), (24 * HOUR_S, True), (25 * HOUR_S, False), (-24 * HOUR_S, True), (-400 * HOUR_S, True)],
)
def test_after_a_reboot_the_wall_clock_ages_the_day_and_the_future_counts(
    bench: Bench, later_s: float, counts: bool
) -> None:
    bench.written(record())
    bench.wall_s += later_s
    bench.boot = BootTime("boot-2", 50.0)
    assert (Zone.NOSE in summed(bench.load().dose)) is counts


@pytest.mark.parametrize("jump_s", [24.5 * HOUR_S, -24.5 * HOUR_S])
def test_within_one_boot_a_wall_clock_that_is_set_ages_nothing(bench: Bench, jump_s: float) -> None:
    bench.written(record())
    bench.wall_s += jump_s
    bench.boot = BootTime("boot-1", 1000.0 + 23 * HOUR_S)
    assert Zone.NOSE in summed(bench.load().dose)
    bench.boot = BootTime("boot-1", 1001.0 + 24 * HOUR_S)
    assert Zone.NOSE not in summed(bench.load().dose)


def test_closing_an_interrupted_session_does_not_make_it_younger(bench: Bench) -> None:
    bench.written(record("open", ended_why=""))
    bench.wall_s, bench.boot = bench.wall_s + 23 * HOUR_S, BootTime("boot-2", 1.0)
    assert bench.load().dose.earlier_sessions == 1
    bench.wall_s += 2 * HOUR_S
    assert bench.load().dose.earlier_sessions == 0


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_totals_that_are_no_numbers_are_refused_and_withhold_durability(bench: Bench, bad: float) -> None:
    store = bench.opened_store()
    store.submit_session(record(at_s=1.0, ended_why=""))
    wait_for(lambda: store.durable_at_s == 1.0)
    store.submit_session(record(contact_s=bad, at_s=2.0, ended_why=""))
    assert "contact_s of nose" in store.failure
    store.submit_lockout(LOCKOUT)
    store.submit_session(record(contact_s=11.0, at_s=3.0, ended_why=""))
    wait_for(lambda: store.durable_at_s == 3.0)
    assert store.failure == ""


def test_text_that_cannot_be_stored_is_refused_and_said(bench: Bench) -> None:
    store = bench.opened_store()
    store.submit_lockout(Lockout("\udcff", Clear.SERVICE, 1.0, 0.0, 2.0, "K", ""))
    assert "a lockout was refused" in store.failure
    store.submit_session(record("\udcff"))
    assert "was refused" in store.failure
    store.submit_session(record("s"))
    store.close()
    assert bench.load().dose.earlier_sessions == 1


def test_a_store_that_is_not_open_says_so_and_takes_submits_in_silence(bench: Bench) -> None:
    store = bench.store()
    store.submit_session(record())
    store.submit_lockout(LOCKOUT)
    assert store.failure == "the exposure store is not open"
    store.close()


def test_loading_twice_is_refused(bench: Bench) -> None:
    store = bench.opened_store()
    with pytest.raises(StoreError, match="already open"):
        store.load()


zone_totals = st.builds(
    ZoneExposure,
    *[st.floats(0.0, 1e6) | st.integers(0, 1000)] * 5,
    st.floats(-50.0, 50.0) | st.just(math.inf),
    st.floats(-50.0, 50.0) | st.just(math.inf),
)
sessions = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c"]), st.dictionaries(st.sampled_from(Zone), zone_totals, max_size=4)),
    max_size=8,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(submitted=sessions)
def test_totals_after_load_are_the_sum_of_what_was_submitted(
    bench: Bench, tmp_path_factory: pytest.TempPathFactory, submitted: list[tuple[str, dict[Zone, ZoneExposure]]]
) -> None:
    bench.directory = tmp_path_factory.mktemp("ledger")
    bench.written(
        *(
            SessionRecord(name, "anonymous", Zone.OTHER, 8.0, exposure, float(at_s), "complete")
            for at_s, (name, exposure) in enumerate(submitted)
        )
    )
    newest = dict(submitted)
    loaded = bench.load().dose
    assert summed(loaded).keys() == {zone for exposure in newest.values() for zone in exposure}
    for zone, total in summed(loaded).items():
        of_zone = [exposure[zone] for exposure in newest.values() if zone in exposure]
        assert total.contact_s == pytest.approx(sum(totals.contact_s for totals in of_zone))
        assert total.d10_degc_s == pytest.approx(sum(totals.d10_degc_s for totals in of_zone))
        assert total.lowest_skin_degc == min(totals.lowest_skin_degc for totals in of_zone)
        assert total.lowest_fat_degc == min(totals.lowest_fat_degc for totals in of_zone)
    touched = [exposure for exposure in newest.values() if sum(total.contact_s for total in exposure.values()) > 0.0]
    assert loaded.earlier_sessions == len(touched)


@pytest.mark.req("D21")
@pytest.mark.parametrize("ahead_s", [25 * HOUR_S, 40 * 365 * 24 * HOUR_S, -56 * 365 * 24 * HOUR_S])
@pytest.mark.parametrize("kept_when", ["then", "now", "never"])
def test_after_a_reboot_a_wall_clock_that_nobody_keeps_ages_nothing(
    bench: Bench, ahead_s: float, kept_when: str
) -> None:
    bench.synchronised = kept_when == "then"
    bench.written(record())
    bench.synchronised = kept_when == "now"
    bench.wall_s, bench.boot = bench.wall_s + ahead_s, BootTime("boot-2", 20.0)
    assert bench.load().dose.day(Zone.NOSE).contact_s == 10.0
    bench.boot = BootTime("boot-2", 24 * HOUR_S - 1.0)
    assert bench.load().dose.day(Zone.NOSE).contact_s == 10.0, "it has not been a day since this boot"
    bench.boot = BootTime("boot-2", 24 * HOUR_S + 1.0)
    assert bench.load().dose.past == (), "this boot came after it, and is a day old"


@pytest.mark.req("D21")
def test_once_the_wall_clock_is_kept_earlier_sessions_get_their_age(bench: Bench) -> None:
    bench.written(record("yesterday"), record("today", 7.0))
    bench.synchronised = False
    bench.wall_s, bench.boot = 10.0, BootTime("boot-2", 20.0)
    store = bench.store()
    loaded = store.load().dose
    assert store.aged_again() == ()
    bench.wall_s, bench.synchronised = NOW + 25 * HOUR_S, True
    known = store.aged_again()
    assert [old for old, _ in known] == list(loaded.past)
    assert all(new.ended_at_s == pytest.approx(old.ended_at_s + 20.0 - 25 * HOUR_S, abs=5) for old, new in known)
    assert all(new.zones is old.zones for old, new in known)


@pytest.mark.req("D21")
@pytest.mark.req("X06")
@pytest.mark.parametrize(("synchronised", "simulated"), [(True, False), (False, True)])
def test_a_record_says_whether_its_clock_was_kept_and_its_wand_simulated(
    bench: Bench, synchronised: bool, simulated: bool
) -> None:
    bench.synchronised = synchronised
    bench.written(replace(record(), simulated=simulated))
    connection = sqlite3.connect(bench.path)
    assert connection.execute("SELECT synchronised, simulated FROM session").fetchall() == [(synchronised, simulated)]
    connection.close()


def of_version_1(bench: Bench) -> None:
    """The same ledger as version 1 of the schema kept it."""
    connection = sqlite3.connect(bench.path, isolation_level=None)
    rows = connection.execute("SELECT * FROM session").fetchall()
    connection.executescript(
        "BEGIN; DROP TABLE session; CREATE TABLE session ("
        "session_id TEXT PRIMARY KEY, client TEXT NOT NULL, zone TEXT NOT NULL, coldest_plate_degc REAL,"
        "started_wall_s REAL NOT NULL, updated_wall_s REAL NOT NULL, boot_id TEXT NOT NULL,"
        "updated_boot_s REAL NOT NULL,"
        "ended_why TEXT NOT NULL, crc INTEGER NOT NULL) STRICT;"
        "ALTER TABLE meta DROP COLUMN written_by; UPDATE meta SET schema_version = 1; PRAGMA user_version = 1; COMMIT;"
    )
    for row in rows:
        zones = connection.execute("SELECT * FROM session_zone WHERE session_id = ? ORDER BY zone", row[:1]).fetchall()
        head = row[:9]
        connection.execute("INSERT INTO session VALUES (?,?,?,?,?,?,?,?,?,?)", (*head, schema._crc(head, *zones)))
    connection.close()


def test_a_ledger_of_version_1_is_taken_over_whole(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    store = bench.opened_store()
    store.submit_lockout(LOCKOUT)
    store.submit_session(record())
    store.submit_session(record("s2", 20.0, 9.0, zone=Zone.NECK))
    store.close()
    expected = summed(bench.load().dose)
    of_version_1(bench)
    with monkeypatch.context() as broken:
        broken.setattr(schema, "write_session", lambda *_: (_ for _ in ()).throw(sqlite3.OperationalError("disk full")))
        ledger = bench.load()
        assert (ledger.known, "disk full" in ledger.why_unknown) == (False, True)
    connection = sqlite3.connect(bench.path)
    assert connection.execute("PRAGMA user_version").fetchone() == (1,), "half an upgrade"
    connection.close()
    ledger = bench.load()
    assert (ledger.known, ledger.lockout, summed(ledger.dose)) == (True, LOCKOUT, expected)
    assert summed(bench.load().dose) == expected
    bench.wall_s, bench.boot = NOW + 25 * HOUR_S, BootTime("boot-2", 20.0)
    assert summed(bench.load().dose) == expected, "version 1 did not say whether its clock was kept"


def test_a_damaged_ledger_of_version_1_is_not_taken_over(bench: Bench) -> None:
    bench.written(record())
    of_version_1(bench)
    connection = sqlite3.connect(bench.path)
    connection.execute("UPDATE session_zone SET contact_s = 1.0")
    connection.commit()
    connection.close()
    ledger = bench.load()
    assert (ledger.known, "damaged" in ledger.why_unknown) == (False, True)
