"""D15: the daemon broken at every named failpoint, by an exception and by kill -9, while it cools or starts or ends.

Whatever it was doing: the drive is off in time, nothing cools again by itself, the session is over with a reason, and
no dose is lost. ``WHERE`` must name every failpoint of the source; a test compares them.
"""

import re
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryodevice.errors import CryodeviceError
from cryodevice.runtime.failpoints import VARIABLE
from tests.system import process_acts as acts
from tests.system.faults import THROUGH_DAEMON_S, WITHOUT_DAEMON_S, Fault, check, react
from tests.system.processes import FAULTY_DAEMON, ROOT, ZONE, Bed, bed, until

NAMED = re.compile(r"failpoint\(\"([^\"]+)\"\)")
ACTS = ("raise", "kill")


def in_the_source() -> set[str]:
    """Every name given to a failpoint in the package."""
    return {name for path in (ROOT / "cryodevice").rglob("*.py") for name in NAMED.findall(path.read_text())}


@dataclass(frozen=True)
class Where:
    """How a failpoint is passed, and what an exception there does.

    Args:
        pass_by: Makes the daemon pass it; None: it passes it by itself, every tick or second.
        survives: An exception there ends nothing: the daemon goes on cooling.
        raised_s: Budget of an exception there.
        starting: It is passed at start.
        program: The daemon.
        sections: Its settings.
    """

    pass_by: Callable[[Bed], None] | None = None
    survives: bool = False
    raised_s: float = THROUGH_DAEMON_S
    starting: bool = False
    program: list[str] | None = None
    sections: dict[str, Any] | None = None


def _ask(bed: Bed) -> None:
    def ask() -> None:
        with suppress(CryodeviceError):
            bed.daemon.ask({"ask": "status"}, 2.0)

    threading.Thread(target=ask, daemon=True).start()


def _send(number: signal.Signals) -> Callable[[Bed], None]:
    return lambda bed: bed.daemon.send(number)


AT_START = Where(starting=True)
EACH_TICK = Where()
WRITING = Where(survives=True)
FAILING = Where(_send(signal.SIGUSR2), raised_s=WITHOUT_DAEMON_S, program=FAULTY_DAEMON)
WHERE: dict[str, Where] = {
    "start.before_ledger": AT_START,
    "start.after_ledger": AT_START,
    "start.before_loop": AT_START,
    "loop.before_exchange": EACH_TICK,
    "loop.after_exchange": EACH_TICK,
    "loop.after_decide": EACH_TICK,
    "loop.after_record": EACH_TICK,
    "ledger.before_commit": WRITING,
    "ledger.after_commit": WRITING,
    "publisher.before_send": Where(survives=True, sections={"mqtt": {"mode": "embedded", "port": 0}}),
    "socket.before_answer": Where(_ask, survives=True),
    "safe.before_stop": FAILING,
    "safe.after_stop": FAILING,
    "end.before_store_closes": Where(_send(signal.SIGTERM)),
}


def broken(name: str, act: str) -> Callable[[Path, int], float | None]:
    """Show one failpoint with one act."""
    where = WHERE[name]

    def once(directory: Path, seed: int) -> float | None:
        trap = directory / "now"
        environment = {VARIABLE: f"{name}={act}@{trap}"}
        with bed(
            directory, seed=seed + 1, program=where.program, environment=environment, **(where.sections or {})
        ) as testbed:
            testbed.to_cooling()
            if where.starting:
                return _broken_at_start(testbed, name, act)
            fault = Fault(name, lambda bed: _spring(bed, trap, where), _budget_s(where, act))
            if act == "raise" and where.survives:
                return _survived(testbed, trap, where)
            reaction = react(testbed, fault)
            check(reaction, fault)
            code = testbed.daemon.wait(6)
            assert code == (-signal.SIGKILL if act == "kill" else 1), testbed.daemon.said()
            acts.restart_resumes_nothing(testbed, reaction.contact_s)
            return reaction.after_fault_s

    return once


def budget_s(name: str, act: str) -> float | None:
    """From passing it to drive zero; None where the daemon goes on, or has not begun to cool."""
    where = WHERE[name]
    return None if where.starting or (act == "raise" and where.survives) else _budget_s(where, act)


def _budget_s(where: Where, act: str) -> float:
    """An act that waits for the next record of the ledger comes up to a second after it was asked for."""
    waits_s = 1.2 if where is WRITING else 0.0
    return waits_s + (WITHOUT_DAEMON_S if act == "kill" else where.raised_s)


def _spring(bed: Bed, trap: Path, where: Where) -> None:
    trap.touch()
    if where.pass_by is not None:
        where.pass_by(bed)


def _survived(bed: Bed, trap: Path, where: Where) -> None:
    """What failed was beside the loop, or is tried again: cooling went on, and what was told durable then is."""
    watched = acts.Watched(bed)
    _spring(bed, trap, where)
    until(lambda: "failpoint" in bed.daemon.said() or where is WRITING, 5, "the failpoint", bed.daemon.said)
    time.sleep(1.3)
    watched.without_a_break()
    acts.killed(bed)


def _broken_at_start(bed: Bed, name: str, act: str) -> None:
    """A daemon crashed in mid-contact, and the next one breaks while it starts; the one after finds all of it."""
    bed.daemon.send(signal.SIGKILL)
    bed.daemon.wait(5)
    contact_s = bed.until_off()["contact_s"][ZONE]
    bed.restart_daemon(**{VARIABLE: f"{name}={act}"})
    code = bed.daemon.wait(10)
    assert code == (-signal.SIGKILL if act == "kill" else 1), bed.daemon.said()
    bed.stays_off(0.2)
    acts.restart_resumes_nothing(bed, contact_s)
    assert acts.ended_why(bed) == acts.ENDED_BY_RESTART
