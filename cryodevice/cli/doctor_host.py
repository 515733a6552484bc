"""The doctor's looks at this computer: settings file, state directory, disk, daemon, ledger, clock, service manager.

Changes nothing: what it writes to try the disk it removes again.
"""

import asyncio
import ctypes
import os
import pwd
import re
import stat
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cryodevice.app import STORE_NAME
from cryodevice.cli import doctor_checks as judged
from cryodevice.cli.configuration import settings_for
from cryodevice.cli.doctor_case import Case
from cryodevice.cli.doctor_checks import Result, fail, ok, warn
from cryodevice.console.local_socket import SOCKET_NAME, ask
from cryodevice.errors import NewerStateError, SettingsError, StoreError
from cryodevice.records import ledger_file, upgrade
from cryodevice.records.schema import SCHEMA_VERSION
from cryodevice.transport import ports

ASK_S = 3.0
UNIT_DIRECTORIES = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)


def owner_of(about: os.stat_result) -> str:
    """Name of the user a file belongs to, or the number when it has none."""
    try:
        return pwd.getpwuid(about.st_uid).pw_name
    except KeyError:
        return str(about.st_uid)


async def settings(case: Case) -> Result:
    """Do they load, and who may change them?"""
    try:
        case.settings = settings_for(case.config)
    except SettingsError as error:
        return fail(error.message, "put the file right; config/cryodevice.toml names every key with its range")
    return _who_may_change(Path(case.settings.source), case.settings.sha256)


def _who_may_change(source: Path, sha256: str) -> Result:
    if not source.is_file():
        return warn("no settings file: the built-in defaults are in force", "write one, or name it with --config")
    about = source.stat()
    said = f"{source}, owner {owner_of(about)}, mode {stat.S_IMODE(about.st_mode):04o}"
    if about.st_uid not in (0, os.geteuid()):
        todo = f"{owner_of(about)} may change limits: give the file to root or to the daemon's user"
        return warn(said, todo, sha256=sha256)
    return ok(said, sha256=sha256)


async def state_dir(case: Case) -> Result:
    """Whose is it, and who else may look in?"""
    path = case.settings.state_dir
    try:
        about = path.stat()
    except FileNotFoundError:
        return _not_there(path)
    except OSError as error:
        return fail(f"{path}: {error.strerror}", "run this as the daemon's user, or as root")
    return whose(path, about, os.geteuid())


def whose(path: Path, about: os.stat_result, user: int) -> Result:
    """Whether a state directory belongs to ``user``, who may be root, and to nobody else."""
    mode = stat.S_IMODE(about.st_mode)
    said = f"{path}, owner {owner_of(about)}, mode {mode:04o}"
    if not stat.S_ISDIR(about.st_mode):
        return fail(f"{path} is no directory", "set records.state_dir to a directory")
    if user not in (0, about.st_uid):
        return fail(said, f"run this, and the daemon, as {owner_of(about)}; or set records.state_dir to one of yours")
    if mode & stat.S_IWOTH:
        return fail(f"{said}: everyone may replace the ledger", f"chmod 700 {path}")
    if mode & 0o077:
        return warn(f"{said}: others may look in", f"chmod 700 {path}")
    return ok(said)


def _not_there(path: Path) -> Result:
    parent = next(folder for folder in path.absolute().parents if folder.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        return fail(
            f"there is no {path}, and it cannot be made in {parent}", "set records.state_dir to one you may write"
        )
    return warn(f"there is no {path} yet", "nothing: the first `cryodevice run` makes it, if it runs as this user")


async def disk(case: Case) -> Result:
    """Is there room, and does a write reach the disk?"""
    path = case.settings.state_dir
    folder = next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.is_dir())
    return await asyncio.to_thread(_disk, folder, write=folder == path.absolute())


def _disk(folder: Path, *, write: bool) -> Result:
    about = os.statvfs(folder)
    free_mib = about.f_bavail * about.f_frsize >> 20
    if not write:
        return judged.space(free_mib, None)
    began_s = time.monotonic()
    try:
        with tempfile.TemporaryFile(dir=folder) as trial:
            trial.write(bytes(4096))
            trial.flush()
            os.fsync(trial.fileno())
    except OSError as error:
        return fail(
            f"{folder} cannot be written: {error.strerror}",
            "give it to the daemon's user, mount it writable, or set records.state_dir to another",
        )
    return judged.space(free_mib, time.monotonic() - began_s)


async def daemon(case: Case) -> Result:
    """Does a daemon of ours run on this state directory, and does it answer?"""
    path = case.settings.state_dir
    holder = await asyncio.to_thread(ports.holder, str(path / STORE_NAME.replace(".db", ".lock")))
    try:
        answer = await asyncio.to_thread(ask, path / SOCKET_NAME, {"ask": "status", "who": "doctor"}, ASK_S)
    except StoreError as error:
        if holder:
            return fail(
                f"the state directory is held by {holder}, which does not answer: {error.message}",
                "if it has just started, try again; else end that process",
            )
        case.no_daemon = True
        left = "; a killed one has left its socket, the next start replaces it" if (path / SOCKET_NAME).exists() else ""
        return ok(f"none runs on this state directory{left}")
    case.daemon_runs = True
    status = answer.get("status")
    case.status = status if isinstance(status, dict) else {}
    return ok(f"{holder or 'one'} runs on this state directory and answers: it is asked, its wand is left alone")


async def ledger(case: Case) -> Result:
    """Can the exposure store be read, and is it sound?"""
    path = case.settings.state_dir / STORE_NAME
    if not case.settings.state_dir.is_dir() or ledger_file.is_new(path):
        return ok("none yet: the first start makes it")
    try:
        contents, version = await asyncio.to_thread(upgrade.examine, path)
    except NewerStateError as error:
        return fail(error.message, "until then the daemon does not start: install that version, or a later one, again")
    except StoreError as error:
        return fail(error.message, "until then the daemon starts and stays locked by dose_unknown")
    said = f"{path.name} is sound, {len(contents.sessions)} sessions"
    if version < SCHEMA_VERSION:
        said += f", of schema {version}: the next start brings it up and keeps a copy"
    if contents.lockout is not None:
        cause, hint = contents.lockout.cause, contents.lockout.hint
        return warn(f"{said}; locked by {cause}", f"{hint}; then, with the daemon running: cryodevice reset")
    return ok(said)


class _Timex(ctypes.Structure):
    """The head of ``struct timex``, and more room than any kernel fills behind it."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("frequency", ctypes.c_long),
        ("largest_error_us", ctypes.c_long),
        ("estimated_error", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


_TIME_ERROR, _STA_UNSYNC = 5, 0x0040
"""Answer, and bit of the status, with which adjtimex(2) says that nobody keeps the clock."""


async def clock(case: Case) -> Result:
    """Is the wall clock kept in step? The kernel knows, whichever time service does it."""
    del case
    told = _Timex()
    error_s: float | None = None
    with suppress(OSError, AttributeError):  # no such call outside Linux
        answer = ctypes.CDLL(None).adjtimex(ctypes.byref(told))
        if 0 <= answer < _TIME_ERROR and not told.status & _STA_UNSYNC:
            error_s = told.largest_error_us / 1e6
    return judged.clock(time.gmtime().tm_year, error_s)


async def watchdog(case: Case) -> Result:
    """Who starts the daemon again when it dies or hangs?"""
    del case
    return supervised(os.environ.get("NOTIFY_SOCKET", ""), os.environ.get("WATCHDOG_USEC", ""), UNIT_DIRECTORIES)


def supervised(notify: str, watchdog_us: str, directories: Sequence[str]) -> Result:
    """What systemd does for the daemon: of the unit this runs in, else of the unit installed."""
    if watchdog_us.isdecimal():
        return ok(f"this unit's watchdog is set to {int(watchdog_us) / 1e6:g} s")
    if notify:
        return warn("this unit has no watchdog", "set WatchdogSec= in it: systemd then restarts a daemon that hangs")
    units = sorted({unit for folder in directories for unit in Path(folder).glob("cryodevice*.service")}, key=str)
    if not units:
        return warn(
            "no systemd unit of ours is installed",
            "nothing restarts the daemon after a crash or a reboot unless you have arranged for it",
        )
    text = units[0].read_text(encoding="utf-8", errors="replace")
    found = re.search(r"^WatchdogSec=(\S+)", text, re.MULTILINE)
    if found is None:
        return warn(f"{units[0]} has no watchdog", "set WatchdogSec= in it: systemd then restarts a daemon that hangs")
    return ok(f"{units[0]}, watchdog {found[1]}")
