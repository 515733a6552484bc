"""The Debian package, as far as it can be judged unbuilt; ``tests/campaign/package.py`` builds and installs it."""

import importlib
import itertools
import re
import shutil
import subprocess
import tomllib

import pytest

import cryodevice
from deploy.debian import build
from tests.system.processes import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(autouse=True)
def _dpkg() -> None:
    assert shutil.which("dpkg"), "these tests judge a Debian package: run them where dpkg is"


def ordered(left: str, right: str) -> bool:
    return subprocess.run(["dpkg", "--compare-versions", left, "lt", right], check=False).returncode == 0


def fields(text: str) -> dict[str, str]:
    return dict(re.findall(r"^([A-Z][\w-]+): (.*)$", text, re.MULTILINE))


def test_the_control_file_has_what_dpkg_wants(tmp_path):
    told = fields(build.control("0.1.0", "amd64", 90_000))
    assert told["Package"] == "cryodevice"
    assert told["Installed-Size"] == "90000"
    assert {"python3 (>= 3.11)", "python3 (<< 3.12)", "libc6 (>= 2.34)"} <= set(told["Depends"].split(", "))
    assert "mosquitto" in told["Recommends"]
    tree = tmp_path / "root"
    build.write(tree / "DEBIAN/control", build.control("0.1.0", "all", 1))
    subprocess.run(["dpkg-deb", "--build", tree, tmp_path / "x.deb"], check=True, capture_output=True)
    shown = subprocess.run(["dpkg-deb", "-f", tmp_path / "x.deb"], check=True, capture_output=True, text=True).stdout
    assert fields(shown) == fields(build.control("0.1.0", "all", 1))


def test_its_version_is_that_of_the_program():
    assert build.project_version() == PROJECT["version"] == cryodevice.__version__


def test_versions_are_ordered_as_they_came():
    came = [
        build.debian_version(text)
        for text in ("0.1.0.dev1", "0.1.0a1", "0.1.0b2", "0.1.0rc1", "0.1.0", "0.1.1", "0.2.0")
    ]
    for earlier, later in itertools.pairwise(came):
        assert ordered(earlier, later), (earlier, later)


def test_every_program_of_the_project_is_installed():
    assert {name: f"{module}:main" for name, module in build.PROGRAMS.items()} == PROJECT["scripts"]
    for module in build.PROGRAMS.values():
        assert callable(importlib.import_module(module).main)


def test_the_system_s_files_are_where_debian_looks_for_them(tmp_path):
    build.stage_system(tmp_path)
    build.stage_environment(tmp_path)
    staged = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if not path.is_dir()}
    assert {name.lstrip("/") for name in build.CONFFILES} == {name for name in staged if name.startswith("etc/")}
    assert {
        "lib/systemd/system/cryodevice@.service",
        "lib/udev/rules.d/65-cryodevice.rules",
        "usr/lib/sysusers.d/cryodevice.conf",
        "usr/share/doc/cryodevice/operations.md",
        "usr/share/doc/cryodevice/changelog.gz",
        "usr/share/doc/cryodevice/copyright",
        "opt/cryodevice/pyvenv.cfg",
    } <= staged
    for name in build.PROGRAMS:
        assert str((tmp_path / "usr/bin" / name).readlink()) == f"/{build.HOME}/bin/{name}"
    unit = (tmp_path / "lib/systemd/system/cryodevice@.service").read_text(encoding="utf-8")
    (document,) = re.findall(r"^Documentation=file:///(.*)$", unit, re.MULTILINE)
    assert document in staged
    (program,) = re.findall(r"^ExecStart=/(\S+)", unit, re.MULTILINE)
    assert program in staged


def test_modes_do_not_depend_on_who_builds(tmp_path):
    build.stage_environment(tmp_path)
    build.stage_control(tmp_path, "0.1.0")
    for path in tmp_path.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o700)
    build.settle(tmp_path, 1_000_000_000)
    modes = {
        str(path.relative_to(tmp_path)): path.stat().st_mode & 0o777
        for path in tmp_path.rglob("*")
        if not path.is_symlink()
    }
    runs = {name for name, mode in modes.items() if mode == 0o755 and (tmp_path / name).is_file()}
    assert runs == {f"opt/cryodevice/bin/{name}" for name in build.PROGRAMS} | {
        f"DEBIAN/{name}" for name in ("postinst", "prerm", "postrm")
    }
    assert {mode for name, mode in modes.items() if name not in runs and (tmp_path / name).is_file()} == {0o644}


def test_a_path_of_the_building_machine_is_found(tmp_path):
    build.stage_environment(tmp_path)
    build.refuse_host_paths(tmp_path, tmp_path, ROOT)
    (tmp_path / "opt/cryodevice/note").write_text(f"built in {ROOT}\n")
    with pytest.raises(SystemExit, match="opt/cryodevice/note"):
        build.refuse_host_paths(tmp_path, tmp_path, ROOT)


@pytest.mark.parametrize("script", ["postinst", "prerm", "postrm"])
def test_maintainer_scripts_stop_at_the_first_error_and_are_plain_sh(script):
    path = ROOT / "deploy/debian" / script
    text = path.read_text(encoding="utf-8")
    assert text.startswith("#!/bin/sh\n")
    assert "\nset -e\n" in text
    subprocess.run(["dash" if shutil.which("dash") else "sh", "-n", path], check=True)
    for line in re.findall(r"^.*\bsystemctl\b.*$", text, re.MULTILINE):
        assert "if [ -d /run/systemd/system ]" in text, line


def test_the_dose_is_removed_for_nobody_who_has_not_asked():
    text = (ROOT / "deploy/debian/postrm").read_text(encoding="utf-8")
    before, _, after = text.partition("rm -rf /var/lib/cryodevice")
    assert after
    assert before.rstrip().endswith('if [ "${CRYODEVICE_PURGE_STATE:-}" = yes ]; then')
