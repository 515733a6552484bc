"""When a request is the recorded one, and what the host then hears, on each protocol and in each mode."""

import struct

import pytest

from cryodevice.wire.frame import Frame, decode_frame, encode_frame
from firmware_sim.endpoints.modbus_rtu import with_crc
from firmware_sim.recording.match import Matcher

THEN = {"sequence": 5, "mode": 1, "setpoint": 800, "lease": 500, "echo": 1000, "boot": 7, "token": 0x1111, "key": 0}
NOW = THEN | {"sequence": 900, "echo": 1003, "token": 0x2222}
MODES = ("bytes", "frames", "orders")


def words(order):
    return struct.pack(">8H", *order.values())


def status(number, token, lease_ms, uptime_ms=7, sequence=1010, orders=0x1111):
    fields = [0] * 32
    fields[0], fields[1], fields[2] = sequence, uptime_ms >> 16, uptime_ms & 0xFFFF
    fields[17], fields[19], fields[22], fields[23] = lease_ms, number, token, orders
    return struct.pack(">32H", *fields)


def serial(kind, number, payload=b""):
    return encode_frame(Frame(kind, number, payload))


def mbap(pdu, number):
    return struct.pack(">HHHB", number, 0, len(pdu) + 1, 1) + pdu


EXCHANGE = bytes((23,)) + struct.pack(">HHHHB", 0x0100, 32, 0x0200, 8, 16)
FRAMES = {
    "serial": (lambda order, n: serial(2, n, words(order)), lambda told, n: serial(0x82, n, told)),
    "tcp": (lambda order, n: mbap(EXCHANGE + words(order), n), lambda told, n: mbap(b"\x17\x40" + told, n)),
    "rtu": (
        lambda order, _: with_crc(b"\x01" + EXCHANGE + words(order)),
        lambda told, _: with_crc(b"\x01\x17\x40" + told),
    ),
}


@pytest.mark.parametrize("protocol", FRAMES)
@pytest.mark.parametrize("mode", MODES)
def test_the_same_bytes_are_the_same_and_answered_with_the_same(protocol, mode):
    ask, answer = FRAMES[protocol]
    matcher = Matcher(protocol, mode)
    request, reply = ask(THEN, 3), answer(status(5, 0x1111, 480), 3)
    assert matcher.same(request, request)
    matcher.answer(request, request, [])
    assert matcher.reply(reply) == reply
    assert matcher.reply(reply + reply) == reply + reply


@pytest.mark.parametrize("protocol", ["serial", "tcp"])
def test_frame_numbers_are_the_hosts_affair_but_in_bytes(protocol):
    ask, answer = FRAMES[protocol]
    then, now = ask(THEN, 3), ask(THEN, 77)
    assert [Matcher(protocol, mode).same(then, now) for mode in MODES] == [False, True, True]
    matcher = Matcher(protocol, "frames")
    matcher.answer(then, now, [])
    assert matcher.reply(answer(status(5, 1, 1), 3)) == answer(status(5, 1, 1), 77)
    stray = answer(status(5, 1, 1), 200)
    assert matcher.reply(stray) == stray


@pytest.mark.parametrize("protocol", FRAMES)
def test_in_orders_the_hosts_own_numbers_are_shown_and_the_lease_counts_from_its_echo(protocol):
    ask, answer = FRAMES[protocol]
    then, now = ask(THEN, 3), ask(NOW, 4)
    assert [Matcher(protocol, mode).same(then, now) for mode in MODES] == [False, False, True]
    matcher = Matcher(protocol, "orders")
    matcher.answer(then, now, [])
    assert matcher.reply(answer(status(5, 0x1111, 420), 3)) == answer(status(900, 0x2222, 480), 4 if then != now else 3)
    assert matcher.reply(answer(status(4, 0, 0), 3)) == answer(status(4, 0, 0), 4)


@pytest.mark.parametrize("field", ["mode", "setpoint", "lease", "boot", "key"])
@pytest.mark.parametrize("protocol", FRAMES)
def test_what_an_order_asks_for_must_be_the_same_in_every_mode(protocol, field):
    ask, _ = FRAMES[protocol]
    assert not any(Matcher(protocol, mode).same(ask(THEN, 3), ask(THEN | {field: 2}, 3)) for mode in MODES)


@pytest.mark.parametrize("protocol", FRAMES)
def test_in_orders_a_refused_order_sets_no_lease(protocol):
    ask, answer = FRAMES[protocol]
    matcher, told = Matcher(protocol, "orders"), answer(status(5, 0x1111, 420), 3)
    matcher.answer(ask(THEN, 3), ask(NOW, 3), [told])
    before = matcher.reply(told)
    matcher.answer(ask(THEN | {"echo": 1002}, 3), ask(NOW | {"echo": 1008}, 3), [b"refused"])
    assert matcher.reply(told) == before
    matcher.answer(ask(THEN | {"echo": 1002}, 3), ask(NOW | {"echo": 1008}, 3), [told])
    assert matcher.reply(told) != before


@pytest.mark.parametrize("protocol", FRAMES)
def test_in_orders_time_and_orders_are_those_of_a_host_that_polls_less_or_more(protocol):
    ask, answer = FRAMES[protocol]
    stop, told = ask(THEN | {"mode": 0, "lease": 0}, 3), answer(status(5, 0x1111, 0), 3)
    for times, now_s, sequence, uptime_ms, orders in (
        (-1, 1.901, 1005, 65436, 0x1110),
        (1, 2.065, 1013, 65596, 0x1112),
    ):
        matcher = Matcher(protocol, "orders")
        assert matcher.polls(stop)
        matcher.repeat(stop, [told], times)
        matcher.at(2.0, now_s)
        shown = matcher.reply(answer(status(5, 0x1111, 0, 65536), 3))
        assert shown == answer(status(5, 0x1111, 0, uptime_ms, sequence, orders), 3)
        matcher.answer(ask(THEN, 3), ask(NOW | {"echo": 1000 + 5 * times}, 3), [])
        late_ms = 20 * (5 * times - (-5 if times < 0 else 3))
        shown = matcher.reply(answer(status(5, 0x1111, 400, 65536), 3))
        assert shown == answer(status(900, 0x2222, 400 + late_ms, uptime_ms, sequence, orders), 3)


def test_what_drives_is_no_poll():
    ask, _ = FRAMES["serial"]
    matcher = Matcher("serial", "orders")
    assert [matcher.polls(request) for request in (serial(1, 1), serial(3, 1))] == [True, True]
    for other in ({}, {"mode": 0}, {"mode": 0, "lease": 0, "key": 0x5AFE}):
        assert not matcher.polls(ask(THEN | other, 1))
    assert not Matcher("serial", "frames").polls(serial(3, 1))
    assert not matcher.polls(b"\x55\0")


@pytest.mark.parametrize("mode", MODES)
def test_another_kind_of_request_and_a_bad_frame_are_not_the_same(mode):
    matcher = Matcher("serial", mode)
    assert not matcher.same(serial(1, 3), serial(3, 3))
    bad = serial(1, 3)[:-2] + b"\x55\0"
    assert matcher.same(bad, bad)
    assert not matcher.same(bad, serial(1, 3))
    assert not Matcher("tcp", mode).same(b"\0\1\0", b"\0\2\0")
    matcher.answer(bad, bad, [])
    assert matcher.reply(b"\x55\x55\0half") == b"\x55\x55\0half"


def test_modbus_requests_without_an_order_keep_all_their_bytes():
    for pdu in (b"\x03\x01\x00\x00\x20", b"\x10\x02\xf0\x00\x01\x02\x00\x05", b"\x17" + bytes(9), b"\x10\x02\x00"):
        other = pdu[:-1] + bytes((pdu[-1] ^ 1,))
        assert Matcher("rtu", "orders").same(with_crc(b"\x01" + pdu), with_crc(b"\x01" + pdu))
        assert not Matcher("rtu", "orders").same(with_crc(b"\x01" + pdu), with_crc(b"\x01" + other))


def test_the_frames_of_this_test_are_good_ones():
    assert decode_frame(serial(2, 3, words(THEN))[:-1]).payload == words(THEN)
