"""Whole runs of the kit over a line in memory, in simulated time: plain, and with the e-stop pressed."""

import random
from collections.abc import Sequence

from firmware_sim.conformance import modbus_codec
from firmware_sim.conformance.clause import Clause
from firmware_sim.conformance.clauses import every
from firmware_sim.conformance.dialect import Dialect, ModbusDialect, SerialDialect
from firmware_sim.conformance.runner import Run, judge_all
from firmware_sim.conformance.wand import Wand
from tests.firmware_sim.conformance.memory_line import MemoryLine
from tests.firmware_sim.conformance.variants import Parts, Variant


def dialect_of(parts: Parts, line: str) -> Dialect:
    """The kit's end of a line of that kind to this wand."""
    memory = MemoryLine(
        parts.simulator, lambda: parts.slaves[line](parts.firmware), is_stream=line == "tcp", rate=parts.clock_rate
    )
    if line == "serial":
        return SerialDialect(memory)
    return ModbusDialect(memory, modbus_codec.Rtu() if line == "rtu" else modbus_codec.Tcp(), 1)


def wand_of(parts: Parts, line: str, *, allow_drive: bool = True, seed: int = 7) -> Wand:
    """A wand that has run for a moment, and the kit at it."""
    parts.simulator.advance(0.1)
    return Wand(dialect_of(parts, line), random.Random(seed), allow_drive=allow_drive)  # noqa: S311  # no secret


def run_on(
    line: str,
    variant: Variant | None = None,
    *,
    estop: bool = False,
    allow_drive: bool = True,
    clauses: Sequence[Clause] | None = None,
) -> Run:
    """One run of all clauses."""
    parts = Parts()
    parts.simulator.plant.estop = estop
    if variant is not None:
        variant.act(parts)
    run = Run()
    judge_all(wand_of(parts, line, allow_drive=allow_drive), clauses or every(), run)
    return run


def failed_by(line: str, variant: Variant | None = None) -> dict[str, str]:
    """Ids and reasons of all clauses that fail, in a plain run and in one with the e-stop pressed."""
    runs = (run_on(line, variant), run_on(line, variant, estop=True))
    return {
        outcome.clause.id: outcome.said for run in runs for outcome in run.outcomes if outcome.clause.id in run.failed
    }
