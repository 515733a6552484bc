"""The real control loop, connection, driver and ledger in simulated time: a day in minutes, the same every time.

The event loop's time is virtual: when nothing is ready it jumps to the next timer. The line is in memory and the wand
at its end lives in the same time. The ledger is the real one; each record is on the disk before the loop goes on.
"""

import asyncio
import random
import selectors
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryodevice.device.serial_wand import SerialWand
from cryodevice.errors import LinkClosedError, LinkTimeoutError, PortUnavailableError
from cryodevice.quantities import Seconds
from cryodevice.records import SqliteExposureStore
from cryodevice.records.exposure_store import BootTime
from cryodevice.runtime.bus import Bus
from cryodevice.runtime.connection import Connection
from cryodevice.runtime.control_loop import ControlLoop
from cryodevice.safety.limits import Zone, limits
from cryodevice.treatment.core import Config, Start, Stop
from cryodevice.treatment.program import Step, Treatment
from firmware_sim.endpoints.serial_slave import SerialSlave
from firmware_sim.simulator import Simulator

TREATMENT = Treatment("t", (Step(Zone.FOREHEAD, 20.0, 5.0, 2.0, glide=True),))
BEGAN_S = 5000.0
"""Virtual seconds at the start; not 0, so that a stray real clock shows."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is an argument. Waiting for what never comes is an error, not a hang."""

    def __init__(self) -> None:
        super().__init__(selectors.SelectSelector())
        self.now_s = BEGAN_S
        self._poll, self._selector.select = self._selector.select, self._select

    def time(self) -> float:
        return self.now_s

    def _select(self, timeout: float | None = None) -> list[Any]:
        ready = self._poll(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise RuntimeError("deadlock: nothing is ready and no timer is set")
        self.now_s += timeout
        return ready


@dataclass
class MemoryLine:
    """A line to the wand with no time of its own; ``up`` is the cable."""

    slave: SerialSlave
    catch_up: Callable[[], None]
    now: Callable[[], float]
    up: bool = True
    name: str = "memory"
    is_open: bool = False
    opened: list[float] = field(default_factory=list)
    _came: bytes = b""

    async def open(self, _deadline_s: Seconds) -> None:
        self.opened.append(self.now())
        if not self.up:
            raise PortUnavailableError("the cable is out", port=self.name)
        self.is_open, self._came = True, b""

    async def send(self, data: bytes, _deadline_s: Seconds) -> None:
        if not self.up:
            self.close()
        if not self.is_open:
            raise LinkClosedError("closed", port=self.name)
        self.catch_up()
        self._came += self.slave.feed(data)

    async def receive(self, deadline_s: Seconds) -> bytes:
        if not self._came:
            await asyncio.sleep(max(0.0, deadline_s - self.now()))
            raise LinkTimeoutError("silence", port=self.name)
        came, self._came = self._came, b""
        return came

    def discard(self) -> int:
        dropped, self._came = len(self._came), b""
        return dropped

    def close(self) -> None:
        self.is_open = False


class PromptStore(SqliteExposureStore):
    """The real ledger, written before ``submit_session`` returns: the disk takes no virtual time."""

    def submit_session(self, record: Any) -> None:
        super().submit_session(record)
        assert self._writer is None or self._writer.flush(10.0), self.failure


@dataclass
class VirtualDaemon:
    """One loop and one wand. ``jumped_s`` is how far the steady clock has jumped beyond the event loop's time."""

    directory: Path
    wall: Callable[[], float] = time.time
    seed: int = 1
    jumped_s: float = 0.0

    def __post_init__(self) -> None:
        running = asyncio.get_running_loop()
        self.now = running.time
        self.sim = Simulator(self.seed, calibration_day=9000)
        self._wand_began_s = self.now()
        self.line = MemoryLine(SerialSlave(self.sim.firmware), self.catch_up, self.now)
        self.store = PromptStore(
            self.directory / "exposure.db", self.wall, boot=lambda: BootTime("boot", self.monotonic())
        )
        self.ledger = self.store.load()
        connection = Connection(SerialWand(self.line, self.monotonic), self, Seconds(0.025), token=lambda: 7)
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

    def catch_up(self) -> None:
        """Bring the wand's time to now."""
        self.sim.advance(max(0.0, self.now() - self._wand_began_s - self.sim.time_s))

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
        plant.zone, plant.trigger, plant.contact, plant.motion = TREATMENT.steps[0].zone.value, True, False, True
        await self.until(lambda: self.loop.latest is not None and self.loop.latest.permit, 10, "permit")
        while self.loop._core.session.session_id != session_id:
            self.loop.command(Start(session_id, TREATMENT, "tester"))
            await asyncio.sleep(1.0)
        await self.until(lambda: self.state().startswith("lifted"), 60, "a cold plate")
        plant.contact = True
        await self.until(lambda: self.state().startswith("applying"), 5, "contact")
        await asyncio.sleep(seconds)

    def stop(self) -> None:
        self.loop.command(Stop("tester"))


def virtual(story: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run a story on a virtual loop."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(story())
