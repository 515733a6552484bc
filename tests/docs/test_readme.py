"""What people type first: commands of the documents parse, targets exist, snippets of settings load."""

import argparse
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from cryodevice import cli
from cryodevice.app import STORE_NAME
from cryodevice.console.local_socket import SOCKET_NAME
from cryodevice.errors import ExitCode
from cryodevice.safety.limits import limits
from cryodevice.settings import load_settings
from cryodevice.settings.sections import File
from cryodevice.settings.treatment_file import load_treatment
from cryodevice.treatment.program import objections
from firmware_sim.cli import arguments as simulator_arguments

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(path for path in (ROOT / "docs").rglob("*.md") if "evidence" not in path.parts)],
    key=str,
)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PROGRAMS = sorted((ROOT / "config" / "programs").glob("*.toml"))
PARSERS = {"cryodevice": cli._parser, "firmware-sim": simulator_arguments.parser}


def fences(path: Path, *languages: str) -> list[str]:
    return [text for language, text in FENCE.findall(path.read_text(encoding="utf-8")) if language in languages]


def commands(script: str) -> list[list[str]]:
    """Simple commands of a shell script, word by word; knows pipes, lists and comments, not functions."""
    found = []
    for line in script.replace("\\\n", " ").splitlines():
        words = shlex.shlex(line, posix=True, punctuation_chars=True)
        words.whitespace_split = True
        simple: list[str] = []
        for word in words:
            if set(word) <= set("();<>|&"):
                found.append(simple)
                simple = []
            else:
                simple.append(word)
        found.append(simple)
    return [words for words in found if words]


def typed() -> list[tuple[str, list[str]]]:
    return [
        (path.name, words)
        for path in PAGES
        for script in [*fences(path, "sh", "bash"), *(console(text) for text in fences(path, "console"))]
        for words in commands(script)
    ]


def console(text: str) -> str:
    return "\n".join(line[2:] for line in text.splitlines() if line.startswith("$ "))


def ours() -> list[tuple[str, list[str]]]:
    return [(page, words) for page, words in typed() if words[0].rsplit("/", 1)[-1] in PARSERS]


@pytest.mark.parametrize(
    ("page", "words"), ours(), ids=lambda value: value if isinstance(value, str) else " ".join(value)
)
def test_a_command_parses(page, words):
    assert page
    parser = PARSERS[words[0].rsplit("/", 1)[-1]]()
    if {"--help", "--version"} & set(words):
        with pytest.raises(SystemExit, match=r"\A0\Z"):
            parser.parse_args(words[1:])
    else:
        parser.parse_args(words[1:])


def test_the_commands_people_need_are_there():
    readme = {tuple(words[:2]) for page, words in ours() if page == "README.md"}
    assert {
        ("cryodevice", name) for name in ("run", "check", "status", "treat", "reset", "interlocks", "demo")
    } <= readme
    assert ("firmware-sim", "serve") in readme


def test_a_wrong_command_is_seen():
    assert commands("ls | cryodevice watch --now & # comment") == [["ls"], ["cryodevice", "watch", "--now"]]
    with pytest.raises(SystemExit):
        cli._parser().parse_args(["watch", "--now"])


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    return next(action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_named_in_a_sentence_are_there(path):
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    for program, word in re.findall(r"`(cryodevice|firmware-sim) ([a-z]+)", text):
        planned = path.name == "architecture.md" and f"`{program} {word}`" in text.partition("## 10. Not built yet")[2]
        assert word in subcommands(PARSERS[program]()) or planned, f"{path.name}: {program} {word}"


def test_every_make_target_is_there():
    known = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {words[1] for _page, words in typed() if words[0] == "make" and len(words) > 1}
    for path in PAGES:
        named |= set(re.findall(r"`make ([a-z]+)", path.read_text(encoding="utf-8")))
    assert {"demo", "test", "check"} <= named <= known


def test_every_file_given_to_a_command_is_there():
    for page, words in ours():
        for word in words[1:]:
            if word.startswith(("config/", "docs/", "tests/")):
                assert (ROOT / word).exists(), f"{page}: {word}"


def snippets() -> list[tuple[str, str]]:
    return [
        (path.name, text)
        for path in PAGES
        for text in fences(path, "toml")
        if set(tomllib.loads(text)) & set(File.model_fields)
    ]


@pytest.mark.parametrize(("page", "text"), snippets())
def test_a_snippet_of_settings_loads(page, text, tmp_path):
    password = tmp_path / "password"
    password.touch(mode=0o600)
    file = tmp_path / "sim.toml"
    file.write_text(re.sub(r'password_file = ".*"', f'password_file = "{password}"', text), encoding="utf-8")
    file.chmod(0o600)
    load_settings(file)


def test_the_snippet_of_the_two_terminals_is_six_lines_and_matches_them(tmp_path):
    text = next(text for page, text in snippets() if page == "README.md")
    assert len(text.splitlines()) == 6
    tree = tomllib.loads(text)
    assert tree["device"]["allow_simulated"] is True
    port = tree["link"]["port"]
    assert any(
        words[:4] == ["firmware-sim", "serve", "--serial", port] for page, words in ours() if page == "README.md"
    )


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_a_shipped_treatment_is_within_the_default_limits(path):
    assert objections(load_treatment(path), limits()) == []


def test_the_shipped_treatments_are_named_in_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert PROGRAMS
    assert [path.name for path in PROGRAMS if path.name not in readme] == []


def test_exit_codes_are_those_of_the_code():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d) \| (\w+)", readme, re.MULTILINE)
    assert [(int(code), word) for code, word in rows] == [
        (code.value, code.name.lower() if code is not ExitCode.USAGE else "usage") for code in ExitCode
    ]


def test_files_of_the_state_directory_are_named_as_the_code_does():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"`{STORE_NAME}`" in readme
    assert f"`{SOCKET_NAME}`" in readme
