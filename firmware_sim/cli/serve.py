"""``firmware-sim serve``: one wand in real time, and the lines that lead to it. Decides nothing of the wand."""

import argparse
import asyncio
import os
import random
import secrets
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from cryodevice import __version__
from cryodevice.errors import CryodeviceError, ExitCode
from firmware_sim.cli.arguments import AUTO, COOLING
from firmware_sim.cli.ending import told_to_end, until_ended
from firmware_sim.cli.output import say
from firmware_sim.control.bench import Bench
from firmware_sim.control.port import ControlPort
from firmware_sim.endpoints.modbus_rtu import RtuSlave
from firmware_sim.endpoints.modbus_tcp import TcpSlave
from firmware_sim.endpoints.pacer import Pacer
from firmware_sim.endpoints.pty_port import PtyPort
from firmware_sim.endpoints.serial_slave import SerialSlave
from firmware_sim.endpoints.slave import Slave
from firmware_sim.endpoints.tcp_port import TcpPort
from firmware_sim.firmware.constants import TICK_MS
from firmware_sim.plant.individual import drawn, person_of
from firmware_sim.recording.recorder import MB, Recorder
from firmware_sim.recording.tape import PROTOCOLS
from firmware_sim.simulator import Simulator

_NewLine = Callable[[str, Slave], Slave]
_BOOTS = 0xFFFF
"""So many boot ids there are, 0 being none."""


class _UsageError(CryodeviceError):
    """Options that do not go together."""

    exit_code = ExitCode.USAGE


def run(options: argparse.Namespace) -> ExitCode:
    """Serve until told to end.

    Raises:
        CryodeviceError: Options that do not go together; the state file, the recording or a port cannot be had.
    """
    simulator = wand_of(options)
    asyncio.run(_serve(simulator, options))
    return ExitCode.FINE


def wand_of(options: argparse.Namespace) -> Simulator:
    """The wand asked for, at its time 0.

    Raises:
        CryodeviceError: Options that do not go together, or the state file cannot be used.
    """
    if options.paused and options.control is None:
        raise _UsageError("--paused is for a wand with --control HOST:PORT: nothing else could let its time go on")
    if options.boot_id is not None and options.state is not None:
        raise _UsageError("give --boot-id or --state FILE: with a state file the boots are counted there")
    seed = options.seed or 0
    return Simulator(
        seed,
        state_file=options.state,
        serial_number=options.serial_number,
        last_boot=_last_boot(options),
        individual=drawn(person_of(seed)) if options.individual == "drawn" else None,
        applicator=COOLING[options.cooling],
    )


def _last_boot(options: argparse.Namespace) -> int:
    """The boot before this one; a seed that was given decides it, so that its runs are the same to the byte."""
    if options.boot_id is not None:
        return int(options.boot_id) - 1
    if options.state is not None:
        return 0
    if options.seed is None:  # a host beside a wand that was started anew is to notice it
        return secrets.randbelow(_BOOTS)
    return random.Random(f"{options.seed} boot").randrange(_BOOTS)  # noqa: S311  # chance is seeded


async def _serve(simulator: Simulator, options: argparse.Namespace) -> None:
    """Open what was asked for, say where, and let the wand live until a signal, the duration or the parent ends it."""
    ended = told_to_end()
    parent = os.getppid()
    for fault in options.inject:
        simulator.faults.inject(fault)
    simulator.advance(TICK_MS / 1000)  # the first reply already carries a completed tick
    pacer = Pacer(simulator, time.monotonic, paused=options.paused)
    async with AsyncExitStack() as stack:
        line: _NewLine = simulator.line
        if options.record is not None:
            line = _recorded(stack, simulator, options)
        where = await _open_ports(stack, simulator, pacer, options, line)
        async with asyncio.TaskGroup() as tasks:
            ticking = tasks.create_task(pacer.run(), name="wand")
            say({**where, "pid": os.getpid(), "simulated": True})
            await until_ended(ended, options.duration, parent if options.exit_with_parent else None)
            ticking.cancel()


def _recorded(stack: AsyncExitStack, simulator: Simulator, options: argparse.Namespace) -> _NewLine:
    """Lines of the wand that are recorded."""
    header = {
        "program": __version__,
        "simulated": True,
        "seed": options.seed or 0,
        "serial_number": options.serial_number,
        "unit": options.unit,
        "identity": simulator.firmware.identity_words(),
        "began": datetime.now(tz=UTC).isoformat(timespec="seconds"),
    }
    recorder = Recorder(options.record, header, time.monotonic, lambda: simulator.time_s, options.record_limit * MB)
    stack.enter_context(recorder)
    return lambda name, slave: recorder.line(name, simulator.line(name, slave))


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
