"""One blocking call in a thread of its own, bounded in time, whose late result is disposed of. No pool, no queue.

A thread of asyncio's pool is joined when the program ends, so a driver stuck in ``open`` would hold the exit; a daemon
thread does not.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from typing import TypeVar

from cryodevice.quantities import Seconds

Result = TypeVar("Result")


async def off_loop(call: Callable[[], Result], deadline_s: Seconds, dispose: Callable[[Result], object]) -> Result:
    """Result of ``call()``, run in a daemon thread.

    Args:
        call: Blocks, and may raise.
        deadline_s: Instant of the loop's clock at which to give up.
        dispose: Given the result, in either thread, when it comes too late or after the caller was cancelled.

    Raises:
        TimeoutError: Not done before ``deadline_s``; the thread goes on and its result is disposed of.
    """
    outcome: Future[Result] = Future()
    threading.Thread(target=_run, args=(call, outcome, dispose), name="open-port", daemon=True).start()
    try:
        async with asyncio.timeout_at(deadline_s):
            return await asyncio.wrap_future(outcome)
    except (TimeoutError, asyncio.CancelledError):
        # Either the thread finds its outcome cancelled, or it was done first and nobody else will see the result.
        if not outcome.cancel() and outcome.exception() is None:
            dispose(outcome.result())
        raise


def _run(call: Callable[[], Result], outcome: "Future[Result]", dispose: Callable[[Result], object]) -> None:
    try:
        result = call()
    except Exception as error:  # noqa: BLE001  # carried to the caller, whatever it is
        with contextlib.suppress(InvalidStateError):
            outcome.set_exception(error)
        return
    try:
        outcome.set_result(result)
    except InvalidStateError:
        with contextlib.suppress(Exception):
            dispose(result)
