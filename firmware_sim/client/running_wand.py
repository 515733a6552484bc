"""``firmware-sim serve`` as a process of its own, started and surely ended, with its control at hand."""

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, Any, Final, Self

from cryodevice.errors import CryodeviceError
from firmware_sim.client.control_client import ControlClient

START_S: Final = 20.0
STOP_S: Final = 3.0
_ANY: Final = "127.0.0.1:0"
LINKS: Final[Mapping[str, tuple[str, str, str]]] = {
    "serial": ("--serial", "auto", "serial"),
    "serial-tcp": ("--serial-tcp", _ANY, "serial_tcp"),
    "modbus-rtu": ("--modbus-rtu", "auto", "modbus_rtu"),
    "modbus-tcp": ("--modbus-tcp", _ANY, "modbus_tcp"),
}
"""Kinds of line: option, value, and the name under which the simulator says where it is."""


class WandStartError(CryodeviceError):
    """The simulated wand did not come up; says why."""


class RunningWand(ControlClient):
    """A simulated wand that runs until ``end``; to be used as a context manager.

    Args:
        link: Kind of line, a key of ``LINKS``.
        seed: Of its noise and its boot id.
        arguments: More arguments of ``firmware-sim serve``.
        lives_s: It ends by itself after so long, should nobody be left to end it.

    Attributes:
        link: Kind of line.
        port: What a host opens: a device path, or ``HOST:PORT``.
        url: The same as pyserial and ``link.port`` write it: a device path, or ``socket://HOST:PORT``.
        endpoints: Everything that it printed.
        pid: Of its process.

    Raises:
        WandStartError: It did not come up.
    """

    def __init__(
        self, link: str = "serial", seed: int = 0, arguments: Sequence[str] = (), lives_s: float = 3600.0
    ) -> None:
        if link not in LINKS:
            raise WandStartError(f"link {link!r} is not one of: {', '.join(LINKS)}")
        option, value, name = LINKS[link]
        self.link = link
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the process; a pipe nobody reads would stop it
        self._process = _start([option, value, "--seed", str(seed), "--duration", str(lives_s), *arguments], self._said)
        self.pid = self._process.pid
        try:
            self.endpoints = self._first_line()
        except BaseException:
            self._kill()
            raise
        self.port = str(self.endpoints[name])
        self.url = f"socket://{self.port}" if link.endswith("tcp") else self.port
        super().__init__(str(self.endpoints["control"]))

    def _first_line(self) -> dict[str, Any]:
        process = self._process
        if process.stdout is None:
            raise WandStartError("the simulated wand has no output")
        line, deadline_s = b"", time.monotonic() + START_S
        while not line.endswith(b"\n"):
            left_s = deadline_s - time.monotonic()
            if left_s <= 0.0 or not select.select([process.stdout], [], [], left_s)[0]:
                raise WandStartError(f"the simulated wand said nothing within {START_S:g} s")
            piece = os.read(process.stdout.fileno(), 65536)
            if not piece:
                process.wait(STOP_S)
                said = self.said()
                why = said.splitlines()[-1] if said else f"it ended with {process.returncode} and said nothing"
                raise WandStartError(f"the simulated wand did not start: {why}")
            line += piece
        return dict(json.loads(line))

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return self._process.poll() is None

    def said(self) -> str:
        """What it has complained of so far."""
        self._said.seek(0)
        return self._said.read().decode(errors="replace").strip()

    def end(self) -> None:
        """End it and wait; again is harmless."""
        self.close()
        if self.running:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_S)
        self._kill()

    def _kill(self) -> None:
        if self.running:
            self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._said.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def _start(arguments: Sequence[str], errors: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  # ourselves
        [sys.executable, "-m", "firmware_sim", "serve", *arguments, "--control", _ANY, "--exit-with-parent"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        start_new_session=True,  # a Ctrl-C in a terminal is for the tests; they end it
    )
