"""Named places at which a test may break the daemon on purpose; each is nothing unless the environment names it.

``CRYODEVICE_FAILPOINT=NAME=ACT`` or ``NAME=ACT@FILE``: the first time the daemon passes NAME (once FILE is there), it
raises (``raise``) or is killed (``kill``). A daemon that may drive a real wand refuses to start with it: it is
honoured only where ``device.allow_simulated`` is true, which no daemon beside a person has.
"""

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from cryodevice.errors import SettingsError

VARIABLE = "CRYODEVICE_FAILPOINT"
_log = structlog.get_logger("cryodevice.failpoints")


class FailpointError(RuntimeError):
    """What a failpoint raises. No error of the package, so that nothing takes it for one it knows."""


@dataclass(slots=True)
class _Trap:
    """One failpoint that is set: it acts once."""

    name: str
    act: str
    once_there: Path | None

    def passed(self) -> None:
        """Act, if it is time."""
        if self.once_there is not None and not self.once_there.exists():
            return
        act, self.act = self.act, ""
        if act == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if act == "raise":
            raise FailpointError(f"failpoint {self.name}")


_set: dict[str, _Trap] = {}


def failpoint(name: str) -> None:
    """A place of that name; does nothing unless ``arm`` has set it."""
    if _set and name in _set:
        _set[name].passed()


def arm(environment: Mapping[str, str], *, simulated: bool) -> None:
    """Set the failpoint that the environment names, or none; to be called once, before anything is opened.

    Args:
        environment: As of the process.
        simulated: Whether this daemon may only meet simulated wands (``device.allow_simulated``).

    Raises:
        SettingsError: One is named that cannot be read, or this daemon is not for simulated wands.
    """
    _set.clear()
    text = environment.get(VARIABLE, "")
    if not text:
        return
    if not simulated:
        raise SettingsError(
            f"{VARIABLE} is set: it breaks the daemon on purpose, for tests. It is honoured only with "
            "device.allow_simulated = true; unset it to run this daemon",
            variable=VARIABLE,
        )
    name, _, how = text.partition("=")
    act, _, file = how.partition("@")
    if not name or act not in {"raise", "kill"}:
        raise SettingsError(f"{VARIABLE} is {text!r}; it must be NAME=raise or NAME=kill, with @FILE or without")
    _set[name] = _Trap(name, act, Path(file) if file else None)
    _log.error("a failpoint is set: this daemon will break on purpose", failpoint=text)
