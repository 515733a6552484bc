"""A control loop on a real pty, with the simulated wand on the other end, in the test's own event loop."""

import asyncio
import contextlib
import time
from dataclasses import dataclass

import pytest

from cryodevice.device.serial_wand import SerialWand
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
from firmware_sim.endpoints.pacer import Pacer
from firmware_sim.endpoints.pty_port import PtyPort
from firmware_sim.endpoints.serial_slave import SerialSlave
from firmware_sim.simulator import Simulator


@dataclass
class Bench:
    """One loop, one wand, and what was said."""

    sim: Simulator
    loop: ControlLoop
    store: SqliteExposureStore
    events: object

    async def until(self, condition, within_s=5.0):
        async with asyncio.timeout(within_s):
            while not condition():
                await asyncio.sleep(0.01)

    async def happened(self, kind: EventKind, within_s=5.0):
        async with asyncio.timeout(within_s):
            while (numbered := await self.events.get()).event.kind is not kind:
                pass
        return numbered.event


@pytest.fixture
async def bench(tmp_path):
    sim = Simulator(3)
    pacer = Pacer(sim, time.monotonic)
    store = SqliteExposureStore(tmp_path / "exposure.db", time.time)
    ledger = store.load()
    async with PtyPort(SerialSlave(sim.firmware), pacer.catch_up) as port:
        pacing = asyncio.create_task(pacer.run())
        clock = SystemClock()
        connection = Connection(SerialWand(open_link(port.path), clock.monotonic), clock, Seconds(0.025))
        loop = ControlLoop(
            connection, store, Config(limits(), allow_simulated=True), ledger, clock, 0.05, Bus(), Bus(), "test"
        )
        yield Bench(sim, loop, store, loop.events.subscribe(1000))
        pacing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await pacing
    store.close()
