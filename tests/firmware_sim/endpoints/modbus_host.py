"""What a Modbus host sends, good and bad, by definitions of its own; the rows of the matrix of bad requests.

Used by the tests of the slave and by the campaign that measures the same rows on real lines.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

IDENTITY, STATUS, ORDER, SCRATCH = 0x0000, 0x0100, 0x0200, 0x02F0
TOKEN = 0x1234


def crc(data: bytes) -> bytes:
    """CRC-16/MODBUS one bit at a time, low byte first."""
    register = 0xFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0xA001 if register & 1 else 0)
    return struct.pack("<H", register)


def rtu(pdu: bytes, unit: int = 1) -> bytes:
    """An RTU frame."""
    body = bytes([unit]) + pdu
    return body + crc(body)


def mbap(pdu: bytes, unit: int = 1, transaction: int = 1, protocol: int = 0) -> bytes:
    """A TCP frame."""
    return struct.pack(">HHHB", transaction, protocol, len(pdu) + 1, unit) + pdu


def read(start: int = STATUS, count: int = 32, function: int = 3) -> bytes:
    """Functions 1 to 4."""
    return struct.pack(">BHH", function, start, count)


def write_one(address: int, word: int) -> bytes:
    """Function 6."""
    return struct.pack(">BHH", 6, address, word)


def write_many(start: int, words: Sequence[int], size: int | None = None, count: int | None = None) -> bytes:
    """Function 16."""
    data = struct.pack(f">{len(words)}H", *words)
    count, size = len(words) if count is None else count, len(data) if size is None else size
    return struct.pack(">BHHB", 16, start, count, size % 256) + data


def exchange(words: Sequence[int], start: int = STATUS, count: int = 32, write_start: int = ORDER) -> bytes:
    """Function 23."""
    data = struct.pack(f">{len(words)}H", *words)
    return struct.pack(">BHHHHB", 23, start, count, write_start, len(words), len(data) % 256) + data


def words_of(pdu: bytes) -> list[int]:
    """The registers of a good reply to a read or an exchange."""
    assert pdu[1] == len(pdu) - 2, pdu.hex()
    return list(struct.unpack(f">{pdu[1] // 2}H", pdu[2:]))


def pdu_of(frame: bytes) -> bytes:
    """The PDU of a good RTU frame."""
    assert crc(frame[:-2]) == frame[-2:], frame.hex()
    return frame[1:-2]


STOP = (1, 0, 0, 0, 0, 0, TOKEN, 0)
GOOD = read()
"""The good request after each fault."""


@dataclass(frozen=True)
class Fault:
    """Something wrong on an RTU line, in pieces; ``replies``: how many answers it gets itself."""

    name: str
    pieces: tuple[bytes, ...]
    replies: int = 0
    bad_frames: int = 1


_READ = rtu(GOOD)
_OTHER_REPLY = bytes([2, 3, 40]) + struct.pack(">20H", *range(1, 21))
FAULTS = (
    Fault("truncated by one byte", (_READ[:-1],)),
    Fault("cut in half", (_READ[:4],)),
    Fault("one byte lost in the middle", (_READ[:3] + _READ[4:],)),
    Fault("bad CRC", (_READ[:-1] + bytes([_READ[-1] ^ 1]),)),
    Fault("noise byte 0x00", (b"\x00",)),
    Fault("noise byte 0x01", (b"\x01",)),
    Fault("noise byte 0xFF", (b"\xff",)),
    Fault("noise byte 0x00 glued to a good request", (b"\x00" + _READ,), replies=1),
    Fault("noise byte 0x01 glued to a good request", (b"\x01" + _READ,), replies=1),
    Fault("header of a FC 16 with 200 bytes to come", (bytes.fromhex("01 10 02 00 00 64 C8"),)),
    Fault("300 bytes of 0x55", (b"\x55" * 300,)),
    Fault("another unit's reply of 20 registers", (_OTHER_REPLY + crc(_OTHER_REPLY),), bad_frames=0),
    Fault("another unit's request", (rtu(GOOD, 9),), bad_frames=0),
    Fault("our own reply, echoed", (rtu(b"\x83\x02"),), bad_frames=0),
    Fault("two good requests back to back", (_READ + _READ,), replies=2, bad_frames=0),
)
DRIP = Fault("a good request, one byte each 2 ms", tuple(bytes([byte]) for byte in _READ), replies=1, bad_frames=0)
DRIP_S = 0.002

UNSUPPORTED = {
    1: "01 00 00 00 01",
    2: "02 00 00 00 01",
    5: "05 00 00 FF 00",
    7: "07",
    8: "08 00 00 12 34",
    15: "0F 00 00 00 08 01 FF",
    17: "11",
    20: "14 07 06 00 01 00 00 00 01",
    22: "16 02 F0 FF FF 00 00",
    24: "18 00 00",
    43: "2B 0E 01 00",
    65: "41 01 02",
}
"""A well-formed request of each function that the wand does not have."""


def _exceptions() -> dict[str, tuple[bytes, int]]:
    rows: dict[str, tuple[bytes, int]] = {f"FC {fc}": (bytes.fromhex(text), 1) for fc, text in UNSUPPORTED.items()}
    rows |= {"FC 0": (b"\x00\x00\x00", 1), "FC 127": (b"\x7f", 1)}
    eight = [0] * 8
    for function in (3, 4):
        rows |= {f"FC {function} count {count}": (read(STATUS, count, function), 3) for count in (0, 126, 127, 0xFFFF)}
        rows |= {
            f"FC {function} {what}": (read(start, count, function), 2)
            for what, start, count in (
                ("past the identity", 0x18, 1),
                ("identity and one more", 0x00, 25),
                ("status and one more", STATUS, 33),
                ("before the status", 0xFF, 1),
                ("past the order", 0x208, 1),
                ("order and one more", ORDER, 9),
                ("beside the scratch word", 0x2EF, 2),
                ("address 0xFFFF", 0xFFFF, 1),
                ("span past 0xFFFF", 0xFFFF, 125),
            )
        }
        rows[f"FC {function} one byte short"] = (read(STATUS, 1, function)[:-1], 3)
        rows[f"FC {function} one byte long"] = (read(STATUS, 1, function) + b"\0", 3)
        rows[f"FC {function} alone"] = (bytes([function]), 3)
    rows |= {
        "FC 6 in the order": (write_one(ORDER, 1), 2),
        "FC 6 at the end of the order": (write_one(0x207, 0x5AFE), 2),
        "FC 6 in the status": (write_one(STATUS, 1), 2),
        "FC 6 in the identity": (write_one(0, 1), 2),
        "FC 6 nowhere": (write_one(0x300, 1), 2),
        "FC 6 one byte short": (write_one(SCRATCH, 1)[:-1], 3),
        "FC 6 one byte long": (write_one(SCRATCH, 1) + b"\0", 3),
        "FC 16 part of the order": (write_many(ORDER, eight[:7]), 2),
        "FC 16 one word of the order": (write_many(ORDER, [1]), 2),
        "FC 16 more than the order": (write_many(ORDER, [0] * 9), 2),
        "FC 16 into the order": (write_many(0x1FF, eight), 2),
        "FC 16 from the second word on": (write_many(0x201, eight), 2),
        "FC 16 to the status": (write_many(STATUS, eight), 2),
        "FC 16 to the identity": (write_many(IDENTITY, eight), 2),
        "FC 16 nowhere": (write_many(0x4000, eight), 2),
        "FC 16 two words at the scratch word": (write_many(SCRATCH, [1, 2]), 2),
        "FC 16 count 0": (write_many(ORDER, []), 3),
        "FC 16 count 124": (write_many(ORDER, [0] * 123, size=248, count=124), 3),
        "FC 16 byte count one less": (write_many(ORDER, eight, size=15), 3),
        "FC 16 byte count of half": (write_many(ORDER, eight, size=8), 3),
        "FC 16 byte count 0": (write_many(ORDER, eight, size=0), 3),
        "FC 16 count and byte count disagree": (write_many(ORDER, eight, count=7), 3),
        "FC 16 alone": (b"\x10", 3),
        "FC 23 read count 0": (exchange(STOP, count=0), 3),
        "FC 23 read count 126": (exchange(STOP, count=126), 3),
        "FC 23 write count 0": (exchange([]), 3),
        "FC 23 write count 122": (exchange([0] * 121)[:8] + b"\x7a\xf4" + exchange([0] * 121)[10:], 3),
        "FC 23 byte count one less": (exchange(STOP)[:9] + b"\x0f" + exchange(STOP)[10:], 3),
        "FC 23 one byte short": (exchange(STOP)[:-1], 3),
        "FC 23 part of the order": (exchange(STOP[:7]), 2),
        "FC 23 more than the order": (exchange([*STOP, 0]), 2),
        "FC 23 from the second word on": (exchange(STOP, write_start=0x201), 2),
        "FC 23 to the scratch word": (exchange([1], write_start=SCRATCH), 2),
        "FC 23 a good stop, and nothing to read there": (exchange(STOP, start=0x400, count=1), 2),
        "FC 23 an order refused": (exchange([1, 1, 800, 500, 0, 0, TOKEN, 0]), 3),
        "FC 16 an order refused": (write_many(ORDER, [1, 1, 800, 500, 0, 0, TOKEN, 0]), 3),
    }
    return rows


EXCEPTIONS = _exceptions()
"""Well-framed requests that cannot be carried out, and the exception each gets."""


def exception(pdu: bytes, code: int) -> bytes:
    """The exception reply to a request."""
    return bytes((pdu[0] | 0x80, code))


def unchanged(firmware: Any) -> tuple[object, ...]:
    """What no refused request may change."""
    lease = firmware.lease
    return (lease.epoch, lease.token, lease.order_sequence, lease.last_words, lease.deadline_ms, firmware.scratch)
