"""Replies a Modbus master must not take, and some it must: one table for the tests and for the measurement.

A wrong reply carries values that would pass for true ones, so that nothing but its form can betray it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from cryodevice.quantities import Celsius, Milliseconds
from cryodevice.wire.blocks import Identity, Order, Status, pack_identity, pack_status
from cryodevice.wire.codes import Mode
from tests.contracts.modbus_peer import Asked
from tests.contracts.peers import IDENTITY, RESTING, Step, truth_for

FUNCTIONS = {3: "FC 3, identify", 4: "FC 4, read status", 16: "FC 16, write order", 23: "FC 23, exchange"}
LATE_S = 0.06
"""How long after its request the late reply comes; the request is given less."""
ORDER = Order(5, Mode.COOL, Celsius(8.0), Milliseconds(500), 7, 42, 0xBEEF)
OTHER_ORDER = replace(ORDER, sequence=4)
RIGHT, REFUSED, TAKEN = "right", "refused", "TAKEN"


def other_identity() -> Identity:
    return replace(IDENTITY, serial_number=IDENTITY.serial_number + 1)


def other_status(status: Status) -> Status:
    return replace(status, plate_a_degc=Celsius(30.0))


def wrong_words(function: int) -> list[int]:
    """What a wrong reply to this function carries: another wand's identity, another temperature."""
    if function == 3:
        return pack_identity(other_identity())
    return pack_status(other_status(truth_for(ORDER) if function == 23 else RESTING))


def carrying(function: int, words: Sequence[int]) -> bytes:
    return bytes([function, 2 * len(words)]) + b"".join(word.to_bytes(2, "big") for word in words)


Make = Callable[[Asked, bytes], Sequence[Step]]


@dataclass(frozen=True)
class Stimulus:
    """One kind of reply.

    Args:
        name: For a person.
        make: From the request and its right reply (whole frame) to what is sent instead.
        answers: Whether the right value is in it and may be taken.
        functions: Those it can be made for.
        lines: ``rtu``, ``tcp``.
        late: Sent to a request that is given up; what counts is the next one.
    """

    name: str
    make: Make
    answers: bool = False
    functions: tuple[int, ...] = (3, 4, 16, 23)
    lines: tuple[str, ...] = ("rtu", "tcp")
    late: bool = False


def _body(asked: Asked) -> bytes:
    """The form of a right reply, with other values."""
    return asked.body[:5] if asked.function == 16 else carrying(asked.function, wrong_words(asked.function))


def _before(asked: Asked) -> bytes:
    """The form of a right reply to the request before: no host orders the same order twice."""
    if asked.function != 23:
        return _body(asked)
    return carrying(23, pack_status(other_status(truth_for(OTHER_ORDER))))


def _another_function(asked: Asked, good: bytes) -> list[Step]:
    other = {3: 4, 4: 3, 16: 3, 23: 3}[asked.function]
    words = wrong_words(asked.function) if asked.function != 16 else [0x0008]
    return [asked.frame(carrying(other, words))]


def _words(change: Callable[[list[int]], list[int]]) -> Make:
    return lambda asked, good: [asked.frame(carrying(asked.function, change(wrong_words(asked.function))))]


def _odd(asked: Asked, good: bytes) -> list[Step]:
    body = _body(asked)
    return [asked.frame(bytes([body[0], body[1] - 1]) + body[2:-1])]


def _stale(asked: Asked, good: bytes) -> list[Step]:
    return [asked.frame(carrying(23, pack_status(truth_for(OTHER_ORDER))))]


def _single_bytes(asked: Asked, good: bytes) -> list[Step]:
    return [step for byte in good for step in (bytes([byte]), 0.0)]


def _spoilt_crc(asked: Asked, good: bytes) -> list[Step]:
    wrong = asked.frame(_body(asked))
    return [wrong[:-1] + bytes([wrong[-1] ^ 0x01])]


READS = (3, 4, 23)
STIMULI = {
    stimulus.name: stimulus
    for stimulus in (
        Stimulus("another function", _another_function),
        Stimulus("echo of FC 6", lambda asked, good: [asked.frame(bytes.fromhex("06 02F0 0001"))]),
        Stimulus("one register fewer", _words(lambda words: words[:-1]), functions=READS),
        Stimulus("one register more", _words(lambda words: [*words, 0]), functions=READS),
        Stimulus("one register", _words(lambda words: words[:1]), functions=READS),
        Stimulus("odd byte count", _odd, functions=READS),
        Stimulus("zero bytes", lambda asked, good: [asked.frame(bytes([asked.function, 0]))], functions=READS),
        Stimulus(
            "byte count says more than there is",
            lambda asked, good: [asked.frame(_body(asked)[:1] + b"\x50" + _body(asked)[2:])],
            functions=READS,
        ),
        Stimulus(
            "echo of another address",
            lambda asked, good: [asked.frame(bytes.fromhex("10 0100 0008"))],
            functions=(16,),
        ),
        Stimulus(
            "echo of another count", lambda asked, good: [asked.frame(bytes.fromhex("10 0200 0007"))], functions=(16,)
        ),
        Stimulus(
            "exception for another function",
            lambda asked, good: [asked.frame(bytes([{3: 4, 4: 3, 16: 23, 23: 16}[asked.function] | 0x80, 3]))],
        ),
        Stimulus("another unit", lambda asked, good: [asked.frame(_body(asked), unit=9)]),
        Stimulus(
            "another transaction number",
            lambda asked, good: [asked.frame(_body(asked), number=asked.number ^ 0x0101)],
            lines=("tcp",),
        ),
        Stimulus(
            "another protocol number",
            lambda asked, good: [good[:2] + b"\x00\x01" + asked.frame(_body(asked))[4:]],
            lines=("tcp",),
        ),
        Stimulus("stale order sequence", _stale, functions=(23,)),
        Stimulus(
            "late reply to the request before", lambda asked, good: [LATE_S, asked.frame(_before(asked))], late=True
        ),
        Stimulus("bad CRC", _spoilt_crc, lines=("rtu",)),
        Stimulus("truncated", lambda asked, good: [asked.frame(_body(asked))[:-1]]),
        Stimulus("one noise byte before", lambda asked, good: [b"\x00" + good], answers=True, lines=("rtu",)),
        Stimulus("a noise byte like the unit", lambda asked, good: [b"\x01" + good], answers=True, lines=("rtu",)),
        Stimulus(
            "noise byte in the stream before", lambda asked, good: [b"\x7f" + asked.frame(_body(asked))], lines=("tcp",)
        ),
        Stimulus("in single bytes", _single_bytes, answers=True),
        Stimulus("garbage behind", lambda asked, good: [good + b"\xff\x00\x13"], answers=True),
    )
}
