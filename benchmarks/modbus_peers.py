"""The C peers of the Modbus measurements: ``peers/modbus_peer.c`` on libmodbus, compiled where it is needed; mbpoll."""

import contextlib
import json
import os
import shutil
import subprocess
import tty
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import processes as p

SOURCE = Path(__file__).with_name("peers") / "modbus_peer.c"
PACKAGES = "apt-get install --no-install-recommends gcc libc6-dev libmodbus-dev mbpoll"


def compiled(folder: Path) -> Path:
    """The peer, compiled into a folder.

    Raises:
        BenchmarkError: Compiler or library is missing; says what to install.
    """
    program = folder / "modbus_peer"
    command = ["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(program), str(SOURCE), "-lmodbus", "-lutil"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise p.BenchmarkError(f"no C compiler: {PACKAGES}") from error
    if done.returncode != 0:
        raise p.BenchmarkError(f"{SOURCE.name} does not compile: {PACKAGES}\n{done.stderr.strip()[:600]}")
    return program


def mbpoll() -> str:
    """The mbpoll command.

    Raises:
        BenchmarkError: It is missing; says what to install.
    """
    found = shutil.which("mbpoll")
    if found is None:
        raise p.BenchmarkError(f"mbpoll is not installed: {PACKAGES}")
    return found


def master(program: Path, line: str, where: str, seconds: float, *, checked: bool = False) -> dict[str, Any]:
    """What the C master measured on a line: ``rtu`` and a path, ``tcp`` and a port of loopback, ``fd`` and a descriptor.

    Raises:
        BenchmarkError: It found an error; says which.
    """
    words = [str(program), "master", line, where, f"{seconds:g}", *(["checked"] if checked else [])]
    inherited = (int(where),) if line == "fd" else ()
    done = subprocess.run(words, capture_output=True, text=True, timeout=seconds + 30, check=False, pass_fds=inherited)
    try:
        found = dict(json.loads(done.stdout))
    except ValueError as error:
        raise p.BenchmarkError(f"the C master ended with {done.returncode}: {done.stderr or done.stdout}") from error
    if "error" in found:
        raise p.BenchmarkError(f"the C master on {line} stopped: {found}")
    return found


@dataclass(frozen=True, slots=True)
class Slave:
    """A running slave: its process, and the line a master reaches it by."""

    pid: int
    line: str
    where: str


@contextlib.contextmanager
def wand() -> Iterator[tuple[Slave, Slave]]:
    """A simulated wand on Modbus, RTU and TCP."""
    arguments = ("serve", "--modbus-rtu", "auto", "--modbus-tcp", f"{p.HOST}:0", "--seed", "1", "--exit-with-parent")
    with p.module("firmware_sim", *arguments) as (child, said):
        port = str(said["modbus_tcp"]).rpartition(":")[2]
        yield Slave(child.pid, "rtu", str(said["modbus_rtu"])), Slave(child.pid, "tcp", port)


@contextlib.contextmanager
def c_slave(program: Path, line: str) -> Iterator[Slave]:
    """A libmodbus slave of plain registers; on RTU it holds the master end of the pty, as the wand does."""
    with p.process([str(program), "slave", line], stdout=subprocess.PIPE) as child:
        yield Slave(child.pid, line, str(p.answer(child)[line]))


@contextlib.contextmanager
def pymodbus_slave(line: str) -> Iterator[Slave]:
    """The server of pymodbus with plain registers; on RTU it opens the device of the pty, as its users do."""
    ours, device = os.openpty()
    try:
        tty.setraw(device)
        with p.module("benchmarks.pymodbus_slave", line, os.ttyname(device)) as (child, said):
            yield Slave(child.pid, "fd", str(ours)) if line == "rtu" else Slave(child.pid, line, str(said["tcp"]))
    finally:
        os.close(ours)
        os.close(device)
