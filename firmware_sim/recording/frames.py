"""Where one frame of a byte stream ends, by what is spoken on the line. Keeps bytes; judges none of them."""

from collections.abc import Callable, Mapping
from typing import Final

from firmware_sim.endpoints.modbus_rtu import good, request_length
from firmware_sim.faults.line import Protocol

LONGEST: Final = 4096
"""Bytes that end nowhere are taken for a frame when there are so many."""
_MBAP: Final = 6


def _serial(data: bytes) -> int:
    """A zero byte ends a frame."""
    return data.find(b"\0") + 1


def _tcp(data: bytes) -> int:
    """The header says how long it is."""
    if len(data) < _MBAP:
        return 0
    end = _MBAP + int.from_bytes(data[4:6], "big")
    return end if len(data) >= end else 0


def _rtu(data: bytes) -> int:
    """The function of a request tells how long it is; a frame that is not good then, and a reply, ends with silence."""
    end = request_length(data, 0) or 0
    return end if end and good(data[:end]) else 0


_ENDS: Final[Mapping[Protocol, Callable[[bytes], int]]] = {"serial": _serial, "tcp": _tcp, "rtu": _rtu}


class Frames:
    """Cuts one direction of a line into frames.

    Args:
        protocol: What is spoken.
    """

    def __init__(self, protocol: Protocol) -> None:
        self._end = _ENDS[protocol]
        self._rest = b""

    @property
    def pending(self) -> bytes:
        """What has begun and not ended."""
        return self._rest

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that are complete with ``data``."""
        rest, found = self._rest + data, []
        while end := self._end(rest):
            found.append(rest[:end])
            rest = rest[end:]
        if len(rest) >= LONGEST:
            found.append(rest)
            rest = b""
        self._rest = rest
        return found

    def take(self, count: int) -> bytes:
        """The first ``count`` bytes of what has begun, as a frame."""
        frame, self._rest = self._rest[:count], self._rest[count:]
        return frame

    def flush(self) -> list[bytes]:
        """What has begun, as a frame."""
        rest, self._rest = self._rest, b""
        return [rest] if rest else []
