"""Every wrong Modbus reply, put to the wand object and to bare pymodbus: what each takes for an answer.

The table of replies is that of the contract tests; here with the times of a running daemon, on a real pty and a real
socket, and the request after it judged too.
"""

import asyncio
import logging
import tempfile
import time
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cryodevice.device.modbus_wand import ModbusWand
from cryodevice.quantities import Seconds
from tests.contracts import wrong_modbus as table
from tests.contracts.conftest import peer_on, wand_on
from tests.contracts.modbus_peer import ModbusPeer
from tests.contracts.modbus_subjects import ask_bare, ask_wand, bare_client

TICK = Seconds(0.04)
AMPLE = Seconds(1.0)
Result = dict[str, Any]
CELLS = {
    f"{name} / {table.FUNCTIONS[function]} / {line}": (name, function, line)
    for name, stimulus in table.STIMULI.items()
    for function in stimulus.functions
    for line in stimulus.lines
}


def once(cell: str, seed: int) -> Result:
    """One reply put to both; AssertionError when the wand object takes it wrongly."""
    del seed  # nothing here is left to chance but the machine
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # it reports every silence as an error
    name, function, line = CELLS[cell]
    with tempfile.TemporaryDirectory() as folder:
        wand, wand_next = asyncio.run(_ours(table.STIMULI[name], function, line, Path(folder)))
        bare, bare_next = asyncio.run(_bare(table.STIMULI[name], function, line, Path(folder)))
    expected = table.RIGHT if table.STIMULI[name].answers else table.REFUSED
    assert (wand, wand_next) == (expected, table.RIGHT), f"{wand}, then {wand_next}"
    return {"s": None, "wand": wand, "wand_next": wand_next, "bare": bare, "bare_next": bare_next}


async def _peer(line: str, folder: Path) -> ModbusPeer:
    peer = peer_on(f"modbus {line}", folder)
    assert isinstance(peer, ModbusPeer)
    await peer.plug()
    return peer


def _scripted(peer: ModbusPeer, stimulus: table.Stimulus) -> None:
    """The reply, and behind a late one a next answer slow enough to be overtaken."""
    peer.script.append(stimulus.make)
    if stimulus.late:
        peer.script.append(lambda asked, good: [table.LATE_S, good])


async def _ours(stimulus: table.Stimulus, function: int, line: str, folder: Path) -> tuple[str, str]:
    peer = await _peer(line, folder)
    wand = wand_on(f"modbus {line}", peer.port)
    assert isinstance(wand, ModbusWand)
    try:
        await wand.connect(AMPLE)
        _scripted(peer, stimulus)
        first = await ask_wand(wand, function, AMPLE if stimulus.answers else TICK)
        return first, await ask_wand(wand, function, AMPLE)
    finally:
        wand.close()
        await peer.put_away()


async def _bare(stimulus: table.Stimulus, function: int, line: str, folder: Path) -> tuple[str, str]:
    peer = await _peer(line, folder)
    client = bare_client(peer, TICK)
    try:
        assert await client.connect()
        assert await ask_bare(client, function, answers=True) == table.RIGHT, "the peer is not right to begin with"
        _scripted(peer, stimulus)
        first = await ask_bare(client, function, answers=stimulus.answers)
        client.comm_params.timeout_connect = client.ctx.comm_params.timeout_connect = AMPLE
        began = time.monotonic()
        then = await ask_bare(client, function, answers=True)
        # A write brings nothing back: that its answer was another's is seen from its coming before the true one is due.
        early = stimulus.late and function == 16 and time.monotonic() - began < 0.8 * table.LATE_S
        return first, table.TAKEN if then == table.RIGHT and early else then
    finally:
        client.close()
        await peer.put_away()


def page(kept: list[Result]) -> str:
    """docs/evidence/modbus-wand.md."""
    by_case: dict[str, list[Result]] = {}
    for result in kept:
        if result["case"] in CELLS:
            by_case.setdefault(result["case"], []).append(result)
    rows, totals = [], Counter[str]()
    for name, stimulus in table.STIMULI.items():
        for line in stimulus.lines:
            mine = [(function, by_case.get(_cell(name, function, line), [])) for function in stimulus.functions]
            ours = [_said(results, "wand") for _, results in mine]
            bare = [_said(results, "bare") for _, results in mine]
            for _, results in mine:
                for who in ("wand", "bare"):
                    totals[who] += any(
                        table.TAKEN in (result.get(who), result.get(f"{who}_next")) for result in results
                    )
                totals["cells"] += bool(results)
                totals["runs"] += len(results)
            functions = ", ".join(str(function) for function, _ in mine)
            rows.append(f"| {name} | {line} | {functions} | {_merged(mine, ours)} | {_merged(mine, bare)} |")
    failed = sum(not result["ok"] for result in kept)
    return "\n".join(
        [
            "# Evidence: wrong Modbus replies\n",
            "Generated by `python -m tests.campaign --only modbus`. A device written by hand, on a real pty and a real TCP "
            "socket, answers one request in the way of the first column; the request after it is answered rightly. Every wrong "
            "reply carries values that would pass for true ones. `right`: the true value was returned. `refused`: an error was "
            "raised. **TAKEN**: a wrong reply was returned as a value, or as success of a write. What stands behind a comma is "
            "the request after it, where it was not simply right. The ticks have 40 ms; the late reply comes after "
            f"{table.LATE_S * 1e3:.0f} ms.\n",
            f"Beside `ModbusWand`: the asyncio client of pymodbus {version('pymodbus')} with `retries=0`. That a status shows another "
            "order than the one sent is nothing pymodbus could know; it stands here because a late reply looks so.\n",
            f"Cells: {totals['cells']}, runs: {totals['runs']}, failed: {failed}. Cells in which a wrong reply was taken: "
            f"`ModbusWand` {totals['wand']}, bare pymodbus {totals['bare']}.\n",
            "| reply | line | FC | `ModbusWand` | bare pymodbus |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _cell(name: str, function: int, line: str) -> str:
    return f"{name} / {table.FUNCTIONS[function]} / {line}"


def _said(results: list[Result], who: str) -> str:
    """What came of all runs of a cell; the worst stands for them."""
    if not results or not all(result["ok"] for result in results):
        return "not run" if not results else "FAILED"
    said = []
    for key in (who, f"{who}_next"):
        found = {result[key] for result in results}
        said.append(next(word for word in (table.TAKEN, table.REFUSED, table.RIGHT) if word in found))
    first, then = (f"**{word}**" if word == table.TAKEN else word for word in said)
    return first if then == table.RIGHT else f"{first}, then {then}"


def _merged(mine: list[tuple[int, list[Result]]], said: list[str]) -> str:
    if len(set(said)) == 1:
        return said[0]
    return "; ".join(f"FC {function}: {word}" for (function, _), word in zip(mine, said, strict=True))
