"""A loop's worth of snapshots and events, real brokers, a real subscriber, and a line between them that can be cut."""

import asyncio
import contextlib
import math
import shutil
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import pytest

from cryodevice.quantities import Celsius, Milliseconds, Seconds
from cryodevice.runtime.alarm_desk import AlarmView
from cryodevice.runtime.bus import Bus
from cryodevice.runtime.clock import SystemClock
from cryodevice.runtime.snapshot import NumberedEvent, SessionView, Snapshot
from cryodevice.safety import alarms
from cryodevice.safety.alarms import Cause
from cryodevice.safety.events import Event, EventKind
from cryodevice.safety.exposure import ZoneExposure
from cryodevice.safety.limits import Zone, limits
from cryodevice.safety.phases import SessionState
from cryodevice.safety.readings import read
from cryodevice.safety.verdict import Action, Clear, Finding, Lockout
from cryodevice.settings import MqttSettings
from cryodevice.telemetry import Publisher, RunningBroker, start_broker
from cryodevice.wire.blocks import Identity, Status
from cryodevice.wire.codes import Capability, Fault, Flag

IDENTITY = Identity(
    magic=0x4357,
    wire_version=0x0100,
    applicator=0,
    capabilities=Capability.CONTACT | Capability.TRIGGER | Capability.FAN_TACHOMETER | Capability.CUTOFF_RELAY,
    serial_number=4711,
    firmware_version=0x0102,
    firmware_patch=3,
    boot_id=7,
    simulated=True,
    setpoint_min_degc=Celsius(2.0),
    setpoint_max_degc=Celsius(40.0),
    lease_max_ms=Milliseconds(1000),
    cooling_max_s=900,
    calibration_day=9457,
    cold_cutout_degc=Celsius(1.0),
    hot_cutout_degc=Celsius(42.0),
    sink_cutout_degc=Celsius(55.0),
    drive_max_ma=4000,
    tick_ms=Milliseconds(20),
    plate_area_cm2=6.25,
)
STATUS = Status(
    sequence=321,
    uptime_ms=Milliseconds(6420),
    state=2,
    flags=Flag.LEASE_LIVE | Flag.CONTACT | Flag.TRIGGER | Flag.RELAY_CLOSED,
    faults=Fault(0),
    trip_code=0,
    plate_a_degc=Celsius(8.02),
    plate_b_degc=Celsius(8.11),
    skin_ir_degc=None,
    sink_degc=Celsius(33.5),
    ambient_degc=Celsius(22.4),
    humidity_pct=41.5,
    drive_ma=2150,
    drive_mv=6200,
    fan_rpm=3900,
    lease_remaining_ms=Milliseconds(455),
    setpoint_degc=Celsius(8.0),
    order_sequence=88,
    supply_kpa=None,
    distance_mm=None,
    token=0xBEEF,
    order_epoch=90,
    last_refusal=0,
    refusals=1,
    bad_frames=2,
    cooling_s=12,
    boot_id=7,
)
SESSION = SessionView(
    session_id="s-1",
    state=SessionState.APPLYING,
    step=1,
    steps=2,
    zone=Zone.LEFT_CHEEK,
    setpoint_degc=8.0,
    hold_s=20.0,
    contact_s=4.5,
    rewarm_left_s=0.0,
    ended_why="",
)


def _snapshot(at_s: float = 100.0, wall_s: float = 1_764_000_000.5) -> Snapshot:
    return Snapshot(
        at_s=Seconds(at_s),
        wall_s=wall_s,
        link_up=True,
        link_why="",
        reading=read(STATUS, Seconds(at_s - 0.02)),
        identity=IDENTITY,
        session=SESSION,
        permit=True,
        findings=(),
        lockout=None,
        order=None,
        skin_estimate_degc=14.2,
        exposure=MappingProxyType({Zone.LEFT_CHEEK: ZoneExposure(4.5, 2.0, 0.0, 0.0, 0.0, 14.2, 20.1)}),
        limits=limits(),
        tick_late_ms=0.4,
        ticks=2000,
        misses=1,
        overruns=0,
    )


def _finding(row: str = "skin_stop", action: Action = Action.STOP, value: float = 1.9) -> Finding:
    return Finding(row, action, value, 2.0, math.inf, "degC", Seconds(99.0), "lift the wand", Clear.ACKNOWLEDGE)


def _event(seq: int, epoch: str = "run", **evidence: object) -> NumberedEvent:
    event = Event(EventKind.SESSION_STATE, Seconds(100.0 + seq), f"event {seq}", evidence)
    return NumberedEvent(epoch, seq, 1_764_000_000.0 + seq, event)


def _alarms(*causes: str, says: str = "lift the wand") -> AlarmView:
    named = {cause: Cause(Seconds(90.0), says) for cause in causes}
    memory, _ = alarms.followed(alarms.Alarms(), named, Seconds(95.0), treating=True)
    blind = next((one for one in memory.standing if one.alarm.blind), None)
    return AlarmView(memory.standing, alarms.loudest(memory, 95.0), alarms.pause_left_s(memory, 95.0), blind)


@dataclass
class Samples:
    """Makers of what the loop would publish."""

    snapshot: Callable[..., Snapshot] = _snapshot
    finding: Callable[..., Finding] = _finding
    event: Callable[..., NumberedEvent] = _event
    alarms: Callable[..., AlarmView] = _alarms
    session: SessionView = SESSION
    lockout: Lockout = field(
        default_factory=lambda: Lockout("plate_under_floor", Clear.SERVICE, 3.9, 4.0, math.inf, "degC", "see docs")
    )


@pytest.fixture
def samples() -> Samples:
    return Samples()


@dataclass
class Loop:
    """A stand-in for the control loop: 20 snapshots a second, events on demand, its own lateness measured."""

    snapshots: Bus[Snapshot] = field(default_factory=Bus)
    events: Bus[NumberedEvent] = field(default_factory=Bus)
    changes: dict[str, object] = field(default_factory=dict)
    late_s: list[float] = field(default_factory=list)
    sent: int = 0
    task: asyncio.Task[None] | None = None

    def emit(self, count: int = 1) -> None:
        for _ in range(count):
            self.sent += 1
            self.events.publish(_event(self.sent))

    async def tick(self) -> None:
        due = time.monotonic()
        while True:
            due += 0.05
            await asyncio.sleep(due - time.monotonic())
            self.late_s.append(time.monotonic() - due)
            self.snapshots.publish(replace(_snapshot(time.monotonic(), time.time()), **self.changes))


@pytest.fixture
async def loop_under_test() -> AsyncIterator[Loop]:
    loop = Loop()
    loop.task = asyncio.create_task(loop.tick())
    yield loop
    loop.task.cancel()
    await asyncio.wait({loop.task})


@pytest.fixture(params=["mosquitto", "iotcore"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def broker(kind: str, tmp_path: Path) -> AsyncIterator[RunningBroker]:
    running = await start_broker(tmp_path, port=0, kind=kind)
    yield running
    await running.stop()


@pytest.fixture
async def publish(loop_under_test: Loop) -> AsyncIterator[Callable[..., Publisher]]:
    """Start publishers; all end, and none may have ended before."""
    tasks: list[asyncio.Task[None]] = []

    def start(host: str, port: int, *, send_timeout_s: float = 5.0, **settings: object) -> Publisher:
        mqtt = MqttSettings(mode="broker", host=host, port=port, **settings)
        publisher = Publisher(
            mqtt,
            "wand-1",
            loop_under_test.snapshots,
            loop_under_test.events,
            SystemClock(),
            send_timeout_s=send_timeout_s,
        )
        task = asyncio.create_task(publisher.run(), name="publisher")
        tasks.append(task)
        publisher.task = task
        return publisher

    yield start
    early = [task for task in tasks if task.done() and not task.cancelled()]
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
    assert not early, "a publisher ended by itself"


async def _until(condition: Callable[[], object], within_s: float = 10.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {condition}"
        await asyncio.sleep(0.02)


@pytest.fixture
def until() -> Callable[..., object]:
    return _until


@dataclass
class Listener:
    """``mosquitto_sub -v``: every line it has printed, as (topic, payload)."""

    lines: list[tuple[str, str]] = field(default_factory=list)

    def of(self, topic: str) -> list[str]:
        return [payload for name, payload in self.lines if name == f"cryodevice/wand-1/{topic}"]


@pytest.fixture
async def listen() -> AsyncIterator[Callable[..., object]]:
    started: list[tuple[asyncio.subprocess.Process, asyncio.Task[None]]] = []

    async def start(port: int, *arguments: str, version: str = "mqttv5") -> Listener:
        program = shutil.which("mosquitto_sub")
        assert program, "mosquitto_sub is missing: apt install mosquitto-clients"
        process = await asyncio.create_subprocess_exec(
            *(program, "-h", "127.0.0.1", "-p", str(port), "-V", version, "-q", "1", "-v", "-t", "cryodevice/#"),
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 20,
        )
        listener = Listener()

        async def read_lines() -> None:
            async for line in process.stdout:
                topic, _, payload = line.decode().rstrip("\n").partition(" ")
                listener.lines.append((topic, payload))

        started.append((process, asyncio.create_task(read_lines())))
        return listener

    yield start
    for process, reader in started:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await reader


@dataclass
class Gate:
    """A TCP line to a broker that can be shut and opened, and can answer the first connections itself."""

    port: int = 0
    target: int = 0
    answers: list[bytes] = field(default_factory=list)
    accepted: int = 0
    open: bool = True
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self.writers.append(writer)
        try:
            if not self.open:
                return
            if self.answers:
                await reader.read(1024)
                writer.write(self.answers.pop(0))
                await writer.drain()
                return
            there_reader, there = await asyncio.open_connection("127.0.0.1", self.target)
            self.writers.append(there)
            await asyncio.wait(
                {
                    asyncio.ensure_future(self.copy(reader, there)),
                    asyncio.ensure_future(self.copy(there_reader, writer)),
                }
            )
        except OSError:
            pass
        finally:
            writer.close()

    async def copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    def shut(self) -> None:
        self.open = False
        for writer in self.writers:
            writer.close()
        self.writers.clear()


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    line = Gate()
    server = await asyncio.start_server(line.serve, "127.0.0.1", 0)
    line.port = server.sockets[0].getsockname()[1]
    yield line
    line.shut()
    server.close()
    await server.wait_closed()
    await asyncio.sleep(0.05)


@pytest.fixture
def running(broker: RunningBroker) -> RunningBroker:
    return broker
