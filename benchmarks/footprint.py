"""Memory and processor time of ``cryodevice run`` at 20 Hz with telemetry, beside a bare loop in the same seconds.

The bare loop (``bare_loop``) makes the same exchanges on a second simulated wand and publishes to the same broker.
"""

import contextlib
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import processes as p
from benchmarks.figures import Row, Section
from cryodevice.device.serial_codec import exchange_request
from cryodevice.quantities import Celsius, Milliseconds
from cryodevice.wire.blocks import Order
from cryodevice.wire.codes import Mode

TREATMENT = '[[step]]\nzone = "left_cheek"\nplate_degc = 8.0\nhold_s = 30.0\nrewarm_s = 20.0\n'
MEMORY_MB, CPU_PERCENT = 60.0, 3.0
STOP = Order(1, Mode.OFF, Celsius(0.0), Milliseconds(0), 0, 1, 1)
"""Accepted always and answered with a status like any other order."""


def run(*, quick: bool) -> Section:
    idle_s, cooling_s = (3.0, 3.0) if quick else (10.0, 20.0)
    with tempfile.TemporaryDirectory(prefix="cryodevice-bench-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        _, port = stack.enter_context(p.broker(folder))
        ours, theirs = stack.enter_context(p.wand()), stack.enter_context(p.wand())
        daemon = stack.enter_context(daemon_on(folder, ours, port))
        request = exchange_request(1, STOP).hex()
        bare, _ = stack.enter_context(p.module("benchmarks.bare_loop", theirs.port, str(port), request))
        time.sleep(3.0)
        idle = _share((daemon.pid, bare.pid), idle_s)
        cool(folder, ours)
        cooling = _share((daemon.pid, bare.pid), cooling_s)
        if not ours.truth()["drive_a"] > 0.0:
            raise p.BenchmarkError("the wand did not cool during the measurement")
        if bare.poll() is not None:
            raise p.BenchmarkError("the bare loop has ended")
        memory = p.memory_mb(daemon.pid), p.memory_mb(bare.pid)
    return _section(idle, cooling, memory)


@contextlib.contextmanager
def daemon_on(folder: Path, wand: p.Wand, broker_port: int) -> Iterator["subprocess.Popen[str]"]:
    """``cryodevice run`` on a simulated wand, ready to treat."""
    settings = p.settings_file(folder, wand.port, broker_port)
    log = folder / "daemon.log"
    with (
        log.open("w", encoding="utf-8") as stream,
        p.process([p.cryodevice(), "run", "--config", str(settings)], stdout=stream, stderr=stream) as child,
    ):
        p.until(lambda: "mqtt connected" in log.read_text(encoding="utf-8"), "the daemon publishes")
        time.sleep(1.0)
        yield child
        child.send_signal(signal.SIGTERM)
        child.wait(p.STOP_S)


def cool(folder: Path, wand: p.Wand) -> None:
    """Start a treatment as a user does, and touch when the plate is cold."""
    wand.hand(zone="left_cheek", trigger=True)
    treatment = folder / "treatment.toml"
    treatment.write_text(f'name = "bench"\n{TREATMENT}', encoding="utf-8")
    treatment.chmod(0o600)
    settings = folder / "cryodevice.toml"
    done = subprocess.run(
        [p.cryodevice(), "treat", str(treatment), "--config", str(settings)],
        capture_output=True,
        text=True,
        timeout=p.STOP_S,
        check=False,
    )
    if done.returncode != 0:
        raise p.BenchmarkError(f"the treatment was not started: {done.stdout}{done.stderr}")
    p.until(lambda: float(wand.truth()["plate_degc"]) <= 8.5, "the plate is cold", 40.0)
    time.sleep(1.0)
    wand.hand(contact=True)
    time.sleep(1.0)


def _share(pids: tuple[int, int], seconds: float) -> tuple[float, float]:
    """Share of one core each process used, percent."""
    began, before = time.monotonic(), [p.cpu_s(pid) for pid in pids]
    time.sleep(seconds)
    used = [p.cpu_s(pid) - was for pid, was in zip(pids, before, strict=True)]
    took = time.monotonic() - began
    return 100.0 * used[0] / took, 100.0 * used[1] / took


def _section(
    idle: tuple[float, float], cooling: tuple[float, float], memory: tuple[tuple[float, float], tuple[float, float]]
) -> Section:
    rows = [
        Row(
            f"memory, {name}",
            f"{ours:.1f} MB",
            f"{theirs:.1f} MB",
            f"{ours / theirs:.2f}",
            "<= 60 MB",
            ours <= MEMORY_MB,
        )
        for name, ours, theirs in zip(("resident", "proportional"), *memory, strict=True)
    ]
    rows += [
        Row(
            f"processor, {name}",
            f"{ours:.2f} % of a core",
            f"{theirs:.2f} %",
            f"{ours / max(theirs, 0.01):.2f}",
            "<= 3 %",
            ours <= CPU_PERCENT,
        )
        for name, (ours, theirs) in (("idle, wand watched", idle), ("cooling, skin in contact", cooling))
    ]
    return Section(
        "footprint",
        "Memory and processor time of the running daemon",
        "bare loop",
        tuple(rows),
        (
            "Daemon: `cryodevice run`, 20 exchanges a second on a pty, telemetry at 10 Hz to Mosquitto, QoS as on the "
            "wire. Bare loop: pyserial and aiomqtt, the same exchanges on a wand of its own, one JSON of the raw words "
            "at 10 Hz, QoS 0; it judges nothing, checks nothing and would never stop a wand. Both in the same seconds.",
        ),
    )
