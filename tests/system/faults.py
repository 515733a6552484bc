"""What can go wrong between a daemon and a wand that cools, each as one act, and how the reaction to it is measured.

The wand's truth is the only witness: the fault counts from its clock as read just before, so the true reaction is
never longer than the one measured.
"""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.system.processes import FAULTY_DAEMON, ZONE, Bed, bed, until

LEASE_S = 0.5
WITHOUT_DAEMON_S = LEASE_S + 0.05
"""The daemon is gone, held up or unheard: lease + 50 ms (docs/architecture.md)."""
THROUGH_DAEMON_S = 0.25
"""The daemon acts: 250 ms (docs/architecture.md)."""
RESOLUTION_S = 0.001
"""The wand's truth is in whole milliseconds, rounded down."""


def send(number: signal.Signals) -> Callable[[Bed], None]:
    return lambda bed: bed.daemon.send(number)


def cut(way: str) -> Callable[[Bed], None]:
    return lambda bed: setattr(bed.relay, way, False)


def ask_to_stop(bed: Bed) -> None:
    assert bed.daemon.ask({"ask": "stop", "who": "tester"})["ok"]


@dataclass(frozen=True)
class Fault:
    """One fault; ``relayed``: it happens on the line; ``in_process``: it happens inside the daemon."""

    name: str
    act: Callable[[Bed], None]
    budget_s: float = WITHOUT_DAEMON_S
    relayed: bool = False
    in_process: bool = False


FAULTS = {
    fault.name: fault
    for fault in (
        Fault("daemon killed (SIGKILL)", send(signal.SIGKILL)),
        Fault("daemon stopped (SIGSTOP)", send(signal.SIGSTOP)),
        Fault("event loop blocked", send(signal.SIGUSR1), in_process=True),
        Fault("uncaught exception in a service", send(signal.SIGUSR2), in_process=True),
        Fault("port hung up", lambda bed: bed.relay.hang_up(), relayed=True),
        Fault("host to wand dead", cut("to_wand"), relayed=True),
        Fault("wand to host dead", cut("to_host"), relayed=True),
    )
}
"""The seven faults of a process or a line."""
ENDINGS = {
    fault.name: fault
    for fault in (
        Fault("SIGTERM", send(signal.SIGTERM), THROUGH_DAEMON_S),
        Fault("SIGINT", send(signal.SIGINT), THROUGH_DAEMON_S),
        Fault("stop commanded", ask_to_stop, THROUGH_DAEMON_S),
    )
}
"""Ways in which people end it; measured the same way."""


@dataclass(frozen=True)
class Reaction:
    """When the drive went off, s: after the fault, and after the sample the last accepted order echoed.

    ``contact_s`` is the true contact up to then; a wand left on the skin goes on touching with no daemon to count.
    """

    after_fault_s: float
    after_echo_s: float
    drive_before_a: float
    trip: str
    contact_s: float


def react(cooling: Bed, fault: Fault) -> Reaction:
    """Do it to a bed that cools, and wait for the drive to go off."""

    def cools() -> dict[str, Any]:
        truth = cooling.wand.truth()
        return truth if cooling.cools(truth) else {}

    before = until(cools, 5, "cooling", cooling.story)
    fault.act(cooling)
    after = cooling.until_off()
    assert after["drive_off_at_s"] >= before["time_s"] - RESOLUTION_S, "the drive went off before the fault"
    time.sleep(0.05)
    return Reaction(
        after_fault_s=after["drive_off_at_s"] + RESOLUTION_S - before["time_s"],
        after_echo_s=after["drive_off_at_s"] - after["last_echo_sample_s"],
        drive_before_a=before["drive_a"],
        trip=cooling.wand.truth()["trip"],
        contact_s=after["contact_s"][ZONE] - (after["time_s"] - after["drive_off_at_s"]),
    )


def check(reaction: Reaction, fault: Fault) -> None:
    """Assert both budgets: of the fault, and of the lease, which no fault can stretch."""
    assert reaction.after_fault_s <= fault.budget_s, f"{fault.name}: {reaction}"
    assert reaction.after_echo_s <= WITHOUT_DAEMON_S, f"{fault.name}: {reaction}"


def bed_for(fault: Fault, directory: Path, seed: int = 1, **sections: Any) -> Any:
    """A bed on which the fault can happen (a context manager)."""
    program = FAULTY_DAEMON if fault.in_process else None
    return bed(directory, seed=seed, relayed=fault.relayed, program=program, **sections)


def once(fault: Fault, directory: Path, seed: int) -> Reaction:
    """A bed of its own, to cooling in contact, the fault, the reaction."""
    with bed_for(fault, directory, seed) as cooling:
        cooling.to_cooling()
        time.sleep(seed % 20 / 20 * 0.1)  # the fault may meet every part of a tick
        return react(cooling, fault)
