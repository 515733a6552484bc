"""``make deb``: a Debian 12 package of this checkout that installs without a network.

Everything stands under /opt/cryodevice as a virtual environment on Debian's own Python, so that nothing of the system's
Python packages is touched or needed. Built with pip and dpkg-deb; no path of the building machine gets into a file.
"""

import argparse
import compileall
import gzip
import hashlib
import os
import py_compile
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = ROOT / "deploy"
PYTHON = (3, 11)
HOME = "opt/cryodevice"
SITE = f"{HOME}/lib/python3.11/site-packages"
PROGRAMS = {"cryodevice": "cryodevice.cli", "firmware-sim": "firmware_sim.cli"}
CONFFILES = ("/etc/cryodevice/cryodevice.toml",)
LIBRARIES = {
    "libc6 (>= 2.34)": r"libc\.so|libm\.so|libpthread|libdl|librt|ld-linux",
    "libgcc-s1": r"libgcc_s",
    "libstdc++6": r"libstdc\+\+",
    "zlib1g": r"libz\.so",
}
"""Debian package by the shared libraries the wheels may need of the system."""
DEPENDS = ("python3 (>= 3.11)", "python3 (<< 3.12)", "systemd (>= 252) | systemd-standalone-sysusers", *LIBRARIES)
EXECUTABLE = re.compile(r"opt/cryodevice/bin/|DEBIAN/(postinst|prerm|postrm)$")


def project_version() -> str:
    """The version in pyproject.toml."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def debian_version(version: str) -> str:
    """A Python version as dpkg orders it: 0.2.0rc1 comes before 0.2.0."""
    return re.sub(r"(a|b|rc)(\d+)$", r"~\1\2", re.sub(r"\.dev(\d+)$", r"~~dev\1", version))


def control(version: str, architecture: str, installed_kib: int) -> str:
    """The control file."""
    return f"""Package: cryodevice
Version: {version}
Architecture: {architecture}
Section: science
Priority: optional
Maintainer: the cryodevice authors <cryodevice@localhost>
Installed-Size: {installed_kib}
Depends: {", ".join(DEPENDS)}
Recommends: mosquitto, udev
Description: guarding controller for a cooled facial wand
 A daemon that stands beside a cooled facial wand and lets it cool only while
 every interlock agrees; it runs the treatment, keeps the exposure of each zone
 and publishes telemetry over MQTT. With it comes firmware-sim, the wand without
 the wand. Not a medical device.
"""


def put(source: Path, target: Path) -> None:
    """Copy a file, making its directory."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def write(target: Path, text: str) -> None:
    """Write a text file, making its directory."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")


def stage_packages(root: Path, scratch: Path) -> None:
    """This checkout and all it depends on, under ``SITE``."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", scratch, ROOT], check=True)
    (wheel,) = scratch.glob("cryodevice-*.whl")
    site = root / SITE
    subprocess.run(
        [*pip, "install", "--no-compile", "--only-binary=:all:", "--ignore-installed", "--target", site, wheel],
        check=True,
    )
    shutil.rmtree(site / "bin", ignore_errors=True)  # its programs name the interpreter that built them
    for record in site.glob("*.dist-info/RECORD"):
        (record.parent / "direct_url.json").unlink(missing_ok=True)
        kept = [line for line in record.read_text().splitlines() if not re.match(r"\.\./|.*/direct_url\.json,", line)]
        record.write_text("\n".join(kept) + "\n")


def stage_environment(root: Path) -> None:
    """What makes it a virtual environment on /usr/bin/python3, and the programs."""
    binaries = root / HOME / "bin"
    binaries.mkdir(parents=True)
    (binaries / "python3").symlink_to("/usr/bin/python3")
    write(root / HOME / "pyvenv.cfg", "home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11\n")
    (root / "usr/bin").mkdir(parents=True)
    for name, module in PROGRAMS.items():
        write(
            binaries / name,
            f"#!/{HOME}/bin/python3 -sP\nimport sys\n\nfrom {module} import main\n\nsys.exit(main())\n",
        )
        (root / "usr/bin" / name).symlink_to(f"/{HOME}/bin/{name}")


def stage_system(root: Path) -> None:
    """Unit, rules, account, settings and documents."""
    put(HERE / "systemd/cryodevice@.service", root / "lib/systemd/system/cryodevice@.service")
    put(HERE / "systemd/sysusers.conf", root / "usr/lib/sysusers.d/cryodevice.conf")
    put(HERE / "udev/65-cryodevice.rules", root / "lib/udev/rules.d/65-cryodevice.rules")
    put(ROOT / "config/cryodevice.toml", root / "etc/cryodevice/cryodevice.toml")
    documents = root / "usr/share/doc/cryodevice"
    for page in sorted((ROOT / "docs").rglob("*.md")):
        put(page, documents / page.relative_to(ROOT / "docs"))
    put(HERE / "debian/copyright", documents / "copyright")
    put(HERE / "systemd/network.conf", documents / "examples/network.conf")
    for program in sorted((ROOT / "config/programs").glob("*.toml")):
        put(program, documents / "examples/programs" / program.name)
    changes = (ROOT / "CHANGELOG.md").read_bytes()
    (documents / "changelog.gz").write_bytes(gzip.compress(changes, mtime=0))


def compile_all(root: Path) -> None:
    """Compiled once here, and believed without a look at the clock: the service's user may not write beside them."""
    done = compileall.compile_dir(
        root / HOME,
        quiet=1,
        stripdir=str(root),
        prependdir="/",
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    if not done:
        sys.exit("some of the packages do not compile")


def stage_control(root: Path, version: str) -> None:
    """DEBIAN/: control, conffiles, md5sums, maintainer scripts."""
    files = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    architecture = subprocess.run(
        ["dpkg", "--print-architecture"], check=True, capture_output=True, text=True
    ).stdout.strip()
    kib = sum(-(-path.stat().st_size // 1024) for path in files)
    sums = "".join(f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(root)}\n" for path in files)
    write(root / "DEBIAN/control", control(version, architecture, kib))
    write(root / "DEBIAN/conffiles", "".join(f"{name}\n" for name in CONFFILES))
    write(root / "DEBIAN/md5sums", sums)
    for script in ("postinst", "prerm", "postrm"):
        put(HERE / "debian" / script, root / "DEBIAN" / script)


def settle(root: Path, epoch_s: int) -> None:
    """Modes and times that depend on nothing of this machine."""
    root.chmod(0o755)
    for path in root.rglob("*"):
        if not path.is_symlink():
            name = str(path.relative_to(root))
            path.chmod(0o755 if path.is_dir() or EXECUTABLE.match(name) else 0o644)
        os.utime(path, (epoch_s, epoch_s), follow_symlinks=False)


def refuse_host_paths(root: Path, *hosts: Path) -> None:
    """No path of the building machine in any file."""
    needles = [str(host).encode() for host in hosts]
    found = [path for path in root.rglob("*") if path.is_file() and any(n in path.read_bytes() for n in needles)]
    if found:
        sys.exit(f"a path of this machine got into {', '.join(str(path.relative_to(root)) for path in found[:5])}")


def refuse_unknown_libraries(root: Path) -> None:
    """Every shared library the wheels need comes with them or from a package we depend on."""
    own = {path.name for path in root.rglob("*.so*")}
    known = re.compile("|".join(LIBRARIES.values()))
    for path in sorted(root.rglob("*.so*")):
        told = subprocess.run(["readelf", "-d", path], check=True, capture_output=True, text=True).stdout
        for name in re.findall(r"\(NEEDED\).*\[(.+)\]", told):
            if name not in own and not known.match(name):
                sys.exit(f"{path.name} needs {name}, and no package of DEPENDS is known to have it")


def build(out: Path, version: str) -> Path:
    """Build the package; returns where it is."""
    with tempfile.TemporaryDirectory(prefix="cryodevice-deb-") as directory:
        root, scratch = Path(directory) / "root", Path(directory) / "scratch"
        scratch.mkdir()
        stage_packages(root, scratch)
        stage_environment(root)
        stage_system(root)
        compile_all(root)
        refuse_host_paths(root, Path(directory), ROOT, Path(sys.prefix), Path(sys.base_prefix))
        refuse_unknown_libraries(root)
        stage_control(root, version)
        epoch_s = int(os.environ.get("SOURCE_DATE_EPOCH") or (ROOT / "CHANGELOG.md").stat().st_mtime)
        settle(root, epoch_s)
        out.mkdir(parents=True, exist_ok=True)
        target = out / f"cryodevice_{version}_{architecture_of(root)}.deb"
        subprocess.run(
            ["dpkg-deb", "-Zxz", "-z3", "--root-owner-group", "--build", root, target],
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch_s)},
        )
        return target


def architecture_of(root: Path) -> str:
    """As the control file has it."""
    (found,) = re.findall(r"^Architecture: (\w+)$", (root / "DEBIAN/control").read_text(), re.MULTILINE)
    return str(found)


def main() -> int:
    """Build and say where it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    parser.add_argument("--version", default=debian_version(project_version()), help="default: that of pyproject.toml")
    options = parser.parse_args()
    if sys.version_info[:2] != PYTHON:
        sys.exit(f"build with Python 3.11, which Debian 12 has; this is {sys.version.split()[0]}")
    for tool, package in (("dpkg-deb", "dpkg"), ("readelf", "binutils")):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is not installed: apt-get install {package}")
    target = build(options.out.resolve(), options.version)
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
