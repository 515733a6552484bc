"""Watch the event loop from a thread: name a stall, with the stack of what stalls it, while it is still going on.

Protects nothing: the lease has already let the wand go by itself. This says whose fault it was.
"""

import asyncio
import gc
import sys
import threading
import time
import traceback
from collections.abc import Callable

import structlog

LOOP_LAG_LIMIT_S = 0.2
"""The loop is stalled when it has run nothing for this long, s (engineering default: four ticks at 20 Hz)."""
BEATS_PER_LIMIT = 4
"""How often the loop beats within the limit; 4 is 20 wake-ups a second at the default (engineering default)."""
STOP_S = 1.0
"""Longest wait for the watching thread when stopping, s (engineering default)."""
SWITCH_S = 0.0005
"""How long a thread keeps the interpreter while another waits for it, s (engineering default)."""
NO_STACK = "(no stack: the whole process was held up, or one call held the interpreter; it went on before it was seen)"

_log = structlog.get_logger("cryodevice.liveness")


class LoopWatch:
    """Reports when the loop it was started on stops turning. Callbacks run in the watching thread and must be quick.

    Args:
        loop_lag_limit_s: How long the loop may run nothing, s.
        on_stall: Called once per stall with the seconds so far and the stack of the loop's thread, outermost first.
        on_recovered: Called once when the loop turns again, with the seconds of the whole stall.
    """

    def __init__(
        self,
        loop_lag_limit_s: float = LOOP_LAG_LIMIT_S,
        *,
        on_stall: Callable[[float, str], None],
        on_recovered: Callable[[float], None] | None = None,
    ) -> None:
        self._limit_s = loop_lag_limit_s
        self._on_stall = on_stall
        self._on_recovered = on_recovered
        self._beat_s = 0.0
        self._gap: tuple[float, float] = (0.0, 0.0)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_thread = 0
        self._timer: asyncio.TimerHandle | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Watch the running loop; call on it. Ends with ``stop``."""
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._stopping.clear()
        self._beat_s = time.monotonic()
        self._heartbeat()
        self._thread = threading.Thread(target=self._watch, name="loop watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the watch, from any thread, also while the loop is stalled. Waits at most a second; again is harmless."""
        self._stopping.set()
        if self._timer is not None and threading.get_ident() == self._loop_thread:
            self._timer.cancel()  # from another thread the timer finds the flag and ends by itself
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(STOP_S)

    def beat(self) -> None:
        """Say that the loop turns; on the loop. The watch calls it by itself, a tick may call it too."""
        now_s, last_s = time.monotonic(), self._beat_s
        if now_s - last_s > self._limit_s:
            self._gap = (last_s, now_s)
        self._beat_s = now_s

    def _heartbeat(self) -> None:
        if self._loop is not None and not self._stopping.is_set():
            self.beat()
            self._timer = self._loop.call_later(self._limit_s / BEATS_PER_LIMIT, self._heartbeat)

    def _watch(self) -> None:
        seen_gap = self._gap
        while not self._stopping.wait(max(self._limit_s / 100, self._beat_s + self._limit_s - time.monotonic())):
            stalled_s = self._beat_s
            lag_s = time.monotonic() - stalled_s
            if lag_s > self._limit_s:
                self._tell(self._on_stall, lag_s, self._stack())
                while self._beat_s == stalled_s:
                    if self._stopping.wait(self._limit_s / BEATS_PER_LIMIT):
                        return
            elif self._gap != seen_gap:
                stalled_s = self._gap[0]
                self._tell(self._on_stall, self._gap[1] - stalled_s, NO_STACK)
            else:
                continue
            seen_gap = self._gap
            self._tell(self._on_recovered, seen_gap[1] - stalled_s)

    def _stack(self) -> str:
        frame = sys._current_frames().get(self._loop_thread)  # noqa: SLF001 - the documented way to see another thread
        return "".join(traceback.format_stack(frame)) if frame is not None else "(the loop's thread has ended)"

    def _tell(self, callback: Callable[..., None] | None, *arguments: object) -> None:
        if callback is None:
            return
        try:
            callback(*arguments)
        except Exception:  # noqa: BLE001 - the callback is not ours; a watch that has died watches nothing
            _log.exception("a stall could not be reported")


def share_interpreter() -> None:
    """Let a thread that waits for the interpreter have it within 0.5 ms instead of 5.

    One exchange changes hands a few times; with three busy threads beside it, each change at 5 ms cost 15, and ticks
    were missed.
    """
    sys.setswitchinterval(SWITCH_S)


def freeze_gc() -> int:
    """Collect once, then keep all that is alive now out of every later collection; how many objects that is.

    To be called when everything is set up, before the first tick: collections stay short from then on.
    """
    gc.collect()
    gc.freeze()
    return gc.get_freeze_count()
