"""``cryodevice doctor``: everything that keeps a wand from working, looked at in order, each with what to do.

Cools nothing. Where a daemon runs on the same state directory it is asked, and its port is left alone.
"""

import argparse
import asyncio
import json
import os
import shutil
import sys
import textwrap
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace

from cryodevice import __version__
from cryodevice.cli import doctor_broker, doctor_daemon, doctor_host, doctor_line, doctor_wand
from cryodevice.cli.doctor_case import Case
from cryodevice.cli.doctor_checks import NEEDS, Result, State, blocked, exit_code, fail
from cryodevice.errors import CryodeviceError, DeviceError, ExitCode, LinkError, WireError

JSON_VERSION = 1
Probe = Callable[[Case], Awaitable[Result]]
PROBES: Mapping[str, Probe] = {
    "settings": doctor_host.settings,
    "state_dir": doctor_host.state_dir,
    "disk": doctor_host.disk,
    "daemon": doctor_host.daemon,
    "ledger": doctor_host.ledger,
    "clock": doctor_host.clock,
    "port": doctor_line.port,
    "permission": doctor_line.permission,
    "baud": doctor_line.baud,
    "exclusive": doctor_line.exclusive,
    "identity": doctor_wand.identity,
    "limits": doctor_wand.limits,
    "calibration": doctor_wand.calibration,
    "round_trip": doctor_wand.round_trip,
    "at_rest": doctor_wand.at_rest,
    "lease_proof": doctor_wand.lease_proof,
    "broker": doctor_broker.broker,
    "certificate": doctor_broker.certificate,
    "watchdog": doctor_host.watchdog,
}
ASKED: Mapping[str, Probe] = {
    "ledger": doctor_daemon.ledger,
    "exclusive": doctor_daemon.exclusive,
    "identity": doctor_daemon.identity,
    "limits": doctor_daemon.limits,
    "calibration": doctor_daemon.calibration,
    "round_trip": doctor_daemon.round_trip,
    "at_rest": doctor_daemon.at_rest,
    "lease_proof": doctor_daemon.lease_proof,
    "broker": doctor_daemon.broker,
}
"""What is asked of a running daemon instead."""
_COLOURS = {State.OK: "32", State.WARN: "33", State.FAIL: "1;31", State.SKIP: "2"}
_MARGIN = max(map(len, NEEDS)) + 8


def main(options: argparse.Namespace) -> ExitCode:
    """Look at everything; the exit status says whether something failed."""
    return asyncio.run(_doctor(options))


async def _doctor(options: argparse.Namespace) -> ExitCode:
    results: list[Result] = []
    case = Case(options.config)
    async with aclosing(examined(case)) as found:
        async for result in found:
            results.append(result)
            if not options.json:
                print(_line(result), flush=True)
    if options.json:
        print(json.dumps(_as_json(case, results), indent=2, allow_nan=False))
    else:
        print(f"\n{_summary(results)}")
    return exit_code(results)


async def examined(case: Case) -> AsyncGenerator[Result, None]:
    """The result of each check, in order, as it is made."""
    results: dict[str, Result] = {}
    try:
        for check in NEEDS:
            found = blocked(check, results) or await _made(check, case)
            results[check] = replace(found, check=check)
            yield results[check]
    finally:
        case.close()


async def _made(check: str, case: Case) -> Result:
    asked = case.daemon_runs and check in ASKED
    try:
        return await (ASKED if asked else PROBES)[check](case)
    except LinkError as error:
        return fail(error.message, "check cable and power, then run this again")
    except (WireError, DeviceError) as error:
        return fail(error.message, "the wand does not keep to docs/wire.md: have it serviced")
    except CryodeviceError as error:
        return fail(error.message, "see to that, then run this again")
    except OSError as error:
        return fail(f"{error.filename or check}: {error.strerror or error}", "put that right, then run this again")
    except (KeyError, TypeError, ValueError):
        if not asked:
            raise
        return fail("the running daemon tells it differently: it is of another version", "start the daemon again")


def _as_json(case: Case, results: Sequence[Result]) -> dict[str, object]:
    return {
        "version": JSON_VERSION,
        "program": __version__,
        "settings": case.settings.source,
        "exit_code": int(exit_code(results)),
        "checks": [
            {
                "check": result.check,
                "state": result.state.value,
                "message": result.message,
                "todo": result.todo,
                "because": result.because,
                "evidence": dict(result.evidence),
            }
            for result in results
        ],
    }


def _line(result: Result) -> str:
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else 0
    word = f"{result.state.value:6}"
    if terminal and not os.environ.get("NO_COLOR"):
        word = f"\x1b[{_COLOURS[result.state]}m{word}\x1b[0m"
    text = [*result.message.splitlines(), *([f"-> {result.todo}"] if result.todo else [])]
    room = max(40, width - _MARGIN)
    lines = [piece for line in text for piece in (textwrap.wrap(line, room) if width else [line])]
    return f"{word}{result.check:{_MARGIN - 6}}" + f"\n{'':{_MARGIN}}".join(lines)


def _summary(results: Sequence[Result]) -> str:
    counts = {state: sum(result.state is state for result in results) for state in State}
    first = next((result for result in results if result.state is State.FAIL), None)
    if first is not None:
        return f"{counts[State.FAIL]} failed, {counts[State.SKIP]} skipped; begin with {first.check}"
    warnings = counts[State.WARN]
    return "all well" if not warnings else f"nothing failed, {warnings} to look at"
