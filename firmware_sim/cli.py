"""The ``firmware-sim`` command. Reads arguments, opens the ports, prints where they are, runs until told to end.

Nothing of the wand is decided here. Exit codes: 0 ended as asked, 1 failed while running, 2 cannot start.
"""

import argparse
import asyncio
import json
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path

from cryodevice.errors import CryodeviceError, ExitCode
from firmware_sim.control import ControlPort
from firmware_sim.endpoints.loopback import Address, parse_address
from firmware_sim.endpoints.modbus_rtu import RtuSlave
from firmware_sim.endpoints.modbus_tcp import TcpSlave
from firmware_sim.endpoints.pacer import Pacer
from firmware_sim.endpoints.pty_port import PtyPort
from firmware_sim.endpoints.serial_slave import SerialSlave
from firmware_sim.endpoints.slave import Slave
from firmware_sim.endpoints.tcp_port import TcpPort
from firmware_sim.faults import FaultError, Injection, injection_from_words
from firmware_sim.faults.listing import as_json, as_markdown, as_text
from firmware_sim.firmware.constants import TICK_MS
from firmware_sim.scenarios import command as scenarios
from firmware_sim.simulator import Simulator

AUTO = "auto"
_PARENT_POLL_S = 0.2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code. Bad usage ends in ``SystemExit(2)``, as argparse does it."""
    options = _parser().parse_args(arguments)
    if options.command == "faults":
        _print(json.dumps(as_json(), indent=2) if options.json else as_markdown() if options.markdown else as_text())
        return ExitCode.FINE
    try:
        if options.command == "scenario":
            return scenarios.act(options)
        simulator = Simulator(
            options.seed,
            state_file=options.state,
            serial_number=options.serial_number,
            last_boot=0 if options.state is not None else secrets.randbelow(0xFFFF),
        )
        asyncio.run(_serve(simulator, options))
    except CryodeviceError as error:
        print(f"firmware-sim: {error}", file=sys.stderr)
        return ExitCode.USAGE
    return ExitCode.FINE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="firmware-sim", description="The wand without the wand: a simulated wand.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="run a wand in real time on a pseudo-terminal and on TCP")
    serve.add_argument(
        "--serial",
        metavar="auto|PATH",
        help="serial port in software; PATH is a symbolic link to make to it (default: auto if no line is asked for)",
    )
    serve.add_argument("--serial-tcp", type=_address, metavar="HOST:PORT", help="serial protocol on TCP, loopback only")
    serve.add_argument("--modbus-rtu", metavar="auto|PATH", help="Modbus RTU on a port in software of its own")
    serve.add_argument("--modbus-tcp", type=_address, metavar="HOST:PORT", help="Modbus TCP, loopback only")
    serve.add_argument("--unit", type=_Whole(1, 247), default=1, metavar="N", help="Modbus unit id (default: 1)")
    serve.add_argument("--control", type=_address, metavar="HOST:PORT", help="control socket, loopback only")
    serve.add_argument("--seed", type=_Whole(0, 2**63 - 1), default=0, help="of the sensors' noise (default: 0)")
    serve.add_argument(
        "--inject",
        type=_fault,
        action="append",
        default=[],
        metavar="FAULT",
        help="a fault from the start, as 'bit_errors rate=1e-3'; 'firmware-sim faults' lists them; may be repeated",
    )
    serve.add_argument("--serial-number", type=_Whole(0, 2**32 - 1), default=1, metavar="N", help="of the wand")
    serve.add_argument(
        "--state", type=Path, metavar="FILE", help="where the boot counter lives; without it each start is a new wand"
    )
    serve.add_argument("--duration", type=_duration, metavar="S", help="end after this many seconds")
    serve.add_argument(
        "--exit-with-parent", action="store_true", help="end when the process that started this one does"
    )
    scenarios.add_to(commands, _Whole(0, 2**63 - 1))
    faults = commands.add_parser("faults", help="list every fault that can be injected")
    form = faults.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="for a program")
    form.add_argument("--markdown", action="store_true", help="as docs/faults.md")
    return parser


def _address(text: str) -> Address:
    try:
        return parse_address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _fault(text: str) -> Injection:
    name, *words = text.split() or [""]
    try:
        return injection_from_words(name, words)
    except FaultError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


class _Whole:
    """Reads a whole number of a closed range, and says that range when it is none."""

    def __init__(self, low: int, high: int) -> None:
        self._low, self._high = low, high

    def __call__(self, text: str) -> int:
        with suppress(ValueError):
            value = int(text, 0)
            if self._low <= value <= self._high:
                return value
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {self._low} to {self._high}")


def _duration(text: str) -> float:
    with suppress(ValueError):
        value = float(text)
        if 0.0 < value <= 1e9:
            return value
    raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")


async def _serve(simulator: Simulator, options: argparse.Namespace) -> None:
    """Open what was asked for, say where, and let the wand live until a signal, the duration or the parent ends it."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    parent = os.getppid()
    for fault in options.inject:
        simulator.faults.inject(fault)
    simulator.advance(TICK_MS / 1000)  # the first reply already carries a completed tick
    pacer = Pacer(simulator, time.monotonic)
    async with AsyncExitStack() as stack:
        where = await _open_ports(stack, simulator, pacer, options)
        async with asyncio.TaskGroup() as tasks:
            ticking = tasks.create_task(pacer.run(), name="wand")
            _say({**where, "pid": os.getpid(), "simulated": True})
            await _until_ended(ended, options.duration, parent if options.exit_with_parent else None)
            ticking.cancel()


def _say(where: dict[str, object]) -> None:
    """Print where the ports are. Somebody who cannot be told is no reason to end a wand that others may know."""
    _print(json.dumps(where), "where the ports are")


def _print(text: str, what: str | None = None) -> None:
    """Print to whoever still listens; say what could not be written, where there is a name for it."""
    try:
        print(text, flush=True)
    except OSError as error:
        if what is not None:
            with suppress(OSError):
                print(f"firmware-sim: cannot write {what}: {error.strerror}", file=sys.stderr)
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


async def _open_ports(
    stack: AsyncExitStack, simulator: Simulator, pacer: Pacer, options: argparse.Namespace
) -> dict[str, str | None]:
    """Open the ports; returns where each is, ``None`` for those not asked for."""
    firmware, catch_up, unit, line = simulator.firmware, pacer.catch_up, options.unit, simulator.line
    where: dict[str, str | None] = dict.fromkeys(("serial", "serial_tcp", "modbus_rtu", "modbus_tcp", "control"))

    async def pty(name: str, path: str, slave: Slave) -> None:
        port = PtyPort(slave, catch_up, None if path == AUTO else Path(path))
        where[name] = (await stack.enter_async_context(port)).path

    async def tcp(name: str, port: TcpPort) -> None:
        where[name] = str((await stack.enter_async_context(port)).address)

    lines = (options.serial, options.serial_tcp, options.modbus_rtu, options.modbus_tcp)
    serial = AUTO if all(line is None for line in lines) else options.serial
    if serial is not None:
        await pty("serial", serial, line("serial", SerialSlave(firmware)))
    if options.serial_tcp is not None:
        plain = partial(_new_line, line, "serial_tcp", lambda: SerialSlave(firmware))
        await tcp("serial_tcp", TcpPort(plain, catch_up, options.serial_tcp))
    if options.modbus_rtu is not None:
        await pty("modbus_rtu", options.modbus_rtu, line("modbus_rtu", RtuSlave(firmware, unit)))
    if options.modbus_tcp is not None:
        new = partial(_new_line, line, "modbus_tcp", lambda: TcpSlave(firmware, unit))
        await tcp("modbus_tcp", TcpPort(new, catch_up, options.modbus_tcp, "Modbus TCP", eldest_gives_way=True))
    if options.control is not None:
        control = await stack.enter_async_context(ControlPort(simulator, catch_up, options.control))
        where["control"] = str(control.address)
    return where


def _new_line(line: Callable[[str, Slave], Slave], name: str, new: Callable[[], Slave]) -> Slave:
    """The line of one more connection."""
    return line(name, new())


async def _until_ended(ended: asyncio.Event, duration_s: float | None, parent: int | None) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(duration_s):
            if parent is None:
                await ended.wait()
            while not ended.is_set() and os.getppid() == parent:
                with suppress(TimeoutError):
                    await asyncio.wait_for(ended.wait(), _PARENT_POLL_S)
