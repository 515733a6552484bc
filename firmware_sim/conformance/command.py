"""``firmware-sim conformance``: reads its arguments, opens the line asked for, judges, tells, leaves the wand stopped.

Exit codes: 0 every clause judged was kept, 1 one was not or the run broke off, 2 cannot start as asked, 3 refused for
safety, because somebody else is at this wand or it is tripped.
"""

import argparse
import os
import random
import secrets
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any, Final

from cryodevice.errors import (
    CryodeviceError,
    ExitCode,
    LinkError,
    LinkTimeoutError,
    PortUnavailableError,
    SafetyRefusedError,
    WireError,
)
from firmware_sim.conformance import modbus_codec
from firmware_sim.conformance.clause import Clause
from firmware_sim.conformance.clauses import GROUPS, every
from firmware_sim.conformance.dialect import Dialect, ModbusDialect, SerialDialect
from firmware_sim.conformance.line import SerialLine, TcpLine
from firmware_sim.conformance.report import Teller, document, ending, summary, wand_line
from firmware_sim.conformance.runner import Run, judge_all, lines_of
from firmware_sim.conformance.wand import Wand

BAUD: Final = 115_200
_TRIES: Final = 3
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SERIAL_PORTS, _MODBUS = ("serial", "modbus_rtu"), ("modbus_rtu", "modbus_tcp")


class _UsageError(CryodeviceError):
    """It cannot start as asked."""

    exit_code = ExitCode.USAGE


def add_parser(commands: Any) -> None:
    """Put the command beside the others."""
    parser = commands.add_parser(
        "conformance",
        help="ask a wand whether it keeps docs/wire.md, clause by clause",
        description="Asks a wand, simulated or real, whether it keeps docs/wire.md, clause by clause; "
        "docs/conformance.md says how to read the answer. At zero power unless --allow-drive. Leaves the wand stopped.",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--serial", metavar="PORT", help="serial protocol on a port")
    where.add_argument("--serial-tcp", metavar="HOST:PORT", help="serial protocol on a TCP stream")
    where.add_argument("--modbus-rtu", metavar="PORT", help="Modbus RTU on a port")
    where.add_argument("--modbus-tcp", metavar="HOST:PORT", help="Modbus TCP")
    where.add_argument("--list", action="store_true", help="print the clauses and end; asks no wand")
    parser.add_argument("--unit", type=int, metavar="N", help="Modbus unit id, 1 to 247 (default: 1)")
    parser.add_argument("--baud", type=int, metavar="N", help=f"of a port (default: {BAUD})")
    parser.add_argument(
        "--allow-drive", action="store_true", help="also clauses that cool the plate, 3 K for less than a second each"
    )
    parser.add_argument(
        "--only", nargs="+", metavar="CLAUSE", help="just these: LEASE-04, LEASE-07.4, or a family such as LEASE"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document at the end")


def run(options: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    try:
        clauses = _chosen(options.only)
        if options.list:
            _list(clauses)
            return ExitCode.FINE
        kind, where = _where(options)
        with _ended_by_signal() as shield:
            return _run(options, clauses, kind, where, shield)
    except PortUnavailableError as error:
        return _say(error, ExitCode.USAGE)
    except CryodeviceError as error:
        return _say(error, error.exit_code)
    except KeyboardInterrupt:
        return _say("interrupted before anything was ordered", ExitCode.FAILED)


def _say(error: object, code: ExitCode) -> int:
    with suppress(OSError):
        sys.stderr.write(f"firmware-sim conformance: {error}\n")
    return code


def _chosen(names: Sequence[str] | None) -> list[Clause]:
    """The clauses named, in the order they are judged."""
    clauses = every()
    if names is None:
        return clauses
    wanted = [name.upper() for name in names]
    for name in wanted:
        if not any(_named(clause, name) for clause in clauses):
            raise _UsageError(f"there is no clause {name}; --list prints those there are")
    return [clause for clause in clauses if any(_named(clause, name) for name in wanted)]


def _named(clause: Clause, name: str) -> bool:
    family = clause.rule.partition("-")[0]
    return name in (clause.id.upper(), clause.rule, family, *clause.also)


def _list(clauses: Sequence[Clause]) -> None:
    for group in GROUPS:
        chosen = [clause for clause in group.clauses if clause in clauses]
        if chosen:
            sys.stdout.write(f"{group.heading}\n")
        for clause in chosen:
            also = f" [also {', '.join(clause.also)}]" if clause.also else ""
            sys.stdout.write(f"  {clause.id:<20}{clause.caption}{also}\n")


def _where(options: argparse.Namespace) -> tuple[str, str]:
    """Which kind of line, and where; the options beside it fit it."""
    kinds = ("serial", "serial_tcp", "modbus_rtu", "modbus_tcp")
    kind = next((kind for kind in kinds if getattr(options, kind) is not None), None)
    if kind is None:
        raise _UsageError(
            "say where the wand is: --serial PORT, --serial-tcp HOST:PORT, --modbus-rtu PORT or --modbus-tcp HOST:PORT"
        )
    if options.baud is not None and (kind not in _SERIAL_PORTS or not 300 <= options.baud <= 4_000_000):
        raise _UsageError("--baud is for --serial and --modbus-rtu, 300 to 4000000")
    if options.unit is not None and (kind not in _MODBUS or not 1 <= options.unit <= 247):
        raise _UsageError("--unit is for Modbus, 1 to 247")
    return kind, getattr(options, kind)


def _open(kind: str, where: str, baud: int, unit: int) -> Dialect:
    line = SerialLine(where, baud) if kind in _SERIAL_PORTS else TcpLine(*_address(where))
    if kind not in _MODBUS:
        return SerialDialect(line)
    return ModbusDialect(line, modbus_codec.Rtu() if kind == "modbus_rtu" else modbus_codec.Tcp(), unit)


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not (port.isascii() and port.isdigit()) or not 0 < int(port) <= 0xFFFF:
        raise _UsageError(f"{text!r} is no HOST:PORT with a port from 1 to 65535, such as 127.0.0.1:1502")
    return host, int(port)


class _Shield:
    """Whether a signal may still end what is under way; the last stop may not be cut short."""

    def __init__(self) -> None:
        self.up = False

    def raise_up(self) -> None:
        """From now on it may not."""
        self.up = True


@contextmanager
def _ended_by_signal() -> Iterator[_Shield]:
    """SIGINT, SIGTERM and SIGHUP end a run as Ctrl-C does, once."""
    shield = _Shield()

    def end(*_: object) -> None:
        if not shield.up:
            shield.up = True
            raise KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in _SIGNALS}
    try:
        yield shield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass
class _Ending:
    """How the command ended: the word of the document, the sentence beside it, the exit code."""

    word: str = "complete"
    error: str = ""
    code: ExitCode = ExitCode.FINE


def _run(options: argparse.Namespace, clauses: list[Clause], kind: str, where: str, shield: _Shield) -> int:
    baud, unit = options.baud or BAUD, options.unit or 1
    line = {"kind": kind, "where": where, "baud": baud if kind in _SERIAL_PORTS else None}
    line["unit"] = unit if kind in _MODBUS else None
    dialect = _open(kind, where, baud, unit)
    began_s, given, wand, end = time.monotonic(), Run(), None, _Ending()
    teller = Teller(None if options.json else sys.stdout, sys.stderr, GROUPS)
    try:
        wand = _reach(dialect, f"{where} at {baud} baud" if kind in _SERIAL_PORTS else where, options)
        if not any(clause.lines in lines_of(dialect) for clause in clauses):
            raise _UsageError(f"none of these clauses can be judged on a {_words(kind)} line")
        teller.line(wand_line(wand.identity, _words(kind) + f" {where}" + (f" unit {unit}" if kind in _MODBUS else "")))
        teller.line("" if options.allow_drive else "At zero power: nothing here orders the plate to cool or to warm.")
        judge_all(wand, clauses, given, began=teller.began, ended=teller.ended, leaving=shield.raise_up)
    except KeyboardInterrupt:
        end = _Ending("interrupted", "interrupted", ExitCode.FAILED)
    except OSError as error:  # what is printed goes nowhere any more; the wand is stopped all the same
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        gone = isinstance(error, BrokenPipeError)
        why = "nobody reads what is printed" if gone else f"cannot write the output: {error.strerror}"
        end = _Ending("failed", why, ExitCode.FAILED)
    except SafetyRefusedError as refused:
        end = _Ending("refused", refused.message, ExitCode.REFUSED)
    except CryodeviceError as broken:
        end = _Ending("failed", broken.message, broken.exit_code)
    finally:
        dialect.line.close()
    if end.code is ExitCode.FINE and (given.failed or given.stopped is False):
        end.code = ExitCode.FAILED
    took_s = time.monotonic() - began_s
    if options.json:
        who = None if wand is None else wand.identity
        text = document(given, who, line, end.word, allow_drive=options.allow_drive, took_s=took_s, error=end.error)
        sys.stdout.write(f"{text}\n")
    elif given.outcomes:
        teller.close(summary(given, took_s))
    if not end.error:
        return end.code
    told = given.stopped is None or (given.outcomes and not options.json)
    return _say(end.error if told else f"{end.error}. {ending(given)}", end.code)


def _words(kind: str) -> str:
    return kind.replace("_", " ")


def _reach(dialect: Dialect, where: str, options: argparse.Namespace) -> Wand:
    """The wand that answers there.

    Raises:
        LinkError: Nobody does, or it is no wand.
    """
    try:
        return _first_reply(dialect, options)
    except LinkTimeoutError as error:
        raise LinkTimeoutError(
            f"nobody answers as a wand on {where}; see that it has power, and that port, speed, protocol and "
            "unit are right"
        ) from error
    except WireError as error:
        raise LinkError(f"what answers on {where} is no wand of this protocol: {error.message}") from error


def _first_reply(dialect: Dialect, options: argparse.Namespace) -> Wand:
    """The wand, asked again where the line lost the first request: what lies in its buffer may have spoilt it."""
    for attempt in range(_TRIES):
        dialect.recover()
        with suppress(LinkTimeoutError) if attempt < _TRIES - 1 else nullcontext():
            rng = random.Random(secrets.randbits(64))  # noqa: S311  # tokens need to differ, not to be secret
            return Wand(dialect, rng, allow_drive=options.allow_drive)
    raise AssertionError("the last try returns or raises")
