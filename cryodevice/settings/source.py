"""Read a settings file without trusting it: what it is, who may write it, how big it is, whether it is text.

Reads bytes; knows no key. Never follows what is not a plain file, so a pipe or a device cannot hang or flood the start.
"""

import os
import stat
from pathlib import Path

from cryodevice.errors import SettingsError

MAX_BYTES = 1 << 20
"""Longest settings file, bytes (engineering default; the annotated file has about 6 000)."""


def read_source(path: Path) -> bytes:
    """The bytes of a settings file that only trusted people can have written.

    Raises:
        SettingsError: Missing, unreadable, no plain file, too large, or writable by everyone.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise SettingsError(
            f"{path}: no such settings file; config/cryodevice.toml is an annotated one to start from", path=str(path)
        ) from None
    except (OSError, ValueError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else str(problem)
        raise SettingsError(f"{path}: cannot read the settings file: {reason}", path=str(path)) from None
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            kind = "a directory" if stat.S_ISDIR(about.st_mode) else "no plain file"
            raise SettingsError(f"{path}: is {kind}; settings are one TOML file", path=str(path))
        refuse_world_writable(path, about.st_mode)
        if about.st_size > MAX_BYTES:
            raise SettingsError(
                f"{path}: {about.st_size} bytes are more than the {MAX_BYTES} a settings file may have", path=str(path)
            )
        return os.read(descriptor, about.st_size)
    finally:
        os.close(descriptor)


def refuse_world_writable(path: Path, mode: int) -> None:
    """Refuse a file that everyone may write, or whose directory lets everyone replace it.

    Raises:
        SettingsError: With the command that puts it right.
    """
    if mode & stat.S_IWOTH:
        raise SettingsError(
            f"{path}: everyone may write this file, so anyone could widen a limit; chmod o-w {path}",
            path=str(path),
            mode=oct(stat.S_IMODE(mode)),
        )
    for folder in {path.absolute().parent, path.resolve().parent}:
        about = folder.stat().st_mode
        if about & stat.S_IWOTH and not about & stat.S_ISVTX:
            raise SettingsError(
                f"{path}: everyone may replace files in {folder}; chmod o-w {folder}",
                path=str(path),
                mode=oct(stat.S_IMODE(about)),
            )
