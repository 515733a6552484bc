"""``cryodevice run``: the daemon, until it is told to end."""

import argparse
import asyncio
import os
import sys

from cryodevice.cli.configuration import settings_for
from cryodevice.errors import ExitCode

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # one core is plenty for the tissue model, and threads cost memory


def main(options: argparse.Namespace) -> ExitCode:
    """Load settings, then run."""
    settings = settings_for(options.config)
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type]  # structlog would load it to draw what we never draw: 4 MB
    from cryodevice.app import assemble, serve  # noqa: PLC0415  # settings first: a wrong file opens nothing
    from cryodevice.runtime.logs import configure_logging  # noqa: PLC0415

    sink = configure_logging(settings.log.format, settings.log.level)

    async def run() -> ExitCode:
        return await serve(await assemble(settings))

    try:
        return asyncio.run(run())
    finally:
        sink.close()
