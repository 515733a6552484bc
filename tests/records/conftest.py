"""A ledger in a temporary directory, with clocks a test can set and a child that writes until it is killed."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from cryodevice.records.exposure_store import BootTime, SqliteExposureStore
from cryodevice.runtime.ports import Ledger, SessionRecord
from cryodevice.safety.exposure import CRASH_ALLOWANCE_S, ZoneExposure
from cryodevice.safety.limits import Zone

NOW = 1_790_000_000.0

CHILD = """
import sys, time
from pathlib import Path
from cryodevice.records.exposure_store import SqliteExposureStore
from cryodevice.runtime.ports import SessionRecord
from cryodevice.safety.exposure import ZoneExposure
from cryodevice.safety.limits import Zone
from cryodevice.safety.verdict import Clear, Lockout

store = SqliteExposureStore(Path(sys.argv[1]), time.time)
ledger = store.load()
assert ledger.known, ledger.why_unknown
print("open", flush=True)
said = -1.0
for count in range(1, 1_000_000):
    if count % 7 == 0:
        store.submit_lockout(Lockout("skin_stop", Clear.SERVICE, float(count), 2.0, 40.0, "degC", "hint"))
    totals = ZoneExposure(contact_s=float(count), lowest_skin_degc=9.0)
    store.submit_session(SessionRecord(sys.argv[2], "anonymous", Zone.NOSE, 8.0, {Zone.NOSE: totals}, float(count)))
    if store.durable_at_s > said:
        said = store.durable_at_s
        print(said, flush=True)
    assert not store.failure, store.failure
"""


@dataclass
class Bench:
    """One state directory; ``wall_s``, ``boot`` and ``synchronised`` are what the store sees."""

    directory: Path
    wall_s: float = NOW
    boot: BootTime = field(default_factory=lambda: BootTime("boot-1", 1000.0))
    synchronised: bool = True
    opened: list[SqliteExposureStore] = field(default_factory=list)

    @property
    def path(self) -> Path:
        return self.directory / "exposure.db"

    def store(self, client: str = "anonymous") -> SqliteExposureStore:
        store = SqliteExposureStore(
            self.path, lambda: self.wall_s, client, boot=lambda: self.boot, synchronised=lambda: self.synchronised
        )
        self.opened.append(store)
        return store

    def opened_store(self) -> SqliteExposureStore:
        store = self.store()
        ledger = store.load()
        assert ledger.known, ledger.why_unknown
        return store

    def load(self, client: str = "anonymous") -> Ledger:
        """What the next start would know."""
        store = self.store(client)
        try:
            return store.load()
        finally:
            store.close()

    def written(self, *records: SessionRecord) -> None:
        store = self.opened_store()
        for record in records:
            store.submit_session(record)
        store.close()
        assert store.failure == "the exposure store is closed"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "state")
    yield bench
    for store in bench.opened:
        store.close()


def record(
    session_id: str = "s1",
    contact_s: float = 10.0,
    at_s: float = 5.0,
    ended_why: str = "complete",
    zone: Zone = Zone.NOSE,
    client: str = "anonymous",
) -> SessionRecord:
    totals = ZoneExposure(contact_s, contact_s / 2, contact_s / 4, 0.0, 3.0 * contact_s, 9.5, 14.25)
    return SessionRecord(session_id, client, zone, 8.0, {zone: totals}, at_s, ended_why)


def wait_for(condition: Callable[[], object], timeout_s: float = 8.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.01)


def kill_once_while_writing(bench: Bench, number: int) -> float:
    """Start a writer, kill -9 it at a random moment, and hold what it said was durable against what is there."""
    session_id = f"session-{number}"
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(bench.path), session_id], stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout.readline() == "open\n"
        # Every other child is killed at any moment at all, the rest once it has said that something is durable.
        first = child.stdout.readline() if number % 2 else ""
        time.sleep(random.Random(number).uniform(0.0, 0.25))  # noqa: S311 - a moment, not a secret
    finally:
        child.send_signal(signal.SIGKILL)
        said = [line for line in child.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        child.stdout.close()
        child.wait()
    acknowledged = max((float(line) for line in [first, *said] if line), default=0.0)
    ledger = bench.load()
    assert ledger.known, ledger.why_unknown
    if acknowledged > 0.0:
        assert ledger.interrupted.session_id == session_id
        assert ledger.interrupted.exposure[Zone.NOSE].contact_s - CRASH_ALLOWANCE_S >= acknowledged
    if acknowledged >= 7.0:
        assert ledger.lockout.value >= acknowledged // 7 * 7
    return acknowledged


@pytest.fixture
def kill_while_writing(bench: Bench) -> Callable[[int], float]:
    """``kill_once_while_writing`` on the test's own bench."""
    return partial(kill_once_while_writing, bench)
