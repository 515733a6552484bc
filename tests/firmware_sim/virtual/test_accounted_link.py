"""The daemon's own driver and port on a real pseudo-terminal, in virtual time: no time-out that never was."""

import asyncio

import pytest

from cryodevice.device.serial_wand import SerialWand
from cryodevice.errors import LinkTimeoutError
from cryodevice.quantities import Seconds
from cryodevice.transport.serial_link import SerialLink
from firmware_sim.endpoints.pty_port import PtyPort
from firmware_sim.endpoints.serial_slave import SerialSlave
from firmware_sim.simulator import Simulator
from firmware_sim.virtual import AccountedLink, VirtualWand, run

POLLS = 400


def on_a_pty(story):
    async def whole():
        loop = asyncio.get_running_loop()
        wand = VirtualWand(Simulator(1, calibration_day=9000))
        slave = SerialSlave(wand.simulator.firmware)
        async with PtyPort(slave, wand.catch_up, moved=loop.moved) as port:
            link = AccountedLink(SerialLink(port.path), loop)
            driver = SerialWand(link, lambda: Seconds(loop.time()))
            await driver.connect(Seconds(2.0))
            try:
                return await story(driver, wand)
            finally:
                driver.close()

    return run(whole)


def test_every_poll_is_answered_at_its_own_instant():
    async def story(driver, wand):
        loop = asyncio.get_running_loop()
        began = loop.time()
        for _ in range(POLLS):
            reading = await driver.read_status(Seconds(0.025))
            assert reading.at_s == loop.time()
            await asyncio.sleep(0.05)
        assert loop.lost == 0
        assert driver.counters.timeouts == 0
        assert driver.counters.round_trip_s == 0.0
        return loop.time() - began, reading.status.uptime_ms

    took_s, uptime_ms = on_a_pty(story)
    assert took_s == pytest.approx(POLLS * 0.05)
    assert abs(uptime_ms - took_s * 1000.0) < 100.0


def test_a_reply_that_is_lost_is_a_time_out_of_the_time_it_says():
    async def story(driver, wand):
        loop = asyncio.get_running_loop()
        wand.simulator.firmware.quirks.drop_replies = True
        began = loop.time()
        with pytest.raises(LinkTimeoutError):
            await driver.read_status(Seconds(0.025))
        took_s = loop.time() - began
        wand.simulator.firmware.quirks.drop_replies = False
        await driver.read_status(Seconds(0.025))
        return took_s

    assert on_a_pty(story) == pytest.approx(0.025)
