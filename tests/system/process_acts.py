"""What can go wrong with the daemon's process while it cools, each as one act on a bed, with what must then be true.

An act returns the time from the fault to drive zero by the wand's truth, or None where the drive must stay on. Rows
that must not disturb cooling leave the bed as they found it, so that several can be shown on one.
"""

import json
import os
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from cryodevice.console.local_socket import MOST_CLIENTS, SOCKET_NAME
from cryodevice.safety.limits import Zone
from tests.system.faults import FAULTS, THROUGH_DAEMON_S, WITHOUT_DAEMON_S, Fault, check, react, send
from tests.system.processes import ZONE, Bed, until

TICKS_SLACK_S = 0.15
"""Contact the daemon may not have counted yet when it was broken: three ticks."""
HELD_S, WITHIN_LEASE_S = 0.27, 0.42
"""A pause that took no longer, with the tick before it, ends before the link counts as lost, or within the lease."""
HOGGED_S = 3.0
ROOM_BYTES, HOARDED_S = 48 << 20, 0.5
"""What is left of the address space, and the longest it may take to fill it."""
TRIES = 6
SETTLED_S, LOOKED_AT_S = 120.0, 90.0
"""Together less than a simulated wand lives by itself."""
MOST_LATE = 2
BUSY_PER_CORE = 1.5
"""Load of a machine that has more to do than these tests: the beds alone come to less than one a core."""
ENDED_BY_RESTART = "daemon restart"


class MachineBusyError(AssertionError):
    """What must not be disturbed was, and more wants to run here than there are cores: it shows nothing either way."""


def undisturbed(found: object, what: object) -> None:
    """Assert ``found``; a machine with much else to do is named as such instead."""
    if found:
        return
    what = what() if callable(what) else what
    if os.getloadavg()[0] > BUSY_PER_CORE * (os.cpu_count() or 1):
        raise MachineBusyError(f"load {os.getloadavg()[0]:.1f}; {what}")
    raise AssertionError(what)


def drive_off(bed: Bed, name: str, number: signal.Signals, budget_s: float) -> float:
    """Send a signal to the cooling daemon; the drive must be off in time and stay off."""
    fault = Fault(name, send(number), budget_s)
    reaction = react(bed, fault)
    check(reaction, fault)
    bed.notes["true_contact_s"] = reaction.contact_s
    return reaction.after_fault_s


def ended_why(bed: Bed, session_id: str | None = None) -> str:
    """The reason in the ledger for the end of the session; empty while it is open."""
    return kept(bed, "ended_why", session_id)


def kept(bed: Bed, column: str, session_id: str | None = None) -> Any:
    """What the ledger holds of the session."""
    with closing(sqlite3.connect(bed.daemon.state_dir / "exposure.db")) as ledger:
        ledger.row_factory = sqlite3.Row
        found = ledger.execute(
            "SELECT * FROM session WHERE session_id = ?", (session_id or bed.notes["session_id"],)
        ).fetchone()
    assert found is not None, "the session is not in the ledger"
    return found[column]


def restart_resumes_nothing(bed: Bed, contact_s: float) -> None:
    """A daemon on what is left: no cooling, the session over with its reason, no dose lost."""
    assert not bed.daemon.running
    daemon = bed.restart_daemon()
    status = daemon.until(lambda status: status["link"]["up"] and status["claimed"], 15, "the wand claimed again")
    assert status["session"]["state"] in {"idle", "locked"}, status["session"]
    assert not status["session"]["id"], status["session"]
    bed.stays_off(0.4)
    if status["lockout"] is not None:
        assert status["lockout"]["cause"] == "wand_tripped", status["lockout"]
        bed.wand.hand(contact=False)
        until(lambda: daemon.ask({"ask": "reset", "who": "tester"})["ok"], 5, "a reset", daemon.said)
        daemon.until_state("idle")
        bed.stays_off(0.2)
    daemon.send(signal.SIGTERM)
    assert daemon.wait(5) == 0, daemon.said()
    assert ended_why(bed), "the session was left open"
    ledger = daemon.ledger()
    assert ledger.known, ledger.why_unknown
    assert ledger.interrupted is None
    kept = ledger.dose.day(Zone(ZONE)).contact_s
    assert kept >= contact_s - TICKS_SLACK_S, f"{contact_s:.2f} s of contact, {kept:.2f} s kept"


# --- it ends the daemon ---------------------------------------------------------------------------------------------


def killed(bed: Bed) -> float:
    """D01."""
    took = drive_off(bed, "killed", signal.SIGKILL, WITHOUT_DAEMON_S)
    bed.daemon.wait(5)
    assert bed.wand.truth()["trip"] == "lease_expired"
    restart_resumes_nothing(bed, bed.notes["true_contact_s"])
    assert ended_why(bed) == ENDED_BY_RESTART
    return took


def failed(bed: Bed) -> float:
    """D05."""
    took = drive_off(bed, "failed", signal.SIGUSR2, 0.2)
    assert bed.daemon.wait(5) == 1, bed.daemon.said()
    assert bed.wand.truth()["trip"] == "none"
    ended = bed.daemon.event("session_ended")
    assert "a service of the tests failed" in ended["why"], ended
    assert ended_why(bed) == ended["why"], "the ledger names another reason than the log"
    assert bed.daemon.event("daemon_stopping")
    restart_resumes_nothing(bed, bed.notes["true_contact_s"])
    return took


def deadlocked(bed: Bed) -> float:
    """D04: nobody but the lease is left; then the daemon notices and ends itself."""
    took = drive_off(bed, "deadlocked", signal.SIGUSR1, WITHOUT_DAEMON_S)
    assert bed.daemon.wait(8) == 1, bed.daemon.said()
    assert "made no tick" in bed.daemon.said()
    assert "made no tick" in ended_why(bed)
    restart_resumes_nothing(bed, bed.notes["true_contact_s"])
    return took


def deadlocked_and_told_to_end(bed: Bed) -> float:
    """D04, and SIGTERM before it is noticed: the daemon ends all the same."""
    took = drive_off(bed, "deadlocked", signal.SIGUSR1, WITHOUT_DAEMON_S)
    bed.daemon.send(signal.SIGTERM)
    assert bed.daemon.wait(5) == 1, bed.daemon.said()
    assert "told to end and did not" in bed.daemon.said()
    return took


def out_of_memory(bed: Bed) -> float:
    """D09: the address space is as good as full, and a service takes the rest."""
    bed.wand.truth()
    room = _status_kib(bed, "VmSize") * 1024 + ROOM_BYTES
    resource.prlimit(bed.daemon.pid, resource.RLIMIT_AS, (room, room))
    took = drive_off(bed, "out of memory", signal.SIGUSR1, HOARDED_S + WITHOUT_DAEMON_S)
    assert bed.daemon.wait(8) not in {0, None}, bed.daemon.said()
    restart_resumes_nothing(bed, bed.notes["true_contact_s"])
    return took


def told_to_end(bed: Bed) -> float:
    """D12."""
    took = drive_off(bed, "SIGTERM", signal.SIGTERM, THROUGH_DAEMON_S)
    assert bed.daemon.wait(2) == 0, bed.daemon.said()
    truth = bed.wand.truth()
    assert (truth["trip"], truth["relay_closed"]) == ("none", False)
    assert ended_why(bed) == "stopped by SIGTERM"
    restart_resumes_nothing(bed, bed.notes["true_contact_s"])
    return took


def told_to_end_on_a_dead_line(bed: Bed) -> float:
    """D13: times the exit, not the drive, which the lease has."""
    bed.relay.to_wand = bed.relay.to_host = False
    began = time.monotonic()
    bed.daemon.send(signal.SIGTERM)
    code = bed.daemon.wait(5)
    took = time.monotonic() - began
    off = bed.until_off()
    assert (code, took <= 3.0) == (1, True), f"{code} after {took:.2f} s"
    assert off["drive_off_at_s"] - off["last_echo_sample_s"] <= WITHOUT_DAEMON_S
    return took


def terminal_gone(bed: Bed) -> float:
    """D14: the terminal the daemon was started from hangs up."""
    fault = Fault("terminal gone", lambda bed: os.close(bed.notes["terminal"]), THROUGH_DAEMON_S)
    reaction = react(bed, fault)
    check(reaction, fault)
    assert bed.daemon.wait(3) == 0, bed.daemon.said()
    assert ended_why(bed) == "stopped by SIGHUP"
    return reaction.after_fault_s


# --- it stops cooling, and the daemon goes on ------------------------------------------------------------------------


def stopped_for(seconds: float, bed: Bed) -> float:
    """D02: on waking it finds a wand that let go by itself, and renews nothing."""
    took = react(bed, FAULTS["daemon stopped (SIGSTOP)"])
    check(took, FAULTS["daemon stopped (SIGSTOP)"])
    time.sleep(seconds)
    accepted = bed.wand.truth()["deadline_s"]
    bed.daemon.send(signal.SIGCONT)
    _locked_by_the_trip(bed)
    assert bed.wand.truth()["deadline_s"] == accepted, "a lease was renewed"
    return took.after_fault_s


def stalled(bed: Bed) -> float:
    """D03 and D06 (longer than the lease): the stall is named with its stack."""
    took = drive_off(bed, "stalled", signal.SIGUSR1, WITHOUT_DAEMON_S)
    _locked_by_the_trip(bed)
    stall = bed.daemon.event("the control loop stands still")
    assert "faulty_daemon" in stall["stack"], stall["stack"]
    return took


def _locked_by_the_trip(bed: Bed) -> None:
    status = bed.daemon.until_state("locked", within_s=10)
    assert status["lockout"]["cause"] == "wand_tripped", status["lockout"]
    assert status["session"]["ended_why"] == "link_lost", status["session"]
    assert bed.wand.truth()["trip"] == "lease_expired"
    bed.stays_off(0.4)


# --- it must not stop cooling ---------------------------------------------------------------------------------------


class Watched:
    """Sees that one session goes on and that the wand never trips; says for how long the drive was off meanwhile."""

    def __init__(self, bed: Bed) -> None:
        self.bed = bed
        until(lambda: _cooling(bed), 5, "cooling", bed.story)
        self.seen = len(self._withdrawn())
        self.session_id = bed.daemon.status()["session"]["id"]

    def still(self) -> None:
        truth = self.bed.wand.truth()
        undisturbed(truth["trip"] == "none", self.bed.story)
        status = self.bed.daemon.until(lambda status: status["link"]["up"], 5, "link")
        assert status["session"]["id"] == self.session_id
        undisturbed(status["session"]["state"] in {"precool", "lifted", "applying", "paused"}, status["session"])

    def again(self) -> None:
        """Cooling, with nothing done by a person."""
        self.still()
        undisturbed(_again(self.bed), self.bed.story)

    def without_a_break(self) -> None:
        """Cooling, and the permit never withdrawn but for a late tick or two, which any machine may have."""
        self.again()
        withdrawn = [line["interlock"] for line in self._withdrawn()[self.seen :]]
        undisturbed(set(withdrawn) <= {"tick_overrun", "stale"} and len(withdrawn) <= MOST_LATE, withdrawn)

    def _withdrawn(self) -> list[dict[str, Any]]:
        return [line for line in self.bed.daemon.logged() if line["event"] == "permit_withdrawn"]


def _again(bed: Bed) -> bool:
    """Whether it cools within five seconds."""
    end = time.monotonic() + 5.0
    while not _cooling(bed):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def _cooling(bed: Bed) -> dict[str, Any]:
    truth = bed.wand.truth()
    return truth if bed.cools(truth) else {}


def pause_held(bed: Bed) -> None:
    """D06: 200 ms of collecting is held, named, and gone on from."""
    watched = _paused(bed, HELD_S)
    watched.again()
    assert any(line.get("interlock") == "tick_overrun" for line in bed.daemon.logged())


def pause_within_the_lease(bed: Bed) -> str:
    """D06: after 300 ms the wand has not tripped and nothing is locked. The daemon, once 300 ms without a reply have
    passed, has ended the session in order.
    """
    _paused(bed, WITHIN_LEASE_S)
    time.sleep(0.3)
    status = bed.daemon.status()
    assert bed.wand.truth()["trip"] == "none", bed.story()
    assert status["lockout"] is None, status["lockout"]
    assert status["session"]["ended_why"] in {"", "link_lost"}, status["session"]
    return status["session"]["ended_why"] or "went on"


def _paused(bed: Bed, most_s: float) -> Watched:
    """Collect on a cooling bed until the pause was no longer than meant; a busy machine makes more of it."""
    watched = Watched(bed)
    for _ in range(TRIES):
        if bed.daemon.status()["session"]["state"] in {"stopped", "locked"}:
            bed.wand.hand(contact=False)
            bed.daemon.ask({"ask": "reset", "who": "tester"})
            bed.to_cooling()
        watched = Watched(bed)
        seen = len(_stood(bed))
        bed.daemon.send(signal.SIGUSR1)
        until(lambda seen=seen: len(_stood(bed)) > seen, 5, "the end of the pause", bed.daemon.said)
        if max(_stood(bed)[seen:]) <= most_s:
            return watched
        time.sleep(0.5)
    undisturbed(None, f"no pause was as short as meant: {_stood(bed)}")
    return watched


def _stood(bed: Bed) -> list[float]:
    return [line["stood_s"] for line in bed.daemon.logged() if line["event"] == "the control loop turns again"]


def hogged_threads(bed: Bed) -> str:
    """D07: three threads that never let go of the interpreter by themselves."""
    bed.daemon.send(signal.SIGUSR1)
    return _hogged(bed, time.monotonic() + HOGGED_S)


def hogged_machine(bed: Bed) -> str:
    """D08: four processes that want every core there is."""
    spin = f"import time\nend = time.monotonic() + {HOGGED_S + 0.5}\nwhile time.monotonic() < end: pass"
    hogs = [subprocess.Popen([sys.executable, "-c", spin]) for _ in range(4)]
    try:
        return _hogged(bed, time.monotonic() + HOGGED_S)
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


def _hogged(bed: Bed, until_s: float) -> str:
    """The wand never trips and nothing locks. A machine that is busy beyond this row may end the session, in order."""
    while time.monotonic() < until_s:
        undisturbed(bed.wand.truth()["trip"] == "none", bed.story)
        time.sleep(0.1)
    status = bed.daemon.until(lambda status: status["link"]["up"], 5, "link")
    undisturbed(status["lockout"] is None, status["lockout"])
    assert status["session"]["id"] == bed.notes["session_id"]
    assert status["session"]["ended_why"] in {"", "link_lost", "tick_overruns"}, status["session"]
    return status["session"]["ended_why"] or "went on"


def no_descriptors(bed: Bed) -> None:
    """D11: a full house is told so, a stop gets through it, and with no descriptor left the line to the wand stands."""
    watched = Watched(bed)
    resource.prlimit(bed.daemon.pid, resource.RLIMIT_NOFILE, (64, 64))
    clients: list[socket.socket] = []
    try:
        for _ in range(MOST_CLIENTS):
            clients.append(_client(bed))
            assert _asked(clients[-1], "status")["ok"]
        clients.append(_client(bed))
        answer = _asked(clients[-1], "status")
        assert (answer["ok"], "too many connections" in answer["message"]) == (False, True), answer
        clients += [_client(bed) for _ in range(60)]
        time.sleep(0.5)
        undisturbed(_again(bed), bed.story)
    finally:
        for client in clients:
            client.close()
    watched.without_a_break()
    count = len(list(Path(f"/proc/{bed.daemon.pid}/fd").iterdir()))
    resource.prlimit(bed.daemon.pid, resource.RLIMIT_NOFILE, (count, 64))
    with closing(_client(bed)) as waiting:
        time.sleep(1.2)
        assert bed.wand.truth()["trip"] == "none"
        resource.prlimit(bed.daemon.pid, resource.RLIMIT_NOFILE, (64, 64))
        waiting.settimeout(5)
        assert _asked(waiting, "status")["ok"]
    watched.without_a_break()


def _client(bed: Bed) -> socket.socket:
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(5)
    client.connect(str(bed.daemon.state_dir / SOCKET_NAME))
    return client


def _asked(client: socket.socket, ask: str) -> dict[str, Any]:
    client.sendall(json.dumps({"ask": ask}).encode() + b"\n")
    data = b""
    while not data.endswith(b"\n"):
        piece = client.recv(65_536)
        assert piece, "the daemon closed the connection without a word"
        data += piece
    return json.loads(data)


def reload_refused(bed: Bed) -> None:
    """D14: a service manager's reload in the middle of a treatment changes nothing, and is said."""
    watched = Watched(bed)
    before = len(_refused(bed))
    bed.daemon.send(signal.SIGHUP)
    until(lambda: len(_refused(bed)) > before, 3, "the refusal in the log", bed.daemon.said)
    time.sleep(0.2)
    watched.without_a_break()


def _refused(bed: Bed) -> list[dict[str, Any]]:
    return [line for line in bed.daemon.logged() if line["event"] == "reload refused"]


def memory_stays(bed: Bed) -> str:
    """D10: resident memory when the session is over and the queues have filled, and a while later."""
    time.sleep(SETTLED_S)
    early = _settled_kib(bed)
    time.sleep(LOOKED_AT_S)
    late = _settled_kib(bed)
    slope = (late - early) / 1024 / (LOOKED_AT_S / 3600.0)
    assert slope < 1.0, f"{slope:.2f} MiB an hour: {early} KiB, then {late} KiB"
    return f"{slope:+.2f} MiB an hour, {late / 1024:.1f} MiB"


def _settled_kib(bed: Bed) -> int:
    """The median of a few seconds."""
    seen = []
    for _ in range(20):
        seen.append(_status_kib(bed, "VmRSS"))
        time.sleep(0.25)
    return sorted(seen)[len(seen) // 2]


def _status_kib(bed: Bed, name: str) -> int:
    with open(f"/proc/{bed.daemon.pid}/status", encoding="ascii") as lines:  # noqa: PTH123  # a line of the kernel
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
