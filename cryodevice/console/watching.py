"""The stream of one watcher on the local socket: a line at once, then one a period, with the events since the last.

A watcher that reads slowly or not at all costs the control loop nothing: what it has not read is not kept. The picture
is always the newest, of the events the oldest go first and are counted, and one that takes nothing for long is let go.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable

from cryodevice.runtime.bus import Bus
from cryodevice.runtime.picture import Plain
from cryodevice.runtime.snapshot import NumberedEvent

EVERY_S = 1.0
SHORTEST_S, LONGEST_S = 0.1, 60.0
"""A watcher may ask for lines this often (engineering default)."""
EVENTS_KEPT = 200
"""Events that wait for a watcher; some treatments' worth (engineering default)."""
PATIENCE_S = 10.0
"""A watcher that takes nothing for this long is let go; it may come back (engineering default)."""
BUFFERED = 16_384
"""Bytes that may wait for a watcher in this process; the system keeps some more."""


async def watching(
    writer: asyncio.StreamWriter,
    picture: Callable[[], Plain | None],
    events: Bus[NumberedEvent],
    every_s: object,
    ended: asyncio.Event,
) -> None:
    """Stream until the daemon ends, with a last line then, or the watcher goes or has taken nothing for too long.

    Args:
        writer: The watcher.
        picture: The daemon as it is now; None before the first tick.
        events: What happens.
        every_s: Seconds between lines, as the watcher asked; anything unusable is the default.
        ended: Set when the daemon ends.

    Raises:
        OSError: The watcher has gone.
        TimeoutError: It has taken nothing for too long.
    """
    period_s = float(every_s) if isinstance(every_s, int | float) and SHORTEST_S <= every_s <= LONGEST_S else EVERY_S
    writer.transport.set_write_buffer_limits(high=BUFFERED)
    happened = events.subscribe(EVENTS_KEPT)
    try:
        while True:
            last = ended.is_set()
            dropped, happened.dropped = happened.dropped, 0
            line = {
                "ok": True,
                "status": picture(),
                "events": [_plain(numbered) for numbered in happened.drain()],
                "events_missed": dropped,
            }
            writer.write(json.dumps(line, allow_nan=False).encode() + b"\n")
            async with asyncio.timeout(PATIENCE_S):
                await writer.drain()
            if last:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(period_s):
                    await ended.wait()
    finally:
        happened.close()


def _plain(numbered: NumberedEvent) -> Plain:
    event = numbered.event
    return {
        "epoch": numbered.epoch,
        "seq": numbered.seq,
        "wall_s": round(numbered.wall_s, 3),
        "kind": event.kind.value,
        "message": event.message,
    }
