"""The Modbus functions on a wand in simulated time: what they read, what they write, what they refuse."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryodevice.wire.codes import Mode, Refusal
from firmware_sim.endpoints.modbus_pdu import ModbusPdu
from tests.firmware_sim.endpoints import modbus_host as host


@pytest.fixture
def pdu(bench: Any) -> Any:
    return ModbusPdu(bench.firmware)


@pytest.mark.parametrize("function", [3, 4])
def test_every_block_reads_whole_and_in_part_as_holding_and_as_input(bench: Any, pdu: Any, function: Any) -> None:
    firmware = bench.firmware
    order = list(firmware.lease.last_words)
    for start, expected in (
        (0x0000, firmware.identity_words()),
        (0x0100, firmware.status_words()),
        (0x0200, order),
        (0x02F0, [0]),
    ):
        for first in range(len(expected)):
            for count in range(1, len(expected) - first + 1):
                reply = pdu.answer(host.read(start + first, count, function))
                assert reply[0] == function
                assert host.words_of(reply) == expected[first : first + count]


def test_the_order_reads_back_as_the_last_one_accepted_and_as_zeros_after_boot(bench: Any, pdu: Any) -> None:
    bench.host.status()
    good = bench.host.words(Mode.COOL)
    assert pdu.answer(host.write_many(host.ORDER, good)) == bytes.fromhex("10 0200 0008")
    assert pdu.answer(host.write_many(host.ORDER, bench.host.words(Mode.COOL, boot_id=99))) == bytes((0x90, 3))
    assert host.words_of(pdu.answer(host.read(host.ORDER, 8))) == good
    bench.simulator.reboot()
    assert host.words_of(pdu.answer(host.read(host.ORDER, 8, 4))) == [0] * 8


@pytest.mark.req("P07")
@pytest.mark.parametrize("name", host.EXCEPTIONS)
def test_a_request_that_cannot_be_carried_out_is_its_exception_and_changes_nothing(
    bench: Any, pdu: Any, name: Any
) -> None:
    request, code = host.EXCEPTIONS[name]
    pdu.answer(host.write_one(host.SCRATCH, 77))
    before = host.unchanged(bench.firmware)
    assert pdu.answer(request) == host.exception(request, code)
    assert host.unchanged(bench.firmware) == before


def test_a_refused_order_says_why_in_the_status(bench: Any, pdu: Any) -> None:
    refused = bench.host.words(Mode.COOL, setpoint_degc=1.0)
    assert pdu.answer(host.exchange(refused)) == bytes((0x97, 3))
    status = host.words_of(pdu.answer(host.read()))
    assert (status[24], status[25]) == (Refusal.SETPOINT, 1)


def test_function_23_writes_before_it_reads_and_replies_with_one_snapshot(bench: Any, pdu: Any) -> None:
    pdu.answer(host.read())
    status = host.words_of(pdu.answer(host.exchange(bench.host.words(Mode.COOL))))
    assert status == bench.firmware.status_words()
    assert (status[3], status[17], status[19]) == (2, 500, bench.host.sequence)
    order = bench.host.words(Mode.OFF, lease_ms=0)
    assert host.words_of(pdu.answer(host.exchange(order, start=host.ORDER, count=8))) == order


def test_only_a_reply_with_the_whole_status_lets_it_be_echoed(bench: Any, pdu: Any) -> None:
    for part in (host.read(host.STATUS, 31), host.read(host.STATUS, 1), host.read(host.STATUS + 1, 31)):
        pdu.answer(part)
        assert pdu.answer(host.exchange(bench.host.words(Mode.COOL))) == bytes((0x97, 3))
        assert bench.firmware.lease.last_refusal is Refusal.ECHO
    pdu.answer(host.read(host.STATUS, 32, 4))
    assert pdu.answer(host.exchange(bench.host.words(Mode.COOL)))[0] == 23


def test_reading_advances_nothing(bench: Any, pdu: Any) -> None:
    first = pdu.answer(host.read())
    for request in (host.read(0, 24), host.read(host.ORDER, 8), host.read(host.SCRATCH, 1), host.read()):
        last = pdu.answer(request)
    assert last == first
    assert bench.simulator.time_s == 0.02


def test_the_scratch_word_keeps_what_was_written_until_boot(bench: Any, pdu: Any) -> None:
    assert pdu.answer(host.write_one(host.SCRATCH, 0xBEEF)) == bytes.fromhex("06 02F0 BEEF")
    assert host.words_of(pdu.answer(host.read(host.SCRATCH, 1))) == [0xBEEF]
    assert pdu.answer(host.write_many(host.SCRATCH, [0])) == bytes.fromhex("10 02F0 0001")
    assert host.words_of(pdu.answer(host.read(host.SCRATCH, 1, 4))) == [0]
    pdu.answer(host.write_one(host.SCRATCH, 1))
    bench.simulator.reboot()
    assert host.words_of(pdu.answer(host.read(host.SCRATCH, 1))) == [0]


def test_a_broadcast_writes_the_scratch_word_and_never_an_order(bench: Any, pdu: Any) -> None:
    epoch = bench.firmware.lease.epoch
    for order in (bench.host.words(), bench.host.words(Mode.OFF, lease_ms=0)):
        pdu.broadcast(host.write_many(host.ORDER, order))
        pdu.broadcast(host.exchange(order))
    for other in (host.read(), b"", b"\x06", b"\x10\x02\xf0", host.write_many(host.SCRATCH, [1, 2])):
        pdu.broadcast(other)
    assert (bench.firmware.lease.epoch, bench.firmware.lease.refusals, bench.firmware.scratch) == (epoch, 0, 0)
    pdu.broadcast(host.write_one(host.SCRATCH, 5))
    assert bench.firmware.scratch == 5
    pdu.broadcast(host.write_many(host.SCRATCH, [6]))
    assert bench.firmware.scratch == 6


def test_a_reply_is_no_request(pdu: Any) -> None:
    for function in range(0x80, 0x100):
        assert pdu.answer(bytes((function, 3))) is None
    assert pdu.answer(b"") is None


def test_a_frozen_status_is_frozen_in_part_too(bench: Any, pdu: Any) -> None:
    before = pdu.answer(host.read())
    bench.firmware.quirks.status_frozen = True
    bench.run(0.1)
    assert pdu.answer(host.read()) == before
    assert host.words_of(pdu.answer(host.read(host.STATUS, 1))) == host.words_of(before)[:1]


OURS = st.builds(
    lambda function, rest: bytes([function]) + rest, st.sampled_from([3, 4, 6, 16, 23]), st.binary(max_size=30)
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.one_of(st.binary(max_size=260), OURS))
def test_any_request_has_a_reply_that_fits_a_frame(new_bench: Any, asked: Any) -> None:
    reply = ModbusPdu(new_bench().firmware).answer(asked)
    if not asked or asked[0] & 0x80:
        assert reply is None
    elif reply[0] & 0x80:
        assert (reply[0], len(reply)) == (asked[0] | 0x80, 2)
        assert reply[1] in (1, 2, 3)
    else:
        assert reply[0] == asked[0]
        assert reply[0] in (3, 4, 6, 16, 23)
        assert len(reply) <= 253
