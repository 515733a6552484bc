"""What a daemon does with what the one before it left behind: a cold plate on skin, a dose, a lockout, a lock file.

Three stories run side by side, each with a wand of its own; a test waits for its own.
"""

import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from cryodevice.safety.limits import Zone
from tests.system.processes import ZONE, Daemon, bed, cryodevice, until, write_settings

CRASH_ALLOWANCE_S = 3.0
"""Added after a crash for what was not durable (docs/architecture.md)."""
RECORDED_EVERY_S = 1.0


def crash(directory: Path) -> dict[str, object]:
    """Kill -9 in mid-contact, start again with the wand still on the skin and the trigger held."""
    seen: dict[str, object] = {}
    with bed(directory, limits={"day_sessions": 1.0}) as cooling:
        seen["true_contact_s"] = cooling.to_cooling(contact_s=2.5)["contact_s"][ZONE]
        cooling.daemon.send(signal.SIGKILL)
        cooling.daemon.wait(3)
        cooling.until_off()
        daemon = cooling.restart_daemon()
        seen["session_id"] = cooling.notes["session_id"]
        seen["ended"] = daemon.event("session_ended")
        seen["status"] = daemon.until_state("locked")
        cooling.stays_off(1.0)
        cooling.wand.hand(contact=False)
        seen["reset"] = cryodevice("reset", "--config", daemon.config)
        daemon.until_permit()
        cooling.stays_off(0.3)
        seen["again"] = daemon.ask({"ask": "start", "treatment": {"name": "again", "step": [STEP]}})
        daemon.send(signal.SIGTERM)
        seen["code"] = daemon.wait(3)
        seen["ledger"] = daemon.ledger()
    return seen


STEP = {"zone": ZONE, "plate_degc": 20.0, "hold_s": 10.0, "rewarm_s": 1.0}


def emergency(directory: Path) -> dict[str, object]:
    """E-stop while cooling; the lockout meets two restarts, one after kill -9, and a person who resets."""
    seen: dict[str, object] = {}
    treatment = directory / "treatment.toml"
    with bed(directory) as cooling:
        treatment.write_text(
            f'name = "x"\n[[step]]\nzone = "{ZONE}"\nplate_degc = 20.0\nhold_s = 10.0\nrewarm_s = 1.0\n'
        )
        cooling.to_cooling()
        pressed_s = cooling.wand.now_s()
        cooling.wand.hand(estop=True)
        seen["off_after_s"] = cooling.until_off()["drive_off_at_s"] - pressed_s
        cooling.daemon.until_state("locked")
        time.sleep(0.3)
        cooling.daemon.send(signal.SIGKILL)
        cooling.daemon.wait(3)
        daemon = cooling.restart_daemon()
        config = ("--config", daemon.config)
        daemon.until(lambda status: status["link"]["up"], 10, "link")
        seen["after_kill"] = daemon.until_state("locked")
        seen["explained"] = cryodevice("explain", "--trip", "last", *config)
        seen["treat_locked"] = cryodevice("treat", *config, treatment)
        seen["reset_pressed"] = cryodevice("reset", *config)
        seen["still"] = daemon.status()
        cooling.wand.hand(estop=False)
        time.sleep(0.2)
        seen["released"] = daemon.status()
        seen["reset_released"] = cryodevice("reset", *config)
        seen["cleared"] = daemon.until_state("idle")
        seen["trip"] = cooling.wand.truth()["trip"]
        seen["reset_again"] = cryodevice("reset", *config)
        daemon.send(signal.SIGTERM)
        seen["code"] = daemon.wait(3)
        seen["after_reset"] = cooling.restart_daemon().until_permit()
        cooling.stays_off(0.2)
    return seen


def crowd(directory: Path) -> dict[str, object]:
    """A second daemon on the same state directory, with the same wand and with another."""
    seen: dict[str, object] = {}
    with bed(directory) as first:
        before = first.daemon.until_permit()
        with Daemon(first.daemon.config, first.daemon.state_dir) as second:
            seen["code"], seen["said"] = second.wait(10), second.said()
        seen["before"], seen["after"] = before, first.daemon.until(lambda s: s["ticks"] > before["ticks"], 2, "ticks")
        first.daemon.send(signal.SIGKILL)
        first.daemon.wait(3)
        seen["after_a_crash"] = first.restart_daemon().until_permit()
    return seen


STORIES: dict[str, Callable[[Path], dict[str, object]]] = {"crash": crash, "emergency": emergency, "crowd": crowd}
Told = dict[str, Future]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    root = tmp_path_factory.mktemp("r")
    with ThreadPoolExecutor(len(STORIES)) as pool:
        yield {name: pool.submit(story, root / name) for name, story in STORIES.items()}


@pytest.mark.req("D01")
def test_after_kill_9_no_cooling_resumes_and_the_session_is_ended_with_its_reason(told: Told) -> None:
    seen = told["crash"].result()
    assert (seen["ended"]["message"], seen["ended"]["why"]) == ("daemon restart", "daemon restart")
    assert seen["ended"]["session_id"] == seen["session_id"]
    assert seen["status"]["lockout"]["cause"] == "wand_tripped", "the wand let go by itself: a person must look"
    alarms = {alarm["cause"]: alarm["priority"] for alarm in seen["status"]["alarms"]["standing"]}
    assert alarms["interrupted"] == "high", "and somebody must hear that it died in a session"
    assert seen["reset"].returncode == 0, seen["reset"]
    assert seen["code"] == 0


def test_after_kill_9_the_exposure_is_kept_and_counts(told: Told) -> None:
    seen = told["crash"].result()
    kept = seen["ledger"].dose.day(Zone(ZONE)).contact_s
    true = seen["true_contact_s"]
    assert true <= kept <= true + RECORDED_EVERY_S + CRASH_ALLOWANCE_S, (kept, true)
    assert seen["ledger"].dose.earlier_sessions >= 1
    assert seen["again"]["ok"] is False
    assert "day_sessions" in seen["again"]["message"]


def test_the_trip_before_a_kill_is_on_record_and_comes_out_again(told: Told) -> None:
    seen = told["emergency"].result()
    done = seen["explained"]
    assert done.returncode == 0, done
    assert done.stdout.startswith("The treatment was stopped and the wand locked: estop.")
    assert "judged again give the same trip, at the same moment; the daemon ended before its 5 s" in done.stdout
    trip = seen["after_kill"]["last_trip"]
    assert trip["cause"] == "estop"
    assert f"record      {trip['record']}" in done.stdout


def test_a_lockout_survives_a_restart_and_is_reset_only_when_its_cause_is_gone(told: Told) -> None:
    seen = told["emergency"].result()
    assert seen["off_after_s"] <= 0.25
    assert seen["after_kill"]["lockout"]["cause"] == "estop"
    assert not seen["after_kill"]["permit"]
    assert seen["still"]["lockout"]["cause"] == "estop"
    assert seen["released"]["lockout"]["cause"] == "estop", "releasing is not resetting"
    assert seen["cleared"]["lockout"] is None
    assert seen["trip"] == "none"
    assert seen["after_reset"]["lockout"] is None


def test_refusals_for_safety_exit_with_3_and_say_why(told: Told) -> None:
    seen = told["emergency"].result()
    for name, words in (
        ("treat_locked", "locked by estop"),
        ("reset_pressed", "the cause is still present: estop"),
        ("reset_again", "nothing is locked"),
    ):
        done = seen[name]
        assert (done.returncode, words in done.stdout, done.stderr) == (3, True, ""), done
    assert seen["reset_released"].returncode == 0, seen["reset_released"]
    assert seen["code"] == 0


@pytest.mark.req("X03")
@pytest.mark.req("X04")
def test_a_second_daemon_on_one_state_directory_is_refused_and_changes_nothing(told: Told) -> None:
    seen = told["crowd"].result()
    assert seen["code"] == 1, seen["said"]
    assert "exposure.db" in seen["said"]
    assert "Traceback" not in seen["said"], seen["said"]
    assert len(seen["said"].splitlines()) == 1, seen["said"]
    assert seen["after"]["link"]["up"]
    assert seen["after"]["lockout"] is None
    assert seen["after"]["misses"] <= seen["before"]["misses"] + 2
    assert seen["after_a_crash"]["permit"], "a lock left by a crash must not hold"


def test_without_a_wand_the_daemon_waits_says_so_and_ends_with_0(tmp_path: Path) -> None:
    config = write_settings(tmp_path / "cryodevice.toml", str(tmp_path / "no-port"), tmp_path / "state")
    with Daemon(config, tmp_path / "state") as daemon:
        status = daemon.until(lambda s: s["link"]["why"] != "not connected yet", 10, "an attempt")
        assert not status["link"]["up"]
        assert "no-port" in status["link"]["why"]
        refused = daemon.ask({"ask": "start", "treatment": {"name": "x", "step": [STEP]}})
        assert (refused["ok"], "not ready" in refused["message"]) == (False, True), refused
        daemon.send(signal.SIGTERM)
        assert daemon.wait(3) == 0, daemon.said()
    until(lambda: not (tmp_path / "state" / "control.sock").exists(), 1, "the socket's end")
