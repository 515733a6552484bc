"""Whether the wall clock is kept by somebody (NTP, PTP, GPS): the kernel's own word. Sets nothing, asks no server.

A wall clock nobody keeps may be at 1970 after an empty battery or years ahead; it is shown, and nothing is reckoned
from it (docs/decisions/0013-clocks.md).
"""

import ctypes
from functools import cache

_ERROR = 5
"""Return value TIME_ERROR of adjtimex(2)."""
_UNSYNCHRONISED = 0x0040
"""Status bit STA_UNSYNC."""


class _Timex(ctypes.Structure):
    """The head of ``struct timex``, and more room than any kernel fills behind it."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("frequency", ctypes.c_long),
        ("maximum_error", ctypes.c_long),
        ("estimated_error", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


def synchronised() -> bool:
    """Whether the kernel says that the wall clock is kept; False where it cannot be asked."""
    libc = _libc()
    if libc is None:
        return False
    state = _Timex()
    try:
        answer = libc.adjtimex(ctypes.byref(state))
    except AttributeError:  # no Linux
        return False
    return trusted(answer, state.status)


def trusted(answer: int, status: int) -> bool:
    """What an answer of adjtimex(2) means: an error of any kind is no trust."""
    return 0 <= answer < _ERROR and not status & _UNSYNCHRONISED


@cache
def _libc() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(None, use_errno=True)
    except OSError:
        return None
