"""What every wand does, whatever carries it and whoever answers: the part of the contract that is about right replies.

Wrong replies are in ``test_wrong_replies.py``.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cryodevice.device.serial_wand import SerialWand
from cryodevice.errors import LinkClosedError, OrderRefusedError, PortUnavailableError
from cryodevice.quantities import Celsius, Channel, Milliseconds, Seconds
from cryodevice.safety.readings import Fresh, Missing
from cryodevice.transport import open_link
from cryodevice.wire.blocks import Identity, Order
from cryodevice.wire.codes import Flag, Mode, Refusal, State, Trip
from cryodevice.wire.registers import RESET_KEY

if TYPE_CHECKING:
    from cryodevice.device.wand import Wand
    from cryodevice.safety.readings import Reading
    from tests.contracts.conftest import Press, Simulator

AMPLE = Seconds(2.0)
TOKEN = 0xC0DE


class Master:
    """The smallest host that keeps the rules: a token in force, and each order echoing the newest status."""

    def __init__(self, wand: Wand, identity: Identity) -> None:
        self.wand, self.identity = wand, identity
        self.numbers = itertools.count(100)
        self.echo = 0

    def order(self, mode: Mode = Mode.OFF, lease_ms: int = 0, **change: object) -> Order:
        order = Order(
            next(self.numbers),
            mode,
            Celsius(8.0),
            Milliseconds(lease_ms),
            self.echo,
            self.identity.boot_id,
            TOKEN,
        )
        return replace(order, **change)  # type: ignore[arg-type]

    async def send(self, order: Order) -> Reading:
        reading = await self.wand.exchange(order, AMPLE)
        self.echo = reading.status.sequence
        return reading

    async def look(self) -> Reading:
        reading = await self.wand.read_status(AMPLE)
        self.echo = reading.status.sequence
        return reading


async def start(wand: Wand) -> Master:
    master = Master(wand, await wand.connect(AMPLE))
    await master.look()
    reading = await master.send(master.order())
    assert reading.status.token == TOKEN
    return master


async def test_it_says_who_it_is(any_wand: Wand) -> None:
    identity = await any_wand.connect(AMPLE)
    assert identity.magic == 0x4357
    assert identity.boot_id != 0
    assert identity.simulated
    assert await any_wand.identify(AMPLE) == identity
    assert any_wand.name.startswith(("/", "socket://127.0.0.1:"))


async def test_a_reading_is_stamped_when_it_came_and_is_fresh(any_wand: Wand) -> None:
    await any_wand.connect(AMPLE)
    before = time.monotonic()
    reading = await any_wand.read_status(AMPLE)
    assert before <= reading.at_s <= time.monotonic()
    for channel in (Channel.PLATE_A, Channel.PLATE_B, Channel.SINK, Channel.DRIVE_CURRENT):
        assert isinstance(reading.sample(channel), Fresh)
    assert isinstance(reading.sample(Channel.SUPPLY), Missing)
    assert -1.0 <= reading.plate_cold_degc <= 45.0
    assert any_wand.counters.exchanges == 2
    assert 0.0 < any_wand.counters.round_trip_s < AMPLE


async def test_an_order_is_one_round_trip_and_its_reading_shows_it(any_wand: Wand) -> None:
    master = await start(any_wand)
    before = any_wand.counters.exchanges
    order = master.order(lease_ms=400)
    reading = await master.send(order)
    assert any_wand.counters.exchanges == before + 1
    assert reading.status.order_sequence == order.sequence
    assert reading.status.state == State.ARMED
    assert Flag.LEASE_LIVE in reading.status.flags
    assert 0 < reading.status.lease_remaining_ms <= 400


async def test_a_stop_ends_a_lease_whoever_sends_it(any_wand: Wand) -> None:
    master = await start(any_wand)
    await master.send(master.order(lease_ms=500))
    foreign = master.order(token=0x1111, boot_id=0, sequence=1, echo=0)
    reading = await master.send(foreign)
    assert reading.status.lease_remaining_ms == 0
    assert not reading.status.flags & (Flag.LEASE_LIVE | Flag.RELAY_CLOSED)
    assert reading.status.state == State.OFF


async def test_make_safe_confirms_a_stop(any_wand: Wand) -> None:
    master = await start(any_wand)
    await master.send(master.order(lease_ms=500))
    assert await any_wand.make_safe(TOKEN, master.identity.boot_id, next(master.numbers))
    assert (await any_wand.read_status(AMPLE)).status.lease_remaining_ms == 0


async def test_closed_is_closed_until_connected_again(any_wand: Wand) -> None:
    identity = await any_wand.connect(AMPLE)
    any_wand.close()
    with pytest.raises(LinkClosedError):
        await any_wand.read_status(AMPLE)
    assert not await any_wand.make_safe(TOKEN, identity.boot_id, 1)
    assert await any_wand.connect(AMPLE) == identity
    assert await any_wand.connect(AMPLE) == identity, "connecting again opens the line anew"


async def test_a_hundred_exchanges_lose_none(any_wand: Wand) -> None:
    master = await start(any_wand)
    for _ in range(100):
        order = master.order(lease_ms=500)
        assert (await master.send(order)).status.order_sequence == order.sequence
    counters = any_wand.counters
    assert (counters.timeouts, counters.stray_frames, counters.bad_frames, counters.refused) == (0, 0, 0, 0)


# --- what only a wand with the rules in it can show -------------------------------------------------------------


@pytest.mark.parametrize(
    ("refusal", "change"),
    [
        (Refusal.SETPOINT, {"mode": Mode.COOL, "setpoint_degc": 1.99, "lease_ms": 400}),
        (Refusal.SETPOINT, {"mode": Mode.COOL, "setpoint_degc": -5.0, "lease_ms": 400}),
        (Refusal.LEASE_LENGTH, {"lease_ms": 60_000}),
        (Refusal.LEASE_LENGTH, {"mode": Mode.COOL, "lease_ms": 0}),
        (Refusal.ECHO, {"lease_ms": 400, "echo": 40_000}),
        (Refusal.BOOT_ID, {"lease_ms": 400, "boot_id": 0}),
        (Refusal.TOKEN, {"lease_ms": 400, "token": 0x1111}),
        (Refusal.SEQUENCE, {"lease_ms": 400, "sequence": 3}),
        (Refusal.MODE, {"lease_ms": 400, "mode": 7}),
        (Refusal.RESET, {"reset_key": 0x1234, "lease_ms": 400}),
        (Refusal.RESET, {"reset_key": RESET_KEY}),
    ],
)
@pytest.mark.req("P10")
async def test_each_refusal_by_its_reason(
    ruled: tuple[Wand, Press], refusal: Refusal, change: dict[str, object]
) -> None:
    wand, _ = ruled
    master = await start(wand)
    if "echo" in change:
        # An echo this wand has not carried in any reply, wherever its counter stands.
        change = {**change, "echo": (master.echo + 30_000) & 0xFFFF}
    with pytest.raises(OrderRefusedError) as caught:
        await master.send(master.order(**change))  # type: ignore[arg-type]
    assert caught.value.evidence["refusal"] == refusal
    status = (await master.look()).status
    assert (status.last_refusal, status.refusals) == (refusal, 1)
    assert wand.counters.refused == 1
    assert (await master.send(master.order())).status.state == State.OFF, "a stop is accepted after any refusal"


async def test_a_latched_trip_refuses_and_a_stop_still_works(ruled: tuple[Wand, Press]) -> None:
    wand, press = ruled
    master = await start(wand)
    await press(True)
    for _ in range(50):
        if Flag.TRIP_LATCHED in (await master.look()).status.flags:
            break
        await asyncio.sleep(0.02)
    with pytest.raises(OrderRefusedError) as caught:
        await master.send(master.order(Mode.COOL, 400))
    assert caught.value.evidence["refusal"] == Refusal.TRIP_LATCHED
    status = (await master.send(master.order())).status
    assert (status.state, status.trip_code) == (State.TRIPPED, Trip.ESTOP)
    assert await wand.make_safe(TOKEN, master.identity.boot_id, next(master.numbers))


@pytest.mark.parametrize("line", ["serial pty", "modbus rtu"])
async def test_it_cools_and_make_safe_waits_for_the_current_to_end(simulated: Wand, simulator: Simulator) -> None:
    master = await start(simulated)
    await simulator.hand(trigger=True)
    drive = 0
    for _ in range(40):
        status = (await master.send(master.order(Mode.COOL, 400))).status
        drive = max(drive, status.drive_ma or 0)
        await asyncio.sleep(0.01)
    assert drive > 500
    assert await simulated.make_safe(TOKEN, master.identity.boot_id, next(master.numbers))
    status = (await simulated.read_status(AMPLE)).status
    assert status.drive_ma is not None
    assert abs(status.drive_ma) <= 50
    assert status.trip_code == Trip.NONE


@pytest.mark.parametrize("line", ["serial pty", "modbus tcp"])
async def test_a_killed_wand_is_a_closed_line_at_once(simulated: Wand, simulator: Simulator) -> None:
    await simulated.connect(AMPLE)
    simulator.kill()
    begin = time.monotonic()

    async def read_on() -> None:
        while time.monotonic() - begin < 5.0:
            await simulated.read_status(AMPLE)

    with pytest.raises(LinkClosedError):
        await read_on()
    assert time.monotonic() - begin < 1.5
    await asyncio.to_thread(simulator.process.wait, 5)  # killed is not gone: till then its port still answers
    with pytest.raises(PortUnavailableError):
        await simulated.connect(AMPLE)


async def test_a_reboot_shows_in_the_next_reading(simulated: Wand, simulator: Simulator) -> None:
    identity = await simulated.connect(AMPLE)
    await simulator.reboot()
    assert (await simulated.read_status(AMPLE)).status.boot_id != identity.boot_id


async def test_noise_before_the_host_came_costs_nothing(simulator: Simulator) -> None:
    """The delimiter before the first frame ends the half-frame that lies in the wand's buffer."""
    link = open_link(simulator.port("serial pty"))
    loop = asyncio.get_running_loop()
    await link.open(Seconds(loop.time() + AMPLE))
    await link.send(b"\x05\x03half a frame", Seconds(loop.time() + AMPLE))
    link.close()
    wand = SerialWand(open_link(simulator.port("serial pty")))
    await wand.connect(AMPLE)
    assert wand.counters.timeouts == 0
    wand.close()
