"""What docs/simulator.md shows is what happens: its curl commands against a running wand, its tests in a pytest."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.client import RunningWand

PAGE = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text(encoding="utf-8")
TOLD = "127.0.0.1:4358"
PATHED = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"}
"""The commands of this environment first, as in an activated one."""


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
    text = re.sub(r"\b[0-9a-f]{24,}\b", "HEX", text)
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


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed: apt-get install curl")
def test_the_ten_minutes_go_as_the_page_says(tmp_path: Path):
    examples = shown(section("Ten minutes"))
    places = {TOLD: "", "/tmp/wand-modbus": f"{tmp_path}/modbus", "/tmp/wand": f"{tmp_path}/wand"}  # noqa: S108
    (started,) = re.findall(r"^firmware-sim serve .*$", section("Ten minutes"), re.MULTILINE)
    options = replaced(started, {**places, TOLD: "127.0.0.1:0", "/tmp/trip.jsonl": f"{tmp_path}/trip.jsonl"})  # noqa: S108
    wand = subprocess.Popen(options.split(), env=PATHED, stdout=subprocess.PIPE, text=True)
    try:
        assert wand.stdout is not None
        places[TOLD] = json.loads(wand.stdout.readline())["control"]
        for command, answer in examples:
            done = subprocess.run(
                ["bash", "-c", replaced(command, places)],
                env=PATHED,
                capture_output=True,
                text=True,
                timeout=20,
                check=False,
            )
            assert (done.returncode, done.stderr) == (0, ""), command
            assert masked(done.stdout) == masked(answer), command
    finally:
        wand.terminate()
        wand.communicate(timeout=10)
    assert len(examples) == 8
    assert (tmp_path / "trip.jsonl").read_text().count("\n") > 4


def replaced(text: str, places: dict[str, str]) -> str:
    for told, place in places.items():
        text = text.replace(told, place)
    return text


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
