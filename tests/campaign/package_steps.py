"""What is done inside the Debian root, with Debian's own Python and nothing else; ``package.py`` takes it there.

``python3 package_steps.py chroot|booted RESULTS``: each step is one JSON line, written as soon as it is over.
"""

import array
import contextlib
import fcntl
import json
import os
import re
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

CONFIG = Path("/etc/cryodevice/cryodevice.toml")
STATE = Path("/var/lib/cryodevice/wand-1")
UNIT = "cryodevice@cryodevice.service"
PORT = "/run/wand/port"
AS_SERVICE = ["setpriv", "--reuid=cryodevice", "--regid=cryodevice", "--init-groups"]
AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
SIM = ["firmware-sim", "serve", "--serial", PORT, "--control", "127.0.0.1:4999"]
CLEAN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
WAND_UNIT = f"""[Service]
User=cryodevice
RuntimeDirectory=wand
ExecStart=/usr/bin/{" ".join(SIM)}
"""
SHOWN: list[str] = []
"""What the step has to show in full, taken by whoever runs it."""


def run(*words: object, within_s: float = 60.0, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=within_s,
        env=CLEAN | environment,
    )


def good(*words: object, **options) -> str:
    done = run(*words, **options)
    assert done.returncode == 0, (
        f"{' '.join(map(str, words))}: {done.returncode}: {(done.stderr or done.stdout)[-400:]}"
    )
    return done.stdout


def until(condition: Callable[[], object], within_s: float, what: str) -> float:
    """Seconds until the condition held."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < within_s, f"not within {within_s:g} s: {what}"
        time.sleep(0.05)
    return time.monotonic() - began


def loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        fcntl.ioctl(line, 0x8914, array.array("b", struct.pack("16sh14x", b"lo", 0x1 | 0x40)))


def settings(**changes: str) -> None:
    """Change values of the installed settings file in place."""
    text = CONFIG.read_text()
    for key, value in changes.items():
        text, count = re.subn(rf"^#? ?{key} = .*$", f"{key} = {value}", text, count=1, flags=re.MULTILINE)
        assert count == 1, key
    CONFIG.write_text(text)


def for_the_wand() -> None:
    settings(port=f'"{PORT}"', allow_simulated="true")


@contextlib.contextmanager
def process(*words: str) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=CLEAN
    )
    try:
        yield child
    finally:
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
        child.communicate()


@contextlib.contextmanager
def wand() -> Iterator[None]:
    Path("/run/wand").mkdir(exist_ok=True)
    good("chown", "cryodevice", "/run/wand")
    with process(*AS_SERVICE, *SIM):
        until(lambda: Path(PORT).exists(), 15, "the simulated wand")
        yield


def status(*who: str) -> dict:
    done = run(*who, "cryodevice", "status", "--json")
    return json.loads(done.stdout)["status"] if done.returncode == 0 else {}


def install(version: str) -> str:
    (package,) = Path("/srv").glob(f"cryodevice_{version}_*.deb")
    began = time.monotonic()
    good("dpkg", "-i", package)
    return (
        f"{package.stat().st_size / 1e6:.1f} MB, unpacked {installed_mb():.0f} MB, in {time.monotonic() - began:.1f} s"
    )


def installed_mb() -> float:
    return int(good("dpkg-query", "-W", "-f=${Installed-Size}", "cryodevice")) / 1000


# In a chroot, without a network and without a service manager.


def installs_without_network() -> str:
    routes = Path("/proc/net/route").read_text().splitlines()[1:]
    assert not routes, "there is a network"
    return install("*~before")


def files_are_whole() -> str:
    told = good("dpkg", "--verify", "cryodevice")
    assert not told, told
    count = len(good("dpkg", "-L", "cryodevice").splitlines())
    return f"{count} files, every check sum right; account {good('id', 'cryodevice').strip()}"


def checks_settings() -> str:
    tree = json.loads(good(*AS_SERVICE, "cryodevice", "check", "--json"))
    assert tree["state_dir"] == str(STATE)
    return f"state in {tree['state_dir']}, for root and for the service's user"


def writes_nothing_beside_its_files() -> str:
    good("cryodevice", "interlocks")
    good("firmware-sim", "--help")
    listed = set(good("dpkg", "-L", "cryodevice").splitlines())
    found = [str(path) for path in Path("/opt/cryodevice").rglob("*") if str(path) not in listed]
    assert not found, found[:3]
    return "compiled files came with the package; none is written later"


def unit_is_clean() -> str:
    done = run("systemd-analyze", "verify", "--man=no", UNIT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), done
    return good("systemd-analyze", "--version").splitlines()[0]


def udev_reads_the_rules() -> str:
    """The kernel's own tty0 made to look like an adapter, by a rule that runs before ours."""
    Path("/etc/udev/rules.d/61-test.rules").write_text(
        'KERNEL=="tty0", ENV{ID_SERIAL_SHORT}="A7QX01", ENV{CRYODEVICE_ADAPTER}="1"\n'
        'KERNEL=="tty1", ENV{ID_SERIAL_SHORT}="A7QX02", ENV{CRYODEVICE_ADAPTER}="1", ENV{ID_USB_INTERFACE_NUM}="01"\n'
    )
    for name, link in (("tty0", "A7QX01"), ("tty1", "A7QX02-if01")):
        done = run("udevadm", "test", "--action=add", f"/sys/class/tty/{name}")
        said = done.stdout + done.stderr
        assert "65-cryodevice.rules" in said
        complaints = [line for line in said.splitlines() if "65-cryodevice.rules:" in line and "nvalid" in line]
        assert not complaints, complaints
        assert re.search(rf"DEVLINKS=.*/dev/cryodevice/{link}\b", said), said[-600:]
        assert "ID_MM_PORT_IGNORE=1" in said
    Path("/etc/udev/rules.d/61-test.rules").unlink()
    return "/dev/cryodevice/A7QX01 and A7QX02-if01"


def runs_as_the_service_user() -> str:
    for_the_wand()
    with wand(), process(*AS_SERVICE, "cryodevice", "run") as daemon:
        took = until(lambda: status(*AS_SERVICE).get("permit"), 20, "permit")
        good(*AS_SERVICE, "cryodevice", "stop")
        assert run(*AS_NOBODY, "cryodevice", "status").returncode == 1, "anybody may speak to it"
        broker = [name for name in ("mosquitto", "python3") if name in children(daemon.pid)]
        daemon.terminate()
        assert daemon.wait(10) == 0
    return f"permit after {took:.1f} s, broker {broker[0]}, ended with status 0"


def children(pid: int) -> list[str]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    found = [child for task in tasks for child in (task / "children").read_text().split()]
    return [Path(f"/proc/{child}/comm").read_text().strip() for child in found]


def doctor(*expected: str) -> str:
    """``doctor`` as it is now, for a person and then as JSON; which checks fail."""
    words = [*AS_SERVICE, "cryodevice", "doctor", "--config", CONFIG]
    plain = run(*words)
    SHOWN.append(plain.stdout.strip() + f"\n\nexit status {plain.returncode}")
    done = run(*words, "--json")
    checks = {check["check"]: check["state"] for check in json.loads(done.stdout)["checks"]}
    failed = [name for name, state in checks.items() if state == "fail"]
    assert failed == list(expected), (failed, done.stdout[-600:])
    assert re.findall(r"^fail +(\w+)", plain.stdout, re.MULTILINE) == failed, plain.stdout[-600:]
    assert (plain.returncode, plain.stderr) == (int(bool(failed)), ""), plain
    return f"{len(checks)} checks; fails: {', '.join(failed) or 'none'}"


def doctor_all_well() -> str:
    with wand():
        return doctor()


def doctor_missing_port() -> str:
    return doctor("port")


def doctor_busy_port() -> str:
    with wand():
        descriptor = os.open(os.path.realpath(PORT), os.O_RDWR | os.O_NOCTTY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            fcntl.ioctl(descriptor, 0x540C)  # TIOCEXCL
            return doctor("exclusive")
        finally:
            os.close(descriptor)


def doctor_wrong_device() -> str:
    """Something that answers every request with its own bytes: an echo is no wand."""
    other, theirs = os.openpty()
    Path(PORT).unlink(missing_ok=True)
    Path(PORT).symlink_to(os.ttyname(theirs))
    good("chown", "cryodevice", os.ttyname(theirs))
    echo = subprocess.Popen(
        [sys.executable, "-c", f"import os\nwhile True: os.write({other}, os.read({other}, 4096))"], pass_fds=(other,)
    )
    try:
        return doctor("identity")
    finally:
        echo.kill()
        echo.wait()
        os.close(other)
        os.close(theirs)
        Path(PORT).unlink()


def doctor_stopped_broker() -> str:
    kept = CONFIG.read_text()
    settings(mode='"broker"')
    try:
        with wand():
            return doctor("broker")
    finally:
        CONFIG.write_text(kept)


# Booted, with systemd as process 1.


def show(*names: str) -> list[str]:
    told = dict(line.split("=", 1) for line in good("systemctl", "show", UNIT).splitlines() if "=" in line)
    return [told[name] for name in names]


def journal(unit: str = UNIT) -> list[str]:
    return good("journalctl", "--no-pager", "-o", "cat", "-u", unit).splitlines()


def active() -> bool:
    return show("ActiveState") == ["active"]


def start() -> float:
    run("systemctl", "reset-failed", UNIT)  # a unit that has not failed is not even loaded: that is well too
    began = time.monotonic()
    good("systemctl", "start", UNIT)
    return time.monotonic() - began


def is_ready_when_it_serves() -> str:
    for_the_wand()
    Path("/etc/systemd/system/wand.service").write_text(WAND_UNIT)
    good("systemctl", "daemon-reload")
    good("systemctl", "start", "wand")
    until(lambda: Path(PORT).exists(), 15, "the simulated wand")
    took = start()
    assert active()
    assert STATE.joinpath("control.sock").is_socket()
    until(lambda: "cooling permitted" in show("StatusText")[0], 15, "permit in the status")
    (text,) = show("StatusText")
    return f"READY after {took:.1f} s; status: {text}"


def is_fed_and_stays() -> str:
    pid, restarts = show("MainPID", "NRestarts")
    time.sleep(6.0)
    assert show("MainPID", "NRestarts") == [pid, restarts]
    return "three watchdog times without a restart"


def waits_for_a_wand_and_stays() -> str:
    pid, restarts = show("MainPID", "NRestarts")
    good("systemctl", "stop", "wand")
    until(lambda: "wand down" in show("StatusText")[0], 5, "the wand down in the status")
    time.sleep(6.0)
    assert show("MainPID", "NRestarts") == [pid, restarts]
    (text,) = show("StatusText")
    good("systemctl", "start", "wand")
    until(lambda: "cooling permitted" in show("StatusText")[0], 20, "permit again")
    return f"not restarted in 6 s without a wand; status: {text[:90]}"


def is_shut_in() -> str:
    (pid,) = show("MainPID")
    about = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    assert (about["NoNewPrivs"], about["Seccomp"], about["CapEff"].strip("0"), about["CapBnd"].strip("0")) == (
        "1",
        "2",
        "",
        "",
    )
    inside = ["nsenter", "-t", pid, "-m", "--", "sh", "-c"]
    for place in ("/usr", "/etc", "/var/lib", "/opt"):
        assert run(*inside, f"touch {place}/probe").returncode != 0, place
    good(*inside, f"touch {STATE}/probe && rm {STATE}/probe")
    assert "mosquitto" in children(int(pid))
    return "no capability, system calls filtered, writes only to its state; Mosquitto runs inside it"


def anybody_else_is_refused() -> str:
    assert status(), "root is refused"
    assert run(*AS_NOBODY, "cryodevice", "status").returncode == 1
    return "status for root and the service's user, not for nobody"


def logs_json_to_the_journal() -> str:
    lines = [json.loads(line) for line in journal() if line.startswith("{")]
    assert any(line["event"] == "serving" and line["watchdog_s"] == 2.0 for line in lines)
    return f"{len(lines)} lines, each one JSON object"


def restarted(before: int, within_s: float) -> float:
    return until(lambda: int(show("NRestarts")[0]) > before and active(), within_s, "a restart")


def a_frozen_daemon_is_restarted() -> str:
    pid, restarts = show("MainPID", "NRestarts")
    os.kill(int(pid), signal.SIGSTOP)
    took = restarted(int(restarts), 25)
    assert show("MainPID") != [pid]
    said = good("journalctl", "--no-pager", "-u", UNIT)
    assert "Watchdog timeout" in said
    assert "Fatal Python error: Aborted" in said
    return f"SIGSTOP: ended by the watchdog, stacks in the journal, serving again after {took:.1f} s"


def a_killed_daemon_is_restarted() -> str:
    pid, restarts = show("MainPID", "NRestarts")
    os.kill(int(pid), signal.SIGKILL)
    return f"kill -9: serving again after {restarted(int(restarts), 15):.1f} s"


def ends_in_order() -> str:
    (pid,) = show("MainPID")
    began = time.monotonic()
    good("systemctl", "stop", UNIT)
    took = time.monotonic() - began
    assert show("ActiveState", "Result", "ExecMainStatus") == ["inactive", "success", "0"]
    assert not Path(f"/proc/{pid}").exists()
    return f"systemctl stop: status 0 after {took:.1f} s"


def refused_and_not_tried_again(what: str) -> str:
    run("systemctl", "reset-failed", UNIT)
    done = run("systemctl", "start", UNIT)
    assert done.returncode != 0
    time.sleep(5.0)
    state, code, restarts = show("ActiveState", "ExecMainStatus", "NRestarts")
    assert (state, code, restarts) == ("failed", "2", "0"), (state, code, restarts)
    said = [line for line in journal() if what in line][-1]
    good("systemctl", "reset-failed", UNIT)
    return f"status 2, not tried again; journal: {said}"


def wrong_settings() -> str:
    kept = CONFIG.read_text()
    settings(lease_ms="5")
    try:
        return refused_and_not_tried_again("control.lease_ms")
    finally:
        CONFIG.write_text(kept)


def newer_state() -> str:
    ledger = STATE / "exposure.db"
    kept = {path: path.read_bytes() for path in STATE.glob("exposure.db*")}
    with contextlib.closing(sqlite3.connect(ledger, isolation_level=None)) as connection:
        connection.executescript("PRAGMA user_version=9; UPDATE meta SET schema_version = 9, written_by = '0.9.0';")
    try:
        return refused_and_not_tried_again("0.9.0")
    finally:
        for path in STATE.glob("exposure.db*"):
            path.unlink()
        for path, content in kept.items():
            path.write_bytes(content)
            good("chown", "cryodevice:cryodevice", path)


def upgrade_of_a_running_one() -> str:
    start()
    (pid,) = show("MainPID")
    said = install("[0-9].[0-9].[0-9]")
    assert show("MainPID") != [pid]
    until(active, 20, "the new one to serve")
    version = good("dpkg-query", "-W", "-f=${Version}", "cryodevice")
    assert "~" not in version
    assert "allow_simulated = true" in CONFIG.read_text(), "the settings were overwritten"
    return f"stopped in order, upgraded to {version} ({said}), started again; edited settings kept"


def older_state_is_brought_up() -> str:
    good("systemctl", "stop", UNIT)
    for path in STATE.glob("exposure.*"):
        path.unlink()
    with contextlib.closing(sqlite3.connect(STATE / "exposure.db", isolation_level=None)) as connection:
        connection.executescript(Path("/srv/schema_1.sql").read_text())
    good("chown", "cryodevice:cryodevice", STATE / "exposure.db")
    start()
    (copy,) = STATE.glob("exposure.db.schema-1-*")
    until(lambda: status().get("lockout"), 10, "the lockout of the older ledger")
    assert status()["lockout"]["cause"] == "skin_stop"
    return f"its lockout stands; the old file is {re.sub(r'[0-9]{8}T.*', 'TIME', copy.name)}"


def remove_keeps_settings_and_dose() -> str:
    good("dpkg", "-r", "cryodevice")
    assert show("ActiveState") != ["active"]
    for gone in ("/usr/bin/cryodevice", "/opt/cryodevice", "/lib/udev/rules.d/65-cryodevice.rules"):
        assert not Path(gone).exists(), gone
    assert CONFIG.exists()
    assert (STATE / "exposure.db").exists()
    return "stopped, programs gone, settings and dose kept"


def purge_keeps_the_dose() -> str:
    said = run("dpkg", "-P", "cryodevice")
    assert said.returncode == 0
    assert not CONFIG.exists()
    assert (STATE / "exposure.db").exists()
    return said.stderr.strip().splitlines()[-1]


def purge_takes_the_dose_when_asked() -> str:
    install("[0-9].[0-9].[0-9]")
    good("dpkg", "-P", "cryodevice", CRYODEVICE_PURGE_STATE="yes")
    assert not Path("/var/lib/cryodevice").exists()
    return "CRYODEVICE_PURGE_STATE=yes: nothing is left"


STEPS = {
    "chroot": [
        installs_without_network,
        files_are_whole,
        checks_settings,
        writes_nothing_beside_its_files,
        unit_is_clean,
        udev_reads_the_rules,
        runs_as_the_service_user,
        doctor_all_well,
        doctor_missing_port,
        doctor_busy_port,
        doctor_wrong_device,
        doctor_stopped_broker,
    ],
    "booted": [
        is_ready_when_it_serves,
        is_fed_and_stays,
        waits_for_a_wand_and_stays,
        is_shut_in,
        anybody_else_is_refused,
        logs_json_to_the_journal,
        a_frozen_daemon_is_restarted,
        a_killed_daemon_is_restarted,
        ends_in_order,
        wrong_settings,
        newer_state,
        upgrade_of_a_running_one,
        older_state_is_brought_up,
        remove_keeps_settings_and_dose,
        purge_keeps_the_dose,
        purge_takes_the_dose_when_asked,
    ],
}


def main() -> None:
    phase, results = sys.argv[1], Path(sys.argv[2])
    if phase == "chroot":
        loopback_up()
    with results.open("a") as out:
        for step in STEPS[phase]:
            began = time.monotonic()
            SHOWN.clear()
            result = {"step": step.__name__.replace("_", " "), "where": phase, "ok": True}
            try:
                result["said"] = step()
            except Exception as error:  # noqa: BLE001 - the next steps still tell something
                result |= {"ok": False, "said": f"{type(error).__name__}: {error}"[:800]}
            result |= {"shown": "\n".join(SHOWN)} if SHOWN else {}
            result["s"] = round(time.monotonic() - began, 1)
            out.write(json.dumps(result) + "\n")
            out.flush()
            os.fsync(out.fileno())


if __name__ == "__main__":
    main()
