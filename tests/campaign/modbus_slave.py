"""Measures the simulated Modbus slave: ``python -m tests.campaign.modbus_slave`` writes docs/evidence/modbus-slave.md.

Every row of the matrix of bad requests on a real pty and on TCP of a ``firmware-sim serve`` process, then foreign peers
(libmodbus in C, mbpoll) that exchange with it. Exit status 1 when any row is not as it should be.
"""

import argparse
import os
import select
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import modbus_peers as peers
from benchmarks.processes import ROOT, BenchmarkError
from tests.campaign.modbus_foreign import foreign
from tests.campaign.modbus_page import Line, Page, pty_line, tcp_line
from tests.firmware_sim.endpoints import modbus_host as host

DOCUMENT = ROOT / "docs" / "evidence" / "modbus-slave.md"
QUIET_S = 0.08
"""Silence after a fault and between the good requests, as long as in the measurements of other slaves."""
MOST_GOOD = 5
SENDER_LATE_S = 0.010
"""A pause of the sender that the slave may rightly take for the end of a frame: such a run says nothing."""
GOOD = host.rtu(host.GOOD)
REPLY = 69


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
        f"`bad_frames`. For the single bytes, runs in which the sender paused for more than {SENDER_LATE_S * 1000:.0f} ms say nothing and are repeated.",
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
