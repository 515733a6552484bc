import asyncio

import pytest

from cryodevice.runtime.bus import Bus


async def test_every_subscriber_gets_every_message_in_order():
    bus: Bus[int] = Bus()
    first, second = bus.subscribe(10), bus.subscribe(10)
    for number in range(3):
        bus.publish(number)
    assert first.drain() == [0, 1, 2]
    assert [await second.get() for _ in range(3)] == [0, 1, 2]


@pytest.mark.req("R-H20-1")
async def test_a_slow_subscriber_loses_its_oldest_and_is_told():
    bus: Bus[int] = Bus()
    slow = bus.subscribe(2)
    for number in range(5):
        bus.publish(number)
    assert slow.drain() == [3, 4]
    assert slow.dropped == 3


async def test_iteration_waits_for_the_next_message():
    bus: Bus[str] = Bus()
    subscription = bus.subscribe(1)
    waiting = asyncio.create_task(anext(subscription))
    await asyncio.sleep(0)
    assert not waiting.done()
    bus.publish("now")
    assert await waiting == "now"


async def test_a_closed_subscription_gets_nothing_more():
    bus: Bus[int] = Bus()
    subscription = bus.subscribe(2)
    subscription.close()
    subscription.close()
    bus.publish(1)
    assert subscription.drain() == []
