"""Measures the simulated Modbus slave: ``python -m tests.campaign.modbus_slave`` writes docs/evidence/modbus-slave.md.

Every row of the matrix of bad requests on a real pty and on TCP of a ``firmware-sim serve`` process, then foreign peers
(libmodbus in C, mbpoll) that exchange with it. Exit status 1 when any row is not as it should be.
"""

import argparse
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import modbus_peers as peers
from benchmarks.processes import ROOT, BenchmarkError
from tests.firmware_sim.endpoints import modbus_host as host

DOCUMENT = ROOT / "docs" / "evidence" / "modbus-slave.md"
QUIET_S = 0.08
"""Silence after a fault and between the good requests, as long as in the measurements of other slaves."""
ANSWER_S = 0.25
MOST_GOOD = 5
SENDER_LATE_S = 0.004
"""A pause of the sender that the slave may rightly take for the end of a frame: such a run says nothing."""
GOOD = host.rtu(host.GOOD)
REPLY = 69
MBPOLL_PERIOD_MS = 10


@dataclass
class Page:
    """The document as it grows, and whether all in it is as it should be."""

    lines: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def row(self, *cells: object) -> None:
        self.lines.append("| " + " | ".join(map(str, cells)) + " |")

    def head(self, title: str, text: str, *columns: str) -> None:
        self.lines += [f"\n{'#' * (2 + (title[:1] == '#'))} {title.lstrip('# ')}\n", text + "\n"]
        self.row(*columns)
        self.row(*["---"] * len(columns))
        sys.stdout.write(f"== {title.lstrip('# ')}\n")
        sys.stdout.flush()

    def judged(self, good: bool, what: str, said: str) -> str:
        if not good:
            self.failed.append(f"{what}: {said}")
        return said if good else f"**{said}**"


class Line:
    """A host's end of a pty or a connection."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def send(self, data: bytes) -> None:
        os.write(self.descriptor, data)

    def receive(self, number: int, within_s: float = ANSWER_S) -> bytes:
        """What came, at most ``number`` bytes; all that came when the time was over."""
        found, end = b"", time.monotonic() + within_s
        while len(found) < number and (left := end - time.monotonic()) > 0:
            if select.select([self.descriptor], [], [], left)[0]:
                piece = os.read(self.descriptor, 65536)
                if not piece:
                    break
                found += piece
        return found

    def ask(self, frame: bytes, number: int) -> bytes:
        self.send(frame)
        return self.receive(number)


@contextmanager
def pty_line(path: str) -> Iterator[Line]:
    descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY)
    try:
        tty.setraw(descriptor)
        yield Line(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def tcp_line(port: str) -> Iterator[Line]:
    with socket.create_connection(("127.0.0.1", int(port)), timeout=2) as connection:
        connection.setblocking(True)
        yield Line(connection.fileno())


def bad_frames(line: Line) -> int:
    return host.words_of(host.pdu_of(line.ask(GOOD, REPLY)))[26]


def drip(line: Line, pieces: tuple[bytes, ...]) -> bool:
    """Send pieces one by one; whether the sender itself was never late."""
    last_s, worst_s = time.monotonic(), 0.0
    for piece in pieces:
        line.send(piece)
        time.sleep(host.DRIP_S if len(pieces) > 1 else 0)
        worst_s, last_s = max(worst_s, time.monotonic() - last_s), time.monotonic()
    return len(pieces) == 1 or worst_s < SENDER_LATE_S


def first_answered(line: Line) -> int:
    """Which good request is the first answered, the first being 1."""
    for number in range(1, MOST_GOOD + 1):
        if len(line.ask(GOOD, REPLY)) == REPLY:
            return number
        time.sleep(QUIET_S)
    return MOST_GOOD + 1


def faults(page: Page, line: Line, runs: int) -> None:
    page.head(
        "The simulated slave: bad requests",
        f"RTU on a pty. After the fault {QUIET_S * 1000:.0f} ms of silence, then good requests (FC 3, 32 status registers): which one "
        f"is the first answered, worst of {runs} runs; 1 is perfect. Replies to the stimulus itself, and what it adds to "
        "`bad_frames`. For the single bytes, runs in which the sender paused for more than 4 ms say nothing and are repeated.",
        "stimulus",
        "first good request answered",
        "replies to it",
        "bad frames",
    )
    for fault in (*host.FAULTS, host.DRIP):
        worst, replies, counted = 0, set(), set()
        for _ in range(runs):
            before, punctual = bad_frames(line), False
            while not punctual:
                punctual = drip(line, fault.pieces)
                own = len(line.receive(REPLY * fault.replies + 1, QUIET_S))
                before = before if punctual else bad_frames(line)
            worst = max(worst, first_answered(line))
            replies.add(own // REPLY if own % REPLY == 0 else -1)
            counted.add(bad_frames(line) - before)
        said = page.judged(worst == 1, fault.name, str(worst))
        answered = page.judged(replies == {fault.replies}, fault.name, ", ".join(map(str, sorted(replies))))
        page.row(fault.name, said, answered, page.judged(counted == {fault.bad_frames}, fault.name, str(counted)[1:-1]))


def exceptions(page: Page, rtu: Line, tcp: Line) -> None:
    page.head(
        "# Requests that cannot be carried out",
        "Well framed, once on each line; the exception code of the reply.",
        "request",
        "exception due",
        "pty",
        "TCP",
    )
    for name, (pdu, code) in host.EXCEPTIONS.items():
        due = host.exception(pdu, code)
        on_rtu, on_tcp = rtu.ask(host.rtu(pdu), 5), tcp.ask(host.mbap(pdu, transaction=9), 9)
        said = [
            page.judged(
                reply == wanted, name, str(reply[-index]) if len(reply) == len(wanted) else reply.hex() or "silent"
            )
            for reply, wanted, index in ((on_rtu, host.rtu(due), 3), (on_tcp, host.mbap(due, transaction=9), 1))
        ]
        page.row(name, code, *said)


def units(page: Page, rtu: Line, tcp: Line) -> None:
    page.head(
        "# Other units and broadcasts",
        "Whether there is a reply, and whether it is carried out (scratch word, or order epoch).",
        "request",
        "pty",
        "TCP",
    )
    stop = host.exchange(host.STOP)

    def epoch(line: Line) -> int:
        return host.words_of(host.pdu_of(line.ask(GOOD, REPLY)))[23]

    def scratch(line: Line) -> int:
        return host.words_of(host.pdu_of(line.ask(host.rtu(host.read(host.SCRATCH, 1)), 7)))[0]

    cases: tuple[tuple[str, int, bytes, Callable[[Line], int], bool], ...] = (
        ("unit 9, FC 3", 9, host.GOOD, epoch, False),
        ("unit 9, a stop by FC 23", 9, stop, epoch, False),
        ("unit 9, scratch word by FC 6", 9, host.write_one(host.SCRATCH, 0x0909), scratch, False),
        ("broadcast, FC 3", 0, host.GOOD, epoch, False),
        ("broadcast, a stop by FC 16", 0, host.write_many(host.ORDER, host.STOP), epoch, False),
        ("broadcast, a stop by FC 23", 0, stop, epoch, False),
        ("broadcast, scratch word by FC 6", 0, host.write_one(host.SCRATCH, 0x0A0A), scratch, True),
        ("broadcast, scratch word by FC 16", 0, host.write_many(host.SCRATCH, [0x0B0B]), scratch, True),
    )
    for name, unit, pdu, look, due in cases:
        said = []
        for line, frame in ((rtu, host.rtu), (tcp, host.mbap)):
            rtu.ask(host.rtu(host.write_one(host.SCRATCH, 1)), 8)
            before = look(rtu)
            reply = line.ask(frame(pdu, unit), 1)
            done = look(rtu) != before
            text = f"{'answered' if reply else 'silent'}, {'carried out' if done else 'not carried out'}"
            said.append(page.judged(not reply and done == due, name, text))
        page.row(name, *said)


def streams(page: Page, port: str) -> None:
    page.head("# TCP", "What a stream can do beside requests.", "stimulus", "what happens")
    for number in (1, 2, 5, 30):
        with tcp_line(port) as line:
            line.send(b"".join(host.mbap(host.read(0, 1), transaction=tid) for tid in range(number)))
            reply = line.receive(11 * number)
        order = [int.from_bytes(reply[at : at + 2], "big") for at in range(0, len(reply), 11)]
        good = order == list(range(number))
        page.row(
            f"{number} requests in one piece",
            page.judged(good, "pipelining", f"{len(order)} answered, in order: {good}"),
        )
    for name, piece, most_s in (
        ("protocol id 1", host.mbap(host.GOOD, protocol=1), 0.5),
        ("length field 0", bytes.fromhex("000100000000"), 0.5),
        ("length field 255", bytes.fromhex("0001000000FF"), 0.5),
        ("half a header, then nothing", host.mbap(host.GOOD)[:4], 7.0),
        ("half a request, then nothing", host.mbap(host.GOOD)[:9], 7.0),
    ):
        with tcp_line(port) as line:
            began = time.monotonic()
            line.send(piece)
            ready = select.select([line.descriptor], [], [], most_s)[0]
            took, gone = time.monotonic() - began, bool(ready) and line.receive(1) == b""
            page.row(name, page.judged(gone, name, f"closed after {took:.1f} s" if gone else "not closed"))
    hundred(page, port)


def hundred(page: Page, port: str) -> None:
    """A master that asks now and then, among a hundred that connect and ask nothing."""
    request = host.mbap(host.GOOD)
    with tcp_line(port) as master:
        lines = []
        for _ in range(100):
            lines.append(socket.create_connection(("127.0.0.1", int(port)), timeout=2))
            time.sleep(0.002)
            kept = len(master.ask(request, 73)) == 73
        newest = len(Line(lines[-1].fileno()).ask(request, 73)) == 73
        gone = sum(bool(select.select([line], [], [], 0)[0]) for line in lines)
        for line in lines:
            line.close()
    good = kept and newest and gone >= 92
    text = f"{gone} of the 100 closed, the oldest first; newest answered: {newest}; a master at work kept: {kept}"
    page.row("100 connections", page.judged(good, "100 connections", text))


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


def main() -> int:
    """Measure and write; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign.modbus_slave", description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="runs of each fault (default: 20)")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long each peer exchanges (default: 60)")
    parser.add_argument("--dry", action="store_true", help="write nothing")
    options = parser.parse_args()
    page = Page()
    with tempfile.TemporaryDirectory() as folder:
        try:
            program = peers.compiled(Path(folder))
            peers.mbpoll()
            with peers.wand() as slaves:
                rtu, tcp = slaves
                with pty_line(rtu.where) as line, tcp_line(tcp.where) as connection:
                    faults(page, line, options.runs)
                    exceptions(page, line, connection)
                    units(page, line, connection)
                    streams(page, tcp.where)
                foreign(page, slaves, program, options.seconds)
        except BenchmarkError as error:
            sys.stderr.write(f"{error}\n")
            return 1
    head = [
        "# Evidence: the simulated Modbus slave\n",
        "Generated by `python -m tests.campaign.modbus_slave` on a `firmware-sim serve` process; edits are lost. Bold: not as it should be.\n",
        f"{datetime.now(UTC):%Y-%m-%d}, CPython {sys.version.split()[0]}, {os.cpu_count()} cores; {options.runs} runs of each fault, "
        f"peers {options.seconds:g} s each. Cells not as they should be: {len(page.failed)}.",
    ]
    if not options.dry:
        DOCUMENT.write_text("\n".join([*head, *page.lines]) + "\n", encoding="utf-8")
    for failure in page.failed:
        sys.stdout.write(f"FAILED {failure}\n")
    return 1 if page.failed else 0


if __name__ == "__main__":
    sys.exit(main())
