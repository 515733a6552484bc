import math
import sqlite3
import stat
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cryodevice.errors import StoreError
from cryodevice.records.exposure_store import RESTARTED, BootTime
from cryodevice.runtime.ports import ExposureStore, SessionRecord
from cryodevice.safety.exposure import NOTHING, Dose, ZoneExposure, after_crash
from cryodevice.safety.limits import Zone
from cryodevice.safety.verdict import Clear, Lockout
from tests.records.conftest import Bench, record, wait_for

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
    assert summed(bench.load().dose) == {}


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
