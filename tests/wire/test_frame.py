"""The serial frame: CRC, COBS and the reader, by table and by property."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryodevice.errors import WireError
from cryodevice.wire.frame import (
    MAX_ENCODED,
    Frame,
    FrameReader,
    cobs_decode,
    cobs_encode,
    crc16_xmodem,
    decode_frame,
    encode_frame,
)

FRAMES = st.builds(Frame, st.integers(1, 255), st.integers(0, 255), st.binary(max_size=250))
ZERO_RICH = st.lists(st.sampled_from([0, 0, 0, 1, 2, 254, 255]), max_size=600).map(bytes)


def bitwise_crc(data: bytes) -> int:
    """CRC-16/XMODEM one bit at a time, from its definition."""
    register = 0
    for byte in data:
        register ^= byte << 8
        for _ in range(8):
            register = (register << 1 ^ (0x1021 if register & 0x8000 else 0)) & 0xFFFF
    return register


def test_crc_check_value() -> None:
    assert crc16_xmodem(b"123456789") == 0x31C3


@given(st.binary(max_size=300))
def test_crc_is_the_bitwise_definition(data: bytes) -> None:
    assert crc16_xmodem(data) == bitwise_crc(data)


@pytest.mark.parametrize(
    ("data", "encoded"),
    [
        pytest.param("", "01", id="nothing"),
        pytest.param("00", "01 01", id="one zero"),
        pytest.param("00 00", "01 01 01", id="two zeros"),
        pytest.param("00 11 00", "01 02 11 01", id="zero at both ends"),
        pytest.param("11 22 00 33", "03 11 22 02 33", id="zero inside"),
        pytest.param("11 22 33 44", "05 11 22 33 44", id="no zero"),
        pytest.param("11 00 00 00", "02 11 01 01 01", id="zeros at the end"),
    ],
)
def test_cobs_by_table(data: str, encoded: str) -> None:
    assert cobs_encode(bytes.fromhex(data)) == bytes.fromhex(encoded)
    assert cobs_decode(bytes.fromhex(encoded)) == bytes.fromhex(data)


RUN = bytes(range(1, 255))


@pytest.mark.parametrize(
    ("data", "encoded"),
    [
        pytest.param(RUN[:-1], b"\xfe" + RUN[:-1], id="253"),
        pytest.param(RUN, b"\xff" + RUN, id="254, no further 01"),
        pytest.param(RUN + b"\xff", b"\xff" + RUN + b"\x02\xff", id="255"),
        pytest.param(b"\0" + RUN, b"\x01\xff" + RUN, id="zero, 254"),
        pytest.param(RUN + b"\0", b"\xff" + RUN + b"\x01\x01", id="254, zero"),
        pytest.param(RUN + b"\0\x05", b"\xff" + RUN + b"\x01\x02\x05", id="254, zero, one"),
        pytest.param(RUN + RUN, b"\xff" + RUN + b"\xff" + RUN, id="508"),
    ],
)
def test_cobs_at_the_boundary_of_254(data: bytes, encoded: bytes) -> None:
    assert cobs_encode(data) == encoded
    assert cobs_decode(encoded) == data


def test_a_needless_01_after_a_full_group_decodes_to_the_same() -> None:
    assert cobs_decode(b"\xff" + RUN + b"\x01") == RUN


@given(ZERO_RICH | st.binary(max_size=600))
def test_cobs_round_trip_without_a_zero(data: bytes) -> None:
    encoded = cobs_encode(data)
    assert 0 not in encoded
    assert len(encoded) <= len(data) + 1 + len(data) // 254
    assert cobs_decode(encoded) == data


@pytest.mark.parametrize("encoded", ["00", "02", "03 11", "05 11 22 33", "02 11 00", "ff 01 02", "01 00"])
def test_bad_cobs_is_refused_with_its_bytes(encoded: str) -> None:
    with pytest.raises(WireError, match="bad COBS") as caught:
        cobs_decode(bytes.fromhex(encoded))
    assert caught.value.evidence["frame"] == encoded.replace(" ", "")


@given(FRAMES)
def test_a_frame_comes_back(frame: Frame) -> None:
    encoded = encode_frame(frame)
    assert encoded.index(0) == len(encoded) - 1
    assert len(encoded) <= MAX_ENCODED
    assert decode_frame(encoded[:-1]) == frame


@pytest.mark.parametrize("payload", [bytes(251), b"\x55" * 251])
def test_a_payload_of_251_is_too_long(payload: bytes) -> None:
    with pytest.raises(WireError, match="longer than 256"):
        encode_frame(Frame(2, 1, payload))


@pytest.mark.parametrize(("kind", "sequence"), [(0, 1), (256, 1), (-1, 1), (1, 256), (1, -1)])
def test_a_type_or_sequence_outside_its_range_is_not_sent(kind: int, sequence: int) -> None:
    with pytest.raises(WireError, match="type in 1"):
        encode_frame(Frame(kind, sequence, b""))


def sealed(body: bytes) -> bytes:
    return cobs_encode(body + crc16_xmodem(body).to_bytes(2, "big"))


@pytest.mark.parametrize(
    ("encoded", "why"),
    [
        pytest.param(b"", "too short", id="nothing"),
        pytest.param(sealed(b""), "too short", id="crc alone"),
        pytest.param(sealed(b"\x03"), "too short", id="no sequence"),
        pytest.param(sealed(b"\x00\x05"), "type 0", id="type 0"),
        pytest.param(sealed(b"\x03\x05")[:-1] + b"\x99", "bad CRC", id="crc"),
        pytest.param(b"\x09" + sealed(b"\x03\x05")[1:], "bad COBS", id="cobs"),
        pytest.param(sealed(b"\x02\x05" + b"\x55" * 251), "longer than 256", id="too long"),
    ],
)
def test_a_bad_frame_says_why_and_is_counted_once(encoded: bytes, why: str) -> None:
    with pytest.raises(WireError, match=why) as caught:
        decode_frame(encoded)
    assert caught.value.evidence["frame"] == encoded.hex()
    reader = FrameReader()
    assert reader.feed(encoded + b"\0") == []
    assert reader.bad_frames == (1 if encoded else 0)


@given(FRAMES, st.data())
def test_one_wrong_bit_never_passes(frame: Frame, data: st.DataObject) -> None:
    """A CRC of 16 bits finds every single-bit error; one that makes a zero cuts the frame, which the CRC finds too."""
    encoded = bytearray(encode_frame(frame))
    bit = data.draw(st.integers(0, 8 * (len(encoded) - 1) - 1))
    encoded[bit // 8] ^= 1 << bit % 8
    assert frame not in FrameReader().feed(bytes(encoded))


PIECES = st.lists(
    st.one_of(FRAMES.map(encode_frame), st.binary(max_size=40), st.just(b"\0"), st.binary(min_size=250, max_size=700)),
    max_size=8,
)


@given(PIECES, st.data())
def test_the_cut_of_a_stream_changes_nothing(pieces: list[bytes], data: st.DataObject) -> None:
    line = b"".join(pieces)
    whole, cut = FrameReader(), FrameReader()
    expected = whole.feed(line)
    places = sorted(data.draw(st.lists(st.integers(0, len(line)), max_size=12)))
    got = [
        frame
        for start, end in zip([0, *places], [*places, len(line)], strict=True)
        for frame in cut.feed(line[start:end])
    ]
    assert (got, cut.bad_frames) == (expected, whole.bad_frames)


@given(st.lists(st.binary(max_size=400), max_size=6), FRAMES)
def test_garbage_never_raises_and_a_zero_brings_back_step(garbage: list[bytes], frame: Frame) -> None:
    reader = FrameReader()
    for piece in garbage:
        reader.feed(piece)
    assert reader.feed(b"\0" + encode_frame(frame))[-1:] == [frame]


@given(st.lists(FRAMES, max_size=6))
def test_good_frames_all_arrive_in_order_and_none_is_counted(frames: list[Frame]) -> None:
    reader = FrameReader()
    assert reader.feed(b"\0".join(encode_frame(frame) for frame in frames)) == frames
    assert reader.bad_frames == 0


def test_the_buffer_stays_small_while_garbage_arrives() -> None:
    reader = FrameReader()
    for _ in range(1000):
        reader.feed(b"\x55" * 100)
        assert len(reader._buffer) < MAX_ENCODED
    assert reader.bad_frames == 0
    reader.feed(b"\0")
    assert reader.bad_frames == 1
