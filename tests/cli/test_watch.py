"""``cryodevice watch`` on a real daemon: in a pipe, as JSON, on a terminal, over restarts, stopped, and without any."""

import asyncio
import json
import os
import pty
import select
import signal
import subprocess
import threading
import time
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress

import pytest

from cryodevice.cli.watch import followed
from cryodevice.errors import StoreError
from tests.system.processes import CRYODEVICE, ENVIRONMENT, ROOT, Daemon, bed, cryodevice, until, write_settings
from tests.system.unprivileged import IS_ROOT, open_place, unprivileged

KEYS = ("at", "connected", "why", "monitoring", "status", "events", "events_missed")


class Watcher:
    """One ``cryodevice watch`` and what it has printed so far."""

    def __init__(self, config, *arguments, terminal: bool = False):
        line = [*CRYODEVICE, "watch", "--config", str(config), *arguments]
        ours, theirs = pty.openpty() if terminal else os.pipe()
        environment = ENVIRONMENT | {"TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
        self.process = subprocess.Popen(
            line, stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.PIPE, env=environment, cwd=ROOT
        )
        os.close(theirs)
        self._ours, self.text = ours, ""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        while select.select([self._ours], [], [], 30)[0]:
            try:
                data = os.read(self._ours, 65536)
            except OSError:
                return
            if not data:
                return
            self.text += data.decode(errors="replace")

    def lines(self):
        return self.text.splitlines()

    def until(self, says: str, within_s: float = 10.0):
        until(lambda: says in self.text, within_s, says, lambda: self.text[-2000:])

    def end(self, number=signal.SIGINT):
        self.process.send_signal(number)
        errors = self.process.communicate(timeout=10)[1].decode()
        return self.process.returncode, errors


@contextmanager
def watcher(config, *arguments, **how):
    found = Watcher(config, *arguments, **how)
    try:
        yield found
    finally:
        found.process.kill()
        found.process.wait()
        found._thread.join(5)
        os.close(found._ours)
        found.process.stderr.close()


@pytest.mark.timeout(90)
def test_it_follows_a_daemon_in_every_form_through_a_restart_until_ctrl_c(tmp_path):
    with bed(tmp_path) as testbed:
        config = testbed.daemon.config
        testbed.daemon.until_permit()
        with watcher(config) as plain, watcher(config, "--json") as as_json, watcher(config, terminal=True) as picture:
            plain.until("SIMULATED  idle")
            picture.until("SIMULATED wand")
            until(lambda: len(as_json.lines()) >= 2, 10, "two objects", lambda: as_json.text)
            loop_is_not_slowed_by_a_stopped(plain, testbed.daemon)
            testbed.wand.hand(estop=True)
            plain.until("lockout: ")
            picture.until("LOCKED")
            plain.until("alarm_raised: MEDIUM alarm ")
            picture.until("ALARM     MEDIUM e-stop pressed")
            until(lambda: "\a" in picture.text, 5, "the bell", lambda: picture.text[-500:])
            assert "\a" not in plain.text + as_json.text
            assert all(line[:4].isdecimal() and line[19] == "Z" for line in plain.lines()), plain.text
            testbed.daemon.send(signal.SIGTERM)
            testbed.daemon.wait(10)
            picture.until("NOT MONITORING: the daemon has ended; waiting for it")
            plain.until("NOT MONITORING: the daemon has ended; waiting for it")
            until(lambda: '"connected": false' in as_json.text, 10, "no daemon", lambda: as_json.text[-500:])
            ended_at = len(plain.text)
            testbed.restart_daemon().until(lambda status: status["claimed"], 20, "claimed")
            until(lambda: "permit no" in plain.text[ended_at:], 10, "the daemon is back", lambda: plain.text)
            told = [json.loads(line) for line in as_json.lines()[:-1]]
            assert {tuple(line) for line in told} == {KEYS}
            assert told[0]["status"]["wand"]["simulated"] is True
            assert all(line["connected"] or not line["monitoring"] for line in told)
            assert any(line["monitoring"] for line in told)
            kinds = [event["kind"] for line in told for event in line["events"]]
            assert "lockout" in kinds
            assert "daemon_stopping" in kinds, "the last words are heard as well"
            for seen in (plain, as_json, picture):
                assert seen.end() == (0, ""), seen.text[-1000:]


def loop_is_not_slowed_by_a_stopped(seen, daemon):
    seen.process.send_signal(signal.SIGSTOP)
    before, began_s = daemon.status(), time.monotonic()
    time.sleep(1.0)
    after, took_s = daemon.status(), time.monotonic() - began_s
    seen.process.send_signal(signal.SIGCONT)
    assert after["ticks"] - before["ticks"] > 20 * took_s / 2


@asynccontextmanager
async def serving(path, answer):
    """What stands where a daemon's socket would."""
    tasks = set()

    async def run(reader, writer):
        tasks.add(asyncio.current_task())
        try:
            await answer(reader, writer)
        finally:
            writer.transport.abort()

    async with await asyncio.start_unix_server(run, str(path)):
        yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0.01)


async def test_a_daemon_that_hangs_is_said_to_and_heard_again(tmp_path, monkeypatch):
    monkeypatch.setattr("cryodevice.cli.watch.SILENT_S", 0.2)
    monkeypatch.setattr("cryodevice.cli.watch.RETRY_S", 0.05)
    path, hangs = tmp_path / "control.sock", asyncio.Event()

    async def answer(reader, writer):
        await reader.readline()
        if not hangs.is_set():
            writer.write(b'{"ok": true, "status": null, "events": [], "events_missed": 0}\n')
        await asyncio.sleep(1.0)

    async with serving(path, answer), aclosing(followed(path, 0.1)) as daemon:
        assert (await anext(daemon)).connected
        hangs.set()
        seen = await anext(daemon)
        assert (seen.connected, seen.why) == (False, "the daemon hangs; waiting for it")
        assert (await anext(daemon)).why == "the daemon hangs; waiting for it"
        hangs.clear()
        assert (await anext(daemon)).connected


@pytest.mark.parametrize("line", [b"SSH-2.0\n", b"[]\n", b'{"ok": true}\n', b"x" * (1 << 21)])
async def test_what_is_no_daemon_is_said_to_be_none(tmp_path, line):
    async def answer(reader, writer):
        writer.write(line)
        with suppress(OSError):
            await writer.drain()
            await reader.read()

    path = tmp_path / "control.sock"
    async with serving(path, answer), aclosing(followed(path, 1.0)) as daemon:
        with pytest.raises(StoreError, match="is no cryodevice daemon"):
            await anext(daemon)


def test_without_a_daemon_it_says_so(tmp_path):
    config = write_settings(tmp_path / "c.toml", "/nowhere", tmp_path / "state")
    done = cryodevice("watch", "--json", "--config", config)
    assert (done.returncode, done.stdout) == (1, ""), done
    assert "no daemon answers" in done.stderr
    assert "is the daemon running" in done.stderr


@pytest.mark.skipif(not IS_ROOT, reason="only root can be somebody else")
def test_another_user_is_refused_in_a_sentence():
    with open_place() as place:
        config = write_settings(place / "c.toml", "/nowhere", place / "state")
        with Daemon(config, place / "state") as daemon:
            until(daemon.status, 20, "a status")
            assert (place / "state").stat().st_mode & 0o777 == 0o700
            assert (place / "state" / "control.sock").stat().st_mode & 0o777 == 0o600
            refusals = [unprivileged("stop", "--config", config)]
            (place / "state").chmod(0o755)
            refusals.append(unprivileged("watch", "--config", config))
    for done in refusals:
        assert (done.returncode, done.stdout) == (1, ""), done
        assert "listens to its own user only: run this command as that user, or as root" in done.stderr
        assert "Traceback" not in done.stderr
