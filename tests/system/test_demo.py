"""The demo as a user runs it: to its end, twice, against a real broker, and with its wand killed under it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.system.processes import CRYODEVICE, ENVIRONMENT, ROOT, bed, until


def demo(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*CRYODEVICE, "demo", "--plain", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=ENVIRONMENT,
        cwd=ROOT,
    )


def children(pid: int) -> dict[int, str]:
    """Command lines of a process's children."""
    found = {}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found[int(child)] = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found


@pytest.fixture
def mosquitto(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = tmp_path / "mosquitto.conf"
    user = "user root\n" if os.geteuid() == 0 else ""
    config.write_text(f"{user}listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n")
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    assert program, "install mosquitto"
    process = subprocess.Popen([program, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: listens(port), 10, "Mosquitto listens")
        yield port
    finally:
        process.terminate()
        process.wait(5)


def listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def listen(port: int, *arguments: str, out=subprocess.PIPE) -> subprocess.Popen[str]:
    command = ["stdbuf", "-oL", "mosquitto_sub", "-h", "127.0.0.1", "-p", str(port), "-F", "%U %r %t %p", *arguments]
    return subprocess.Popen(command, stdout=out, text=True)


@pytest.mark.timeout(120)
def test_a_demo_on_every_line_side_by_side_finishes_and_publishes(mosquitto, tmp_path):
    with ExitStack() as stack:
        log = stack.enter_context((tmp_path / "heard").open("w+"))
        _demos_finish_and_publish(mosquitto, log, lambda child: stack.enter_context(ended(child)))


@contextmanager
def ended(child: subprocess.Popen[str]):
    """A child that does not outlive the test, whatever happens in it."""
    try:
        yield child
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()
        if child.stdout is not None:
            child.stdout.close()


def _demos_finish_and_publish(mosquitto, log, held) -> None:
    subscriber = held(listen(mosquitto, "-t", "cryodevice/#", out=log))
    first = held(demo("--duration", "20", "--broker", f"mqtt://127.0.0.1:{mosquitto}"))
    second = held(demo("--duration", "20", "--link", "tcp", "--seed", "2"))
    third = held(demo("--duration", "20", "--link", "modbus-tcp"))
    demos = (first, second, third, held(demo("--duration", "20", "--link", "modbus-rtu")))
    said = [child.communicate(timeout=60)[0] for child in demos]
    assert [child.returncode for child in demos] == [0, 0, 0, 0], said
    for text in said:
        assert text.count("SIMULATED") > 10
        assert "treatment complete" in text
        assert "mosquitto_sub" in text
        for state in ("precool", "applying", "rewarming"):
            assert f"SIMULATED  {state}" in text
    late = held(listen(mosquitto, "-t", "cryodevice/#", "--retained-only", "-W", "2"))
    retained = late.communicate(timeout=10)[0]
    assert {line.split(" ")[2].rsplit("/", 1)[1] for line in retained.splitlines()} >= {
        "status",
        "info",
        "state",
        "link",
    }
    subscriber.terminate()
    subscriber.wait(10)
    log.seek(0)
    lines = [line.split(" ", 3) for line in log.read().splitlines()]
    by_topic: dict[str, list[tuple[float, str]]] = {}
    for at, _retained, topic, payload in lines:
        by_topic.setdefault(topic, []).append((float(at), payload))
    assert [payload for _, payload in by_topic["cryodevice/demo/status"]] == ["online", "offline"]
    readings = [at for at, _ in by_topic["cryodevice/demo/telemetry"]]
    assert 9.0 <= (len(readings) - 1) / (readings[-1] - readings[0]) <= 11.0
    assert json.loads(by_topic["cryodevice/demo/info"][-1][1])["simulated"] is True
    events = [json.loads(payload) for _, payload in by_topic["cryodevice/demo/event"]]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    kinds = [event["kind"] for event in events]
    for kind in ("session_started", "proof_passed", "step_started", "step_finished", "session_ended"):
        assert kind in kinds


@pytest.mark.timeout(60)
def test_killing_the_wand_in_mid_demo_names_the_lost_link_and_exits_1():
    running = demo("--duration", "20")
    try:
        found = until(
            lambda: [pid for pid, line in children(running.pid).items() if "firmware_sim" in line], 20, "the wand"
        )
        time.sleep(4.0)
        os.kill(found[0], signal.SIGKILL)
        said = running.communicate(timeout=30)[0]
    finally:
        running.kill()
        running.wait()
    assert running.returncode == 1, said
    assert "link_lost" in said
    assert "treatment ended early: link_lost" in said
    assert "Traceback" not in said


@pytest.mark.timeout(60)
def test_after_kill_9_of_the_daemon_the_broker_says_offline(mosquitto, tmp_path):
    mqtt = {"mode": "broker", "host": "127.0.0.1", "port": mosquitto, "keepalive_s": 5}
    with bed(tmp_path, mqtt=mqtt) as testbed:
        testbed.daemon.until_permit()
        subscriber = listen(mosquitto, "-t", "cryodevice/wand-1/status", "-C", "2", "-W", "30")
        time.sleep(1.0)
        testbed.daemon.send(signal.SIGKILL)
        said = subscriber.communicate(timeout=40)[0].splitlines()
    assert [line.rsplit(" ", 1)[1] for line in said] == ["online", "offline"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--duration", "5"], "--duration is 5; it may be 20 to 600 seconds"),
        (["--duration", "nan"], "--duration is nan"),
        (["--broker", "http://127.0.0.1"], "not of the form mqtt://HOST[:PORT]"),
        (["--broker", "mqtt://127.0.0.1:port"], "not of the form mqtt://HOST[:PORT]"),
        (["--broker", "mqtt://user:secret@127.0.0.1"], "not of the form"),
    ],
)
def test_bad_arguments_are_refused_at_once(arguments, says):
    running = demo(*arguments)
    said = running.communicate(timeout=20)[0]
    assert running.returncode == 2
    assert says in said
    assert "Traceback" not in said
