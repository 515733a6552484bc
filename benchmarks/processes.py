"""The processes the measurements need: simulated wand, Mosquitto, daemon, peers. Loopback only; ended by their pid."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryodevice.telemetry.broker_plan import MOSQUITTO_CONFIGURATION, find_mosquitto
from firmware_sim.client import ControlClient

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
START_S, STOP_S = 20.0, 5.0


class BenchmarkError(Exception):
    """A measurement could not be made; says why."""


@contextlib.contextmanager
def process(arguments: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A child that is ended, and waited for, on the way out."""
    child = subprocess.Popen(arguments, cwd=ROOT, text=True, **options)
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                stream.close()


@contextlib.contextmanager
def module(name: str, *arguments: str, **options: Any) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A Python module as a child, and the JSON object it prints first."""
    with process([sys.executable, "-m", name, *arguments], stdout=subprocess.PIPE, **options) as child:
        yield child, answer(child)


def answer(child: subprocess.Popen[str]) -> dict[str, Any]:
    """The next line of a child, which must be a JSON object."""
    line = child.stdout.readline() if child.stdout is not None else ""
    try:
        return dict(json.loads(line))
    except ValueError as error:
        raise BenchmarkError(f"{child.args!r} said {line!r} where a JSON object was expected") from error


@dataclass(frozen=True, slots=True)
class Wand:
    """A simulated wand: its port, and the hand that holds it."""

    port: str
    control: ControlClient
    endpoints: dict[str, Any]

    def hand(self, **values: object) -> None:
        """Be the hand."""
        self.control.set(**values)

    def truth(self) -> dict[str, Any]:
        """What is really so in the simulated wand."""
        return self.control.truth()


@contextlib.contextmanager
def wand(*lines: str) -> Iterator[Wand]:
    """``firmware-sim serve`` on a pty, started as the demo starts it; with more lines, if they are named."""
    arguments = ("serve", "--serial", "auto", *lines, "--control", f"{HOST}:0", "--seed", "1", "--exit-with-parent")
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    with (
        module("firmware_sim", *arguments, env=environment) as (_, endpoints),
        contextlib.closing(ControlClient(str(endpoints["control"]))) as control,
    ):
        yield Wand(str(endpoints["serial"]), control, endpoints)


def free_port() -> int:
    """A port of loopback that is free now."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def broker(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A real Mosquitto with the configuration the daemon gives its own."""
    program = find_mosquitto()
    if program is None:
        raise BenchmarkError("Mosquitto is not installed: apt-get install mosquitto")
    port = free_port()
    user = "user root\n" if os.geteuid() == 0 else ""
    configuration = folder / f"mosquitto-{port}.conf"
    configuration.write_text(MOSQUITTO_CONFIGURATION.format(user=user, port=port), encoding="utf-8")
    with process([program, "-c", str(configuration)], stderr=subprocess.DEVNULL) as child:
        until(lambda: _listens(port), "Mosquitto listens")
        yield child, port


def settings_file(folder: Path, wand_port: str, broker_port: int) -> Path:
    """Settings of a daemon at 20 Hz with telemetry at 10 Hz to a broker on loopback."""
    path = folder / "cryodevice.toml"
    path.write_text(
        f'[device]\nid = "bench"\nallow_simulated = true\n[link]\nport = "{wand_port}"\n'
        f'[mqtt]\nmode = "broker"\nhost = "{HOST}"\nport = {broker_port}\n'
        f'[records]\nstate_dir = "{folder / "state"}"\n[log]\nformat = "json"\n',
        encoding="utf-8",
    )
    path.chmod(0o600)
    return path


def until(condition: Callable[[], bool], what: str, within_s: float = START_S) -> None:
    """Look ten times a second until something is so."""
    end = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > end:
            raise BenchmarkError(f"not within {within_s:g} s: {what}")
        time.sleep(0.1)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1.0):
        return True
    return False


def cryodevice() -> str:
    """The installed command."""
    beside = Path(sys.executable).with_name("cryodevice")
    found = str(beside) if beside.exists() else shutil.which("cryodevice")
    if found is None:
        raise BenchmarkError("the cryodevice command is not installed beside this Python")
    return found


def cpu_s(pid: int) -> float:
    """Processor time of a process's living threads, user and system, s. Counted by the scheduler to the nanosecond."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text(encoding="ascii").split()[0]) for task in tasks) / 1e9


def memory_mb(pid: int) -> tuple[float, float]:
    """Resident and proportional memory of a process, MB (10^6 bytes)."""
    found = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()[1:]:
        name, value = line.split(":", 1)
        found[name] = float(value.split()[0]) * 1024 / 1e6
    return found["Rss"], found["Pss"]
