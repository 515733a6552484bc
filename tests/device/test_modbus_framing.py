"""The frame that may answer is found in whatever way the bytes come, and nothing else is taken for it."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU

from cryodevice.device import modbus_codec as codec
from cryodevice.device.modbus_framing import Framing, RtuFraming, TcpFraming
from cryodevice.errors import WireError
from cryodevice.quantities import Celsius, Milliseconds, Seconds
from cryodevice.wire.blocks import Order
from cryodevice.wire.codes import Mode

UNIT = 23  # as FC 23 is numbered: heads may overlap themselves
ORDER = Order(7, Mode.COOL, Celsius(8.0), Milliseconds(500), 0x1234, 3, 0xBEEF)
EXCHANGE = codec.exchange_request(ORDER)
BODY = b"\x17\x40" + bytes(range(64))
NUMBER = 1


def on_rtu(body: bytes, unit: int = UNIT) -> bytes:
    return FramerRTU(DecodePDU(False)).encode(body, unit, 0)


def on_tcp(body: bytes, unit: int = UNIT, number: int = NUMBER) -> bytes:
    return FramerSocket(DecodePDU(False)).encode(body, unit, number)


def rtu() -> RtuFraming:
    framing = RtuFraming(UNIT, Seconds(0.0))
    framing.begin(EXCHANGE)
    return framing


def tcp() -> TcpFraming:
    framing = TcpFraming(UNIT)
    framing.begin(EXCHANGE)
    return framing


def fed(framing: Framing, data: bytes, cuts: list[int]) -> bytes | None:
    """What comes of ``data`` fed in pieces; pieces after the answer are not fed."""
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for begin, end in itertools.pairwise(edges):
        if (body := framing.feed(data[begin:end])) is not None:
            return body
    return None


@pytest.mark.req("L07")
@given(st.lists(st.integers(0, 80), max_size=8), st.booleans())
@settings(max_examples=60, deadline=None)
def test_an_answer_in_any_pieces(cuts: list[int], over_tcp: bool) -> None:
    assert fed(tcp(), on_tcp(BODY), cuts) == BODY if over_tcp else fed(rtu(), on_rtu(BODY), cuts) == BODY


@pytest.mark.req("L07")
@given(st.binary(max_size=40), st.lists(st.integers(0, 120), max_size=8))
@settings(max_examples=100, deadline=None)
def test_rtu_finds_the_answer_behind_garbage(garbage: bytes, cuts: list[int]) -> None:
    framing = rtu()
    body = fed(framing, garbage + on_rtu(BODY), cuts)
    if b"\x17\x17" in garbage + b"\x17" or b"\x17\x97" in garbage:
        assert body in {BODY, None}, "a head in the garbage may make it wait for more; never a wrong answer"
    else:
        assert body == BODY
        assert framing.bad_frames == (1 if garbage else 0)


def test_rtu_looks_again_from_the_next_byte_when_a_frame_fails() -> None:
    assert rtu().feed(b"\x17" + on_rtu(BODY)) == BODY
    assert rtu().feed(b"\x17\x97\x03\x00\x00" + on_rtu(BODY)) == BODY
    assert rtu().feed(on_rtu(BODY)[:-1] + b"\x00" + on_rtu(BODY)) == BODY


def test_rtu_does_not_look_inside_a_frame_that_may_still_be_right() -> None:
    inside = on_rtu(b"\x97\x03")
    body = b"\x17\x40" + bytes(10) + inside + bytes(64 - 10 - len(inside))
    whole = on_rtu(body)
    framing = rtu()
    assert framing.feed(whole[:40]) is None
    assert framing.feed(whole[40:]) == body


@pytest.mark.req("L05")
@pytest.mark.req("L06")
def test_no_turned_bits_make_an_answer() -> None:
    """All single and many double, triple and burst errors of a frame: CRC, head and length reject every one."""
    whole = on_rtu(BODY)
    for bit in range(8 * len(whole)):
        wrong = bytearray(whole)
        wrong[bit // 8] ^= 1 << bit % 8
        assert rtu().feed(bytes(wrong)) is None
    chance = random.Random(20_261)  # noqa: S311  # noise, not a secret
    for _ in range(4000):
        wrong = bytearray(whole)
        for _ in range(chance.randint(2, 5)):
            bit = chance.randrange(8 * len(whole))
            wrong[bit // 8] ^= 1 << bit % 8
        if wrong != whole:
            assert rtu().feed(bytes(wrong)) is None


@pytest.mark.req("L08")
def test_garbage_costs_neither_memory_nor_more_than_one_look_at_each_byte() -> None:
    framing = rtu()
    for _ in range(100):
        assert framing.feed(b"\x17\x17\x40\x17\x97" * 400) is None
    assert len(framing._received) <= 80
    framing = tcp()
    assert framing.feed(on_tcp(BODY, number=9) * 900) is None
    assert (len(framing._received), framing.stray_frames) == (0, 900)


@pytest.mark.parametrize(
    ("heard", "words"),
    [
        (b"", ""),
        (b"\x17\x17", ""),
        (b"noise on the line", ""),
        (on_rtu(b"\x04\x40" + bytes(64)), "a reply of function 4 and 69 bytes came where function 23 was asked"),
        (on_rtu(b"\x17\x04" + bytes(4)), "a reply of function 23 and 9 bytes"),
        (on_rtu(BODY, unit=9), "unit 9 spoke where unit 23 was asked"),
        (rtu()._sent, "the line echoes what is sent and nothing else comes"),
    ],
)
def test_a_silence_is_explained_by_what_did_come(heard: bytes, words: str) -> None:
    framing = rtu()
    if heard:
        assert framing.feed(heard) is None
    said = framing.end()
    assert words in said
    assert bool(words) == bool(said)
    assert framing.bad_frames == bool(heard)


def test_an_adapter_that_echoes_costs_nothing() -> None:
    for request in (EXCHANGE, codec.IDENTIFY, codec.READ_STATUS, codec.write_request(ORDER)):
        framing = RtuFraming(UNIT, Seconds(0.0))
        sent = framing.begin(request)
        body = request.head + bytes(request.size - len(request.head))
        assert framing.feed(sent + on_rtu(body)) == body


@pytest.mark.parametrize(
    "wrong",
    [
        b"\x00" + on_tcp(BODY),
        b"\x00\x01\x00\x01\x00\x03\x17\x97\x03",
        b"\x00\x01\x00\x00\x00\x02\x17\x97",
        b"\x00\x01\x00\x00\x00\xff" + bytes(300),
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ],
)
def test_tcp_gives_up_what_is_no_stream_of_its_own(wrong: bytes) -> None:
    with pytest.raises(WireError, match="not Modbus TCP"):
        tcp().feed(wrong)


def test_tcp_takes_only_its_own_number_and_unit() -> None:
    framing = tcp()
    assert framing.feed(on_tcp(BODY, number=NUMBER + 1) + on_tcp(BODY)) == BODY
    assert (framing.stray_frames, framing.bad_frames) == (1, 0)
    with pytest.raises(WireError, match="unit 9 answered where unit 23 was asked"):
        tcp().feed(on_tcp(BODY, unit=9))
    half = tcp()
    assert half.feed(on_tcp(BODY)[:-1]) is None
    assert half.end() == ""
    assert half.bad_frames == 1
