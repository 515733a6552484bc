"""The real control loop, connection, driver and ledger in simulated time: a day in minutes, the same every time.

The event loop's time is virtual: when nothing is ready it jumps to the next timer. The line is in memory and the wand
at its end lives in the same time. The ledger is the real one; each record is on the disk before the loop goes on.
"""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryodevice.device.modbus_framing import RtuFraming, TcpFraming
from cryodevice.device.modbus_wand import ModbusWand
from cryodevice.device.serial_wand import SerialWand
from cryodevice.quantities import Seconds
from cryodevice.records import SqliteExposureStore
from cryodevice.records.exposure_store import BootTime
from cryodevice.runtime.bus import Bus
from cryodevice.runtime.connection import Connection
from cryodevice.runtime.control_loop import ControlLoop
from cryodevice.runtime.ports import Ledger, SessionRecord
from cryodevice.safety.limits import Zone, limits
from cryodevice.treatment.core import Config, Start, Stop
from cryodevice.treatment.program import Step, Treatment
from cryodevice.wire.modbus import silence_s
from firmware_sim.simulator import Simulator
from firmware_sim.virtual import BEGAN_S, Trace, VirtualWand, run

__all__ = ["BEGAN_S", "LINES", "TREATMENT", "MemoryStore", "PromptStore", "VirtualDaemon", "virtual"]

TREATMENT = Treatment("t", (Step(Zone.FOREHEAD, 20.0, 5.0, 2.0, glide=True),))
LINES = ("serial", "modbus-rtu", "modbus-tcp")


class PromptStore(SqliteExposureStore):
    """The real ledger, written before ``submit_session`` returns: the disk takes no virtual time."""

    def submit_session(self, record: Any) -> None:
        super().submit_session(record)
        assert self._writer is None or self._writer.flush(10.0), self.failure


class MemoryStore:
    """A ledger that lives as long as the run: durable at once, for beds that ask nothing of the disk."""

    failure = ""

    def __init__(self) -> None:
        self.records: dict[str, SessionRecord] = {}
        self.durable_at_s = Seconds(float("-inf"))

    def load(self) -> Ledger:
        return Ledger(known=True)

    def submit_session(self, record: SessionRecord) -> None:
        self.records[record.session_id] = record
        self.durable_at_s = record.at_s

    def submit_lockout(self, lockout: Any) -> None:
        pass

    def aged_again(self) -> tuple[Any, ...]:
        return ()

    def close(self) -> None:
        pass


@dataclass
class VirtualDaemon:
    """One loop and one wand. ``jumped_s`` is how far the steady clock has jumped beyond the event loop's time.

    ``trace`` has all that crossed the line; ``byte_s`` is how long the line takes for a byte. Without a ``directory``
    the ledger is in memory.
    """

    directory: Path | None
    wall: Callable[[], float] = time.time
    seed: int = 1
    jumped_s: float = 0.0
    line_kind: str = "serial"
    byte_s: float = 0.0
    treatment: Treatment = TREATMENT
    sim: Simulator | None = None

    def __post_init__(self) -> None:
        running = asyncio.get_running_loop()
        self.now = running.time
        self.sim = self.sim or Simulator(self.seed, calibration_day=9000)
        self.trace = Trace()
        self.wand = VirtualWand(self.sim)
        self.driver = self._driver()
        self.store = (
            MemoryStore()
            if self.directory is None
            else PromptStore(self.directory / "exposure.db", self.wall, boot=lambda: BootTime("boot", self.monotonic()))
        )
        self.ledger = self.store.load()
        connection = Connection(self.driver, self, Seconds(0.025), token=lambda: 7)
        connection._jitter = random.Random(self.seed)  # noqa: S311 - to be the same every time
        self.loop = ControlLoop(
            connection=connection,
            store=self.store,
            config=Config(limits({}), allow_simulated=True),
            ledger=self.ledger,
            clock=self,
            period_s=0.05,
            snapshots=Bus(),
            events=Bus(),
            epoch="virtual",
        )
        self.happened = self.loop.events.subscribe(1_000_000)

    def monotonic(self) -> Seconds:
        return Seconds(self.now() + self.jumped_s)

    def _driver(self) -> SerialWand | ModbusWand:
        if self.line_kind == "serial":
            self.line = self.wand.serial(byte_s=self.byte_s, tap=self.trace)
            return SerialWand(self.line, self.monotonic)
        if self.line_kind == "modbus-rtu":
            self.line = self.wand.modbus_rtu(byte_s=self.byte_s, tap=self.trace)
            return ModbusWand(self.line, RtuFraming(1, silence_s(115_200)), self.monotonic)
        self.line = self.wand.modbus_tcp(byte_s=self.byte_s, tap=self.trace)
        return ModbusWand(self.line, TcpFraming(1), self.monotonic)

    async def until(self, condition: Callable[[], Any], within_s: float, what: str) -> None:
        end = self.now() + within_s
        while not condition():
            assert self.now() < end, f"not within {within_s} virtual s: {what}; {self.state()}"
            await asyncio.sleep(0.01)

    def state(self) -> str:
        session = self.loop._core.session
        return f"{session.state.value} {session.ended_why}"

    async def cooling(self, session_id: str, seconds: float = 1.0) -> None:
        """A session in contact, with the drive on, for ``seconds``."""
        plant = self.sim.plant
        plant.zone, plant.trigger, plant.contact, plant.motion = self.treatment.steps[0].zone.value, True, False, True
        await self.until(lambda: self.loop.latest is not None and self.loop.latest.permit, 10, "permit")
        while self.loop._core.session.session_id != session_id:
            self.loop.command(Start(session_id, self.treatment, "tester"))
            await asyncio.sleep(1.0)
        await self.until(lambda: self.state().startswith("lifted"), 60, "a cold plate")
        plant.contact = True
        await self.until(lambda: self.state().startswith("applying"), 5, "contact")
        await asyncio.sleep(seconds)

    def stop(self) -> None:
        self.loop.command(Stop("tester"))


def virtual(story: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run a story on a virtual loop."""
    return run(story)
