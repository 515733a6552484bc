"""What a wand object makes of every wrong answer: never a wrong reading, always a working line afterwards."""

from __future__ import annotations

import asyncio
import os
import resource
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from cryodevice.device.serial_wand import SerialWand
from cryodevice.errors import (
    IdentityError,
    LinkClosedError,
    LinkTimeoutError,
    OrderRefusedError,
    PortUnavailableError,
    WireError,
)
from cryodevice.quantities import Celsius, Milliseconds, Seconds
from cryodevice.transport import open_link
from cryodevice.wire.blocks import Order, Status, pack_status
from cryodevice.wire.codes import Mode
from cryodevice.wire.frame import Frame, encode_frame

if TYPE_CHECKING:
    from pathlib import Path

    from tests.contracts.peers import Peer

Truth = Callable[[Order], Status]
TICK = Seconds(0.04)  # the deadline of one exchange at 20 Hz
AMPLE = Seconds(2.0)  # long enough that only a lost reply times out


def order(number: int, mode: Mode = Mode.COOL, lease_ms: int = 500) -> Order:
    return Order(number, mode, Celsius(8.0), Milliseconds(lease_ms), 7, 42, 0xBEEF)


def words_of(frame: Frame, kind: int, words: list[int]) -> bytes:
    return encode_frame(Frame(kind, frame.sequence, b"".join(word.to_bytes(2, "big") for word in words)))


@pytest.fixture
async def ready(wand: SerialWand) -> SerialWand:
    await wand.connect(AMPLE)
    return wand


async def test_the_first_byte_on_the_line_ends_whatever_lay_there(ready: SerialWand, peer: Peer) -> None:
    assert peer.raw[0] == 0
    assert peer.raw[1] != 0
    before = len(peer.raw)
    await ready.read_status(AMPLE)
    assert peer.raw[before] != 0, "no delimiter is needed on a line in step"


async def test_another_frame_sequence_is_stray_and_the_wait_goes_on(
    ready: SerialWand, peer: Peer, truth: Truth
) -> None:
    wrong = encode_frame(Frame(0x82, 250, b"\x11" * 64))
    peer.script.append(lambda frame, good: [wrong, 0.01, good])
    reading = await ready.exchange(order(5), AMPLE)
    assert reading.status == truth(order(5))
    assert ready.counters.stray_frames == 1
    assert ready.counters.timeouts == 0


@pytest.mark.parametrize("kind", [0x81, 0x83, 0x02, 0x42])
async def test_another_type_is_stray_even_with_the_right_sequence(
    ready: SerialWand, peer: Peer, truth: Truth, kind: int
) -> None:
    peer.script.append(lambda frame, good: [encode_frame(Frame(kind, frame.sequence, b"\x11" * 64)), good])
    reading = await ready.exchange(order(5), AMPLE)
    assert reading.status == truth(order(5))
    assert ready.counters.stray_frames == 1


async def test_a_repeated_answer_is_used_once(ready: SerialWand, peer: Peer, truth: Truth) -> None:
    peer.script.append(lambda frame, good: [good + good])
    assert (await ready.exchange(order(5), AMPLE)).status == truth(order(5))
    assert ready.counters.stray_frames == 1
    assert (await ready.exchange(order(6), AMPLE)).status == truth(order(6))


@pytest.mark.parametrize("late_s", [0.06, 0.12])
async def test_a_late_reply_is_never_taken_for_the_next_answer(
    ready: SerialWand, peer: Peer, truth: Truth, late_s: float
) -> None:
    peer.script.append(lambda frame, good: [late_s, good])
    with pytest.raises(LinkTimeoutError, match=r"no answer to exchange within 0\.040 s"):
        await ready.exchange(order(5), TICK)
    mark = len(peer.raw)
    peer.script.append(lambda frame, good: [0.1, good])
    reading = await ready.exchange(order(6), AMPLE)
    assert reading.status == truth(order(6))
    assert peer.raw[mark] == 0, "a delimiter goes first after a time-out"
    counters = ready.counters
    assert counters.timeouts == 1
    assert counters.stray_frames + (counters.dropped_bytes > 0) == 1


async def test_what_came_unasked_is_dropped_before_the_request(ready: SerialWand, peer: Peer, truth: Truth) -> None:
    peer.say(encode_frame(Frame(0x82, 2, b"\x11" * 64)) + b"half a frame")
    await asyncio.sleep(0.05)
    assert (await ready.exchange(order(5), AMPLE)).status == truth(order(5))
    assert ready.counters.dropped_bytes > 70
    assert ready.counters.timeouts == 0


async def test_garbage_before_the_answer_costs_only_itself(ready: SerialWand, peer: Peer, truth: Truth) -> None:
    peer.script.append(lambda frame, good: [b"\xff\x13garbage\x00\x00\x05\x00", good])
    assert (await ready.exchange(order(5), AMPLE)).status == truth(order(5))
    assert ready.counters.bad_frames == 2


async def test_an_answer_in_single_bytes(ready: SerialWand, peer: Peer, truth: Truth) -> None:
    def split(frame: Frame, good: bytes) -> list[bytes | float]:
        steps: list[bytes | float] = []
        for byte in good:
            steps += [bytes([byte]), 0.0]
        return steps

    peer.script.append(split)
    assert (await ready.exchange(order(5), AMPLE)).status == truth(order(5))


async def test_a_bad_crc_is_no_answer(ready: SerialWand, peer: Peer, truth: Truth) -> None:
    peer.script.append(lambda frame, good: [good[:10] + bytes([good[10] ^ 0x40]) + good[11:]])
    with pytest.raises(LinkTimeoutError):
        await ready.exchange(order(5), TICK)
    assert ready.counters.bad_frames == 1
    assert (await ready.exchange(order(6), AMPLE)).status == truth(order(6))


async def test_an_answer_that_shows_another_order_is_an_error(ready: SerialWand, peer: Peer, truth: Truth) -> None:
    stale = truth(order(4))
    peer.script.append(lambda frame, good: [words_of(frame, 0x82, pack_status(stale))])
    with pytest.raises(WireError, match="does not show order 5") as caught:
        await ready.exchange(order(5), AMPLE)
    assert caught.value.evidence["order_sequence"] == 4


async def test_a_stop_may_be_answered_under_another_sequence_but_not_with_a_lease(
    ready: SerialWand, peer: Peer, truth: Truth
) -> None:
    stop = order(5, Mode.OFF, 0)
    other = replace(truth(stop), order_sequence=900, token=0)
    peer.script.append(lambda frame, good: [words_of(frame, 0x82, pack_status(other))])
    assert (await ready.exchange(stop, AMPLE)).status.order_sequence == 900
    alive = replace(truth(stop), lease_remaining_ms=Milliseconds(20))
    peer.script.append(lambda frame, good: [words_of(frame, 0x82, pack_status(alive))])
    with pytest.raises(WireError, match="lease 20 ms"):
        await ready.exchange(stop, AMPLE)


@pytest.mark.parametrize("code", [*range(1, 10), 77])
async def test_each_refusal_carries_its_code(ready: SerialWand, peer: Peer, code: int) -> None:
    peer.script.append(lambda frame, good: [encode_frame(Frame(0xFF, frame.sequence, bytes([4, code])))])
    with pytest.raises(OrderRefusedError) as caught:
        await ready.exchange(order(5), AMPLE)
    assert caught.value.evidence["refusal"] == code
    assert ready.counters.refused == 1
    assert (await ready.read_status(AMPLE)).status == peer.resting


@pytest.mark.parametrize("payload", [b"\x02\x00", b"\x03\x00", b"\x09\x01", b"", b"\x04", b"\x04\x01\x00"])
async def test_any_other_error_reply_is_a_wire_error(ready: SerialWand, peer: Peer, payload: bytes) -> None:
    peer.script.append(lambda frame, good: [encode_frame(Frame(0xFF, frame.sequence, payload))])
    with pytest.raises(WireError, match="error reply"):
        await ready.exchange(order(5), AMPLE)


async def test_a_refusal_of_something_that_is_no_order_is_a_wire_error(ready: SerialWand, peer: Peer) -> None:
    peer.script.append(lambda frame, good: [encode_frame(Frame(0xFF, frame.sequence, b"\x04\x01"))])
    with pytest.raises(WireError):
        await ready.read_status(AMPLE)
    assert ready.counters.refused == 0


@pytest.mark.parametrize("length", [0, 2, 62, 63, 66])
async def test_an_answer_of_another_length_is_a_wire_error(ready: SerialWand, peer: Peer, length: int) -> None:
    peer.script.append(lambda frame, good: [encode_frame(Frame(0x83, frame.sequence, b"\x01" * length))])
    with pytest.raises(WireError, match="64 belong"):
        await ready.read_status(AMPLE)


async def test_silence_ends_at_the_deadline(ready: SerialWand, peer: Peer) -> None:
    peer.script.append(lambda frame, good: [])
    loop = asyncio.get_running_loop()
    begin = loop.time()
    with pytest.raises(LinkTimeoutError):
        await ready.exchange(order(5), TICK)
    assert 0.039 <= loop.time() - begin < 0.5


async def test_a_hang_up_in_mid_frame_is_noticed_fast_and_a_replug_works(
    ready: SerialWand, peer: Peer, truth: Truth
) -> None:
    def cut(frame: Frame, good: bytes) -> list[bytes]:
        peer.say(good[:20])
        asyncio.get_running_loop().call_later(0.02, peer.hang_up)
        return []

    peer.script.append(cut)
    loop = asyncio.get_running_loop()
    begin = loop.time()
    with pytest.raises(LinkClosedError):
        await ready.exchange(order(5), AMPLE)
    assert loop.time() - begin < 1.0
    with pytest.raises(LinkClosedError):
        await ready.exchange(order(6), AMPLE)
    await peer.plug()
    await ready.connect(AMPLE)
    assert (await ready.exchange(order(7), AMPLE)).status == truth(order(7))


async def test_an_idle_line_that_hangs_up_costs_no_cpu_and_fails_at_once(ready: SerialWand, peer: Peer) -> None:
    peer.hang_up()
    await asyncio.sleep(0.1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    await asyncio.sleep(0.4)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_utime - before < 0.2
    with pytest.raises(LinkClosedError):
        await ready.read_status(AMPLE)


async def test_a_cancelled_exchange_leaves_the_line_usable(ready: SerialWand, peer: Peer, truth: Truth) -> None:
    peer.script.append(lambda frame, good: [0.05, good])
    task = asyncio.create_task(ready.exchange(order(5), AMPLE))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    mark = len(peer.raw)
    assert (await ready.exchange(order(6), AMPLE)).status == truth(order(6))
    assert peer.raw[mark] == 0
    await asyncio.sleep(0.08)
    assert (await ready.exchange(order(7), AMPLE)).status == truth(order(7))


async def test_calls_wait_for_each_other(ready: SerialWand, peer: Peer, truth: Truth) -> None:
    readings = await asyncio.gather(*(ready.exchange(order(n), AMPLE) for n in range(1, 9)))
    assert [reading.status for reading in readings] == [truth(order(n)) for n in range(1, 9)]
    assert ready.counters.stray_frames == 0


async def test_an_answer_seen_after_its_deadline_is_not_taken(ready: SerialWand, peer: Peer, truth: Truth) -> None:
    """A loop held up for longer than the deadline must not stamp the old bytes as new."""

    def answer_and_hold_up(frame: Frame, good: bytes) -> list[bytes]:
        peer.say(good)
        time.sleep(0.1)
        return []

    peer.script.append(answer_and_hold_up)
    with pytest.raises(LinkTimeoutError):
        await ready.exchange(order(5), TICK)
    assert (await ready.exchange(order(6), AMPLE)).status == truth(order(6))


async def test_frame_sequences_wrap(ready: SerialWand, peer: Peer, truth: Truth) -> None:
    for n in range(1, 301):
        assert (await ready.exchange(order(n), AMPLE)).status == truth(order(n))
    assert {frame.sequence for frame in peer.seen} == set(range(256))


async def test_a_flood_costs_neither_memory_nor_the_line(ready: SerialWand, peer: Peer, truth: Truth) -> None:
    """L08: garbage before and between, while the loop stays quick and the next good answer is found."""
    loop = asyncio.get_running_loop()
    worst, last, flooding = 0.0, loop.time(), True

    async def beat() -> None:
        nonlocal worst, last
        while flooding:
            await asyncio.sleep(0.005)
            worst, last = max(worst, loop.time() - last), loop.time()

    async def flood() -> None:
        # A pty holds about 16 KB that nobody reads: small pieces, so that the peer itself never blocks.
        while flooding:
            peer.say(os.urandom(2000))
            await asyncio.sleep(0.002)

    tasks = [asyncio.create_task(beat()), asyncio.create_task(flood())]
    for n in range(1, 11):
        try:
            assert (await ready.exchange(order(n), TICK)).status == truth(order(n))
        except LinkTimeoutError:
            continue
    await asyncio.sleep(0.2)
    flooding = False
    await asyncio.gather(*tasks)
    assert len(ready._link._received) <= 64 * 1024
    assert worst < 0.25
    await asyncio.sleep(0.05)
    assert (await ready.exchange(order(20), AMPLE)).status == truth(order(20))


# --- who is there -----------------------------------------------------------------------------------------------


async def test_a_silent_port_is_named_as_such(wand: SerialWand, peer: Peer) -> None:
    peer.script.extend([lambda frame, good: []] * 9)
    with pytest.raises(LinkTimeoutError, match="nothing comes back: wrong port, wrong baud rate") as caught:
        await wand.connect(Seconds(0.4))
    assert caught.value.evidence["heard_bytes"] == 0
    assert not wand._link.is_open


async def test_garbage_at_the_other_end_is_named_as_such(wand: SerialWand, peer: Peer) -> None:
    peer.script.extend([lambda frame, good: [b"$GPGGA,123519,4807.038,N\r\n"]] * 9)
    with pytest.raises(LinkTimeoutError, match="no good frame: wrong baud rate, or not a wand"):
        await wand.connect(Seconds(0.4))


async def test_an_echo_is_named_as_such(wand: SerialWand, peer: Peer) -> None:
    peer.script.extend([lambda frame, good: [encode_frame(frame)]] * 9)
    with pytest.raises(LinkTimeoutError, match="does the line echo"):
        await wand.connect(Seconds(0.4))


async def test_one_lost_identify_does_not_lose_the_wand(wand: SerialWand, peer: Peer) -> None:
    peer.script.append(lambda frame, good: [])
    assert await wand.connect(Seconds(1.0)) == peer.identity
    assert len(peer.seen) == 2


async def test_a_slow_wand_is_waited_for(wand: SerialWand, peer: Peer) -> None:
    """L04: 600 ms of latency are within half of a 2 s connect."""
    peer.script.append(lambda frame, good: [0.6, good])
    assert await wand.connect(Seconds(2.0)) == peer.identity
    assert len(peer.seen) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [({"magic": 0x4358}, "magic 0x4358"), ({"wire_version": 0x0200}, "wire version 2.0 and this program 1.0")],
)
async def test_another_device_is_refused_and_its_port_released(
    wand: SerialWand, peer: Peer, change: dict[str, Any], words: str
) -> None:
    peer.identity = replace(peer.identity, **change)
    with pytest.raises(IdentityError, match=words):
        await wand.connect(AMPLE)
    assert not wand._link.is_open


async def test_a_newer_minor_version_is_welcome(wand: SerialWand, peer: Peer) -> None:
    peer.identity = replace(peer.identity, wire_version=0x0107)
    assert (await wand.connect(AMPLE)).wire_version == 0x0107


@pytest.mark.parametrize("answer", [(0xFF, b"\x02\x00"), (0x81, b"\x43\x57"), (0x81, b"")])
async def test_an_answer_that_is_no_identity_is_refused(
    wand: SerialWand, peer: Peer, answer: tuple[int, bytes]
) -> None:
    peer.script.append(lambda frame, good: [encode_frame(Frame(answer[0], frame.sequence, answer[1]))])
    with pytest.raises(IdentityError, match="not a wand"):
        await wand.connect(AMPLE)


async def test_connect_can_be_cancelled_and_releases_the_port(wand: SerialWand, peer: Peer) -> None:
    peer.script.extend([lambda frame, good: []] * 9)
    task = asyncio.create_task(wand.connect(AMPLE))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not wand._link.is_open
    peer.script.clear()
    assert await wand.connect(AMPLE) == peer.identity


# --- stopping ---------------------------------------------------------------------------------------------------


async def test_make_safe_sees_the_stop(ready: SerialWand, peer: Peer) -> None:
    assert await ready.make_safe(token=0xBEEF, boot_id=42, sequence=9)
    sent = peer.seen[-1]
    assert sent.payload == bytes.fromhex("0009 0000 0000 0000 0000 002A BEEF 0000")


async def test_make_safe_tries_again_and_tells_when_it_cannot_know(ready: SerialWand, peer: Peer) -> None:
    peer.script.extend([lambda frame, good: []] * 2)
    assert await ready.make_safe(1, 42, 9)
    begin = len(peer.seen)
    peer.script.extend([lambda frame, good: []] * 3)
    assert not await ready.make_safe(1, 42, 10)
    assert len(peer.seen) == begin + 3


@pytest.mark.parametrize(
    "change",
    [
        {"drive_ma": 400},
        {"drive_ma": -400},
        {"drive_ma": None},
        {"state": 2},
        {"flags": 1},
        {"flags": 256},
        {"lease_remaining_ms": 1},
    ],
)
async def test_make_safe_believes_only_a_wand_at_rest(
    ready: SerialWand, peer: Peer, truth: Truth, change: dict[str, Any]
) -> None:
    still = replace(truth(order(9, Mode.OFF, 0)), **change)
    peer.script.extend([lambda frame, good: [words_of(frame, 0x82, pack_status(still))]] * 3)
    assert not await ready.make_safe(0xBEEF, 42, 9)
    assert await ready.make_safe(0xBEEF, 42, 9)


async def test_make_safe_takes_a_refusal_for_no_answer(ready: SerialWand, peer: Peer) -> None:
    peer.script.extend([lambda frame, good: [encode_frame(Frame(0xFF, frame.sequence, b"\x04\x05"))]] * 3)
    assert not await ready.make_safe(1, 42, 9)


async def test_make_safe_never_raises(peer: Peer, wand: SerialWand) -> None:
    assert not await wand.make_safe(1, 42, 9), "a line never opened"
    await wand.connect(AMPLE)
    assert not await wand.make_safe(1 << 20, 42, 9), "a token no register holds"
    peer.hang_up()
    assert not await wand.make_safe(1, 42, 9), "a line that hung up"


# --- lines come and go ------------------------------------------------------------------------------------------


async def test_fifty_hang_ups_leak_nothing(peer: Peer, wand: SerialWand) -> None:
    """L14: descriptors and tasks after 50 resets are what they were before."""
    await wand.connect(AMPLE)
    wand.close()
    await asyncio.sleep(0.02)
    files, tasks = len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())  # noqa: PTH208
    for n in range(50):
        await wand.connect(AMPLE)
        if n % 2:
            peer.script.append(lambda frame, good: (peer.hang_up(), [])[1])
            with pytest.raises((LinkClosedError, LinkTimeoutError)):
                await wand.exchange(order(n), AMPLE)
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


async def test_close_in_mid_exchange_wakes_it(ready: SerialWand, peer: Peer) -> None:
    peer.script.append(lambda frame, good: [])
    task = asyncio.create_task(ready.exchange(order(5), AMPLE))
    await asyncio.sleep(0.02)
    ready.close()
    ready.close()
    with pytest.raises(LinkClosedError, match="closed here"):
        await task


async def test_a_missing_port_says_so(tmp_path: Path) -> None:
    with pytest.raises(PortUnavailableError, match="there is no "):
        await SerialWand(open_link(str(tmp_path / "ttyUSB7"))).connect(AMPLE)
