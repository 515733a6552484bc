"""A wand in simulated time and a host that speaks registers to it; a board with exact readings for the cut-outs."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from cryodevice.wire.blocks import Status, unpack_status
from cryodevice.wire.codes import Capability, Mode, Refusal
from firmware_sim.firmware import PLATE_WAND, Firmware, FirmwareConfig
from firmware_sim.plant import Samples
from firmware_sim.simulator import Simulator

TOKEN = 0x1234
TICK_S = 0.02
AT_REST = Samples(
    plate_a_degc=24.0,
    plate_b_degc=24.0,
    plate_a_fault=None,
    plate_b_fault=None,
    skin_ir_degc=33.0,
    sink_degc=24.0,
    ambient_degc=24.0,
    humidity_pct=45.0,
    drive_ma=0,
    drive_mv=0,
    fan_rpm=4200,
    fan_running=True,
    contact=False,
    trigger=False,
    estop=False,
    tip=True,
    motion=False,
)


@dataclass
class Board:
    """A board that shows exactly what it is told; its current follows the outputs unless told otherwise."""

    drive_a: float = 0.0
    relay_closed: bool = False
    fan_on: bool = False
    shown: Samples = AT_REST
    current_ma: int | None = None

    @property
    def relay_conducts(self) -> bool:
        return self.relay_closed

    def show(self, **values: Any) -> None:
        self.shown = dataclasses.replace(self.shown, **values)

    def sample(self) -> Samples:
        follows = round(1000 * self.drive_a) if self.relay_closed else 0
        return dataclasses.replace(self.shown, drive_ma=follows if self.current_ma is None else self.current_ma)


class Host:
    """Sends orders with good defaults; every one of them can be spoilt by name."""

    def __init__(self, firmware: Firmware) -> None:
        self.firmware = firmware
        self.sequence = 0
        self.token = TOKEN

    def status(self) -> Status:
        return unpack_status(self.firmware.reply_status())

    def words(self, mode: int = Mode.OFF, setpoint_degc: float = 8.0, lease_ms: int = 500, **other: int) -> list[int]:
        self.sequence = other.pop("sequence", (self.sequence + 1) % 65536)
        order = {"echo": self.firmware.sequence, "boot_id": self.firmware.boot_id, "token": self.token, "key": 0}
        order |= other
        setpoint = round(setpoint_degc * 100) % 65536
        return [self.sequence, int(mode), setpoint, lease_ms, *(order[k] for k in ("echo", "boot_id", "token", "key"))]

    def send(self, mode: int = Mode.OFF, **fields: Any) -> Refusal:
        return self.firmware.receive(self.words(mode, **fields))

    def stop(self, **fields: Any) -> Refusal:
        return self.send(Mode.OFF, lease_ms=0, **fields)

    def cool(self, **fields: Any) -> Refusal:
        """A look at the status and a cool order that echoes it."""
        self.status()
        return self.send(Mode.COOL, **fields)

    def reset(self, **fields: Any) -> Refusal:
        self.status()
        return self.send(Mode.OFF, lease_ms=0, key=0x5AFE, **fields)


class Bench:
    """A wand with a session open: simulator, host, shorthand."""

    def __init__(self, **wand: Any) -> None:
        self.simulator = Simulator(1, calibration_day=9500, **wand)
        self.firmware = self.simulator.firmware
        self.plant = self.simulator.plant
        self.simulator.advance(TICK_S)
        self.host = Host(self.firmware)
        assert self.host.stop() is Refusal.NONE
        assert self.firmware.lease.token == TOKEN

    def run(self, seconds: float, *, cooling: bool = False) -> None:
        """Let time pass, renewing a cool lease each 100 ms where asked."""
        if not cooling:
            self.simulator.advance(seconds)
            return
        end = self.simulator.time_s + seconds
        while self.simulator.time_s < end - 1e-9:
            self.host.cool()
            self.simulator.advance(0.1)

    def check(self) -> None:
        """The one invariant: relay closed if and only if a lease is live and no trip is latched."""
        firmware = self.firmware
        live = firmware.lease.live(firmware.now_ms)
        assert self.plant.relay_closed == (live and firmware.cutouts.trip == 0)
        assert self.plant.relay_closed or self.simulator.plant.truth().drive_a == 0.0


class StubBench:
    """Firmware on a ``Board``, ticked by hand."""

    def __init__(self, capabilities: Capability = PLATE_WAND) -> None:
        self.board = Board()
        self.switched: list[int] = []
        boots = count(1)
        config = FirmwareConfig(7, 9500, capabilities)
        self.firmware = Firmware(self.board, config, lambda: next(boots), self.switched.append)  # type: ignore[arg-type]
        self.host = Host(self.firmware)
        self.ticks(1)
        self.host.stop()

    def ticks(self, number: int) -> None:
        for _ in range(number):
            self.firmware.tick(self.firmware.now_ms // 20 * 20 + 20)

    def cooling(self, number: int, **order: Any) -> None:
        for _ in range(number):
            self.host.cool(**order)
            self.ticks(1)


@pytest.fixture(scope="session")
def new_bench() -> Callable[..., Bench]:
    return Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def stub() -> StubBench:
    return StubBench()


@pytest.fixture(scope="session")
def new_stub() -> Callable[..., StubBench]:
    return StubBench
