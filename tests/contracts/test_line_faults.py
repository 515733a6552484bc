"""What a line can do to a wand, of every kind: rows L01 to L14 of the fault matrix, as far as a wand object sees them.

What the daemon makes of it is in ``tests/system``. Every test ends with the line working again.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from cryodevice.device import modbus_wand
from cryodevice.errors import (
    CryodeviceError,
    IdentityError,
    LinkClosedError,
    LinkTimeoutError,
    PortUnavailableError,
    WireError,
)
from cryodevice.quantities import Celsius, Milliseconds, Seconds
from cryodevice.wire.blocks import Order
from cryodevice.wire.codes import Flag, Mode, Trip
from tests.contracts.conftest import LINES, peer_on, wand_on
from tests.contracts.peers import Noise, truth_for
from tests.fakes.wand import FakeWand

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cryodevice.device.wand import Wand
    from tests.contracts.conftest import Simulator
    from tests.contracts.relay import Relay

TICK = Seconds(0.04)
AMPLE = Seconds(2.0)
TOKEN = 0xC0DE
RESETS = int(os.environ.get("CRYODEVICE_TESTS_RESETS", "50"))
"""Of a storm; `python -m tests.campaign.contracts` makes it 1000."""


def order(number: int, lease_ms: int = 500, mode: Mode = Mode.COOL, echo: int = 7, boot_id: int = 42) -> Order:
    return Order(number, mode, Celsius(8.0), Milliseconds(lease_ms), echo, boot_id, TOKEN)


async def armed(wand: Wand, lease_ms: int = 500) -> int:
    """A wand with a live lease at zero power; its boot id."""
    boot_id = (await wand.connect(AMPLE)).boot_id
    await wand.read_status(AMPLE)
    echo = (await wand.exchange(order(1, 0, Mode.OFF, boot_id=boot_id), AMPLE)).status.sequence
    assert (await wand.exchange(order(2, lease_ms, Mode.OFF, echo, boot_id), AMPLE)).status.lease_remaining_ms > 0
    return boot_id


async def until_closed(wand: Wand) -> None:
    """Ask as the control loop does, until the line is known to be gone."""
    while True:
        try:
            await wand.read_status(TICK)
        except LinkClosedError:
            return
        except LinkTimeoutError:
            await asyncio.sleep(0.01)


@pytest.mark.req("L01")
@pytest.mark.req("L09")
async def test_unplugged_it_is_closed_at_once_and_replugged_it_is_the_same_wand(relayed: Wand, relay: Relay) -> None:
    boot_id = await armed(relayed)
    began = time.monotonic()
    relay.unplug()
    await asyncio.wait_for(until_closed(relayed), 1.0)
    assert time.monotonic() - began < 0.5
    with pytest.raises(PortUnavailableError):
        await relayed.connect(AMPLE)
    assert not await relayed.make_safe(TOKEN, boot_id, 3), "nobody heard it"
    await relay.plug()
    assert (await relayed.connect(AMPLE)).boot_id == boot_id
    assert await relayed.make_safe(TOKEN, boot_id, 3)


async def test_a_wand_in_memory_comes_and_goes_likewise() -> None:
    from tests.contracts.peers import IDENTITY, RESTING  # noqa: PLC0415

    wand = FakeWand(IDENTITY, RESTING)
    boot_id = await armed(wand)
    wand.plugged = False
    await until_closed(wand)
    with pytest.raises(PortUnavailableError):
        await wand.connect(AMPLE)
    assert not await wand.make_safe(TOKEN, boot_id, 3)
    wand.plugged = True
    with pytest.raises(LinkClosedError):
        await wand.read_status(AMPLE)
    await wand.connect(AMPLE)
    wand.latency_s = 0.06
    with pytest.raises(LinkTimeoutError):
        await wand.read_status(TICK)
    assert (await wand.read_status(AMPLE)).status.boot_id == boot_id


@pytest.mark.req("L02")
@pytest.mark.req("L03")
@pytest.mark.req("L13")
async def test_a_dead_line_is_silence_in_time_and_the_lease_ends_by_itself(relayed: Wand, relay: Relay) -> None:
    """Half open: first one way, then both."""
    boot_id = await armed(relayed, 250)
    relay.dead = {"to_host"}
    began, loop = time.monotonic(), asyncio.get_running_loop()
    while time.monotonic() - began < 0.15:
        asked = loop.time()
        with pytest.raises(LinkTimeoutError):
            await relayed.exchange(order(3, 500, Mode.OFF, 0, boot_id), TICK)
        assert loop.time() - asked < 0.15
        await asyncio.sleep(0.01)
    relay.dead = {"to_host", "to_wand"}
    with pytest.raises((LinkTimeoutError, PortUnavailableError)):
        await relayed.connect(Seconds(0.3))
    assert time.monotonic() - began > 0.3
    relay.dead = set()
    await relayed.connect(AMPLE)
    status = (await relayed.read_status(AMPLE)).status
    assert status.lease_remaining_ms == 0
    assert not status.flags & (Flag.LEASE_LIVE | Flag.RELAY_CLOSED)
    assert status.trip_code == Trip.NONE, "an armed lease that ends trips nothing"


@pytest.mark.req("L04")
async def test_a_slow_line_is_never_wrong_and_works_when_it_is_given_time(tmp_path: Path) -> None:
    """100, 300 and 600 ms: a tick fails in its own time, a patient caller gets the right answer. All lines at once."""

    async def slow(line: str, latency_s: float) -> None:
        folder = tmp_path / f"{line} {latency_s}"
        folder.mkdir()
        peer = peer_on(line, folder)
        await peer.plug()
        wand = wand_on(line, peer.port)
        loop, numbers = asyncio.get_running_loop(), itertools.count(1)
        try:
            await wand.connect(AMPLE)
            peer.script.extend([lambda _, good: [latency_s, good]] * 9)
            for _ in range(3):  # ticks, into which late answers to those before may fall
                asked, began = order(next(numbers)), loop.time()
                with pytest.raises((LinkTimeoutError, WireError)):
                    await wand.exchange(asked, TICK)
                assert loop.time() - began < 0.2, line
                await asyncio.sleep(0.06)
            await asyncio.sleep(latency_s)
            asked = order(next(numbers))
            assert (await wand.exchange(asked, AMPLE)).status == truth_for(asked), line
        finally:
            wand.close()
            await peer.put_away()

    await asyncio.gather(*(slow(line, latency_s) for line in LINES for latency_s in (0.1, 0.3, 0.6)))


@pytest.fixture
def short_quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """For peers that answer at once, and tests that lose many replies."""
    monkeypatch.setattr(modbus_wand, "QUIET_S", Seconds(0.004))
    return


@pytest.mark.req("L05")
@pytest.mark.req("L06")
@pytest.mark.parametrize("noisy_line", ["serial pty", "serial tcp", "modbus rtu"])
@pytest.mark.parametrize(("rate", "least_good"), [(1e-4, 40), (1e-3, 8)])
async def test_no_noise_makes_a_wrong_value(
    noisy_line: str, rate: float, least_good: int, tmp_path: Path, short_quiet: None
) -> None:
    """Bits turned both ways. Not on Modbus TCP, which has no check of its own: TCP and the wire below it have."""
    peer = peer_on(noisy_line, tmp_path)
    await peer.plug()
    wand = wand_on(noisy_line, peer.port)
    await wand.connect(AMPLE)
    peer.spoil = noise = Noise(rate, seed=20_262)
    good = 0
    try:
        for number in range(1, 81):
            try:
                reading = await wand.exchange(order(number), Seconds(0.008))
            except (LinkTimeoutError, WireError):
                continue
            assert reading.status == truth_for(order(number))
            good += 1
        assert good >= least_good
        assert noise.turned > 3
        peer.spoil = bytes
        await asyncio.sleep(0.02)
        assert (await wand.exchange(order(400), AMPLE)).status == truth_for(order(400))
    finally:
        wand.close()
        await peer.put_away()


@pytest.mark.req("L08")
@pytest.mark.parametrize("flooded_line", ["modbus rtu", "modbus tcp"])
async def test_a_flood_costs_neither_memory_nor_the_loop(flooded_line: str, tmp_path: Path, short_quiet: None) -> None:
    peer = peer_on(flooded_line, tmp_path)
    await peer.plug()
    wand = wand_on(flooded_line, peer.port)
    await wand.connect(AMPLE)
    loop = asyncio.get_running_loop()
    worst, last, flooding = 0.0, loop.time(), True

    async def beat() -> None:
        nonlocal worst, last
        while flooding:
            await asyncio.sleep(0.005)
            worst, last = max(worst, loop.time() - last), loop.time()

    async def flood() -> None:
        while flooding:
            peer.say(os.urandom(1900) + b"\x01\x17\x40\x01\x97" * 20)
            await asyncio.sleep(0.002)

    tasks = [asyncio.create_task(beat()), asyncio.create_task(flood())]
    for number in range(1, 11):
        try:
            assert (await wand.exchange(order(number), TICK)).status == truth_for(order(number))
        except (LinkTimeoutError, WireError):
            continue
    flooding = False
    await asyncio.gather(*tasks)
    assert worst < 0.25
    assert len(wand._link._received) <= 64 * 1024
    await asyncio.sleep(0.05)
    assert (await wand.exchange(order(20), AMPLE)).status == truth_for(order(20))
    wand.close()
    await peer.put_away()


@pytest.mark.req("L10")
@pytest.mark.parametrize(
    ("spoken", "answering"),
    [(a, b) for a in LINES for b in LINES if a != b and ("tcp" in a) == ("tcp" in b)],
)
async def test_a_wand_on_another_protocol_is_named_no_wand(spoken: str, answering: str, simulator: Simulator) -> None:
    wand = wand_on(spoken, simulator.port(answering))
    with pytest.raises((LinkTimeoutError, LinkClosedError, WireError, IdentityError)) as caught:
        await wand.connect(Seconds(0.3))
    assert any(
        words in caught.value.message
        for words in ("wrong port", "not a wand", "not Modbus TCP", "something else on that port")
    ), caught.value.message
    assert not wand._link.is_open


@pytest.mark.req("L11")
@pytest.mark.parametrize("garbled_line", ["serial pty", "modbus rtu"])
async def test_another_baud_rate_says_so_and_the_right_one_works(garbled_line: str, tmp_path: Path) -> None:
    """What a receiver at another rate makes of bytes: as many, and others."""
    peer = peer_on(garbled_line, tmp_path)
    await peer.plug()
    chance = random.Random(3)  # noqa: S311  # noise, not a secret
    wand = wand_on(garbled_line, peer.port)
    heard = peer.heard

    def garbled(data: bytes) -> None:
        heard(data)
        peer.say(bytes(chance.randrange(256) for _ in data))

    peer.heard = garbled
    peer.spoil = lambda data: bytes(len(data))
    with pytest.raises(LinkTimeoutError, match=r"wrong baud rate, or not a wand") as caught:
        await wand.connect(Seconds(0.3))
    assert int(str(caught.value.evidence["heard_bytes"])) > 0
    peer.heard, peer.spoil = heard, bytes
    assert await wand.connect(AMPLE) == peer.identity
    wand.close()
    await peer.put_away()


@pytest.mark.req("L12")
@pytest.mark.parametrize("owned_line", ["serial pty", "modbus rtu"])
async def test_the_port_of_a_wand_has_one_owner(owned_line: str, simulator: Simulator) -> None:
    first, second = (wand_on(owned_line, simulator.port(owned_line)) for _ in range(2))
    await first.connect(AMPLE)
    with pytest.raises(PortUnavailableError, match=r"in use by .+ \(pid \d+\); a wand has one master"):
        await second.connect(AMPLE)
    await first.read_status(AMPLE)
    first.close()
    await second.connect(AMPLE)
    second.close()


_AS_NOBODY = """
import asyncio, encodings.ascii, os, sys
from tests.contracts.conftest import wand_on
if os.geteuid() == 0:
    os.setgroups([]), os.setgid(65534), os.setuid(65534)
async def main():
    for line in ("serial pty", "modbus rtu"):
        try:
            await wand_on(line, sys.argv[1]).connect(1.0)
        except Exception as error:
            print(type(error).__name__, error)
asyncio.run(main())
"""


@pytest.mark.req("L12")
def test_without_permission_it_says_what_to_do() -> None:
    master, slave = os.openpty()
    os.fchmod(slave, 0 if os.geteuid() else 0o600)
    try:
        said = subprocess.run(
            [sys.executable, "-c", _AS_NOBODY, os.ttyname(slave)], capture_output=True, text=True, check=False
        )
    finally:
        os.close(master)
        os.close(slave)
    lines = said.stdout.splitlines()
    assert len(lines) == 2, said
    for line in lines:
        assert line.startswith("PortUnavailableError no permission to open /dev/pts/")
        assert "sudo usermod -aG dialout $USER" in line


@pytest.mark.req("L14")
@pytest.mark.parametrize("reset_line", ["modbus rtu", "modbus tcp"])
async def test_a_storm_of_resets_leaks_neither_descriptor_nor_task(reset_line: str, tmp_path: Path) -> None:
    peer = peer_on(reset_line, tmp_path)
    await peer.plug()
    wand = wand_on(reset_line, peer.port)
    await wand.connect(AMPLE)
    wand.close()
    await asyncio.sleep(0.02)
    files, tasks = len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())  # noqa: PTH208
    for number in range(RESETS):
        await wand.connect(AMPLE)
        if number % 2:
            peer.script.append(lambda _, good: (peer.hang_up(), [])[1])
            with pytest.raises(CryodeviceError):
                await wand.exchange(order(number), AMPLE)
        else:
            peer.hang_up()
        await peer.plug()
    wand.close()
    for _ in range(100):
        await asyncio.sleep(0.01)
        if len(os.listdir("/proc/self/fd")) <= files and len(asyncio.all_tasks()) <= tasks:  # noqa: PTH208
            break
    assert len(os.listdir("/proc/self/fd")) <= files  # noqa: PTH208
    assert len(asyncio.all_tasks()) <= tasks
    await peer.put_away()


@pytest.mark.req("P09")
async def test_another_master_on_another_line_shows_in_the_epoch(simulator: Simulator) -> None:
    """One wand, two lines, two masters: each order of the other moves the epoch this one sees."""
    first = wand_on("modbus rtu", simulator.port("modbus rtu"))
    second = wand_on("modbus tcp", simulator.port("modbus tcp"))
    boot_id = await armed(first)
    before = (await first.read_status(AMPLE)).status
    await second.connect(AMPLE)
    await second.exchange(order(1, 0, Mode.OFF, boot_id=boot_id), AMPLE)
    after = (await first.read_status(AMPLE)).status
    assert after.order_epoch == before.order_epoch + 1
    assert after.lease_remaining_ms == 0
    first.close()
    second.close()


@pytest.mark.req("P06")
async def test_the_order_sequence_goes_round(line: str, simulator: Simulator) -> None:
    wand = wand_on(line, simulator.port(line))
    boot_id = (await wand.connect(AMPLE)).boot_id
    echo = (await wand.read_status(AMPLE)).status.sequence
    for number in (65_533, 65_534, 65_535, 0, 1, 2):
        lease_ms = 0 if number == 65_533 else 400
        status = (await wand.exchange(order(number, lease_ms, Mode.OFF, echo, boot_id), AMPLE)).status
        assert (status.order_sequence, status.lease_remaining_ms > 0) == (number, lease_ms > 0)
        echo = status.sequence
    wand.close()
