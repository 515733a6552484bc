"""How late the control loop ticks with the broker well, stopped and absent, beside a bare sleeping loop at that time.

The daemon is the real one, put together by ``app.assemble``, and treats: it cools a simulated wand in another process.
The bare loop sleeps in a process of its own in the same seconds.
"""

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import processes as p
from benchmarks.figures import Row, Section, percentile
from cryodevice.app import Daemon, assemble, serve
from cryodevice.runtime.logs import configure_logging
from cryodevice.safety.limits import Zone
from cryodevice.safety.phases import COOLING, SessionState
from cryodevice.settings import load_settings
from cryodevice.treatment.core import Start
from cryodevice.treatment.program import Step, Treatment

GOAL_MS = 5.0
SETTLE_S = 3.0
SECONDS, QUICK_SECONDS = 28.0, 3.0
TREATMENT = Treatment("bench", (Step(Zone.LEFT_CHEEK, 8.0, 30.0, 20.0),))
Meanwhile = Callable[[], contextlib.AbstractContextManager[None]]
_PERCENTILES = (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0))


def run(*, quick: bool) -> Section:
    seconds = QUICK_SECONDS if quick else SECONDS
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="cryodevice-bench-") as name:
        folder = Path(name)
        with p.broker(folder) as (broker, port):
            rows += _measured("broker well", folder / "well", port, seconds)
            rows += _measured(
                "broker stopped (SIGSTOP)", folder / "stopped", port, seconds, lambda: _stopped(broker.pid)
            )
        rows += _measured("broker absent", folder / "absent", p.free_port(), seconds, broker_there=False)
    return Section(
        "lateness",
        "Control-loop lateness at 20 Hz",
        "bare sleep loop",
        tuple(rows),
        (
            f"How late a tick begins. {seconds:g} s each, {round(seconds * 20)} ticks of either loop in the same "
            "seconds, so that p99.9 is the latest of them. The daemon treats meanwhile: lease proof, precool, then skin "
            "in contact; the broker is stopped after the daemon has connected to it. The bare loop does nothing but "
            "`asyncio.sleep`. Instead of a ratio the difference is given.",
        ),
    )


def _measured(
    what: str,
    folder: Path,
    broker_port: int,
    seconds: float,
    meanwhile: Meanwhile = contextlib.nullcontext,
    *,
    broker_there: bool = True,
) -> list[Row]:
    folder.mkdir()
    with p.wand() as wand, (folder / "log").open("w", encoding="utf-8") as log:
        sink = configure_logging("json", "info", log)
        try:
            ours, theirs = asyncio.run(
                _daemon(folder, wand, broker_port, seconds, meanwhile, broker_there=broker_there)
            )
        finally:
            sink.close()
    rows = []
    for name, share in _PERCENTILES:
        mine, other = percentile(ours, share), percentile(theirs, share)
        goal = name == "p99.9"
        rows.append(
            Row(
                f"{name}, {what}",
                f"{mine:.2f} ms",
                f"{other:.2f} ms",
                f"{mine - other:+.2f} ms",
                "<= bare + 5 ms" if goal else "",
                mine <= other + GOAL_MS if goal else None,
            )
        )
    return rows


async def _daemon(
    folder: Path, wand: p.Wand, broker_port: int, seconds: float, meanwhile: Meanwhile, *, broker_there: bool
) -> tuple[list[float], list[float]]:
    """Lateness of the daemon and of the bare loop over the same seconds, ms."""
    daemon = await assemble(load_settings(p.settings_file(folder, wand.port, broker_port)))
    late: list[float] = []
    bare: list[float] = []
    measuring = asyncio.Event()
    cooled: set[SessionState] = set()

    async def collect() -> None:
        ticks = 0
        async for snapshot in daemon.loop.snapshots.subscribe(1000):
            if measuring.is_set() and snapshot.ticks != ticks:  # a command's decision between two ticks is not one
                late.append(snapshot.tick_late_ms)
                cooled.add(snapshot.session.state)
            ticks = snapshot.ticks

    async def measure() -> None:
        await asyncio.to_thread(wand.hand, trigger=True, zone="left_cheek")
        await asyncio.sleep(SETTLE_S)
        if daemon.publisher is None or daemon.publisher.health.connected != broker_there:
            raise p.BenchmarkError("the daemon did not find the broker, or found one where there is none")
        with meanwhile():
            daemon.loop.command(Start("bench", TREATMENT, "bench"))
            measuring.set()
            bare.extend(await asyncio.to_thread(_bare, seconds))
            measuring.clear()
        daemon.loop.stop_running("benchmark")
        await asyncio.Event().wait()

    daemon.extra = {"collect": collect, "measure": measure, "hand": lambda: _hand(daemon, wand)}
    await serve(daemon)
    if not cooled & COOLING or (seconds >= SECONDS and SessionState.APPLYING not in cooled):
        raise p.BenchmarkError(f"the daemon did not treat: it went through {sorted(cooled)}")
    return late, bare


async def _hand(daemon: Daemon, wand: p.Wand) -> None:
    """Touch once the plate is cold."""
    async for snapshot in daemon.loop.snapshots.subscribe(1):
        if snapshot.session.state is SessionState.LIFTED:
            await asyncio.to_thread(wand.hand, contact=True)
            break
    await asyncio.Event().wait()


def _bare(seconds: float) -> list[float]:
    with p.module("benchmarks.bare_sleep", str(seconds)) as (child, _):
        return [float(value) for value in p.answer(child)["late_ms"]]


@contextlib.contextmanager
def _stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
