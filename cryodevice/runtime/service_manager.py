"""Tell the service manager that the daemon serves, how it is, that it lives, and that it ends (sd_notify protocol).

Decides nothing: ``pulse`` says whether the watchdog is fed. Without ``NOTIFY_SOCKET`` it looks and logs all the same.
Source of the protocol: https://www.freedesktop.org/software/systemd/man/252/sd_notify.html
"""

import asyncio
import os
import socket
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass

import structlog

from cryodevice.runtime.control_loop import ControlLoop
from cryodevice.runtime.pulse import Pings, Signs, missing
from cryodevice.runtime.snapshot import Snapshot

LOOK_EVERY_S = 0.25
"""How often signs of life are looked at, s; at least four times in a watchdog's time (engineering default)."""
LONGEST_STATUS = 200
_log = structlog.get_logger("cryodevice.service")


@dataclass(slots=True)
class Notifier:
    """One end of the service manager's datagram socket.

    Args:
        address: Path of the socket, ``@`` first for an abstract one; empty when there is no service manager.
        watchdog_s: Time within which the watchdog wants to be fed; 0 for none.
    """

    address: str = ""
    watchdog_s: float = 0.0
    _troubled: bool = False

    def send(self, *assignments: str) -> None:
        """Send one datagram. Never waits, never raises; trouble is logged once."""
        if not self.address:
            return
        name = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC) as line:
                line.sendto("\n".join(assignments).encode(), name)
        except OSError as error:
            if not self._troubled:
                _log.warning("the service manager cannot be told", socket=self.address, problem=str(error))
            self._troubled = True
        else:
            self._troubled = False


def from_environment(environment: MutableMapping[str, str], pid: int) -> Notifier:
    """What the service manager asks of this process; taken out of the environment, so that no child does it too.

    Args:
        environment: ``os.environ``.
        pid: This process; a watchdog meant for another one is not ours to feed.
    """
    address = environment.pop("NOTIFY_SOCKET", "")
    usec, meant_for = environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", "")
    if address and not (address.startswith(("/", "@")) and len(address) > 1):
        _log.warning("NOTIFY_SOCKET is no address we know: the service manager is not told", socket=address)
        address = ""
    ours = usec.isascii() and usec.isdigit() and meant_for in {"", str(pid)}
    return Notifier(address, int(usec) / 1e6 if address and ours else 0.0)


def status_line(snapshot: Snapshot) -> str:
    """The daemon in one line: session, permit and why not, the line to the wand."""
    link = "up" if snapshot.link_up else f"down ({snapshot.link_why})"
    simulated = ", SIMULATED" if snapshot.identity is not None and snapshot.identity.simulated else ""
    if snapshot.permit:
        permit = "permitted"
    elif snapshot.lockout is not None:
        permit = f"locked by {snapshot.lockout.cause}"
    else:
        worst = max(snapshot.findings, key=lambda finding: finding.action, default=None)
        permit = "withheld" if worst is None else f"withheld by {worst.id}"
    line = f"session {snapshot.session.state}; cooling {permit}; wand {link}{simulated}"
    return "".join(letter if letter.isprintable() else " " for letter in line)[:LONGEST_STATUS]


class ServiceManager:
    """Looks for signs of life and tells the service manager; a service beside the others.

    Args:
        notifier: Where to.
        loop: The control loop.
        pings: The services that must answer.
    """

    def __init__(self, notifier: Notifier, loop: ControlLoop, pings: Pings) -> None:
        self._notifier = notifier
        self._loop = loop
        self._pings = pings
        self._ready = False
        self._status = ""
        self._missing = ""

    @property
    def every_s(self) -> float:
        """Time from look to look, s."""
        watchdog_s = self._notifier.watchdog_s
        return min(LOOK_EVERY_S, watchdog_s / 4) if watchdog_s else LOOK_EVERY_S

    async def run(self) -> None:
        """Look and tell until cancelled; then say that the daemon is stopping."""
        monotonic: Callable[[], float] = self._loop.clock.monotonic
        try:
            while True:
                self._pings.ask(monotonic())
                due = monotonic() + self.every_s
                await asyncio.sleep(self.every_s)
                now = monotonic()
                self._look(now, max(0.0, now - due))
        finally:
            self._notifier.send("STOPPING=1", "STATUS=making the wand safe")

    def _look(self, now: float, lag_s: float) -> None:
        latest, connection = self._loop.latest, self._loop.connection
        if latest is None:
            return
        told: list[str] = []
        if (status := status_line(latest)) != self._status:
            self._status = status
            told.append(f"STATUS={status}")
        if not self._ready and self._pings.all_answered:
            self._ready = True
            told.append("READY=1")
            _log.info("serving", watchdog_s=self._notifier.watchdog_s)
        lacking = missing(
            Signs(
                lag_s=lag_s,
                verdict_age_s=now - latest.at_s,
                reading_age_s=None if connection.identity is None else now - connection.replied_at_s,
                pings=self._pings.all.values(),
                now_s=now,
            )
        )
        if lacking is None:
            told.append("WATCHDOG=1")
            if self._missing:
                _log.warning("all signs of life are there again", was=self._missing)
        elif lacking.sign != self._missing:
            _log.warning("the watchdog is not fed", sign=lacking.sign, why=lacking.said)
        self._missing = "" if lacking is None else lacking.sign
        if told:
            self._notifier.send(*told)


def of_this_process() -> Notifier:
    """The service manager of this process, if it was started by one."""
    return from_environment(os.environ, os.getpid())
