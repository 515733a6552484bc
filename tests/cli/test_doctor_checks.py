from datetime import UTC, datetime, timedelta

import pytest

from cryodevice.cli import doctor_checks as checks
from cryodevice.cli.doctor import ASKED, PROBES
from cryodevice.cli.doctor_checks import NEEDS, Result, State
from cryodevice.cli.doctor_host import supervised
from cryodevice.errors import ExitCode

NOW = datetime(2026, 6, 1, tzinfo=UTC)
OK, WARN, FAIL, SKIP = State.OK, State.WARN, State.FAIL, State.SKIP


def test_every_check_has_a_probe_and_needs_only_what_is_made_before_it():
    assert list(PROBES) == list(NEEDS)
    assert set(ASKED) < set(NEEDS)
    made: set[str] = set()
    for check, needs in NEEDS.items():
        assert set(needs) <= made, check
        made.add(check)


def test_the_first_failure_explains_all_that_follow():
    results = {"settings": checks.ok("good"), "port": checks.fail("no such port", "plug it in")}
    for check in ("permission", "baud", "state_dir", "disk", "daemon", "exclusive", "identity", "limits"):
        found = checks.blocked(check, results)
        results[check] = found if found is not None else checks.ok("fine")
    assert results["baud"].state is OK
    for check in ("permission", "exclusive", "identity", "limits"):
        assert (results[check].state, results[check].because) == (SKIP, "port")
        assert "port failed" in results[check].message


def test_what_does_not_apply_keeps_nothing_from_being_looked_at():
    results = {
        "permission": checks.skip("not for TCP"),
        "baud": checks.skip("not for TCP"),
        "daemon": checks.ok("none"),
    }
    assert checks.blocked("exclusive", results) is None


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ({"port": OK, "clock": WARN, "certificate": SKIP}, ExitCode.FINE),
        ({"port": FAIL, "clock": WARN}, ExitCode.FAILED),
        ({"settings": FAIL, "port": SKIP}, ExitCode.USAGE),
    ],
)
def test_the_exit_code(states, code):
    assert checks.exit_code([Result(state, "", check=check) for check, state in states.items()]) is code


@pytest.mark.parametrize(
    ("found", "state", "says"),
    [
        (checks.space(5000, 0.004), OK, "4.0 ms"),
        (checks.space(5000, None), OK, "5000 MiB free"),
        (checks.space(200, 0.004), WARN, "200 MiB"),
        (checks.space(5000, 1.5), WARN, "1500.0 ms"),
        (checks.space(3, 0.004), FAIL, "3 MiB"),
        (checks.clock(2026, 0.02), OK, "0.020 s"),
        (checks.clock(2026, None), WARN, "not synchronised"),
        (checks.clock(1970, 0.02), FAIL, "1970"),
        (checks.calibration(30, clock_kept=True), OK, "30 days ago"),
        (checks.calibration(-1, clock_kept=True), OK, "0 days ago"),
        (checks.calibration(340, clock_kept=True), WARN, "expires soon"),
        (checks.calibration(366, clock_kept=True), FAIL, "expired"),
        (checks.calibration(-40, clock_kept=True), FAIL, "40 days in the future"),
        (checks.calibration(None, clock_kept=True), FAIL, "does not say"),
        (checks.calibration(None, clock_kept=False), FAIL, "does not say"),
        (checks.calibration(366, clock_kept=False), WARN, "it is not refused"),
        (checks.calibration(-40, clock_kept=False), WARN, "it is not refused"),
        (checks.round_trip([0.008] * 20, 0, 0.025), OK, "8.0 ms"),
        (checks.round_trip([0.008] * 16, 4, 0.025), WARN, "4 of 20"),
        (checks.round_trip([0.008] * 5, 15, 0.025), FAIL, "15 of 20"),
        (checks.round_trip([], 20, 0.025), FAIL, "20 of 20"),
        (checks.certificate("it", NOW - timedelta(days=9), NOW + timedelta(days=90), NOW), OK, "90 days"),
        (checks.certificate("it", NOW - timedelta(days=9), NOW + timedelta(days=29), NOW), WARN, "29 days"),
        (checks.certificate("it", NOW - timedelta(days=9), NOW - timedelta(hours=1), NOW), FAIL, "expired on"),
        (checks.certificate("it", NOW + timedelta(hours=1), NOW + timedelta(days=90), NOW), FAIL, "valid from"),
    ],
)
def test_what_is_found_is_judged(found, state, says):
    assert found.state is state
    assert says in found.message
    assert bool(found.todo) == (state is not OK)


def test_the_service_manager_is_told_of_plainly(tmp_path):
    assert supervised("/run/notify", "10000000", ()).message == "this unit's watchdog is set to 10 s"
    assert supervised("/run/notify", "", ()).state is WARN
    assert "no systemd unit" in supervised("", "", (str(tmp_path), "/nowhere")).message
    unit = tmp_path / "cryodevice@.service"
    unit.write_text("[Service]\nType=notify\n")
    assert "no watchdog" in supervised("", "", (str(tmp_path),)).message
    unit.write_text("[Service]\nWatchdogSec=5s\n")
    found = supervised("", "", (str(tmp_path),))
    assert (found.state, found.message) == (OK, f"{unit}, watchdog 5s")


def test_another_master_shows_in_orders_or_in_a_lease_that_is_not_ours():
    assert checks.another_master(0, 0, 0.25) == ""
    assert "5 orders in 0.25 s" in checks.another_master(5, 0, 0.25)
    assert "a lease that is not ours is live, 480 ms" in checks.another_master(0, 480, 0.25)
