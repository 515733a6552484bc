"""Why a port would not open, in a sentence a person can act on. Opens nothing itself.

``explain`` is a plain function of what was found, so every message can be seen without the fault.
"""

import contextlib
import errno
import os
from collections.abc import Sequence
from pathlib import Path

from cryodevice.errors import PortUnavailableError

_BUSY = (errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK)
_ABSENT = (errno.ENOENT, errno.ENODEV, errno.ENXIO)
_MASTERS = {"/dev/ptmx", "/dev/pts/ptmx"}
_NOT_A_TTY = (errno.ENOTTY, errno.EISDIR, errno.EINVAL)


def explain(port: str, error: BaseException, ports: Sequence[str] = (), holder: str = "") -> PortUnavailableError:
    """The error to raise when ``port`` did not open.

    Args:
        port: As the user wrote it.
        error: What the operating system or pyserial said.
        ports: Serial ports that do exist, for the hint.
        holder: Who has it locked, empty when not known.
    """
    number = _errno(error)
    if number in _ABSENT:
        seen = f"ports found: {', '.join(ports)}" if ports else "no serial port found: is the cable in?"
        message = f"there is no {port}; {seen} (look in /dev/serial/by-id)"
    elif number in _BUSY:
        who = f" by {holder}" if holder else ""
        message = f"{port} is in use{who}; a wand has one master: end the other program first"
    elif number in (errno.EACCES, errno.EPERM):
        message = f"no permission to open {port}: run `sudo usermod -aG dialout $USER`, then log out and in again"
    elif number in _NOT_A_TTY:
        message = f"{port} is not a serial port, or not with these line settings"
    else:
        message = f"{port} cannot be opened: {error}"
    return PortUnavailableError(message, port=port, errno=number, cause=str(error))


def present() -> list[str]:
    """Serial ports of this machine, by their lasting names where they have one."""
    by_id = sorted(str(path) for path in Path("/dev/serial/by-id").glob("*"))
    return by_id or sorted(str(path) for kind in ("ttyACM*", "ttyUSB*") for path in Path("/dev").glob(kind))


def holder(port: str) -> str:
    """The process that holds the advisory lock on ``port``, as ``name (pid n)``; empty when it cannot be told."""
    try:
        node = os.stat(port)  # noqa: PTH116  # a symlink's target is what is locked
        locks = Path("/proc/locks").read_text(encoding="ascii").splitlines()
        # Fields of proc(5): id, FLOCK, ADVISORY, WRITE, pid, major:minor:inode in hex, hex, decimal.
        where = f"{os.major(node.st_dev):02x}:{os.minor(node.st_dev):02x}:{node.st_ino}"
        pids = [line.split()[4] for line in locks if " FLOCK " in line and where in line.split()]
        return f"{Path(f'/proc/{pids[0]}/comm').read_text(encoding='utf-8').strip()} (pid {pids[0]})" if pids else ""
    except (OSError, IndexError, UnicodeDecodeError):
        return ""


def users(port: str) -> list[str]:
    """Other processes that have ``port`` open, locked or not, as far as this user may see them.

    The process at the far end of a pseudo-terminal, which holds its master, is none of them.
    """
    wanted, found = os.path.realpath(port), []
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        opened = _opened(process / "fd")
        if wanted in opened and not opened & _MASTERS:
            with contextlib.suppress(OSError, UnicodeDecodeError):
                name = (process / "comm").read_text(encoding="utf-8").strip()
                found.append(f"{name} (pid {process.name})")
    return sorted(found)


def _opened(directory: Path) -> set[str]:
    """What the descriptors of a process lead to; empty when this user may not see it, or it has ended."""
    found: set[str] = set()
    with contextlib.suppress(OSError):
        for entry in directory.iterdir():
            with contextlib.suppress(OSError):
                found.add(os.readlink(entry))  # noqa: PTH115  # sockets have no path
    return found


def _errno(error: BaseException) -> int:
    """The errno of an error, or of the one pyserial wrapped without it."""
    for link in (error, error.__context__):
        if link is not None and (number := getattr(link, "errno", None)):
            return int(number)
        if link is not None and link.args and isinstance(link.args[0], int):
            return link.args[0]
    return 0
