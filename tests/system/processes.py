"""Real processes for system tests: the daemon, the simulated wand, and a line between them that can be cut.

Every process is ended by its own pid, whatever happens; the simulator also ends by itself. Judges nothing.
"""

import fcntl
import json
import os
import resource
import select
import signal
import subprocess
import sys
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from cryodevice.console.local_socket import SOCKET_NAME, ask
from cryodevice.errors import CryodeviceError
from cryodevice.records import SqliteExposureStore
from cryodevice.runtime.ports import Ledger
from cryodevice.safety.phases import SessionState
from firmware_sim.client import ControlClient

PYTHON = sys.executable
CRYODEVICE = [PYTHON, "-m", "cryodevice"]
FIRMWARE_SIM = [PYTHON, "-m", "firmware_sim"]
FAULTY_DAEMON = [PYTHON, str(Path(__file__).with_name("faulty_daemon.py"))]
"""The same daemon with two services of the tests beside it: SIGUSR1 blocks its loop, SIGUSR2 fails a service."""
ENVIRONMENT = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", "COLUMNS": "200"}
ROOT = Path(__file__).parents[2]
WAND_LIVES_S = 240
"""A simulated wand ends by itself after this long, should nobody be left to end it, s."""
DAEMON_CPU_S = 60
"""A daemon that nobody is left to end runs out of processor time, s."""
ZONE = "left_cheek"
PREPARATIONS = 5
SESSION_STATES = tuple(state.value for state in SessionState)
GENTLE: dict[str, Any] = {
    "name": "gentle",
    "step": [{"zone": ZONE, "plate_degc": 22.0, "hold_s": 80.0, "rewarm_s": 5.0, "glide": True}],
}
"""A plate that is reached in seconds from room temperature and that warm skin keeps the drive busy at."""


def until(condition: Callable[[], Any], within_s: float, what: str, story: Callable[[], object] = str) -> Any:
    """The first true value of ``condition``; AssertionError with the story when there is none in time."""
    end = time.monotonic() + within_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"not within {within_s} s: {what}; {story()}"
        time.sleep(0.02)


def cryodevice(*arguments: object, within_s: float = 20.0, **environment: str) -> subprocess.CompletedProcess[str]:
    """One command from start to end, as a user would run it."""
    return subprocess.run(
        [*CRYODEVICE, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
        env=ENVIRONMENT | environment,
        cwd=ROOT,
    )


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup a hang-up is ignored, and so it would be here


class Child(AbstractContextManager["Child"]):
    """One process of ours. Its output goes to files, so that a reader that is slow or gone never holds it up."""

    def __init__(
        self, arguments: list[str], directory: Path, name: str, terminal: int = -1, **environment: str
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.out, self.err = directory / f"{name}.out", directory / f"{name}.err"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL if terminal < 0 else terminal,
                stdout=out,
                stderr=err,
                env=ENVIRONMENT | environment,
                cwd=ROOT,
                start_new_session=True,  # no terminal, wherever the tests run, but the one it is given
                preexec_fn=None if terminal < 0 else _take_terminal,  # noqa: PLW1509  # two system calls
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, within_s: float) -> int:
        """The exit status; a process that does not end in time is a failure, not an exception of subprocess."""
        try:
            return self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.process.args} did not end within {within_s} s; {self.said()}") from None

    def said(self) -> str:
        """The end of what it has written."""
        return (self.out.read_text(errors="replace") + self.err.read_text(errors="replace"))[-4000:]

    def end(self) -> None:
        """End it now, also when it is stopped."""
        if self.running:
            self.process.kill()
        self.process.wait(10)

    def __exit__(self, *_: object) -> None:
        self.end()


class Wand(Child):
    """``firmware-sim serve`` on a pty, and the hand that holds it."""

    name: Path | None = None

    def __init__(
        self,
        directory: Path,
        seed: int = 1,
        *,
        tcp: bool = False,
        serial: bool = True,
        line: tuple[str, ...] | None = None,
    ) -> None:
        if line is None:
            line = ("--serial-tcp", "127.0.0.1:0") if tcp else ()
            line += ("--serial", "auto") if serial or not tcp else ()
        end = ["--duration", str(WAND_LIVES_S), "--exit-with-parent"]
        arguments = [*FIRMWARE_SIM, "serve", *line, "--control", "127.0.0.1:0", "--seed", str(seed), *end]
        super().__init__(arguments, directory, "wand")
        try:
            until(lambda: "\n" in self.out.read_text() or not self.running, 20, "the wand's first line", self.said)
            assert self.running, self.said()
            self.endpoints: dict[str, Any] = json.loads(self.out.read_text())
        except BaseException:
            self.end()
            raise
        self.control = ControlClient(self.endpoints["control"])

    @property
    def port(self) -> str:
        return self.endpoints["serial"]

    def truth(self) -> dict[str, Any]:
        return self.control.truth()

    def now_s(self) -> float:
        return self.control.time_s()

    def hand(self, **values: object) -> None:
        """Be the hand: trigger, contact, estop, tip, motion as bool; zone as text."""
        self.control.set(**values)

    def send(self, number: signal.Signals) -> None:
        if number == signal.SIGKILL and self.name is not None:
            self.name.unlink(missing_ok=True)
        super().send(number)

    def end(self) -> None:
        if self.name is not None:
            self.name.unlink(missing_ok=True)
        if hasattr(self, "control"):
            self.control.close()
        super().end()


class Relay:
    """A pty in front of a wand's pty. Each direction can be cut by itself, and the whole can be hung up, at once."""

    name: Path | None = None

    def __init__(self, far: str) -> None:
        self.to_wand = self.to_host = True
        self._far = os.open(far, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self._master, self._held = os.openpty()
        tty.setraw(self._held)
        os.set_blocking(self._master, False)
        self.port = os.ttyname(self._held)
        self._wake, self._woken = os.pipe()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            ready, _, _ = select.select([self._master, self._far, self._wake], [], [])
            if self._wake in ready:
                return
            for source, target, way in ((self._master, self._far, "to_wand"), (self._far, self._master, "to_host")):
                if source in ready:
                    with suppress(OSError):  # a line that is full or gone loses bytes, as a line does
                        data = os.read(source, 4096)
                        if getattr(self, way):
                            os.write(target, data)

    def hang_up(self) -> None:
        """Take the port away: whoever has it open sees a hang-up. Again is harmless."""
        if self._closed:
            return
        self._closed = True
        if self.name is not None:
            self.name.unlink(missing_ok=True)
        os.write(self._woken, b"x")
        self._thread.join(5)
        for descriptor in (self._master, self._held, self._far, self._wake, self._woken):
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.hang_up()


def write_settings(path: Path, port: str, state_dir: Path, **sections: dict[str, Any]) -> Path:
    """A settings file for a simulated wand at ``port``, without MQTT unless a section says otherwise."""
    tree: dict[str, dict[str, Any]] = {
        "device": {"id": "wand-1", "allow_simulated": True},
        "link": {"kind": "serial", "port": port},
        "mqtt": {"mode": "off"},
        "records": {"state_dir": str(state_dir)},
        "log": {"format": "json"},
    }
    for name, section in sections.items():
        tree[name] = {**tree.get(name, {}), **section}
    lines: list[str] = []
    for name, section in tree.items():
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in section.items())]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


class Daemon(Child):
    """``cryodevice run``, and whoever speaks to it over its local socket."""

    _count = 0

    def __init__(
        self,
        config: Path,
        state_dir: Path,
        program: list[str] | None = None,
        terminal: int = -1,
        **environment: str,
    ) -> None:
        Daemon._count += 1
        arguments = [*(program or [*CRYODEVICE, "run"]), "--config", str(config)]
        self.config, self.state_dir = config, state_dir
        super().__init__(arguments, config.parent, f"daemon-{Daemon._count}", terminal, **environment)
        with suppress(OSError):
            resource.prlimit(self.pid, resource.RLIMIT_CPU, (DAEMON_CPU_S, DAEMON_CPU_S))

    def ask(self, request: dict[str, Any], timeout_s: float = 5.0) -> dict[str, Any]:
        """One request over the local socket; raises StoreError when no daemon answers."""
        return ask(self.state_dir / SOCKET_NAME, request, timeout_s)

    def status(self) -> dict[str, Any]:
        """The status; empty while there is none to be had."""
        with suppress(CryodeviceError):
            answer = self.ask({"ask": "status"})
            if answer["ok"]:
                return answer["status"]
        return {}

    def until(self, condition: Callable[[dict[str, Any]], Any], within_s: float, what: str) -> dict[str, Any]:
        """The first status that meets the condition."""

        def met() -> dict[str, Any]:
            assert self.running, f"the daemon ended; {self.said()}"
            status = self.status()
            return status if status and condition(status) else {}

        return until(met, within_s, what, self.said)

    def until_state(self, *states: str, within_s: float = 20.0) -> dict[str, Any]:
        return self.until(lambda status: status["session"]["state"] in states, within_s, f"state {states}")

    def until_permit(self) -> dict[str, Any]:
        """The wand is claimed and nothing speaks against cooling."""
        return self.until(lambda status: status["permit"], 20, "permit")

    def logged(self) -> list[dict[str, Any]]:
        """What it has logged so far, one mapping a line."""
        return [json.loads(line) for line in self.err.read_text().splitlines(keepends=True) if line.endswith("}\n")]

    def event(self, kind: str) -> dict[str, Any]:
        """The last logged event of a kind."""
        return until(
            lambda: next((line for line in reversed(self.logged()) if line["event"] == kind), None),
            3.0,
            f"event {kind}",
            self.said,
        )

    def ledger(self) -> Ledger:
        """What the next daemon on this state directory would know; call it when this one has ended."""
        store = SqliteExposureStore(self.state_dir / "exposure.db", time.time)
        try:
            return store.load()
        finally:
            store.close()


@dataclass
class Bed:
    """A wand, perhaps a relay, and a daemon, in one directory."""

    directory: Path
    wand: Wand
    daemon: Daemon
    relay: Relay | None = None
    notes: dict[str, Any] = field(default_factory=dict)

    def story(self) -> str:
        return f"{self.wand.truth()}; {self.daemon.said()}"

    def start_session(self, treatment: dict[str, Any] | None = None) -> str:
        """Point at skin, hold the trigger, start; returns the session's id."""
        self.wand.hand(zone=(treatment or GENTLE)["step"][0]["zone"], motion=True, trigger=True)
        self.daemon.until_permit()
        answer: dict[str, Any] = {}

        def started() -> bool:
            answer.update(self.daemon.ask({"ask": "start", "treatment": treatment or GENTLE, "who": "tester"}))
            return answer["ok"]

        until(started, 10, "a session", lambda: answer)
        return answer["session_id"]

    def to_cooling(self, contact_s: float = 0.3) -> dict[str, Any]:
        """To a plate on skin with the drive on for ``contact_s``; returns the truth then.

        On a machine too busy to carry replies in time a daemon ends the session, as it must; a session is then begun
        again, for this only prepares what a test is about.
        """
        for _ in range(PREPARATIONS):
            self.notes["session_id"] = self.start_session()
            truth = self._cooled(contact_s)
            if truth:
                return truth
            self.wand.hand(contact=False)
            if self.daemon.status()["lockout"] is not None:
                self.daemon.ask({"ask": "reset", "who": "tester"})
        raise AssertionError(f"no session came to cooling; {self.story()}")

    def _cooled(self, contact_s: float) -> dict[str, Any]:
        """Through one session to cooling in contact; empty when the session ended on the way."""
        over = ("stopped", "locked")
        if self.daemon.until_state("lifted", "applying", *over, within_s=30)["session"]["state"] in over:
            return {}
        self.wand.hand(contact=True)

        def cooling() -> dict[str, Any]:
            if self.daemon.until_state(*SESSION_STATES)["session"]["state"] in over:
                return {"over": True}
            truth = self.wand.truth()
            touched = truth["contact_s"][ZONE] >= contact_s
            return truth if touched and self.cools(truth) else {}

        truth = until(cooling, 10 + contact_s, "cooling in contact", self.story)
        return {} if "over" in truth else truth

    @staticmethod
    def cools(truth: dict[str, Any]) -> bool:
        """The drive is on, under a live lease."""
        return truth["drive_on_since_s"] is not None and truth["drive_a"] > 0.0 and truth["lease_live"]

    def until_off(self, within_s: float = 5.0) -> dict[str, Any]:
        """The truth once no current flows."""

        def off() -> dict[str, Any]:
            truth = self.wand.truth()
            return truth if truth["drive_a"] == 0.0 and truth["drive_on_since_s"] is None else {}

        return until(off, within_s, "drive off", self.story)

    def stays_off(self, seconds: float) -> None:
        """The drive is off, and no current flows at any time for this long."""
        before = self.wand.truth()
        assert before["drive_on_since_s"] is None, before
        time.sleep(seconds)
        after = self.wand.truth()
        assert after["drive_on_since_s"] is None, after
        assert after["drive_off_at_s"] == before["drive_off_at_s"], "current flowed again"

    def restart_daemon(self, **environment: str) -> Daemon:
        """A new daemon on the same settings and state, after the one before has ended."""
        assert not self.daemon.running
        self.daemon.end()
        self.daemon = Daemon(self.daemon.config, self.daemon.state_dir, **environment)
        return self.daemon


@contextmanager
def bed(
    directory: Path,
    *,
    seed: int = 1,
    relayed: bool = False,
    program: list[str] | None = None,
    terminal: int = -1,
    environment: dict[str, str] | None = None,
    **sections: Any,
) -> Iterator[Bed]:
    """Start a wand, a relay if asked for, and a daemon on it; end all of them, whatever happens."""
    with Wand(directory, seed) as wand:
        relay = Relay(wand.port) if relayed else None
        daemons: Bed | None = None
        try:
            state_dir = directory / "state"
            # By a name of its own that goes with it: the number of a pty that is gone is soon somebody else's.
            (relay or wand).name = directory / "port"
            (directory / "port").symlink_to(relay.port if relay else wand.port)
            port = str(directory / "port")
            config = write_settings(directory / "cryodevice.toml", port, state_dir, **sections)
            daemons = Bed(directory, wand, Daemon(config, state_dir, program, terminal, **(environment or {})), relay)
            yield daemons
        finally:
            if daemons is not None:
                daemons.daemon.end()
            if relay is not None:
                relay.hang_up()
