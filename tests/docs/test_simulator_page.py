"""What docs/simulator.md shows is what happens: its curl commands against a running wand, its tests in a pytest."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.client import RunningWand

PAGE = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text(encoding="utf-8")
TOLD = "127.0.0.1:4358"


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def shown(text: str) -> list[tuple[str, str]]:
    """Commands and what the page says they answer."""
    blocks = re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [
        (command, answer)
        for block in blocks
        for command, _, answer in (part.partition("\n") for part in f"\n{block}".split("\n$ ")[1:])
    ]


def masked(text: str) -> str:
    """Numbers differ from run to run, and whether a fault has already mattered."""
    text = re.sub(r'"fired": {[^}]*}', '"fired": {}', text.strip())
    return re.sub(r"-?\d+(\.\d+)?(e-?\d+)?", "N", text)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed: apt-get install curl")
def test_the_curl_commands_of_the_page_answer_what_it_says():
    examples = shown(section("Control it")) + shown(section("Time"))
    assert len(examples) > 10
    with RunningWand() as wand:
        for command, answer in examples:
            assert TOLD in command
            done = subprocess.run(
                ["bash", "-c", command.replace(TOLD, wand.address)],
                capture_output=True,
                text=True,
                timeout=10,
                check=False,
            )
            assert (done.returncode, done.stderr) == (0, ""), command
            assert masked(done.stdout) == masked(answer), command


def test_the_masks_hide_numbers_and_no_words():
    assert masked('{"a": 1.5, "fired": {"x": 2}}') == masked('{"a": -3e-5, "fired": {}}')
    assert masked('{"a": true}') != masked('{"a": false}')
    assert len(shown("```console\n$ one\n1\n2\n$ two\n```\n")) == 2


def test_every_command_line_option_of_serve_is_in_the_table(capsys: Any):
    from firmware_sim.cli import main  # noqa: PLC0415

    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) - {"--help"}
    assert options <= set(re.findall(r"--[a-z-]+", section("Run it")))
