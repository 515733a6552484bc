"""The service unit: systemd itself judges it, and it still lets the daemon do its work."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from cryodevice.errors import ExitCode
from cryodevice.runtime.service_manager import LOOK_EVERY_S
from tests.system.processes import ROOT

UNIT = ROOT / "deploy" / "systemd" / "cryodevice@.service"
EXPOSURE = 15
"""Most that ``systemd-analyze security`` may find, in tenths."""


def analyze(*arguments: object) -> subprocess.CompletedProcess[str]:
    tool = shutil.which("systemd-analyze")
    assert tool, "systemd-analyze is not installed: sh scripts/ensure-systemd.sh, or apt-get install systemd"
    return subprocess.run([tool, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=20)


def root_with(directory: Path, unit: str) -> Path:
    """A file system root that holds the unit, its program and the targets it names."""
    units = directory / "usr/lib/systemd/system"
    units.mkdir(parents=True)
    (units / UNIT.name).write_text(unit)
    for target in ("sysinit", "basic", "shutdown", "multi-user", "network", "time-sync"):
        (units / f"{target}.target").write_text(f"[Unit]\nDescription={target}\n")
    (directory / "usr/bin").mkdir()
    (directory / "usr/bin/cryodevice").write_text("#!/bin/sh\n")
    (directory / "usr/bin/cryodevice").chmod(0o755)
    (directory / "etc").mkdir()
    (directory / "etc/os-release").write_text("ID=debian\n")
    return directory


def verify(directory: Path, unit: str) -> subprocess.CompletedProcess[str]:
    return analyze(
        "verify",
        "--man=no",
        "--recursive-errors=yes",
        "--root",
        root_with(directory, unit),
        "cryodevice@wand-1.service",
    )


def values(key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)


def value(key: str) -> str:
    (only,) = values(key)
    return only


def test_systemd_finds_nothing_to_say_about_it(tmp_path):
    done = verify(tmp_path, UNIT.read_text(encoding="utf-8"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("good", "bad"),
    [("WatchdogSec=2\n", "WatchdogSec=often\n"), ("Type=notify\n", "Typ=notify\n"), ("/usr/bin/cryo", "/usr/bin/kryo")],
)
def test_systemd_would_say_so_if_there_were_something(tmp_path, good, bad):
    text = UNIT.read_text(encoding="utf-8")
    assert good in text
    assert verify(tmp_path, text.replace(good, bad)).stderr


def test_it_is_exposed_no_more_than_the_limit():
    done = analyze("security", "--offline=true", f"--threshold={EXPOSURE}", UNIT)
    assert done.returncode == 0, done.stdout[-400:]


def test_the_limit_bites(tmp_path):
    open_door = tmp_path / UNIT.name
    open_door.write_text(re.sub(r"^SystemCallFilter=.*\n", "", UNIT.read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert analyze("security", "--offline=true", f"--threshold={EXPOSURE}", open_door).returncode != 0


def test_what_trying_again_cannot_cure_is_not_tried_again():
    assert value("Restart") == "on-failure"
    assert {int(code) for code in value("RestartPreventExitStatus").split()} == {ExitCode.USAGE, ExitCode.REFUSED}


def test_the_watchdog_is_slower_than_what_feeds_it():
    assert value("Type") == "notify"
    assert float(value("WatchdogSec")) >= 4 * LOOK_EVERY_S


def test_the_daemon_alone_is_told_to_end():
    assert value("KillMode") == "mixed", "its broker would be ended before the wand is safe"


def test_what_the_daemon_needs_is_left_to_it():
    assert value("DevicePolicy") == "closed"
    assert {f"char-tty{kind} rw" for kind in ("USB", "ACM", "S", "AMA")} == set(values("DeviceAllow"))
    assert value("SupplementaryGroups") == "dialout"
    assert not values("PrivateDevices"), "it would hide the serial ports"
    assert not values("ProcSubset"), "the age of the dose rests on /proc/sys/kernel/random/boot_id"
    assert value("IPAddressAllow") == "localhost"
    assert {"AF_UNIX", "AF_INET"} <= set(value("RestrictAddressFamilies").split())
    assert value("StateDirectory") == "cryodevice"
    assert value("ExecStart") == "/usr/bin/cryodevice run --config /etc/cryodevice/%i.toml"


def test_every_system_call_group_is_known():
    for group in re.findall(r"@[\w-]+", " ".join(values("SystemCallFilter"))):
        assert analyze("syscall-filter", group).returncode == 0, group
