"""``cryodevice run`` with one service of the tests beside its own: what a bug in a service would do, on a signal.

SIGUSR1 holds the event loop up for three seconds; SIGUSR2 makes the service fail with an error nobody catches.
"""

import asyncio
import signal
import sys
import time
from pathlib import Path

from cryodevice import app
from cryodevice.runtime.logs import configure_logging
from cryodevice.settings import load_settings

BLOCKED_S = 3.0


async def service() -> None:
    fail = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, time.sleep, BLOCKED_S)
    loop.add_signal_handler(signal.SIGUSR2, fail.set)
    await fail.wait()
    raise RuntimeError("a service of the tests failed")


async def run(config: Path) -> int:
    settings = load_settings(config)
    configure_logging(settings.log.format, settings.log.level)
    daemon = await app.assemble(settings)
    daemon.extra = {"of the tests": service}
    return int(await app.serve(daemon))


if __name__ == "__main__":
    sys.exit(asyncio.run(run(Path(sys.argv[sys.argv.index("--config") + 1]))))
