"""What a Modbus wand makes of every wrong answer: never a wrong value, always a working line afterwards.

The table is in ``wrong_modbus.py``; ``tests/campaign/modbus_matrix.py`` measures it beside bare pymodbus.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from cryodevice.device import modbus_codec
from cryodevice.device.modbus_framing import TcpFraming
from cryodevice.errors import IdentityError, LinkClosedError, LinkTimeoutError, OrderRefusedError, WireError
from cryodevice.quantities import Celsius, Milliseconds, Seconds
from cryodevice.wire.blocks import Order, pack_status
from cryodevice.wire.codes import Mode
from tests.contracts import wrong_modbus as table
from tests.contracts.conftest import wand_on
from tests.contracts.modbus_peer import Asked
from tests.contracts.modbus_subjects import ask_wand
from tests.contracts.peers import truth_for

if TYPE_CHECKING:
    from cryodevice.device.modbus_wand import ModbusWand
    from tests.contracts.modbus_peer import ModbusPeer

TICK = Seconds(0.04)
AMPLE = Seconds(2.0)
CELLS = [
    (f"modbus {line}", name, function)
    for name, stimulus in table.STIMULI.items()
    for function in stimulus.functions
    for line in stimulus.lines
]
ON_RTU = pytest.mark.parametrize("modbus_peer", ["modbus rtu"], indirect=True)
ON_TCP = pytest.mark.parametrize("modbus_peer", ["modbus tcp"], indirect=True)


def order(number: int, mode: Mode = Mode.COOL, lease_ms: int = 500) -> Order:
    return Order(number, mode, Celsius(8.0), Milliseconds(lease_ms), 7, 42, 0xBEEF)


def nothing(asked: Asked, good: bytes) -> list[bytes]:
    return []


@pytest.mark.req("P01")
@pytest.mark.req("P04")
@pytest.mark.parametrize(("modbus_peer", "name", "function"), CELLS, indirect=["modbus_peer"])
async def test_no_wrong_reply_is_taken_and_the_next_right_one_is(
    modbus_wand: ModbusWand, modbus_peer: ModbusPeer, name: str, function: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stimulus = table.STIMULI[name]
    if not stimulus.late:
        monkeypatch.setattr("cryodevice.device.modbus_wand.QUIET_S", Seconds(0.004))  # this peer answers at once
    if stimulus.late:
        modbus_peer.script.append(stimulus.make)
        assert await ask_wand(modbus_wand, function, TICK) == table.REFUSED
        modbus_peer.script.append(lambda asked, good: [0.04, good])
        assert await ask_wand(modbus_wand, function, AMPLE) == table.RIGHT
    else:
        answered = (AMPLE,) if stimulus.answers else (Seconds(0.02), Seconds(0.1), Seconds(0.4))
        for patience_s in answered:
            heard = modbus_wand._heard_bytes
            modbus_peer.script.append(stimulus.make)
            assert await ask_wand(modbus_wand, function, patience_s) == (
                table.RIGHT if stimulus.answers else table.REFUSED
            )
            if modbus_wand._heard_bytes > heard:
                break
            await asyncio.sleep(0.25)  # this machine held the peer up: its reply comes and goes, then once more
        assert modbus_wand._heard_bytes > heard, "the reply came in time to be judged"
    assert await ask_wand(modbus_wand, function, AMPLE) == table.RIGHT


@pytest.mark.req("P03")
@pytest.mark.parametrize("code", [1, 2, 4, 5, 6, 0x0B, 77])
async def test_an_exception_is_a_typed_error_and_the_line_goes_on(
    modbus_wand: ModbusWand, modbus_peer: ModbusPeer, code: int
) -> None:
    modbus_peer.script.append(lambda asked, good: [asked.frame(bytes([asked.function | 0x80, code]))])
    with pytest.raises(modbus_codec.ExceptionReplyError) as caught:
        await modbus_wand.exchange(order(5), AMPLE)
    assert isinstance(caught.value, WireError)
    assert caught.value.evidence["exception"] == code
    began = time.monotonic()
    assert (await modbus_wand.exchange(order(6), AMPLE)).status == truth_for(order(6))
    assert time.monotonic() - began < 0.14, "an exception is an answer: no quiet is needed"


@pytest.mark.req("P10")
@pytest.mark.parametrize("code", [*range(1, 10), 77])
async def test_each_refusal_carries_its_code_in_two_transactions(
    modbus_wand: ModbusWand, modbus_peer: ModbusPeer, code: int
) -> None:
    modbus_peer.refuse = code
    before = len(modbus_peer.seen)
    with pytest.raises(OrderRefusedError) as caught:
        await modbus_wand.exchange(order(5), AMPLE)
    assert caught.value.evidence["refusal"] == code
    assert modbus_wand.counters.refused == 1
    assert [asked.body[:5].hex() for asked in modbus_peer.seen[before:]] == ["1701000020", "0401180001"]
    modbus_peer.refuse = 0
    assert (await modbus_wand.read_status(AMPLE)).status == modbus_peer.resting


async def test_a_refusal_whose_reason_does_not_come_is_a_lost_exchange(
    modbus_wand: ModbusWand, modbus_peer: ModbusPeer
) -> None:
    modbus_peer.refuse = 3
    modbus_peer.script.extend([lambda asked, good: [good], nothing])
    began = asyncio.get_running_loop().time()
    with pytest.raises(LinkTimeoutError, match="no answer to read last_refusal"):
        await modbus_wand.exchange(order(5), TICK)
    assert asyncio.get_running_loop().time() - began < 0.1, "both requests share one deadline"
    assert modbus_wand.counters.refused == 0
    modbus_peer.refuse = 0
    modbus_peer.script.append(lambda asked, good: [asked.frame(bytes([asked.function | 0x80, 3]))])
    with pytest.raises(WireError, match="no refusal is on the wand's record"):
        await modbus_wand.exchange(order(6), AMPLE)


@pytest.mark.req("P01")
async def test_after_one_lost_exchange_the_next_is_answered_at_once(
    modbus_wand: ModbusWand, modbus_peer: ModbusPeer
) -> None:
    modbus_peer.script.append(nothing)
    with pytest.raises(LinkTimeoutError):
        await modbus_wand.exchange(order(1), TICK)
    assert (await modbus_wand.exchange(order(2), TICK)).status == truth_for(order(2))
    assert not modbus_peer.on_tcp or modbus_peer.accepted == 2, "on another connection"


@pytest.mark.req("P01")
@ON_RTU
async def test_the_reply_to_a_lost_exchange_is_none_to_the_next(
    modbus_wand: ModbusWand, modbus_peer: ModbusPeer
) -> None:
    modbus_peer.script.extend([lambda asked, good: [0.05, good], lambda asked, good: [0.05, good]])
    with pytest.raises(LinkTimeoutError):
        await modbus_wand.exchange(order(1), Seconds(0.02))
    assert (await modbus_wand.exchange(order(2), AMPLE)).status == truth_for(order(2))
    assert modbus_wand.counters.stray_frames == 1


@pytest.mark.req("P01")
@ON_RTU
async def test_after_a_second_silence_rtu_is_quiet_and_no_call_waits_for_it(
    modbus_wand: ModbusWand, modbus_peer: ModbusPeer
) -> None:
    """As the control loop asks, 20 times a second: the ticks of the quiet fail at once and send nothing."""
    modbus_peer.script.extend([nothing] * 2)
    loop = asyncio.get_running_loop()
    for number in (1, 2):
        silent_s = loop.time()
        with pytest.raises(LinkTimeoutError, match="no answer"):
            await modbus_wand.exchange(order(number), TICK)
    sent = len(modbus_peer.seen)
    for number in (3, 4):
        began = loop.time()
        with pytest.raises(LinkTimeoutError, match="kept quiet"):
            await modbus_wand.exchange(order(number), Seconds(0.02))
        assert loop.time() - began < 0.01
        await asyncio.sleep(0.02)
    assert len(modbus_peer.seen) == sent
    assert (await modbus_wand.exchange(order(5), AMPLE)).status == truth_for(order(5))
    assert loop.time() - silent_s >= 0.15
    modbus_peer.script.append(nothing)
    with pytest.raises(LinkTimeoutError):
        await modbus_wand.exchange(order(6), TICK)
    assert (await modbus_wand.exchange(order(7), TICK)).status == truth_for(order(7)), "the count began anew"


@pytest.mark.req("P01")
@ON_RTU
async def test_a_status_even_later_than_the_quiet_is_not_the_next_one(
    modbus_wand: ModbusWand, modbus_peer: ModbusPeer
) -> None:
    modbus_peer.script.extend([lambda asked, good: [0.25, good], lambda asked, good: [0.12, good]])
    with pytest.raises(LinkTimeoutError):
        await modbus_wand.read_status(TICK)
    modbus_peer.resting = table.other_status(modbus_peer.resting)
    assert (await modbus_wand.read_status(AMPLE)).status == modbus_peer.resting
    assert [asked.function for asked in modbus_peer.seen] == [3, 4, 3]


async def test_a_stop_waits_out_the_quiet_and_is_seen(modbus_wand: ModbusWand, modbus_peer: ModbusPeer) -> None:
    modbus_peer.script.extend([nothing] * 2)
    for number in (1, 2):
        with pytest.raises(LinkTimeoutError):
            await modbus_wand.exchange(order(number), TICK)
    began = time.monotonic()
    assert await modbus_wand.make_safe(token=0xBEEF, boot_id=42, sequence=9)
    assert time.monotonic() - began < 0.3
    assert modbus_peer.seen[-1].body == bytes.fromhex(
        "17 0100 0020 0200 0008 10 0009 0000 0000 0000 0000 002A BEEF 0000"
    )


async def test_make_safe_tells_when_it_cannot_know_and_never_raises(
    modbus_wand: ModbusWand, modbus_peer: ModbusPeer
) -> None:
    begin = len(modbus_peer.seen)
    modbus_peer.script.extend([nothing] * 2)
    assert not await modbus_wand.make_safe(1, 42, 10, attempts=2)
    assert len(modbus_peer.seen) == begin + 2
    assert not await modbus_wand.make_safe(1 << 20, 42, 9), "a token no register holds"
    modbus_peer.refuse = 5
    assert not await modbus_wand.make_safe(1, 42, 11, attempts=1)
    modbus_wand.close()
    assert not await modbus_wand.make_safe(1, 42, 9), "a closed line"


@ON_RTU
async def test_rtu_keeps_the_silence_between_frames(modbus_wand: ModbusWand, modbus_peer: ModbusPeer) -> None:
    loop, came = asyncio.get_running_loop(), []
    heard = modbus_peer.heard

    def noted(data: bytes) -> None:
        came.append(loop.time())
        heard(data)

    modbus_peer.heard = noted
    for number in range(1, 9):
        await modbus_wand.exchange(order(number), AMPLE)
        came.append(loop.time())
    answered_to_asked = [after - before for before, after in zip(came[1::2], came[2::2], strict=False)]
    assert min(answered_to_asked) >= 0.001_75


async def test_a_cancelled_exchange_leaves_the_line_usable(modbus_wand: ModbusWand, modbus_peer: ModbusPeer) -> None:
    """Its answer comes before the next one's and is not taken for it."""
    modbus_peer.script.extend([lambda asked, good: [0.04, good], lambda asked, good: [0.06, good]])
    task = asyncio.create_task(modbus_wand.exchange(order(5), AMPLE))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await modbus_wand.exchange(order(6), AMPLE)).status == truth_for(order(6))


async def test_the_right_reply_behind_a_wrong_one_is_not_the_next_answer(
    modbus_wand: ModbusWand, modbus_peer: ModbusPeer
) -> None:
    stale = table.carrying(23, pack_status(truth_for(order(4))))
    modbus_peer.script.extend([lambda asked, good: [asked.frame(stale), 0.02, good], lambda _, good: [0.06, good]])
    with pytest.raises(WireError, match="does not show order 5"):
        await modbus_wand.exchange(order(5), AMPLE)
    assert (await modbus_wand.exchange(order(6), AMPLE)).status == truth_for(order(6))


async def test_calls_wait_for_each_other(modbus_wand: ModbusWand, modbus_peer: ModbusPeer) -> None:
    readings = await asyncio.gather(*(modbus_wand.exchange(order(n), AMPLE) for n in range(1, 9)))
    assert [reading.status for reading in readings] == [truth_for(order(n)) for n in range(1, 9)]


async def test_an_answer_seen_after_its_deadline_is_not_taken(modbus_wand: ModbusWand, modbus_peer: ModbusPeer) -> None:
    def answer_and_hold_up(asked: Asked, good: bytes) -> list[bytes]:
        modbus_peer.say(good)
        time.sleep(0.1)
        return []

    modbus_peer.script.append(answer_and_hold_up)
    with pytest.raises(LinkTimeoutError):
        await modbus_wand.exchange(order(5), TICK)
    assert (await modbus_wand.exchange(order(6), AMPLE)).status == truth_for(order(6))


async def test_a_hang_up_is_closed_until_connected_again(modbus_wand: ModbusWand, modbus_peer: ModbusPeer) -> None:
    modbus_peer.script.append(lambda asked, good: (modbus_peer.say(good[:9]), modbus_peer.hang_up(), [])[2])
    with pytest.raises(LinkClosedError):
        await modbus_wand.exchange(order(5), AMPLE)
    await modbus_peer.plug()
    for _ in range(2):
        with pytest.raises(LinkClosedError):
            await modbus_wand.exchange(order(6), AMPLE)
    await modbus_wand.connect(AMPLE)
    assert (await modbus_wand.exchange(order(7), AMPLE)).status == truth_for(order(7))


async def test_closed_after_silence_stays_closed(modbus_wand: ModbusWand, modbus_peer: ModbusPeer) -> None:
    """What opens a connection anew after a silence does not do so behind the back of whoever closed it."""
    modbus_peer.script.append(nothing)
    with pytest.raises(LinkTimeoutError):
        await modbus_wand.exchange(order(1), TICK)
    modbus_wand.close()
    with pytest.raises(LinkClosedError):
        await modbus_wand.exchange(order(2), AMPLE)


async def test_a_server_that_went_away_meanwhile_is_a_closed_line(
    modbus_wand: ModbusWand, modbus_peer: ModbusPeer
) -> None:
    modbus_peer.script.append(nothing)
    with pytest.raises(LinkTimeoutError):
        await modbus_wand.exchange(order(1), TICK)
    await modbus_peer.put_away()
    with pytest.raises(LinkClosedError):
        await modbus_wand.exchange(order(2), AMPLE)


async def test_close_in_mid_exchange_wakes_it(modbus_wand: ModbusWand, modbus_peer: ModbusPeer) -> None:
    modbus_peer.script.append(nothing)
    task = asyncio.create_task(modbus_wand.exchange(order(5), AMPLE))
    await asyncio.sleep(0.02)
    modbus_wand.close()
    with pytest.raises(LinkClosedError, match="closed here"):
        await task


async def test_closed_in_mid_exchange_and_given_up_it_stays_closed(
    modbus_wand: ModbusWand, modbus_peer: ModbusPeer
) -> None:
    modbus_peer.script.append(nothing)
    task = asyncio.create_task(modbus_wand.exchange(order(5), AMPLE))
    await asyncio.sleep(0.02)
    modbus_wand.close()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    with pytest.raises(LinkClosedError):
        await modbus_wand.exchange(order(6), AMPLE)


async def test_counters_tell_what_the_line_was_like(modbus_wand: ModbusWand, modbus_peer: ModbusPeer) -> None:
    if modbus_peer.on_tcp:
        modbus_peer.script.append(lambda asked, good: [asked.frame(good[7:], number=9999) + good])
    else:
        modbus_peer.script.append(lambda asked, good: [b"\x00" + good])
    await modbus_wand.exchange(order(1), AMPLE)
    counters = modbus_wand.counters
    assert (counters.stray_frames, counters.bad_frames) == ((1, 0) if modbus_peer.on_tcp else (0, 1))
    assert (counters.exchanges, counters.timeouts, counters.refused) == (2, 0, 0)
    assert 0.0 < counters.round_trip_s < AMPLE


# --- who is there -----------------------------------------------------------------------------------------------


@pytest.mark.req("L10")
@pytest.mark.req("P05")
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda asked, good: [asked.frame(bytes([0x83, 2]))], "not a wand: exception 2"),
        (lambda asked, good: [asked.frame(b"\x03\x30" + bytes(48))], "magic 0x0000"),
        (
            lambda asked, good: [asked.frame(b"\x03\x30\x43\x57\x02\x00" + bytes(44))],
            "wire version 2.0 and this program 1.0",
        ),
    ],
)
async def test_another_device_is_refused_and_its_port_released(
    modbus_wand: ModbusWand,
    modbus_peer: ModbusPeer,
    answer: table.Make,
    words: str,
) -> None:
    modbus_peer.script.append(answer)
    with pytest.raises(IdentityError, match=words):
        await modbus_wand.connect(Seconds(0.3))
    assert not modbus_wand._link.is_open
    modbus_peer.script.clear()
    assert await modbus_wand.connect(AMPLE) == modbus_peer.identity


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda asked, good: [asked.frame(good[1:-2], unit=9)], "unit 9 spoke where unit 1 was asked: is link.unit"),
        (lambda asked, good: [b"$GPGGA,123519,4807.038,N\r\n"], "wrong baud rate, or not a wand on Modbus"),
        (lambda asked, good: [asked.frame(b"\x04" + good[2:-2])], "a reply of function 4 and 53 bytes came where"),
    ],
)
@ON_RTU
async def test_rtu_says_what_did_come(
    modbus_wand: ModbusWand, modbus_peer: ModbusPeer, answer: table.Make, words: str
) -> None:
    modbus_peer.script.extend([answer] * 9)
    with pytest.raises(LinkTimeoutError, match=words):
        await modbus_wand.connect(Seconds(0.3))


async def test_a_wrong_unit_hears_nothing_and_the_right_one_is_used_in_every_request(modbus_peer: ModbusPeer) -> None:
    line = "modbus tcp" if modbus_peer.on_tcp else "modbus rtu"
    wrong = wand_on(line, modbus_peer.port, unit=9)
    with pytest.raises(LinkTimeoutError, match=r"nothing comes back: .*unit id"):
        await wrong.connect(Seconds(0.3))
    modbus_peer.unit = 247
    right = wand_on(line, modbus_peer.port, unit=247)
    await right.connect(AMPLE)
    await right.exchange(order(1), AMPLE)
    assert Counter(asked.unit for asked in modbus_peer.seen) == {247: 2}
    right.close()


async def test_one_lost_identify_does_not_lose_the_wand(modbus_wand: ModbusWand, modbus_peer: ModbusPeer) -> None:
    modbus_peer.script.append(nothing)
    assert await modbus_wand.connect(Seconds(0.6)) == modbus_peer.identity


@ON_TCP
async def test_transaction_numbers_pass_their_end(modbus_wand: ModbusWand, modbus_peer: ModbusPeer) -> None:
    framing = modbus_wand._framing
    assert isinstance(framing, TcpFraming)
    framing._number = 0xFFFE
    for number in range(1, 5):
        assert (await modbus_wand.exchange(order(number), AMPLE)).status == truth_for(order(number))
    assert [asked.number for asked in modbus_peer.seen[-4:]] == [0xFFFF, 1, 2, 3]


async def test_a_stop_may_be_answered_under_another_sequence_but_not_with_a_lease(
    modbus_wand: ModbusWand, modbus_peer: ModbusPeer
) -> None:
    stop = order(5, Mode.OFF, 0)
    words = pack_status(truth_for(stop))
    words[19] = 900
    modbus_peer.script.append(lambda asked, good: [asked.frame(table.carrying(23, words))])
    assert (await modbus_wand.exchange(stop, AMPLE)).status.order_sequence == 900
    alive = [*words[:17], 20, *words[18:]]
    modbus_peer.script.append(lambda asked, good: [asked.frame(table.carrying(23, alive))])
    with pytest.raises(WireError, match="lease 20 ms"):
        await modbus_wand.exchange(stop, AMPLE)
