"""The Debian package built, and lived with: ``python -m tests.campaign.package``. Needs root, and takes some minutes.

A Debian 12 root is made by debootstrap from this machine's own mirror (kept as ``campaign/bookworm.tar``), the package
is installed in it without a network, run, upgraded, removed and purged: first in a chroot, then with that root booted
by systemd in a container of its own. Writes ``docs/evidence/package.md``. Exit status 1 when any step failed.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from deploy.debian import build
from tests.campaign import package_steps
from tests.records.test_upgrade import SCHEMA_1
from tests.system.processes import ROOT

CACHE = ROOT / "campaign" / "bookworm.tar"
EVIDENCE = ROOT / "docs" / "evidence" / "package.md"
PACKAGES = "systemd,systemd-sysv,udev,python3,mosquitto"
TOOLS = {"debootstrap": "debootstrap", "systemd-nspawn": "systemd-container", "unshare": "util-linux", "tar": "tar"}
WITHIN_S = 400
PROBE = """[Unit]
After=multi-user.target
[Service]
Type=idle
ExecStart=/usr/bin/python3 /srv/package_steps.py booted /srv/results.jsonl
ExecStopPost=/bin/systemctl --force --force poweroff
"""
CHROOT = """
set -e
mount --make-rprivate /
mount -t proc proc "$1/proc"
mount -t sysfs -o ro sysfs "$1/sys"
mount -t tmpfs -o mode=0755 dev "$1/dev"
mount -t tmpfs -o mode=0755 run "$1/run"
for node in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0 tty0:4:0 tty1:4:1; do
  IFS=: read -r name major minor <<END
$node
END
  mknod -m 0666 "$1/dev/$name" c "$major" "$minor"
done
mkdir "$1/dev/pts" "$1/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$1/dev/pts"
ln -s pts/ptmx "$1/dev/ptmx"
exec chroot "$1" /usr/bin/python3 /srv/package_steps.py chroot /srv/results.jsonl
"""
BOOT = """
mount -t cgroup2 cgroup2 /sys/fs/cgroup || exit 1
group=/sys/fs/cgroup/cryodevice-package-$$
mkdir "$group" && echo $$ > "$group/cgroup.procs" || exit 1
timeout -k 10 "$2" systemd-nspawn --quiet -D "$1" --boot --private-network --register=no --keep-unit --console=pipe \
  --machine=cryodevice-package
echo $$ > /sys/fs/cgroup/cgroup.procs
find "$group" -depth -type d -exec rmdir {} \\;
"""
SPACES = ["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child"]


def mirror() -> str:
    """The Debian mirror this machine is set up for."""
    found = []
    for path in (*Path("/etc/apt/sources.list.d").glob("*.sources"), Path("/etc/apt/sources.list")):
        if path.exists():
            found += re.findall(
                r"^(?:URIs:|deb)\s+(?:\[.*?\]\s+)?(\S+/debian/?)(?:\s|$)", path.read_text(), re.MULTILINE
            )
    if not found:
        sys.exit("no Debian mirror in /etc/apt: this needs one to make a Debian root from")
    return found[0]


def root_at(place: Path, *, fresh: bool) -> None:
    """A new Debian 12 root; from the cache, if there is one."""
    if fresh or not CACHE.exists():
        say("debootstrap of Debian 12 …")
        scratch = place.with_name("new")
        done = subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", scratch, mirror()],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"debootstrap failed: {done.stdout[-300:]} {done.stderr[-300:]}")
        CACHE.parent.mkdir(exist_ok=True)
        subprocess.run(["tar", "--numeric-owner", "-C", scratch, "-cf", CACHE, "."], check=True)
        shutil.rmtree(scratch)
    place.mkdir()
    subprocess.run(["tar", "--numeric-owner", "-C", place, "-xpf", CACHE], check=True)


def take_in(root: Path) -> str:
    """Both packages, the steps and the ledger of an older version into the root; the version under test."""
    version = build.debian_version(build.project_version())
    for number in (f"{version}~before", version):
        say(f"building {number} …")
        build.build(root / "srv", number)
    shutil.copy(package_steps.__file__, root / "srv/package_steps.py")
    (root / "srv/schema_1.sql").write_text(SCHEMA_1)
    (root / "etc/systemd/system/probe.service").write_text(PROBE)
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True, exist_ok=True)
    (wants / "probe.service").symlink_to("/etc/systemd/system/probe.service")
    return version


def inside(script: str, root: Path, *more: str, net: bool) -> None:
    """Run a script that leads into the root, in name spaces of its own that end with it."""
    spaces = [*SPACES, *(["--net"] if net else ["--mount-proc"])]
    done = subprocess.run(
        [*spaces, "sh", "-c", script, "sh", root, *more],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN_S + 60,
    )
    if done.returncode and done.stderr:
        say(done.stderr[-400:].strip())


def page(version: str, results: list[dict]) -> str:
    """docs/evidence/package.md."""
    missing = {step.__name__.replace("_", " ") for steps in package_steps.STEPS.values() for step in steps}
    missing -= {result["step"] for result in results}
    lines = [
        "# Evidence: the Debian package lived with\n",
        "Generated by `python -m tests.campaign.package`. The package is built from the checkout and installed in a fresh Debian 12 root "
        "without a network; *chroot*: no service manager; *booted*: that root with its own systemd as process 1, in a container without a network, the simulated wand "
        "as a second service. The unit is the one in the package, with all of its sandbox, but for what this container cannot give: no memory controller, and no USB.\n",
        f"Version {version}; {sum(result['ok'] for result in results)} of {len(results) + len(missing)} steps passed.\n",
        "| where | step | what was seen | s | |",
        "|---|---|---|---|---|",
    ]
    for result in results:
        said = result["said"].replace("|", "\\|").replace("\n", " ")
        lines.append(
            f"| {result['where']} | {result['step']} | {said} | {result['s']:g} | {'' if result['ok'] else '**failed**'} |"
        )
    lines += [f"| - | {step} | not reached | - | **failed** |" for step in sorted(missing)]
    lines += ["\n## What the doctor says\n", "As the service's user, its whole output, in the chroot of above."]
    for result in results:
        if "shown" in result:
            lines += [f"\n**{result['step'].removeprefix('doctor ').capitalize()}**\n", f"```\n{result['shown']}\n```"]
    return "\n".join(lines) + "\n"


def say(text: str) -> None:
    """Progress, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    """Build, install, live, remove; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign.package", description=__doc__)
    parser.add_argument("--fresh", action="store_true", help="make a new Debian root instead of the one kept")
    options = parser.parse_args()
    absent = sorted({package for tool, package in TOOLS.items() if shutil.which(tool) is None})
    if os.geteuid() != 0 or absent:
        sys.exit(f"this needs root{f', and: apt-get install {chr(32).join(absent)}' if absent else ''}")
    with tempfile.TemporaryDirectory(prefix="cryodevice-root-") as directory:
        root = Path(directory) / "root"
        root_at(root, fresh=options.fresh)
        version = take_in(root)
        say("in a chroot …")
        inside(CHROOT, root, net=True)
        say("booted …")
        inside(BOOT, root, str(WITHIN_S), net=False)
        kept = root / "srv/results.jsonl"
        results = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    EVIDENCE.write_text(page(version, results))
    expected = sum(len(steps) for steps in package_steps.STEPS.values())
    for result in results:
        say(f"{'ok    ' if result['ok'] else 'FAILED'} {result['where']:7} {result['step']}: {result['said']}")
    return 0 if len(results) == expected and all(result["ok"] for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
