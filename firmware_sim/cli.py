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
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from cryodevice import __version__
from cryodevice.errors import CryodeviceError, ExitCode
from firmware_sim.conformance import command as conformance
from firmware_sim.control.bench import Bench
from firmware_sim.control.port import ControlPort
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
from firmware_sim.recording.match import MODES
from firmware_sim.recording.recorder import MB, Recorder
from firmware_sim.recording.replay import Replay, read
from firmware_sim.recording.tape import PROTOCOLS, tape_of
from firmware_sim.scenarios import command as scenarios
from firmware_sim.simulator import Simulator

AUTO = "auto"
_NewLine = Callable[[str, Slave], Slave]
_PARENT_POLL_S = 0.2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code. Bad usage ends in ``SystemExit(2)``, as argparse does it."""
    options = _parser().parse_args(arguments)
    if options.command == "conformance":
        return conformance.run(options)
    if options.command == "faults":
        _print(json.dumps(as_json(), indent=2) if options.json else as_markdown() if options.markdown else as_text())
        return ExitCode.FINE
    try:
        if options.command == "scenario":
            return scenarios.act(options)
        if options.command == "replay":
            return asyncio.run(_replay(options))
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
    serve.add_argument("--control", type=_address, metavar="HOST:PORT", help="live control over HTTP, loopback only")
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
    serve.add_argument("--record", type=Path, metavar="FILE", help="keep every frame of every line in a new file")
    serve.add_argument(
        "--record-limit", type=_Whole(1, 1_000_000), default=100, metavar="MB", help="longest file (default: 100)"
    )
    scenarios.add_to(commands, _Whole(0, 2**63 - 1))
    conformance.add_parser(commands)
    _add_ends(serve)
    replay = commands.add_parser("replay", help="play a device from a recording; fail on what was never recorded")
    replay.add_argument("file", type=Path, metavar="FILE", help="made by 'serve --record'")
    place = replay.add_mutually_exclusive_group()
    place.add_argument("--serial", metavar="auto|PATH", help="play it on a serial port in software")
    place.add_argument("--serial-tcp", type=_address, metavar="HOST:PORT", help="on TCP, loopback only")
    place.add_argument("--modbus-rtu", metavar="auto|PATH", help="on a port in software")
    place.add_argument("--modbus-tcp", type=_address, metavar="HOST:PORT", help="on TCP, loopback only")
    modes = "; ".join(f"{mode}: {what}" for mode, what in MODES.items())
    replay.add_argument("--match", choices=MODES, default="frames", help=f"{modes} (default: frames)")
    replay.add_argument("--fast", action="store_true", help="reply at once instead of after the recorded delay")
    _add_ends(replay)
    faults = commands.add_parser("faults", help="list every fault that can be injected")
    form = faults.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="for a program")
    form.add_argument("--markdown", action="store_true", help="as docs/faults.md")
    return parser


def _add_ends(command: argparse.ArgumentParser) -> None:
    command.add_argument("--duration", type=_duration, metavar="S", help="end after this many seconds")
    command.add_argument(
        "--exit-with-parent", action="store_true", help="end when the process that started this one does"
    )


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
    ended = _told_to_end()
    parent = os.getppid()
    for fault in options.inject:
        simulator.faults.inject(fault)
    simulator.advance(TICK_MS / 1000)  # the first reply already carries a completed tick
    pacer = Pacer(simulator, time.monotonic)
    async with AsyncExitStack() as stack:
        line: _NewLine = simulator.line
        if options.record is not None:
            line = _recorded(stack, simulator, options)
        where = await _open_ports(stack, simulator, pacer, options, line)
        async with asyncio.TaskGroup() as tasks:
            ticking = tasks.create_task(pacer.run(), name="wand")
            _say({**where, "pid": os.getpid(), "simulated": True})
            await _until_ended(ended, options.duration, parent if options.exit_with_parent else None)
            ticking.cancel()


def _told_to_end() -> asyncio.Event:
    """Set when a signal says so."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    return ended


def _recorded(stack: AsyncExitStack, simulator: Simulator, options: argparse.Namespace) -> _NewLine:
    """Lines of the wand that are recorded."""
    header = {
        "program": __version__,
        "simulated": True,
        "seed": options.seed,
        "serial_number": options.serial_number,
        "unit": options.unit,
        "identity": simulator.firmware.identity_words(),
        "began": datetime.now(tz=UTC).isoformat(timespec="seconds"),
    }
    recorder = Recorder(options.record, header, time.monotonic, lambda: simulator.time_s, options.record_limit * MB)
    stack.enter_context(recorder)
    return lambda name, slave: recorder.line(name, simulator.line(name, slave))


async def _replay(options: argparse.Namespace) -> ExitCode:
    """Play a recording until all has been asked, a request was never recorded, or it is told to end."""
    places = {name: getattr(options, name) for name in PROTOCOLS}
    wanted = next((name for name, place in places.items() if place is not None), None)
    recording = read(options.file)
    if recording.cut:
        _complain(f"{options.file}: its last line, {recording.cut}, is cut off; it is played without it")
    tape = tape_of(str(options.file), recording, wanted)
    name = wanted or tape.line
    on_tcp = name.endswith("tcp")
    play = Replay(tape if on_tcp else tape.on_one_connection(), str(options.file), options.match, fast=options.fast)
    place = places[name] or (Address("127.0.0.1", 0) if on_tcp else "")
    ended, parent = _told_to_end(), os.getppid()
    async with AsyncExitStack() as stack:
        where = await play.open(stack, "" if place == AUTO else place)
        _say({name: where, "pid": os.getpid(), "replay": str(options.file), "requests": tape.requests})
        over = asyncio.create_task(play.until_over())
        over.add_done_callback(lambda _: ended.set())
        await _until_ended(ended, options.duration, parent if options.exit_with_parent else None)
        over.cancel()
    counts = {"played": play.played, "left_out": play.left_out, "repeated": play.repeated}
    _say({**counts, "requests": tape.requests})
    if play.complaint or not play.over:
        _complain(play.complaint or f"ended after {play.played} of {tape.requests} recorded requests")
        return ExitCode.FAILED
    return ExitCode.FINE


def _complain(sentence: str) -> None:
    with suppress(OSError):
        print(f"firmware-sim: {sentence}", file=sys.stderr)


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
    stack: AsyncExitStack, simulator: Simulator, pacer: Pacer, options: argparse.Namespace, line: _NewLine
) -> dict[str, str | None]:
    """Open the ports; returns where each is, ``None`` for those not asked for."""
    firmware, catch_up, unit = simulator.firmware, pacer.catch_up, options.unit
    where: dict[str, str | None] = dict.fromkeys(("serial", "serial_tcp", "modbus_rtu", "modbus_tcp", "control"))

    async def pty(name: str, path: str, slave: Slave) -> None:
        port = PtyPort(slave, catch_up, None if path == AUTO else Path(path))
        where[name] = (await stack.enter_async_context(port)).path

    async def tcp(name: str, port: TcpPort) -> None:
        where[name] = str((await stack.enter_async_context(port)).address)

    lines = (options.serial, options.serial_tcp, options.modbus_rtu, options.modbus_tcp)
    serial = AUTO if all(place is None for place in lines) else options.serial
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
        port = ControlPort(Bench(simulator, pacer), options.control, {name: where[name] for name in PROTOCOLS})
        where["control"] = str((await stack.enter_async_context(port)).address)
    return where


def _new_line(line: _NewLine, name: str, new: Callable[[], Slave]) -> Slave:
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
