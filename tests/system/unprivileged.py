"""Commands as a user who may not do everything: nobody where root runs the tests, else whoever does."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.system.processes import ENVIRONMENT, PYTHON, ROOT

NOBODY = 65534
IS_ROOT = os.geteuid() == 0
_PROGRAM = """
import concurrent.futures.thread, encodings.idna, importlib, os, pkgutil, sys
import cryodevice.cli
for module in pkgutil.iter_modules(cryodevice.cli.__path__, "cryodevice.cli."):
    importlib.import_module(module.name)  # now, while this checkout and this Python can be read
if os.geteuid() == 0:
    os.setgroups([]), os.setgid({nobody}), os.setuid({nobody})
sys.exit(cryodevice.cli.main(sys.argv[1:]))
"""


@contextmanager
def open_place() -> Iterator[Path]:
    """A directory everyone may pass through, which pytest's are not."""
    with tempfile.TemporaryDirectory(prefix="cryodevice-test-") as name:
        place = Path(name)
        place.chmod(0o755)
        yield place


def give_away(path: Path) -> None:
    """To whoever the commands run as."""
    if IS_ROOT:
        os.chown(path, NOBODY, NOBODY)


def unprivileged(*arguments: object) -> subprocess.CompletedProcess[str]:
    """One command from start to end."""
    return subprocess.run(
        [PYTHON, "-c", _PROGRAM.format(nobody=NOBODY), *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env=ENVIRONMENT,
        cwd=ROOT,
    )
