"""The line in memory is a link like any other, and carries what the slaves say to the byte."""

import asyncio

import pytest

from cryodevice.errors import LinkClosedError, LinkTimeoutError, PortUnavailableError
from cryodevice.wire.frame import Frame, FrameReader, FrameType, encode_frame
from firmware_sim.endpoints.modbus_rtu import with_crc
from firmware_sim.faults import injection
from firmware_sim.simulator import Simulator
from firmware_sim.virtual import BEGAN_S, Trace, VirtualWand, run

READ_STATUS = encode_frame(Frame(FrameType.READ_STATUS, 1, b""))
READ_RTU = with_crc(bytes.fromhex("010401000020"))
READ_TCP = bytes.fromhex("000700000006010401000020")
BYTE_S = 10 / 115_200


def on(kind, story, **options):
    """Run ``story(link, wand)`` on an open line of this kind."""

    async def whole():
        wand = VirtualWand(Simulator(1, calibration_day=9000))
        link = getattr(wand, kind)(**options)
        await link.open(asyncio.get_running_loop().time() + 1.0)
        return await story(link, wand)

    return run(whole)


def now():
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize(
    ("kind", "request_", "size"),
    [("serial", READ_STATUS, 70), ("modbus_rtu", READ_RTU, 69), ("modbus_tcp", READ_TCP, 73)],
)
def test_a_request_is_answered_at_the_same_instant(kind, request_, size):
    async def story(link, _wand):
        began = now()
        await link.send(request_, began + 1.0)
        reply = await link.receive(began + 1.0)
        return len(reply) - size, now() - began

    lengths, took_s = on(kind, story)
    assert lengths in {0, -1, 1}  # COBS costs one byte more for each full group, none here; Modbus is fixed
    assert took_s == 0.0


def test_bytes_take_their_time_on_a_line_that_has_a_speed():
    async def story(link, wand):
        began = now()
        await link.send(READ_STATUS, began + 1.0)
        with pytest.raises(LinkTimeoutError):
            await link.receive(began + 0.001)
        reply = await link.receive(began + 1.0)
        return now() - began, len(reply), wand.simulator.time_s

    took_s, size, wand_s = on("serial", story, byte_s=BYTE_S)
    assert took_s == pytest.approx((len(READ_STATUS) + size) * BYTE_S)
    assert wand_s == pytest.approx(len(READ_STATUS) * BYTE_S), "the wand answers when the last byte has come"


def test_the_wand_lives_in_the_loops_time():
    async def story(link, wand):
        await asyncio.sleep(1.0)
        await link.send(READ_STATUS, now() + 1.0)
        (frame,) = FrameReader().feed(await link.receive(now() + 1.0))
        wand.live_on(5.0)
        return int.from_bytes(frame.payload[2:6], "big"), wand.simulator.time_s

    uptime_ms, wand_s = on("serial", story)
    assert uptime_ms == 1000
    assert wand_s == pytest.approx(6.0)


def test_silence_means_something_on_a_line_that_frames_by_it():
    async def story(link, wand):
        await link.send(b"\x00", now() + 1.0)
        await asyncio.sleep(0.004)
        early = wand.simulator.firmware.bad_frames
        await asyncio.sleep(0.017)
        await link.send(READ_RTU, now() + 1.0)
        return early, wand.simulator.firmware.bad_frames, len(await link.receive(now() + 1.0))

    assert on("modbus_rtu", story) == (0, 1, 69)


def test_a_stream_that_cannot_be_followed_is_closed_and_may_be_opened_again():
    async def story(link, _wand):
        await link.send(bytes.fromhex("0007ffff0006010401000020"), now() + 1.0)
        with pytest.raises(LinkClosedError):
            await link.receive(now() + 1.0)
        assert not link.is_open
        await link.open(now() + 1.0)
        await link.send(READ_TCP, now() + 1.0)
        return len(await link.receive(now() + 1.0))

    assert on("modbus_tcp", story) == 73


def test_a_cable_that_is_pulled_wakes_who_waits_and_the_port_is_gone_until_it_is_back():
    async def story(link, _wand):
        asyncio.get_running_loop().call_later(0.5, setattr, link, "up", False)
        began = now()
        with pytest.raises(LinkClosedError):
            await link.receive(now() + 10.0)
        waited_s = now() - began
        with pytest.raises(LinkClosedError):
            await link.send(READ_STATUS, now() + 1.0)
        with pytest.raises(PortUnavailableError, match="plug it in"):
            await link.open(now() + 1.0)
        link.up = True
        await link.open(now() + 1.0)
        await link.send(READ_STATUS, now() + 1.0)
        return waited_s, len(await link.receive(now() + 1.0)) > 60

    assert on("serial", story) == (pytest.approx(0.5), True)


def test_what_is_on_the_way_of_a_connection_that_is_no_more_is_not_of_the_next():
    async def story(link, _wand):
        await link.send(READ_TCP, now() + 1.0)
        await asyncio.sleep(len(READ_TCP) * BYTE_S * 1.01)
        link.close()
        await link.open(now() + 1.0)
        with pytest.raises(LinkTimeoutError):
            await link.receive(now() + 1.0)

    on("modbus_tcp", story, byte_s=BYTE_S)


def test_what_was_not_taken_can_be_dropped():
    async def story(link, _wand):
        await link.send(READ_STATUS, now() + 1.0)
        dropped = link.discard()
        with pytest.raises(LinkTimeoutError):
            await link.receive(now() + 0.1)
        return dropped, link.discard()

    dropped, again = on("serial", story)
    assert dropped > 60
    assert again == 0


def test_the_trace_tells_bytes_and_times_apart():
    def traced(data, after_s):
        trace = Trace()

        async def story(link, _wand):
            await asyncio.sleep(after_s)
            await link.send(data, now() + 1.0)

        on("serial", story, tap=trace)
        return trace.digest, trace.entries

    assert traced(READ_STATUS, 1.0) == traced(READ_STATUS, 1.0)
    assert traced(READ_STATUS, 1.0)[1] == 2
    assert traced(READ_STATUS, 1.0)[0] != traced(READ_STATUS, 1.000001)[0]
    assert traced(READ_STATUS, 1.0)[0] != traced(encode_frame(Frame(FrameType.READ_STATUS, 2, b"")), 1.0)[0]


@pytest.mark.parametrize("kind", ["serial", "modbus_rtu", "modbus_tcp"])
def test_faults_of_the_link_act_on_it(kind):
    request = {"serial": READ_STATUS, "modbus_rtu": READ_RTU, "modbus_tcp": READ_TCP}[kind]

    async def story(link, wand):
        faults, began = wand.simulator.faults, now()
        late = faults.inject(injection("late_replies", {"delay_ms": 200.0}))
        await link.send(request, began + 1.0)
        with pytest.raises(LinkTimeoutError):
            await link.receive(began + 0.199)
        await link.receive(began + 1.0)
        came_s = now() - began
        faults.clear(late)
        faults.inject(injection("loss_to_host", count=1))
        await link.send(request, now() + 1.0)
        with pytest.raises(LinkTimeoutError):
            await link.receive(now() + 1.0)
        await link.send(request, now() + 1.0)
        await link.receive(now() + 1.0)
        return came_s, faults.fired("late_replies"), faults.fired("loss_to_host")

    assert on(kind, story) == (pytest.approx(0.2, abs=0.002), 1, 1)


@pytest.mark.parametrize("kind", ["serial", "modbus_tcp"])
def test_a_port_that_goes_away_comes_back(kind):
    async def story(link, wand):
        wand.simulator.faults.inject(injection("disconnect", start_s=1.0, duration_s=2.0))
        request = READ_STATUS if kind == "serial" else READ_TCP
        gone_s = back_s = None
        for _ in range(100):
            await asyncio.sleep(0.05)
            wand.catch_up()
            try:
                if not link.is_open:
                    gone_s = gone_s or now() - BEGAN_S
                    await link.open(now() + 0.1)
                    back_s = back_s or now() - BEGAN_S
                await link.send(request, now() + 0.1)
                await link.receive(now() + 0.1)
            except PortUnavailableError:
                continue
        return gone_s, back_s

    assert on(kind, story) == (pytest.approx(1.0, abs=0.06), pytest.approx(3.0, abs=0.06))
