"""What answers at the other end of a line, written by hand: truthful, or told to answer anything else."""

import asyncio
import os
import random
import struct
import tty
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryodevice.quantities import Celsius, Milliseconds
from cryodevice.wire.blocks import Identity, Order, Status, pack_identity, pack_status, unpack_order
from cryodevice.wire.codes import Capability, Fault, Flag, Mode, State
from cryodevice.wire.frame import Frame, FrameReader, FrameType, encode_frame

Step = bytes | float
Script = Callable[[Frame, bytes], Sequence[Step]]

IDENTITY = Identity(
    magic=0x4357,
    wire_version=0x0100,
    applicator=0,
    capabilities=Capability(0x1FF),
    serial_number=100_001,
    firmware_version=0x0102,
    firmware_patch=3,
    boot_id=42,
    simulated=True,
    setpoint_min_degc=Celsius(2.0),
    setpoint_max_degc=Celsius(40.0),
    lease_max_ms=Milliseconds(500),
    cooling_max_s=900,
    calibration_day=9191,
    cold_cutout_degc=Celsius(1.0),
    hot_cutout_degc=Celsius(42.0),
    sink_cutout_degc=Celsius(55.0),
    drive_max_ma=5500,
    tick_ms=Milliseconds(20),
    plate_area_cm2=4.5,
)

RESTING = Status(
    sequence=1,
    uptime_ms=Milliseconds(20),
    state=State.OFF,
    flags=Flag.TIP | Flag.FAN,
    faults=Fault(0),
    trip_code=0,
    plate_a_degc=Celsius(23.0),
    plate_b_degc=Celsius(23.01),
    skin_ir_degc=Celsius(32.0),
    sink_degc=Celsius(24.0),
    ambient_degc=Celsius(22.5),
    humidity_pct=45.0,
    drive_ma=0,
    drive_mv=0,
    fan_rpm=3000,
    lease_remaining_ms=Milliseconds(0),
    setpoint_degc=None,
    order_sequence=0,
    supply_kpa=None,
    distance_mm=None,
    token=0,
    order_epoch=0,
    last_refusal=0,
    refusals=0,
    bad_frames=0,
    cooling_s=0,
    boot_id=42,
)


def truth_for(order: Order) -> Status:
    """What the hand-written wand answers to an order: every measurement a function of its sequence."""
    n = order.sequence
    live = order.lease_ms > 0
    return replace(
        RESTING,
        sequence=n * 3 & 0xFFFF,
        uptime_ms=Milliseconds(n * 60),
        state={Mode.OFF: State.ARMED if live else State.OFF, Mode.COOL: State.COOLING, Mode.WARM: State.WARMING}[
            order.mode
        ],
        flags=RESTING.flags | (Flag.LEASE_LIVE | Flag.RELAY_CLOSED if live else Flag(0)),
        plate_a_degc=Celsius((n % 4000) / 100),
        plate_b_degc=Celsius((n % 4000 + 1) / 100),
        lease_remaining_ms=order.lease_ms,
        order_sequence=n,
        token=order.token,
        order_epoch=n,
    )


def frame_of(kind: int, sequence: int, words: Sequence[int]) -> bytes:
    return encode_frame(Frame(kind, sequence, struct.pack(f">{len(words)}H", *words)))


class Peer:
    """The device's end of a line. ``script`` holds one answer per coming request; truthful when it is empty."""

    def __init__(self) -> None:
        self.identity = IDENTITY
        self.resting = RESTING
        self.script: deque[Script] = deque()
        self.spoil: Callable[[bytes], bytes] = bytes
        self.seen: list[Frame] = []
        self.raw = bytearray()
        self.reader = FrameReader()
        self.tasks: set[asyncio.Task[None]] = set()

    def heard(self, data: bytes) -> None:
        self.raw += data
        for frame in self.reader.feed(self.spoil(data)):
            self.seen.append(frame)
            self.start(self._answer(frame))

    def start(self, answering: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(answering)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _answer(self, frame: Any) -> None:
        good = self.truth(frame)
        for step in self.script.popleft()(frame, good) if self.script else [good]:
            if isinstance(step, float):
                await asyncio.sleep(step)
            else:
                self.say(self.spoil(step))

    def truth(self, frame: Frame) -> bytes:
        if frame.type == FrameType.IDENTIFY:
            return frame_of(0x81, frame.sequence, pack_identity(self.identity))
        if frame.type == FrameType.READ_STATUS:
            return frame_of(0x83, frame.sequence, pack_status(self.resting))
        if frame.type == FrameType.EXCHANGE:
            order, _ = unpack_order(struct.unpack(">8H", frame.payload))
            assert order is not None
            return frame_of(0x82, frame.sequence, pack_status(truth_for(order)))
        return frame_of(0xFF, frame.sequence, [0x0200])

    # What a kind of line adds.
    port: str

    async def plug(self) -> None:
        raise NotImplementedError

    def say(self, data: bytes) -> None:
        raise NotImplementedError

    def hang_up(self) -> None:
        raise NotImplementedError

    async def put_away(self) -> None:
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.hang_up()


class PtyPeer(Peer):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._link = folder / "wand"
        self.port = str(self._link)
        self.master = self.slave = -1

    async def plug(self) -> None:
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        os.set_blocking(self.master, False)
        asyncio.get_running_loop().add_reader(self.master, self._readable)
        self._link.unlink(missing_ok=True)
        self._link.symlink_to(os.ttyname(self.slave))

    def _readable(self) -> None:
        try:
            self.heard(os.read(self.master, 4096))
        except OSError:
            self.hang_up()

    def say(self, data: bytes) -> None:
        if self.master >= 0:
            os.write(self.master, data)

    def hang_up(self) -> None:
        if self.master >= 0:
            asyncio.get_running_loop().remove_reader(self.master)
            os.close(self.master)
            os.close(self.slave)
            self.master = self.slave = -1


class TcpPeer(Peer):
    def __init__(self) -> None:
        super().__init__()
        self.server: asyncio.Server | None = None
        self.writer: asyncio.StreamWriter | None = None
        self.accepted = 0

    async def plug(self) -> None:
        if self.server is None:
            self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            self.port = f"socket://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.accepted += 1
        try:
            while data := await reader.read(4096):
                self.heard(data)
        except ConnectionError:
            pass
        finally:
            writer.close()

    def say(self, data: bytes) -> None:
        if self.writer is not None and not self.writer.is_closing():
            self.writer.write(data)

    def hang_up(self) -> None:
        if self.writer is not None:
            self.writer.transport.abort()  # a reset, as an unplugged converter gives
            self.writer = None

    async def put_away(self) -> None:
        await super().put_away()
        if self.server is not None:
            self.server.close()
            await asyncio.sleep(0)


class Noise:
    """A line that turns bits at random, the same bits for the same seed and bytes."""

    def __init__(self, rate: float, seed: int) -> None:
        self._rate = rate
        self._random = random.Random(seed)  # noqa: S311  # noise, not a secret
        self.turned = 0

    def __call__(self, data: bytes) -> bytes:
        out = bytearray(data)
        for bit in range(8 * len(out)):
            if self._random.random() < self._rate:
                out[bit // 8] ^= 1 << bit % 8
                self.turned += 1
        return bytes(out)
