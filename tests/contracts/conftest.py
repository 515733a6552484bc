"""The wands of the contract suite: in memory, on hand-written peers, and on the simulator, over every kind of line."""

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from cryodevice.device.modbus_framing import RtuFraming, TcpFraming
from cryodevice.device.modbus_wand import ModbusWand
from cryodevice.device.serial_wand import SerialWand
from cryodevice.device.wand import Wand
from cryodevice.quantities import Seconds
from cryodevice.transport import open_link
from cryodevice.wire.blocks import Order, Status
from cryodevice.wire.modbus import silence_s
from firmware_sim.client import ControlClient
from tests.contracts.modbus_peer import MbapPeer, ModbusPeer, RtuPeer
from tests.contracts.peers import IDENTITY, RESTING, Peer, PtyPeer, TcpPeer, truth_for
from tests.contracts.relay import PtyRelay, Relay, TcpRelay
from tests.fakes.wand import FakeWand

LINES = ("serial pty", "serial tcp", "modbus rtu", "modbus tcp")
PORTS = dict(zip(LINES, ("serial", "serial_tcp", "modbus_rtu", "modbus_tcp"), strict=True))
BAUD = 115_200


def wand_on(line: str, port: str, unit: int = 1) -> SerialWand | ModbusWand:
    """A wand object for one kind of line, not yet connected."""
    if line.startswith("serial"):
        return SerialWand(open_link(port))
    return ModbusWand(open_link(port), TcpFraming(unit) if "tcp" in line else RtuFraming(unit, silence_s(BAUD)))


def peer_on(line: str, folder: Path) -> Peer:
    """The hand-written device for one kind of line, not yet plugged."""
    kinds: dict[str, Callable[[], Peer]] = {
        "serial pty": lambda: PtyPeer(folder),
        "serial tcp": TcpPeer,
        "modbus rtu": lambda: RtuPeer(folder),
        "modbus tcp": MbapPeer,
    }
    return kinds[line]()


class Simulator:
    """``firmware-sim serve`` as a process of its own, as a user starts it; one wand on four lines."""

    def __init__(self) -> None:
        # Names of its own, which go with it: the number of a pty that is gone is soon somebody else's.
        self.folder = Path(tempfile.mkdtemp(prefix="cryodevice-wand-"))
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "firmware_sim", "serve", "--exit-with-parent", "--duration", "170"),
                *(
                    "--serial",
                    self.folder / "serial",
                    "--serial-tcp",
                    "127.0.0.1:0",
                    "--control",
                    "127.0.0.1:0",
                    "--seed",
                    "7",
                ),
                *("--modbus-rtu", self.folder / "rtu", "--modbus-tcp", "127.0.0.1:0"),
            ],
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        self.killed = False
        self.where: dict[str, str] = json.loads(self.process.stdout.readline())
        self.control = ControlClient(self.where["control"])

    def port(self, line: str) -> str:
        where = self.where[PORTS[line]]
        return f"socket://{where}" if "tcp" in line else where

    async def hand(self, **values: object) -> None:
        await asyncio.to_thread(self.control.set, **values)

    async def reboot(self) -> None:
        await asyncio.to_thread(self.control.reboot)

    def boot(self) -> None:
        """A fresh wand with nobody's hand on it, whose first tick is over."""
        self.control.set(estop=False, trigger=False, contact=False)
        self.control.reboot()
        while self.control.clock()["uptime_ms"] < 20:
            time.sleep(0.002)

    def kill(self) -> None:
        self.killed = True
        shutil.rmtree(self.folder, ignore_errors=True)
        self.process.kill()

    def end(self) -> None:
        self.control.close()
        self.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


@pytest.fixture(scope="module")
def simulators() -> Iterator[list[Simulator]]:
    """The running simulator, if any test of the module wants one; a test that ends it takes it out."""
    running: list[Simulator] = []
    yield running
    for simulator in running:
        simulator.end()


@pytest.fixture
def simulator(simulators: list[Simulator]) -> Iterator[Simulator]:
    """A simulated wand that has just booted."""
    if not simulators:
        simulators.append(Simulator())
    simulator = simulators[0]
    simulator.boot()
    yield simulator
    if simulator.killed:
        simulators.remove(simulator)
        simulator.end()


@pytest.fixture(params=LINES)
def line(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def simulated(line: str, simulator: Simulator) -> AsyncIterator[SerialWand | ModbusWand]:
    """A wand object on the simulator, not yet connected."""
    wand = wand_on(line, simulator.port(line))
    yield wand
    wand.close()


@pytest.fixture(params=["fake", *(f"{who} {line}" for who in ("hand-written", "simulator") for line in LINES)])
async def any_wand(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Wand]:
    """A wand object on each thing that can answer, not yet connected."""
    who, _, line = request.param.partition(" ")
    if who == "fake":
        yield FakeWand(IDENTITY, RESTING)
        return
    if who == "simulator":
        simulator = request.getfixturevalue("simulator")
        wand = wand_on(line, simulator.port(line))
        yield wand
        wand.close()
        return
    peer = peer_on(line, tmp_path)
    await peer.plug()
    wand = wand_on(line, peer.port)
    yield wand
    wand.close()
    await peer.put_away()


Press = Callable[[bool], Awaitable[object]]


@pytest.fixture(params=["fake", *LINES])
async def ruled(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Wand, Press]]:
    """A wand object on each thing that keeps the rules of the lease, and its e-stop."""
    if request.param == "fake":
        fake = FakeWand(IDENTITY, RESTING)

        async def press_fake(down: bool) -> None:
            fake.estop = down

        yield fake, press_fake
        return
    simulator = request.getfixturevalue("simulator")
    wand = wand_on(request.param, simulator.port(request.param))
    yield wand, lambda down: simulator.hand(estop=down)
    wand.close()


@pytest.fixture
async def relay(line: str, simulator: Simulator, tmp_path: Path) -> AsyncIterator[Relay]:
    """A plugged line to the simulator that can be made worse."""
    port = simulator.port(line)
    relay = TcpRelay(port) if "tcp" in line else PtyRelay(port, tmp_path)
    await relay.plug()
    yield relay
    await relay.put_away()


@pytest.fixture
async def relayed(line: str, relay: Relay) -> AsyncIterator[SerialWand | ModbusWand]:
    """A wand object behind the relay, not yet connected."""
    wand = wand_on(line, relay.port)
    yield wand
    wand.close()


@pytest.fixture
def truth() -> Callable[[Order], Status]:
    return truth_for


@pytest.fixture(params=["pty", "tcp"])
async def peer(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Peer]:
    """The hand-written device on the framed serial wire."""
    peer = peer_on(f"serial {request.param}", tmp_path)
    await peer.plug()
    yield peer
    await peer.put_away()


@pytest.fixture
async def wand(peer: Peer) -> AsyncIterator[SerialWand]:
    """A wand object on the hand-written peer, not yet connected."""
    wand = SerialWand(open_link(peer.port))
    yield wand
    wand.close()


@pytest.fixture(params=["modbus rtu", "modbus tcp"])
async def modbus_peer(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ModbusPeer]:
    """The hand-written device on Modbus."""
    peer = peer_on(request.param, tmp_path)
    assert isinstance(peer, ModbusPeer)
    await peer.plug()
    yield peer
    await peer.put_away()


@pytest.fixture
async def modbus_wand(modbus_peer: ModbusPeer) -> AsyncIterator[ModbusWand]:
    """A wand object on the hand-written Modbus peer, connected."""
    wand = wand_on("modbus tcp" if modbus_peer.on_tcp else "modbus rtu", modbus_peer.port)
    assert isinstance(wand, ModbusWand)
    await wand.connect(Seconds(2.0))
    yield wand
    wand.close()
