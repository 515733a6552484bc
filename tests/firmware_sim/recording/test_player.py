"""One recorded conversation against a host that asks it, or something else. The clock is the test's."""

import pytest

from cryodevice.wire.frame import Frame, encode_frame
from firmware_sim.endpoints.modbus_rtu import with_crc
from firmware_sim.recording.player import Player
from firmware_sim.recording.tape import Request


def ask(kind, number=1):
    return encode_frame(Frame(kind, number, b""))


IDENTIFY, STATUS = ask(1), ask(3)
TALK = (
    Request(IDENTIFY, 0.0, 0.0, 2, [(0.01, b"aa\0"), (0.03, b"bb\0")]),
    Request(STATUS, 1.0, 1.0, 5, []),
    Request(STATUS, 2.0, 2.0, 6, [(0.5, b"cc\0")]),
)


class Host:
    """A player, its clock, and what it has said about requests."""

    def __init__(self, talk=TALK, protocol="serial", mode="bytes", **how):
        self.now = 100.0
        self.told = []
        self.player = Player(lambda: talk, protocol, mode, lambda: self.now, self.told.append, where="f.jsonl", **how)

    def say(self, data):
        return self.player.feed(data)

    def wait(self):
        """Let the time pass that the player asks for."""
        self.now += self.player.patience_s
        return self.player.silence()


def test_the_recorded_conversation_is_answered_with_the_recorded_delays():
    host = Host()
    assert host.say(b"\0" + IDENTIFY[:2]) == b""
    assert host.player.patience_s is None
    assert host.say(IDENTIFY[2:]) == b""
    assert host.player.patience_s == pytest.approx(0.01)
    assert host.wait() == b"aa\0"
    assert host.player.patience_s == pytest.approx(0.02)
    assert host.wait() == b"bb\0"
    assert host.player.patience_s is None
    assert host.say(STATUS) + host.say(STATUS) == b""
    assert not host.player.over
    assert host.player.patience_s == pytest.approx(0.5)
    assert host.wait() == b"cc\0"
    assert host.player.over
    assert host.told == [None] * 3


def test_fast_replies_come_at_once():
    host = Host(fast=True)
    assert host.say(IDENTIFY) == b"aa\0bb\0"
    assert host.say(STATUS + STATUS) == b"cc\0"


def test_a_request_that_was_never_recorded_says_where_and_is_not_answered():
    host = Host()
    host.say(IDENTIFY)
    host.wait()
    assert host.say(IDENTIFY) == b""
    (_, complaint) = host.told
    assert complaint == (
        f"the host asked {IDENTIFY.hex(' ')}, which was not recorded there: request 2 of 3 is {STATUS.hex(' ')} "
        "(f.jsonl, line 5, 1.000 s)"
    )
    assert host.player.patience_s is None
    assert host.say(STATUS) == b""
    assert len(host.told) == 2


def test_a_request_after_the_last_says_that_the_recording_ends():
    host = Host(TALK[:1], fast=True)
    host.say(IDENTIFY)
    host.say(STATUS)
    assert host.told[1] == f"the host asked {STATUS.hex(' ')}, and the recording ends after 1 requests (f.jsonl)"


def test_a_connection_that_was_not_recorded_has_nothing_to_play():
    host = Host(())
    assert host.player.over
    host.say(STATUS)
    assert "the recording ends after 0 requests" in host.told[0]


def test_rtu_frames_are_as_long_as_the_recorded_ones_or_end_in_silence():
    first, second = with_crc(b"\x01\x03\x00\x00\x00\x01"), with_crc(b"\x01\x2b\x0e\x01\x00")
    talk = (Request(first, 0.0, 0.0, 2, [(0.0, b"one")]), Request(second, 1.0, 1.0, 4, [(0.0, b"two")]))
    host = Host(talk, "rtu")
    assert host.say(first + second[:3]) == b"one"
    assert host.say(second[3:]) == b"two"
    host = Host(talk, "rtu")
    host.say(first[:4])
    assert host.told == []
    host.wait()
    assert f"the host asked {first[:4].hex(' ')}, which was not recorded" in host.told[0]


POLLS = tuple(
    Request(ask(kind), at / 10, at / 10, at, [(0.0, bytes((at,)))]) for at, kind in enumerate((1, 3, 3, 3, 3, 1, 3))
)


def polled(*asked):
    """What a host hears that asks at times, in tenths of a second; and the host."""
    host = Host(POLLS, mode="orders")
    start, heard = host.now, b""
    for tenths, kind in asked:
        host.now = start + tenths / 10
        heard += host.say(ask(kind))
    return list(heard), host


def test_in_orders_polls_are_answered_by_time_and_may_be_fewer_or_more():
    heard, host = polled((0, 1), (1, 3), (4, 3), (4.5, 1), (4.6, 3))
    assert heard == [0, 1, 4, 5, 6]
    assert (host.player.played, host.player.left_out, host.player.repeated, host.player.over) == (5, 2, 0, True)
    heard, host = polled((0, 1), (1, 3), (1.5, 3), (1.8, 3), (3.1, 3), (9, 3), (10, 3), (11, 1), (12, 3), (13, 3))
    assert heard == [0, 1, 1, 2, 3, 4, 4, 5, 6, 6]
    assert (host.player.played, host.player.left_out, host.player.repeated, host.player.over) == (7, 0, 3, True)


def test_in_orders_nothing_else_may_differ():
    heard, host = polled((0, 3))
    assert (heard, "request 1 of 7" in host.told[-1]) == ([], True)
    heard, host = polled((0, 1), (1, 3), (2, 2))
    assert (heard, "request 3 of 7" in host.told[-1]) == ([0, 1], True)
    host = Host(POLLS, mode="frames")
    for kind in (1, 3, 1):
        host.say(ask(kind))
    assert "request 3 of 7" in host.told[-1]
