"""The Containerfile: linted, and what must be true of its last stage. There is no engine here, so it is not built."""

import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cryodevice.cli import _parser
from tests.system.processes import ROOT

FILE = ROOT / "deploy" / "container" / "Containerfile"


def instructions() -> list[tuple[str, str]]:
    """Instruction and text, continuation lines joined, comments left out."""
    text = re.sub(r"^#.*\n", "", FILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    joined = re.sub(r"\\\n\s*", "", text)
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in joined.splitlines() if line.strip()]


def last_stage() -> list[tuple[str, str]]:
    found = instructions()
    begin = max(number for number, (name, _) in enumerate(found) if name == "FROM")
    return found[begin:]


def lint(path: Path) -> subprocess.CompletedProcess[str]:
    tool = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if tool is None and platform.machine() != "x86_64":
        pytest.skip("hadolint comes as a wheel for x86_64 only: install it from its own releases to lint here")
    assert tool, "hadolint is not installed: pip install -e '.[dev]'"
    return subprocess.run([tool, path], capture_output=True, text=True, check=False, timeout=30)


def test_the_linter_finds_nothing():
    done = lint(FILE)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_linter_would_find_something(tmp_path):
    bad = tmp_path / "Containerfile"
    bad.write_text(FILE.read_text(encoding="utf-8").replace("FROM debian:bookworm-slim\n", "FROM debian\n"))
    assert "DL3006" in lint(bad).stdout


def test_it_runs_as_nobody_special_on_a_ledger_that_outlives_it():
    stage = dict(last_stage())
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", stage["USER"])
    assert stage["VOLUME"] == "/var/lib/cryodevice"
    assert stage["STOPSIGNAL"] == "SIGTERM"


def test_no_build_tool_is_left():
    text = " ".join(words for _, words in last_stage())
    assert not re.search(r"\b(pip|python3-venv|gcc|build-essential|git|curl)\b", text)
    assert re.search(r"pip uninstall --yes pip setuptools", " ".join(words for _, words in instructions()))


def test_what_it_runs_are_commands_of_ours():
    stage = last_stage()
    said = " ".join(words for name, words in stage if name in {"CMD", "HEALTHCHECK"})
    assert '["cryodevice", "status", "--json"]' in said
    assert ("CMD", '["run"]') in stage
    for command in (["status", "--json"], ["run"]):
        assert _parser().parse_args(command).command == command[0]


def test_what_it_copies_is_there_and_is_not_left_out():
    left_out = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {".git", ".venv", "campaign"} <= set(left_out)
    for name, words in instructions():
        if name == "COPY" and not words.startswith("--from"):
            source = words.split()[0]
            assert (ROOT / source).exists()
            assert source not in left_out
