"""One TaskGroup over the control loop and its services: if any fails, the wand is made safe and the daemon ends.

Signals end it in order: session stopped, wand safe, store written. It restarts nothing; the service manager does.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping

from cryodevice.runtime.control_loop import ControlLoop

Service = Callable[[], Awaitable[None]]
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


async def supervise(loop: ControlLoop, services: Mapping[str, Service]) -> bool:
    """Run until a signal, ``loop.stop_running`` or a failure.

    Args:
        loop: The control loop; its way out, whatever the reason, makes the wand safe.
        services: What runs beside it, by name; cancelled once the loop has ended.

    Returns:
        Whether the wand showed that it is safe.

    Raises:
        ExceptionGroup: A service or the loop failed; the wand has been made safe before.
    """
    running = asyncio.get_running_loop()
    for number in _SIGNALS:
        running.add_signal_handler(number, loop.stop_running, number.name)
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_forever(name, service), name=name) for name, service in services.items()]
            safe = await loop.run()
            for task in tasks:
                task.cancel()
        return safe
    finally:
        for number in _SIGNALS:
            running.remove_signal_handler(number)


async def _forever(name: str, service: Service) -> None:
    await service()
    raise RuntimeError(f"service {name} ended by itself")
