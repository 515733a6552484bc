"""The catalogue as people and programs see it: complete, consistent, and the page that says the same."""

import json
from pathlib import Path
from typing import Any

import pytest

from cryodevice.wire.frame import Frame, encode_frame
from firmware_sim.cli import main
from firmware_sim.endpoints.serial_slave import SerialSlave
from firmware_sim.faults import CATALOGUE, FaultKind, injection
from firmware_sim.faults.listing import as_markdown

PAGE = Path(__file__).parents[3] / "docs" / "faults.md"
READ_STATUS = encode_frame(Frame(3, 7, b""))
UNITS = {
    "_k": "K",
    "_degc": "degC",
    "_s": "s",
    "_ms": "ms",
    "_a": "A",
    "_ma": "mA",
    "_w": "W",
    "_k_s": "K/s",
    "_bytes_s": "bytes/s",
}


def test_the_page_says_what_the_program_does() -> None:
    assert PAGE.read_text(encoding="utf-8") == as_markdown() + "\n", "firmware-sim faults --markdown > docs/faults.md"


def test_json_has_every_fault_with_its_parameters(capsys: Any) -> None:
    assert main(["faults", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [fault["name"] for fault in listed] == list(CATALOGUE)
    latency = next(fault for fault in listed if fault["name"] == "latency")
    assert latency["where"] == "link"
    assert latency["rows"] == ["L04"]
    assert latency["parameters"][0] == {
        "name": "delay_ms",
        "unit": "ms",
        "default": 100.0,
        "low": 0.0,
        "high": 60000.0,
        "choices": None,
        "whole": False,
    }
    assert latency["parameters"][2]["choices"] == ["to_host", "to_wand", "both"]


def test_text_names_every_fault_and_parameter(capsys: Any) -> None:
    assert main(["faults"]) == 0
    text = capsys.readouterr().out
    for kind in CATALOGUE.values():
        assert f"  {kind.name}  [{' '.join(kind.rows)}]" in text
        assert all(f"      {parameter.name}=" in text for parameter in kind.parameters)
    assert f"{len(CATALOGUE)} faults" in text


def test_every_row_of_the_catalogue_is_sound() -> None:
    for kind in CATALOGUE.values():
        sound(kind)


def sound(kind: FaultKind) -> None:
    assert kind.name == kind.name.lower()
    assert kind.summary.endswith(".")
    assert kind.rows
    assert injection(kind.name).count == kind.count
    names = [parameter.name for parameter in kind.parameters]
    assert len(set(names)) == len(names)
    assert not set(names) & {"start_s", "duration_s", "count"}
    for parameter in kind.parameters:
        assert parameter.checked(parameter.default) == parameter.default, parameter.name
        ends = [ending for ending in UNITS if parameter.name.endswith(ending) or parameter.name == ending[1:]]
        assert parameter.choices or not ends or parameter.unit == UNITS[max(ends, key=len)], parameter.name


@pytest.mark.parametrize("where", ["sensor", "actuator", "power", "firmware", "link"])
def test_no_allowed_value_breaks_the_simulator(bench: Any, where: str) -> None:
    """Both ends of every range, with a lease for cooling: time still passes, and every register can still be told."""
    line = bench.simulator.line("memory", SerialSlave(bench.firmware))
    for kind in CATALOGUE.values():
        for end in ("low", "high") if kind.where == where else ():
            bench.simulator.reboot()
            bench.simulator.advance(0.02)
            bench.host.stop()
            values = {p.name: getattr(p, end) for p in kind.parameters if not p.choices}
            bench.simulator.faults.inject(injection(kind.name, values, duration_s=60.0))
            for _ in range(3):
                bench.host.cool()
                line.feed(READ_STATUS)
                bench.simulator.advance(0.05)
                line.silence()
                bench.firmware.identity_words()
            json.dumps(bench.simulator.truth(), allow_nan=False)
            bench.simulator.faults.clear()
    bench.simulator.advance(0.02)
    assert bench.firmware.quirks.quiet
    assert bench.plant.disturbances.quiet
