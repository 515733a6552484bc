"""The wand's clock beside ours. Pure.

Its lease is counted by that clock, so one that runs slow makes every lease longer.
"""

from dataclasses import dataclass

from cryodevice.quantities import Seconds
from cryodevice.safety.readings import Reading
from cryodevice.safety.replacing import replace
from cryodevice.treatment.proof import since_ms

WINDOW_S = 20.0
"""Compared over this long, s: replies held up by 0.2 s at either end then count as 2 % (engineering default)."""
SILENCE_S = 1.0
"""A window with a gap longer than this says nothing, s (engineering default)."""


@dataclass(frozen=True, slots=True)
class WandClock:
    """Two instants on both clocks.

    Args:
        boot_id: Of the wand whose clock it is; 0 before the first reply.
        from_s: Ours, at the beginning of the window.
        from_ms: The wand's, then.
        seen_s: Ours, at the newest reply.
        error_pct: How much faster the wand's clock ran over the last whole window; 0 before one.
    """

    boot_id: int = 0
    from_s: Seconds = Seconds(0.0)  # noqa: RUF009  # a NewType call is the number itself
    from_ms: int = 0
    seen_s: Seconds = Seconds(0.0)  # noqa: RUF009
    error_pct: float = 0.0


def followed(clock: WandClock, reading: Reading) -> WandClock:
    """The comparison after one more reply; a wand that has booted, or was silent for long, begins anew."""
    status, now = reading.status, reading.at_s
    if status.boot_id != clock.boot_id or now - clock.seen_s > SILENCE_S:
        return WandClock(status.boot_id, now, status.uptime_ms, now)
    ours_s = now - clock.from_s
    if ours_s < WINDOW_S:
        return replace(clock, seen_s=now)
    wands_s = since_ms(status.uptime_ms, clock.from_ms) / 1000.0
    return WandClock(status.boot_id, now, status.uptime_ms, now, (wands_s / ours_s - 1.0) * 100.0)
