"""Process and time, D01 to D21, and identity, X01 to X06: every row of the fault matrix and how it is shown, once.

A row has an id, a fault, what must be true, a budget where something is timed, and ``once``, which shows it in a
directory of its own. ``make test`` runs each row once, ``make campaign`` twenty times; docs/evidence/process.md.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.system import failpoint_rows as failpoints
from tests.system import instance_rows as instances
from tests.system import process_acts as acts
from tests.system import time_rows as times
from tests.system.faults import THROUGH_DAEMON_S, WITHOUT_DAEMON_S
from tests.system.processes import FAULTY_DAEMON, ROOT, Bed, bed

Shown = float | str | None
Once = Callable[[Path, int], Shown]


@dataclass(frozen=True)
class Row:
    """One row.

    Args:
        id: Of the matrix; a letter after it tells variants apart.
        fault: What goes wrong.
        must: What must then be true.
        once: Shows it; gives the seconds it took where ``budget_s`` bounds them, else what was seen, in words, or None.
        budget_s: From the fault to drive zero, or what ``timed`` says; None where nothing is timed.
        timed: What is timed, if not the time to drive zero.
        elsewhere: The test that shows it in ``make test``, where that is another file's; or ``CAMPAIGN``.
        alone: It needs the machine for itself.
        runs: How often ``make campaign`` shows it.
    """

    id: str
    fault: str
    must: str
    once: Once
    budget_s: float | None = None
    timed: str = ""
    elsewhere: str = ""
    alone: bool = False
    runs: int = 20


def by_test(path: str, name: str = "") -> Once:
    """Show a row by a test that stands elsewhere, in a process of its own."""

    def once(directory: Path, _seed: int) -> None:
        test = f"{path}::{name}" if name else path
        directory.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--basetemp={directory / 'test'}", test],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=ROOT,
        )
        assert done.returncode == 0, done.stdout[-2000:]

    return once


def cooling(act: Callable[[Bed], Shown], *, fault: str = "", **how: Any) -> Once:
    """Show an act on a bed of its own that cools a plate on skin; ``fault`` is what SIGUSR1 does to the daemon."""

    def once(directory: Path, seed: int) -> Shown:
        made = dict(how)
        if fault:
            made |= {"program": FAULTY_DAEMON, "environment": {"CRYODEVICE_TESTS_FAULT": fault}}
        with bed(directory, seed=seed + 1, **made) as testbed:
            testbed.to_cooling()
            return act(testbed)

    return once


def on_a_terminal(directory: Path, seed: int) -> Shown:
    """The daemon on a terminal of its own, which then hangs up."""
    ours, its = os.openpty()
    try:
        with bed(directory, seed=seed + 1, terminal=its) as testbed:
            os.close(its)
            testbed.notes["terminal"] = ours
            testbed.to_cooling()
            return acts.terminal_gone(testbed)
    except BaseException:
        for descriptor in (ours, its):
            try:
                os.close(descriptor)
            except OSError:
                continue
        raise


CAMPAIGN = "campaign only"
FAULT_FILE = "tests/system/test_process_faults.py"
AFTER = "trip; nothing cools again by itself; "
PROCESS = (
    Row(
        "D01",
        "kill -9",
        AFTER + "the next start is idle once reset, the session ended, 3 s added",
        cooling(acts.killed),
        WITHOUT_DAEMON_S,
        elsewhere="tests/system/test_restart.py",
    ),
    Row(
        "D02",
        "SIGSTOP for 10 s, SIGCONT",
        AFTER + "on waking it sees the trip and renews no lease",
        cooling(partial(acts.stopped_for, 10.0)),
        WITHOUT_DAEMON_S,
        elsewhere=FAULT_FILE,
    ),
    Row(
        "D03",
        "event loop stalled for 3 s",
        AFTER + "the stack of what stalls it is in the log",
        cooling(acts.stalled, fault="block"),
        WITHOUT_DAEMON_S,
        elsewhere=FAULT_FILE,
    ),
    Row(
        "D04",
        "control task deadlocked",
        AFTER + "noticed after 2 s, the daemon ends with 1, the session with its reason",
        cooling(acts.deadlocked, fault="deadlock"),
        WITHOUT_DAEMON_S,
    ),
    Row(
        "D04b",
        "control task deadlocked, then SIGTERM",
        AFTER + "the daemon ends all the same",
        cooling(acts.deadlocked_and_told_to_end, fault="deadlock"),
        WITHOUT_DAEMON_S,
    ),
    Row(
        "D05",
        "uncaught exception in a task",
        "a stop is sent; exit 1; the session ended with its reason in log and ledger",
        cooling(acts.failed, fault="block"),
        0.2,
    ),
    Row("D06", "garbage collected for 200 ms", "held, named, gone on from", cooling(acts.pause_held, fault="gc-200")),
    Row(
        "D06b",
        "garbage collected for 300 ms",
        "no trip, nothing locked; a session that ended did so in order",
        cooling(acts.pause_within_the_lease, fault="gc-300"),
    ),
    Row(
        "D06c",
        "garbage collected for longer than the lease",
        AFTER + "the stack is in the log",
        cooling(acts.stalled, fault="gc-900"),
        WITHOUT_DAEMON_S,
    ),
    Row(
        "D07",
        "three threads that hog the interpreter",
        "no trip, nothing locked",
        cooling(acts.hogged_threads, fault="hog"),
    ),
    Row(
        "D08",
        "four processes that hog two cores",
        "no trip, nothing locked",
        cooling(acts.hogged_machine),
        alone=True,
        elsewhere=CAMPAIGN,
    ),
    Row(
        "D09",
        "no memory left (RLIMIT_AS)",
        "drive off, exit not 0, restart as after D01",
        cooling(acts.out_of_memory, fault="hoard"),
        acts.HOARDED_S + WITHOUT_DAEMON_S,
    ),
    Row(
        "D11",
        "descriptors exhausted (RLIMIT_NOFILE 64)",
        "the line stands, further clients are told so, no trip",
        cooling(acts.no_descriptors),
    ),
    Row(
        "D12",
        "SIGTERM in cooling",
        "stop, seen safe, written, exit 0 within 2 s",
        cooling(acts.told_to_end),
        THROUGH_DAEMON_S,
        elsewhere=FAULT_FILE,
    ),
    Row(
        "D13",
        "SIGTERM on a dead line",
        "exit 1; the lease has the drive",
        cooling(acts.told_to_end_on_a_dead_line, relayed=True),
        3.0,
        timed="exit",
        elsewhere=FAULT_FILE,
    ),
    Row(
        "D14",
        "SIGHUP to a service in cooling",
        "reload refused and said in the log; cooling without a break",
        cooling(acts.reload_refused),
    ),
    Row(
        "D14b",
        "the terminal of the daemon hangs up",
        "ends in order, the session with its reason, exit 0",
        on_a_terminal,
        THROUGH_DAEMON_S,
    ),
)
BROKEN = tuple(
    Row(
        f"D15 {name} {act}",
        {"raise": "an exception at ", "kill": "kill -9 at "}[act] + f"`{name}`",
        "goes on cooling, nothing durable lost at a kill -9 after it"
        if act == "raise" and where.survives
        else "nothing cools again by itself; the session over with its reason; no dose lost",
        failpoints.broken(name, act),
        failpoints.budget_s(name, act),
        elsewhere="" if (number + of_act) % 2 == 0 else CAMPAIGN,
    )
    for number, (name, where) in enumerate(failpoints.WHERE.items())
    for of_act, act in enumerate(failpoints.ACTS)
)
"""Every failpoint with every act; in ``make test`` each failpoint with one of them, in turn."""
TIME_FILE = "tests/runtime/test_time.py"
NOTHING_RESUMES = "session over, no lease renewed, nothing resumes"
TIME = (
    Row(
        "D10",
        "an hour of sessions, lost cables and waiting (simulated time)",
        f"at most {times.MOST_GROWN} more objects",
        times.hours(3600.0),
        elsewhere=TIME_FILE,
        runs=2,
    ),
    Row(
        "D10b",
        "a real daemon, cooling and waiting, looked at for 90 s after two minutes",
        "resident memory grows by less than 1 MiB an hour",
        cooling(acts.memory_stays, mqtt={"mode": "embedded", "port": 0}),
        elsewhere=CAMPAIGN,
        runs=1,
    ),
    Row(
        "D16",
        "the event loop blocked, before a service manager with a watchdog",
        "fed while the daemon decides, not while it is blocked, the reason in the log; fed again after",
        by_test(
            "tests/runtime/test_service_manager.py", "test_the_daemon_tells_a_service_manager_from_ready_to_stopping"
        ),
        elsewhere="tests/runtime/test_service_manager.py",
    ),
    Row(
        "D17",
        "a whole treatment with every call that blocks the event loop turned into an error",
        "none; one planted on purpose ends the daemon and is named",
        by_test("tests/system/test_blocking.py"),
        elsewhere="tests/system/test_blocking.py",
        alone=True,
    ),
    Row(
        "D18",
        "the clock jumps by an hour in mid-contact",
        NOTHING_RESUMES,
        times.asleep(3600.0, wand_lives=False, clock_sees_it=True),
        elsewhere=TIME_FILE,
    ),
    Row(
        "D18b",
        "suspend of ten minutes, the wand awake",
        NOTHING_RESUMES,
        times.asleep(600.0, wand_lives=True, clock_sees_it=True),
        elsewhere=TIME_FILE,
    ),
    Row(
        "D18c",
        "the same where no clock sees it",
        "the wand refuses the order judged before; " + NOTHING_RESUMES,
        times.asleep(600.0, wand_lives=True, clock_sees_it=False),
        elsewhere=TIME_FILE,
    ),
    Row(
        "D19",
        "wall clock ±1 day, +1 year, back, one step each second",
        "every order, event, dose, backoff as with a steady one",
        times.stepped,
        elsewhere=TIME_FILE,
    ),
    Row(
        "D20",
        "an hour twice, an hour missing, six time zones",
        "UTC everywhere, the same in every zone, strictly in order",
        times.zoned,
        elsewhere=TIME_FILE,
    ),
    Row(
        "D21",
        "boot at 1970, nobody keeps the clock",
        "a stop works within 250 ms; the record is flagged",
        times.at_1970,
        elsewhere=TIME_FILE,
    ),
    Row(
        "D21b",
        "clock a day ahead, at 1970, 40 years ahead after a reboot, kept by nobody",
        "the day's dose counts; it ages once the clock is kept",
        times.rebooted,
        elsewhere="tests/records/test_exposure_store.py",
    ),
)
RESTART_FILE = "tests/system/test_restart.py"
INSTANCES = (
    Row(
        "X01",
        "two daemons on one port",
        "the second names who holds it, sends nothing, waits; told to end it exits 0",
        instances.one_port,
    ),
    *(
        Row(
            f"X02 {kind}",
            f"two daemons on one wand, link.kind {kind}, one cooling",
            "the second claims and locks nothing and says why; the first cools on, also once the second ends",
            partial(instances.one_wand_while_cooling, kind),
        )
        for kind in instances.LINKS
    ),
    *(
        Row(
            f"X02b {kind}",
            f"two daemons on one wand, link.kind {kind}, both idle",
            "the second claims nothing, says why, takes the wand once the first ends; nothing locks or drives",
            partial(instances.one_wand_idle, kind),
        )
        for kind in instances.LINKS
    ),
    *(
        Row(
            f"X02c {kind}",
            f"two daemons on one wand, link.kind {kind}, the first held by its trigger",
            "the second claims nothing; the first goes on when its trigger is held again; nothing locks",
            partial(instances.one_wand_paused, kind),
            elsewhere=CAMPAIGN if kind == "tcp" else "",
        )
        for kind in instances.LINKS
    ),
    *(
        Row(
            f"X02d {kind}",
            f"a stop asked of the second daemon while the first cools, link.kind {kind}",
            "the drive goes off, the second says that the wand shows it, the first locks",
            partial(instances.stop_by_the_second, kind),
            THROUGH_DAEMON_S,
            elsewhere=CAMPAIGN if kind == "modbus-tcp" else "",
        )
        for kind in instances.LINKS
    ),
    Row(
        "X03",
        "two daemons on one state directory",
        "the second exits 1 with one sentence; the first cools without a break",
        instances.one_state_directory,
        elsewhere=RESTART_FILE,
    ),
    Row(
        "X04",
        "lock and socket left by kill -9",
        "the next start has them",
        instances.left_by_a_crash,
        elsewhere=RESTART_FILE,
    ),
    Row(
        "X05",
        "two wands of one serial number, two daemons of one id, one broker",
        "said, no taking turns, each keeps its wand",
        instances.cloned_identity,
    ),
    Row(
        "X06",
        "a simulated wand before a daemon for real ones",
        "refused, said SIMULATED",
        instances.simulated_refused,
    ),
    Row(
        "X06b",
        "a simulated wand that is allowed",
        "SIMULATED in status, topics and records",
        instances.simulated_said,
    ),
)
ROWS = PROCESS + BROKEN + TIME + INSTANCES
TRIES = 3


def patiently(row: Row, directory: Path, seed: int = 0) -> Shown:
    """Show a row, again on a new bed where the machine was too busy with something else."""
    for number in range(TRIES - 1):
        with suppress(acts.MachineBusyError):
            return row.once(directory / str(number), seed)
    return row.once(directory / "last", seed)
