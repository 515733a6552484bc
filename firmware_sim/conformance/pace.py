"""Whether line and wand answer fast enough for clauses about tenths of a second to be judged. It only reads."""

from statistics import median
from typing import Final

from cryodevice.errors import LinkError
from firmware_sim.conformance.wand import Wand

NEEDED_S: Final = 0.05
"""The slowest median reply with which a good wand keeps every clause: some ask a dozen times while a lease of a second
stands (found by trying; at 66 ms LEASE-12 fails on Modbus)."""
READS: Final = 5
ROUNDS: Final = 3
"""So often the line may be slow before it is called so: a computer that is busy for a moment is none."""


class TooSlowError(LinkError):
    """Nothing can be said about a wand behind this line."""


def refuse_too_slow(wand: Wand) -> None:
    """Time some reads, what this computer itself was held up not counted.

    Raises:
        TooSlowError: They take too long.
        LinkError: No reply.
    """
    took_s = 0.0
    for _ in range(ROUNDS):
        took_s = median(_read_s(wand) for _ in range(READS))
        if took_s <= NEEDED_S:
            return
    raise TooSlowError(
        f"the wand cannot be judged, its line is too slow: a status takes {took_s * 1000:.0f} ms (median of {READS}, "
        f"{ROUNDS} times), and clauses about tenths of a second need {NEEDED_S * 1000:.0f} ms or less; use a faster "
        "line (57600 baud or more), or see what holds the replies up"
    )


def _read_s(wand: Wand) -> float:
    """How long one status takes."""
    wand.dialect.longest_s = 0.0
    wand.status()
    return wand.dialect.longest_s
