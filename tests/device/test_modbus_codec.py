"""The Modbus codec against the worked example of docs/wire.md, and what it makes of replies that answer nothing."""

import re
import struct
from pathlib import Path

import pytest

from cryodevice.device import modbus_codec as codec
from cryodevice.device.modbus_framing import RtuFraming, TcpFraming
from cryodevice.errors import IdentityError, OrderRefusedError, WireError
from cryodevice.quantities import Celsius, Milliseconds, Seconds
from cryodevice.wire.blocks import Order
from cryodevice.wire.codes import Mode, Refusal

ORDER = Order(7, Mode.COOL, Celsius(8.0), Milliseconds(500), 0x1234, 3, 0xBEEF)
EXCHANGE = codec.exchange_request(ORDER)
WRITE = codec.write_request(ORDER)
REQUESTS = {"fc3": codec.IDENTIFY, "fc4": codec.READ_STATUS, "fc16": WRITE, "fc23": EXCHANGE}
GOOD = {
    "fc3": b"\x03\x30" + bytes(48),
    "fc4": b"\x04\x40" + bytes(64),
    "fc16": b"\x10\x02\x00\x00\x08",
    "fc23": b"\x17\x40" + bytes(64),
}


def status_words(order_sequence: int = 7, lease_ms: int = 488) -> list[int]:
    words = [0] * 32
    words[17], words[19] = lease_ms, order_sequence
    return words


def fc23(words: list[int]) -> bytes:
    return struct.pack(f">BB{len(words)}H", 23, 2 * len(words), *words)


def test_the_exchange_of_the_document_on_rtu_to_the_byte() -> None:
    document = (Path(__file__).parents[2] / "docs" / "wire.md").read_text()
    head, order = re.search(r"as FC 23 on RTU: `([0-9A-F ]+)`.*?16 bytes `([0-9A-F ]+)`", document, re.DOTALL).groups()
    expected = bytes.fromhex(head) + bytes.fromhex(order) + bytes.fromhex("10 C0")
    assert RtuFraming(1, Seconds(0.0)).begin(EXCHANGE) == expected


def test_every_request_to_the_byte_on_tcp() -> None:
    framing = TcpFraming(17)
    assert framing.begin(codec.IDENTIFY).hex(" ") == "00 01 00 00 00 06 11 03 00 00 00 18"
    assert framing.begin(codec.READ_STATUS).hex(" ") == "00 02 00 00 00 06 11 04 01 00 00 20"
    assert framing.begin(codec.READ_REFUSAL).hex(" ") == "00 03 00 00 00 06 11 04 01 18 00 01"
    written = framing.begin(WRITE)
    assert written.hex(" ").startswith("00 04 00 00 00 17 11 10 02 00 00 08 10 00 07 00 01 03 20")
    assert framing.begin(EXCHANGE).hex(" ").startswith("00 05 00 00 00 1b 11 17 01 00 00 20 02 00 00 08 10 00 07")


def test_transaction_numbers_come_round_and_are_never_0() -> None:
    framing = TcpFraming(1)
    numbers = [int.from_bytes(framing.begin(codec.READ_STATUS)[:2], "big") for _ in range(0x10002)]
    assert (numbers[0], numbers[0xFFFE], numbers[0xFFFF]) == (1, 0xFFFF, 1)
    assert 0 not in numbers


@pytest.mark.req("P04")
@pytest.mark.parametrize("asked", REQUESTS)
@pytest.mark.parametrize("answered", GOOD)
def test_a_right_reply_is_right_for_its_own_request_only(asked: str, answered: str) -> None:
    if asked == answered:
        codec.verify(REQUESTS[asked], GOOD[answered])
    else:
        with pytest.raises(WireError):
            codec.verify(REQUESTS[asked], GOOD[answered])


@pytest.mark.req("P04")
@pytest.mark.parametrize("asked", REQUESTS)
def test_any_one_byte_of_its_head_or_length_changed_makes_it_wrong(asked: str) -> None:
    request, good = REQUESTS[asked], GOOD[asked]
    for at in range(len(request.head)):
        for bit in range(8):
            wrong = bytearray(good)
            wrong[at] ^= 1 << bit
            with pytest.raises(WireError):
                codec.verify(request, bytes(wrong))
    for wrong in (b"", good[:1], good[:-1], good[:-2], good + b"\0", good + b"\0\0", good * 2):
        with pytest.raises(WireError):
            codec.verify(request, wrong)


@pytest.mark.req("P03")
@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 6, 0x0B, 77])
@pytest.mark.parametrize("asked", REQUESTS)
def test_an_exception_is_typed_and_carries_its_code(asked: str, code: int) -> None:
    request = REQUESTS[asked]
    with pytest.raises(codec.ExceptionReplyError, match=rf"exception {code} \(.+\) to ") as caught:
        codec.verify(request, bytes([request.function | 0x80, code]))
    assert (caught.value.code, caught.value.evidence["exception"]) == (code, code)


@pytest.mark.parametrize("asked", REQUESTS)
def test_an_exception_to_another_function_or_of_another_length_is_none(asked: str) -> None:
    function = REQUESTS[asked].function
    for wrong in (bytes([0x81, 3]), bytes([function | 0x80]), bytes([function | 0x80, 3, 0])):
        with pytest.raises(WireError) as caught:
            codec.verify(REQUESTS[asked], wrong)
        assert not isinstance(caught.value, codec.ExceptionReplyError)


def test_a_status_must_show_the_order() -> None:
    assert codec.status_after(EXCHANGE, fc23(status_words()), ORDER).lease_remaining_ms == 488
    with pytest.raises(WireError, match="does not show order 7: it shows 6"):
        codec.status_after(EXCHANGE, fc23(status_words(6)), ORDER)
    with pytest.raises(WireError, match="where 17 40 and 66 bytes belong"):
        codec.status_after(EXCHANGE, fc23(status_words()[:31]), ORDER)


@pytest.mark.parametrize("reason", [*Refusal][1:])
def test_the_reason_of_a_refusal_is_its_register(reason: Refusal) -> None:
    error = codec.refusal_of(bytes([4, 2, 0, reason]), ORDER)
    assert isinstance(error, OrderRefusedError)
    assert error.evidence == {"refusal": reason, "sequence": 7}


def test_a_refusal_without_a_reason_contradicts_itself() -> None:
    with pytest.raises(WireError, match="no refusal is on the wand's record"):
        codec.refusal_of(bytes([4, 2, 0, 0]), ORDER)
    with pytest.raises(WireError):
        codec.refusal_of(bytes([4, 4, 0, 1, 0, 1]), ORDER)


def test_what_is_no_identity_is_no_wand() -> None:
    for reply in (GOOD["fc4"], b"\x83\x02", b"\x03\x02\x43\x57", GOOD["fc3"]):
        with pytest.raises(IdentityError, match="what answers is not a wand"):
            codec.identity_of(reply)


def test_an_order_that_fits_no_register_is_never_sent() -> None:
    too_big = Order(1 << 16, Mode.COOL, Celsius(8.0), Milliseconds(500), 0, 3, 0xBEEF)
    for make in (codec.exchange_request, codec.write_request):
        with pytest.raises(WireError):
            make(too_big)
