"""The boot counter that survives power loss: what makes every boot of a wand tell itself apart. Never 0.

A state file that cannot be read is an error, not a fresh start: a wand that forgets its boots could be taken for one
that never rebooted.
"""

import json
import os
from contextlib import suppress
from pathlib import Path

from cryodevice.errors import StoreError
from cryodevice.quantities import U16

_VERSION = 1


class BootCounter:
    """Counts boots in ``state_file`` (JSON), or in memory only without one.

    Args:
        state_file: Read now and written at every boot; it need not exist yet, its directory must.
        last: The boot before the first one, 0...65535; a state file that exists wins.

    Raises:
        StoreError: The file is unreadable or no state file of this program.
    """

    def __init__(self, state_file: Path | None = None, last: int = 0) -> None:
        self._file = state_file
        self._last = last if state_file is None else _read(state_file, last)

    def next(self) -> int:
        """The number of a boot that happens now, 1...65535, durable before it is returned.

        Raises:
            StoreError: The file cannot be written.
        """
        self._last = self._last % (U16 - 1) + 1
        if self._file is not None:
            _write(self._file, self._last)
        return self._last


def _read(path: Path, default: int) -> int:
    try:
        state = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return default
    except (OSError, ValueError) as error:
        raise _unusable(path, f"cannot be read ({error})") from error
    version = state.get("version", _VERSION) if isinstance(state, dict) else _VERSION
    if version != _VERSION or isinstance(version, bool):
        raise _unusable(path, f"is of version {version!r}, and this firmware-sim knows version {_VERSION}")
    boot_id = state.get("boot_id") if isinstance(state, dict) else None
    if not isinstance(boot_id, int) or isinstance(boot_id, bool) or not 1 <= boot_id < U16:
        raise _unusable(path, "holds no boot_id from 1 to 65535")
    return boot_id


def _unusable(path: Path, why: str) -> StoreError:
    return StoreError(
        f"state file {path} {why}; move it away to start with a new wand, or give another file", path=str(path)
    )


def _write(path: Path, boot_id: int) -> None:
    """Replace the file so that a power loss leaves the old one or the new one, whole."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with draft.open("w", encoding="utf-8") as file:
            json.dump({"version": _VERSION, "boot_id": boot_id}, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise StoreError(f"state file {path} cannot be written: {error.strerror}", path=str(path)) from error
