"""Every fault of a process or a line, over a real pty, while a real daemon cools a plate on skin.

The drive must be off in time by the wand's own truth, nothing may cool again by itself, and the daemon must say what
happened. A few beds run side by side, each in a thread; a test waits for its own.
"""

import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.system.faults import ENDINGS, FAULTS, THROUGH_DAEMON_S, Fault, Reaction, bed_for, check, react
from tests.system.processes import Bed, bed, cryodevice

TOLD_EXIT_S = 2.0
SAFE_EXIT_S = 3.0
"""Within this a daemon that is told to end has ended, also when nothing answers it any more."""


def ended(bed: Bed, code: int) -> None:
    assert bed.daemon.wait(SAFE_EXIT_S) == code, bed.daemon.said()
    bed.stays_off(0.5)


def killed(bed: Bed) -> None:
    ended(bed, -signal.SIGKILL)
    assert bed.wand.truth()["trip"] == "lease_expired"


def locked_after(bed: Bed) -> None:
    """Back again, the daemon finds a wand that let go by itself: the session is over, a person must look."""
    status = bed.daemon.until_state("locked", within_s=8)
    assert status["session"]["ended_why"] == "link_lost", status
    assert status["lockout"]["cause"] == "wand_tripped", status
    assert bed.wand.truth()["trip"] == "lease_expired"
    assert bed.daemon.event("session_ended")["why"] == "link_lost"
    bed.stays_off(0.5)
    refused = bed.daemon.ask({"ask": "start", "treatment": {"name": "x", "step": [COLD]}})
    assert (refused["ok"], "locked" in refused["message"]) == (False, True), refused


COLD = {"zone": "left_cheek", "plate_degc": 8.0, "hold_s": 10.0, "rewarm_s": 1.0}


def stopped(bed: Bed) -> None:
    time.sleep(1.0)
    bed.daemon.send(signal.SIGCONT)
    locked_after(bed)


def blocked(bed: Bed) -> None:
    locked_after(bed)
    stall = bed.daemon.event("the control loop stands still")
    assert "faulty_daemon" in stall["stack"] or "run_forever" in stall["stack"], stall["stack"]


def failed(bed: Bed) -> None:
    ended(bed, 1)
    assert "a service of the tests failed" in bed.daemon.said()
    assert "failed; the wand was made safe" in bed.daemon.said()
    assert bed.wand.truth()["trip"] == "none"


def hung_up(bed: Bed) -> None:
    status = bed.daemon.until_state("stopped", within_s=5)
    assert status["session"]["ended_why"] == "link_lost", status
    assert not status["link"]["up"]
    assert any("hung up" in line.get("message", "") for line in bed.daemon.logged() if line["event"] == "link_down")
    bed.stays_off(0.5)


def unheard(bed: Bed) -> None:
    bed.daemon.until_state("stopped", within_s=5)
    bed.relay.to_wand = True
    locked_after(bed)
    assert bed.daemon.status()["link"]["up"]


def deaf(bed: Bed) -> None:
    """The stop still got through, so the wand has not tripped; and reconnecting resumes nothing."""
    status = bed.daemon.until_state("stopped", within_s=5)
    assert status["session"]["ended_why"] == "link_lost", status
    bed.relay.to_host = True
    bed.daemon.until_permit()
    assert bed.daemon.status()["session"]["state"] == "stopped"
    bed.stays_off(0.5)


def told_to_end(bed: Bed) -> None:
    assert bed.daemon.wait(TOLD_EXIT_S) == 0, bed.daemon.said()
    why = bed.daemon.event("session_ended")["why"]
    assert why in {"stopped by SIGTERM", "stopped by SIGINT"}
    truth = bed.wand.truth()
    assert (truth["trip"], truth["mode"], truth["relay_closed"]) == ("none", "off", False)
    ledger = bed.daemon.ledger()
    assert ledger.interrupted is None, "the session was not closed durably"
    assert ledger.dose.day_contact_s >= 0.2


def told_to_stop(bed: Bed) -> None:
    assert bed.daemon.until_state("stopped")["session"]["ended_why"] == "stopped by tester"
    bed.stays_off(0.5)
    assert bed.wand.truth()["trip"] == "none"


THEN: dict[str, Callable[[Bed], None]] = {
    "daemon killed (SIGKILL)": killed,
    "daemon stopped (SIGSTOP)": stopped,
    "event loop blocked": blocked,
    "uncaught exception in a service": failed,
    "port hung up": hung_up,
    "host to wand dead": unheard,
    "wand to host dead": deaf,
    "SIGTERM": told_to_end,
    "SIGINT": told_to_end,
    "stop commanded": told_to_stop,
}
ALL = FAULTS | ENDINGS


def run(fault: Fault, directory: Path) -> Reaction:
    with bed_for(fault, directory) as cooling:
        cooling.to_cooling()
        reaction = react(cooling, fault)
        THEN[fault.name](cooling)
        return reaction


def end_with_a_dead_line(after_s: float, directory: Path) -> tuple[int, float, str]:
    """Cut both ways while cooling, SIGTERM ``after_s`` later; exit status, how long it took, what was said."""
    with bed(directory, relayed=True) as cooling:
        cooling.to_cooling()
        cooling.relay.to_wand = cooling.relay.to_host = False
        time.sleep(after_s)
        began = time.monotonic()
        cooling.daemon.send(signal.SIGTERM)
        code = cooling.daemon.wait(SAFE_EXIT_S)
        took = time.monotonic() - began
        cooling.until_off()
        return code, took, cooling.daemon.said()


def stop_by_command(directory: Path) -> tuple[int, str, float]:
    """``cryodevice stop`` while cooling; exit status, its words, and when the drive went off after it returned, s."""
    with bed(directory) as cooling:
        cooling.to_cooling()
        done = cryodevice("stop", "--config", cooling.daemon.config)
        returned_s = cooling.wand.now_s()
        off = cooling.until_off(1.0)
        cooling.stays_off(0.3)
        return done.returncode, done.stdout + done.stderr, off["drive_off_at_s"] - returned_s


def kill_beside_a_wand_that_holds_on(directory: Path) -> Reaction:
    """A wand whose lease ends 0.3 s late: what the measurement itself must show."""
    fault = FAULTS["daemon killed (SIGKILL)"]
    with bed_for(fault, directory) as cooling:
        cooling.to_cooling()
        cooling.wand.control.quirk(lease_overrun_ms=300)
        return react(cooling, fault)


DEAD_LINE_S = (0.0, 1.6)
AT_ONCE = 4
"""Beds that run side by side: more would measure the machine."""
ALONE: dict[str, Callable[[Path], object]] = {
    "test_the_stop_command_stops": stop_by_command,
    "test_a_wand_that_holds_on_is_seen_to": kill_beside_a_wand_that_holds_on,
}
Runs = dict[str, Future]


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """What the chosen tests need, all under way at once."""
    jobs: dict[str, Callable[[Path], object]] = {
        name: lambda directory, fault=fault: run(fault, directory) for name, fault in ALL.items()
    }
    for after_s in DEAD_LINE_S:
        jobs[str(after_s)] = lambda directory, after_s=after_s: end_with_a_dead_line(after_s, directory)
    jobs |= ALONE
    mine = [item for item in request.session.items if item.path == request.path]
    wanted = {str(next(iter(item.callspec.params.values()))) for item in mine if hasattr(item, "callspec")}
    wanted |= {item.name for item in mine} & set(ALONE)
    root = tmp_path_factory.mktemp("f")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        in_turn = [name for name in jobs if name in wanted]
        yield {name: pool.submit(jobs[name], root / str(number)) for number, name in enumerate(in_turn)}


def test_every_fault_and_ending_has_its_aftermath() -> None:
    assert set(THEN) == set(ALL)


ROWS = {"daemon stopped (SIGSTOP)": "D02", "event loop blocked": "D03", "SIGTERM": "D12"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.req(ROWS[name])) if name in ROWS else name for name in ALL]
)
def test_drive_is_off_in_time_and_stays_off(
    runs: Runs, name: str, record_property: Callable[[str, object], None]
) -> None:
    reaction: Reaction = runs[name].result()
    record_property("after_fault_ms", round(1000 * reaction.after_fault_s, 1))
    print(f"{name}: drive off {1000 * reaction.after_fault_s:.0f} ms after the fault")  # noqa: T201 - shown by -rP
    check(reaction, ALL[name])


@pytest.mark.req("D13")
@pytest.mark.parametrize("after_s", DEAD_LINE_S)
def test_sigterm_with_a_dead_line_ends_in_time_and_says_the_wand_was_not_seen_safe(runs: Runs, after_s: float) -> None:
    code, took, said = runs[str(after_s)].result()
    assert (code, took <= SAFE_EXIT_S) == (1, True), f"{took:.2f} s; {said}"
    assert "did not show that it is safe" in said


def test_the_stop_command_stops(runs: Runs) -> None:
    code, said, off_after_s = runs["test_the_stop_command_stops"].result()
    assert (code, "the wand shows that it is off" in said) == (0, True), said
    assert off_after_s <= THROUGH_DAEMON_S


def test_a_wand_that_holds_on_is_seen_to(runs: Runs) -> None:
    reaction: Reaction = runs["test_a_wand_that_holds_on_is_seen_to"].result()
    with pytest.raises(AssertionError, match="daemon killed"):
        check(reaction, FAULTS["daemon killed (SIGKILL)"])
