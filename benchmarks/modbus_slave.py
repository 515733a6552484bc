"""The simulated wand's Modbus slave under a C master, beside pymodbus's server and a libmodbus slave in C.

One exchange is one function 23: 8 registers written, 32 read. The wand judges every order, advances its plant and
answers with a fresh status; the other two keep plain registers and judge nothing. The master is libmodbus in C.
"""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks import modbus_peers as peers
from benchmarks import processes as p
from benchmarks.figures import Row, Section, spread

GOAL = 1.4
"""Of pymodbus's rate on a pty."""
CPU_GOAL_US = 40.0
ROUNDS, QUICK_ROUNDS = 15, 2
ROUND_S, QUICK_ROUND_S = 1.0, 0.3
LINES = {"rtu": "RTU on a pty", "tcp": "TCP on loopback"}


@dataclass
class Measured:
    """Rounds of one slave on one line."""

    rates: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)


def run(*, quick: bool) -> Section:
    rounds, seconds = (QUICK_ROUNDS, QUICK_ROUND_S) if quick else (ROUNDS, ROUND_S)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        program = peers.compiled(Path(folder))
        for line, name in LINES.items():
            rows += _line(program, line, name, rounds, seconds)
    return Section(
        "modbus-slave",
        "The Modbus slave of the simulated wand",
        "peer",
        tuple(rows),
        (
            f"{rounds} rounds of {seconds:g} s of each slave in turn under the same libmodbus master in C; median, ratio with "
            "lowest and highest of the rounds. An exchange is function 23, 8 registers written and 32 read. The wand "
            "judged every order and accepted every one, with its plant running; the server of pymodbus and the "
            "libmodbus slave in C (the limit) keep plain registers and judge nothing. Processor time is the slave's alone, user and system.",
        ),
    )


def _line(program: Path, line: str, name: str, rounds: int, seconds: float) -> list[Row]:
    measured = {"ours": Measured(), "pymodbus": Measured(), "libmodbus in C": Measured()}
    with peers.wand() as (rtu, tcp), peers.pymodbus_slave(line) as python, peers.c_slave(program, line) as c:
        slaves = dict(zip(measured, (rtu if line == "rtu" else tcp, python, c), strict=True))
        for slave in slaves.values():
            _round(Measured(), program, slave, seconds / 2)  # the first exchanges are not like the rest
        for _ in range(rounds):
            for which, slave in slaves.items():
                _round(measured[which], program, slave, seconds)
    ours = measured["ours"]
    goals = (GOAL if line == "rtu" else None, CPU_GOAL_US)
    return [
        *_rows(f"{name}, beside pymodbus", ours, measured["pymodbus"], *goals),
        *_rows(f"{name}, beside libmodbus in C", ours, measured["libmodbus in C"]),
    ]


def _round(into: Measured, program: Path, slave: peers.Slave, seconds: float) -> None:
    before_s = p.cpu_s(slave.pid)
    found = peers.master(program, slave.line, slave.where, seconds)
    into.cpu_us.append((p.cpu_s(slave.pid) - before_s) / found["exchanges"] * 1e6)
    into.rates.append(found["exchanges"] / found["seconds"])


def _rows(
    what: str, ours: Measured, theirs: Measured, goal: float | None = None, cpu_goal_us: float | None = None
) -> list[Row]:
    rates = [mine / other for mine, other in zip(ours.rates, theirs.rates, strict=True)]
    shares = [mine / other for mine, other in zip(ours.cpu_us, theirs.cpu_us, strict=True)]
    rate_said = ("", None) if goal is None else (f">= {goal}", median(rates) >= goal)
    cpu_said = ("", None) if cpu_goal_us is None else (f"<= {cpu_goal_us:.0f} us", median(ours.cpu_us) <= cpu_goal_us)
    return [
        Row(
            f"exchanges per second, {what}",
            f"{median(ours.rates):.0f} /s",
            f"{median(theirs.rates):.0f} /s",
            spread(rates),
            *rate_said,
        ),
        Row(
            f"processor time of an exchange, {what}",
            _cost(ours.cpu_us),
            _cost(theirs.cpu_us),
            spread(shares),
            *cpu_said,
        ),
    ]


def _cost(cpu_us: list[float]) -> str:
    return f"{median(cpu_us):.0f} us, lowest {min(cpu_us):.0f}"
