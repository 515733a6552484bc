"""A control loop on a real line, with the simulated wand on the other end, in the test's own event loop."""

import asyncio
import contextlib
import time
from dataclasses import dataclass

import pytest

from cryodevice.device.modbus_framing import RtuFraming, TcpFraming
from cryodevice.device.modbus_wand import ModbusWand
from cryodevice.device.serial_wand import SerialWand
from cryodevice.device.wand import Wand
from cryodevice.quantities import Seconds
from cryodevice.records import SqliteExposureStore
from cryodevice.runtime.bus import Bus
from cryodevice.runtime.clock import SystemClock
from cryodevice.runtime.connection import Connection
from cryodevice.runtime.control_loop import ControlLoop
from cryodevice.safety.events import EventKind
from cryodevice.safety.limits import limits
from cryodevice.transport import open_link
from cryodevice.treatment.core import Config
from cryodevice.wire.modbus import silence_s
from firmware_sim.endpoints.modbus_rtu import RtuSlave
from firmware_sim.endpoints.modbus_tcp import TcpSlave
from firmware_sim.endpoints.pacer import Pacer
from firmware_sim.endpoints.pty_port import PtyPort
from firmware_sim.endpoints.serial_slave import SerialSlave
from firmware_sim.endpoints.tcp_port import Address, TcpPort
from firmware_sim.simulator import Simulator


@dataclass
class Bench:
    """One loop, one wand, and what was said."""

    sim: Simulator
    loop: ControlLoop
    store: SqliteExposureStore
    events: object
    wand: Wand

    async def until(self, condition, within_s=5.0):
        async with asyncio.timeout(within_s):
            while not condition():
                await asyncio.sleep(0.01)

    async def happened(self, kind: EventKind, within_s=5.0):
        async with asyncio.timeout(within_s):
            while (numbered := await self.events.get()).event.kind is not kind:
                pass
        return numbered.event


def wand_and_port(line, sim, catch_up, clock):
    """What speaks and what listens on one kind of line; the port opens when it is entered."""
    if line == "serial":
        return lambda port: SerialWand(open_link(port.path), clock), PtyPort(SerialSlave(sim.firmware), catch_up)
    if line == "modbus-rtu":
        framing = RtuFraming(1, silence_s(115_200))
        return lambda port: ModbusWand(open_link(port.path), framing, clock), PtyPort(RtuSlave(sim.firmware), catch_up)
    return (
        lambda port: ModbusWand(open_link(f"socket://{port.address}"), TcpFraming(1), clock),
        TcpPort(lambda: TcpSlave(sim.firmware), catch_up, Address("127.0.0.1", 0)),
    )


@pytest.fixture
def line():
    """The kind of line; a test may name another."""
    return "serial"


@contextlib.asynccontextmanager
async def bench_on(line, folder):
    """A bench of its own; ``folder`` is for its ledger."""
    folder.mkdir(exist_ok=True)
    sim = Simulator(3)
    pacer = Pacer(sim, time.monotonic)
    store = SqliteExposureStore(folder / "exposure.db", time.time)
    ledger = store.load()
    clock = SystemClock()
    wand_at, opening = wand_and_port(line, sim, pacer.catch_up, clock.monotonic)
    async with opening as port:
        pacing = asyncio.create_task(pacer.run())
        wand = wand_at(port)
        connection = Connection(wand, clock, Seconds(0.025))
        loop = ControlLoop(
            connection, store, Config(limits(), allow_simulated=True), ledger, clock, 0.05, Bus(), Bus(), "test"
        )
        yield Bench(sim, loop, store, loop.events.subscribe(1000), wand)
        pacing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await pacing
    store.close()


@pytest.fixture
async def bench(tmp_path, line):
    async with bench_on(line, tmp_path) as bench:
        yield bench
