"""Foreign peers on the simulated Modbus slave for a time: a libmodbus master in C, and mbpoll."""

import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks import modbus_peers as peers
from benchmarks.processes import BenchmarkError
from tests.campaign.modbus_page import Page
from tests.firmware_sim.endpoints import modbus_host as host

MBPOLL_PERIOD_MS = 10


def mbpoll_words(slave: peers.Slave, *options: str) -> list[str]:
    if slave.line == "rtu":
        line = ["-m", "rtu", "-b", "115200", "-P", "none", *options, slave.where]
    else:
        line = ["-m", "tcp", "-p", slave.where, *options, "127.0.0.1"]
    return [peers.mbpoll(), "-a", "1", "-0", *line]


def mbpoll_values(slave: peers.Slave, kind: str, start: int, count: int) -> list[int]:
    """Registers as mbpoll shows them; kind 4 is holding, 3 is input."""
    words = mbpoll_words(slave, "-t", kind, "-r", str(start), "-c", str(count), "-1")
    done = subprocess.run(words, capture_output=True, text=True, timeout=20, check=False)
    values = [int(word) for word in re.findall(r"^\[\d+\]:\s+(-?\d+)", done.stdout, re.MULTILINE)]
    if len(values) != count:
        raise BenchmarkError(f"mbpoll did not read {count} registers: {done.stdout[-300:]}{done.stderr[-300:]}")
    return values


def mbpoll_write(slave: peers.Slave, start: int, *registers: int) -> None:
    """Written by mbpoll: one register by FC 6, several by FC 16."""
    words = [*mbpoll_words(slave, "-t", "4", "-r", str(start)), *map(str, registers)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=20, check=False)
    if f"Written {len(registers)} references" not in done.stdout:
        raise BenchmarkError(f"mbpoll did not write {start}: {done.stdout[-300:]}{done.stderr[-300:]}")


def poll_for(slave: peers.Slave, seconds: float) -> tuple[int, int]:
    """Status polls by mbpoll for a time: how many were answered, how many not."""
    words = mbpoll_words(slave, "-t", "3", "-r", str(host.STATUS), "-c", "32", "-l", str(MBPOLL_PERIOD_MS))
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(words, stdout=out, stderr=subprocess.STDOUT)
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        process.wait(5)
        out.seek(0)
        text = out.read()
    found = re.search(r"(\d+) frames transmitted, (\d+) received, (\d+) errors", text)
    if found is None:
        raise BenchmarkError(f"mbpoll said no statistics: {text[-300:]!r}")
    sent, received, errors = map(int, found.groups())
    return received, errors + sent - received


def foreign(page: Page, slaves: tuple[peers.Slave, peers.Slave], program: Path, seconds: float) -> None:
    page.head(
        "Peers",
        f"libmodbus in C (`benchmarks/peers/modbus_peer.c`, checked) and mbpoll, {seconds:g} s each on each line. The C master sends armed "
        "orders by FC 23 as fast as they are answered, each echoing the status before, checks order, token, boot id, state, "
        "flags, lease and plate temperatures in every reply, uses FC 3, 4, 6 and 16 after each 16th, and ends with a stop, after which "
        f"lease and relay must be off and no order refused. mbpoll reads the status each {MBPOLL_PERIOD_MS} ms, then identity and "
        "plate, and writes the scratch word (FC 6) and a stop (FC 16), whose token must then be in force.",
        "peer",
        "line",
        "exchanges",
        "other requests",
        "errors",
        "values seen",
    )
    for slave in slaves:
        name = {"rtu": "RTU, pty", "tcp": "TCP"}[slave.line]
        try:
            found = peers.master(program, slave.line, slave.where, seconds, checked=True)
            values = f"plate {found['plate_degc']:.2f} degC; stopped"
            page.row("libmodbus C master", name, found["exchanges"], found["others"], 0, values)
        except BenchmarkError as error:
            page.row("libmodbus C master", name, "-", "-", page.judged(False, "libmodbus", str(error)), "-")
        received, errors = poll_for(slave, seconds)
        magic, version, *_ = mbpoll_values(slave, "4", host.IDENTITY, 24)
        plate = mbpoll_values(slave, "3", host.STATUS + 8, 2)[0] / 100
        mbpoll_write(slave, host.SCRATCH, 4711)
        mbpoll_write(slave, host.ORDER, *host.STOP)
        scratch, token = (mbpoll_values(slave, "4", start, 1)[0] for start in (host.SCRATCH, host.STATUS + 22))
        good = errors == 0 and received > seconds * 20 and (magic, version) == (0x4357, 0x0100) and 15 < plate < 35
        good = good and (scratch, token) == (4711, host.TOKEN)
        values = (
            f"magic 0x{magic:04X}, version 0x{version:04X}, plate {plate:.2f} degC; scratch word written and stopped"
        )
        page.row("mbpoll", name, received, "4 reads, 2 writes", page.judged(good, "mbpoll", str(errors)), values)
