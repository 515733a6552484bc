"""One TaskGroup over the control loop and its services: if any fails, the wand is made safe and the daemon ends.

Signals end it in order: session stopped, wand safe, store written. It restarts nothing; the service manager does.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping

import structlog

from cryodevice.runtime.control_loop import ControlLoop
from cryodevice.runtime.hangup import terminal_is_ours

Service = Callable[[], Awaitable[None]]
LOOK_EVERY_S = 0.5
STILL_LOOKS = 4
"""The control loop is stuck when this many looks in a row saw no tick: 2 s while the event loop turned, so that a
process held up as a whole is not taken for it (engineering default)."""
END_WITHIN_S = 1.0
"""A control loop that is told to end and has not begun to by then is stuck (engineering default)."""
INSIST_S = 2.0
"""A service that has not ended so long after it was cancelled is cancelled again: libraries lose a cancellation now and
then, and a daemon that is to end ends (engineering default: twice the publisher's farewell)."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT)

_log = structlog.get_logger("cryodevice.supervisor")


class StuckError(RuntimeError):
    """The control loop's task stands still. Its lease has let the wand go long before this is noticed."""


async def supervise(loop: ControlLoop, services: Mapping[str, Service]) -> bool:
    """Run until a signal, ``loop.stop_running`` or a failure.

    Args:
        loop: The control loop; its way out, whatever the reason, makes the wand safe.
        services: What runs beside it, by name; cancelled once the loop has ended.

    Returns:
        Whether the wand showed that it is safe.

    Raises:
        ExceptionGroup: A service or the loop failed, or the loop was stuck; the wand has been made safe before.
    """
    running = asyncio.get_running_loop()
    hangs_up = terminal_is_ours()
    async with asyncio.TaskGroup() as group:
        control = group.create_task(loop.run(), name="control loop")
        tasks = [
            group.create_task(_forever(loop, name, service), name=name)
            for name, service in {**services, "tick watch": lambda: _watch(loop)}.items()
        ]

        def insist() -> None:
            if pending := [task for task in tasks if not task.done()]:
                for task in pending:
                    task.cancel()
                running.call_later(INSIST_S, insist)

        control.add_done_callback(lambda _: running.call_later(INSIST_S, insist))

        def end(who: str) -> None:
            loop.stop_running(who)
            running.call_later(END_WITHIN_S, _cancel_if_stuck, loop, control)

        for number in _SIGNALS:
            running.add_signal_handler(number, end, number.name)
        if hangs_up:
            running.add_signal_handler(signal.SIGHUP, end, signal.SIGHUP.name)
        else:
            running.add_signal_handler(signal.SIGHUP, _refuse_to_reload)
        try:
            await asyncio.wait({control})
        finally:
            for number in (*_SIGNALS, signal.SIGHUP):
                running.remove_signal_handler(number)
        for task in tasks:
            task.cancel()
        if control.cancelled():
            raise StuckError("the control loop was told to end and did not; it was cancelled")
    return control.result()


def _cancel_if_stuck(loop: ControlLoop, control: "asyncio.Task[bool]") -> None:
    if not loop.ending:
        loop.why_failed = "the control loop was told to end and did not"
        control.cancel()


def _refuse_to_reload() -> None:
    """A service manager's reload: settings are read once, so that what was judged at start stays true."""
    _log.warning("reload refused", signal="SIGHUP", hint="settings are read at start: end the session, then restart")


async def _watch(loop: ControlLoop) -> None:
    """Fail when the loop's task makes no tick while the event loop turns."""
    seen, still = loop.ticks, 0
    while still < STILL_LOOKS or loop.ending:
        await asyncio.sleep(LOOK_EVERY_S)
        still = still + 1 if loop.ticks == seen else 0
        seen = loop.ticks
    raise StuckError(f"the control loop has made no tick for {STILL_LOOKS * LOOK_EVERY_S:g} s")


async def _forever(loop: ControlLoop, name: str, service: Service) -> None:
    try:
        await service()
        raise RuntimeError(f"service {name} ended by itself")  # noqa: TRY301  # its name goes with it, as with any other
    except Exception as error:
        cause = _first(error)
        loop.why_failed = loop.why_failed or f"{name}: {type(cause).__name__}: {cause}"
        raise


def _first(error: Exception) -> Exception:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
