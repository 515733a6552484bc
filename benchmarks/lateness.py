"""How late the control loop ticks with the broker well, stopped and absent, beside a bare sleeping loop at that time.

The daemon is the real one, put together by ``app.assemble`` and cooling nothing: every tick is a full exchange and a
full decision. The bare loop runs in a process of its own in the same seconds.
"""

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import processes as p
from benchmarks.figures import Row, Section, percentile
from cryodevice.app import assemble, serve
from cryodevice.settings import load_settings

GOAL_MS = 5.0
WARM_UP_TICKS = 40


def run(*, quick: bool) -> Section:
    seconds = 4.0 if quick else 30.0
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="cryodevice-bench-") as name:
        folder = Path(name)
        with p.broker(folder) as (broker, port):
            rows += _measured("broker well", folder, port, seconds)
            with _stopped(broker.pid):
                rows += _measured("broker stopped (SIGSTOP)", folder, port, seconds)
        rows += _measured("broker absent", folder, p.free_port(), seconds)
    return Section(
        "lateness",
        "Control-loop lateness at 20 Hz",
        "bare sleep loop",
        tuple(rows),
        (
            "Lateness of a tick against its due time. Goal: the 99.9th percentile within 5 ms of the bare loop's in the "
            f"same seconds. {seconds:g} s each; the ratio column is the difference, ms.",
        ),
    )


@contextlib.contextmanager
def _stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _measured(what: str, folder: Path, broker_port: int, seconds: float) -> list[Row]:
    with p.wand() as wand, p.module("benchmarks.bare_sleep", str(seconds)) as (bare, _):
        state = folder / what.replace(" ", "-").strip("()")
        state.mkdir()
        ours = asyncio.run(_daemon(state, wand.port, broker_port, seconds))
        theirs = [float(value) for value in p.answer(bare)["late_ms"]]
    rows = []
    for name, share in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)):
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


async def _daemon(folder: Path, wand_port: str, broker_port: int, seconds: float) -> list[float]:
    daemon = await assemble(load_settings(p.settings_file(folder, wand_port, broker_port)))
    late: list[float] = []

    async def collect() -> None:
        subscription = daemon.loop.snapshots.subscribe(100)
        seen = 0
        async for snapshot in subscription:
            seen += 1
            if seen > WARM_UP_TICKS:
                late.append(snapshot.tick_late_ms)

    async def end() -> None:
        await asyncio.sleep(seconds + WARM_UP_TICKS * 0.05)
        daemon.loop.stop_running("benchmark")
        await asyncio.Event().wait()

    daemon.extra = {"collect": collect, "end": end}
    await serve(daemon)
    return late
