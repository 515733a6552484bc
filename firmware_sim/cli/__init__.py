"""The ``firmware-sim`` command. Reads arguments and hands over to the command; nothing of the wand is decided here.

Exit codes: 0 ended as asked, 1 failed while running, 2 cannot start.
"""

import argparse
import json
from collections.abc import Callable, Sequence

from cryodevice.errors import CryodeviceError, ExitCode
from firmware_sim.cli import replay, serve
from firmware_sim.cli.arguments import parsed
from firmware_sim.cli.output import OutputError, checked_output, complain
from firmware_sim.conformance import command as conformance
from firmware_sim.faults.listing import as_json, as_markdown, as_text
from firmware_sim.scenarios import command as scenarios


def _faults(options: argparse.Namespace) -> int:
    print(json.dumps(as_json(), indent=2) if options.json else as_markdown() if options.markdown else as_text())
    return ExitCode.FINE


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "serve": serve.run,
    "conformance": conformance.run,
    "replay": replay.run,
    "scenario": scenarios.act,
    "faults": _faults,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code. Bad usage ends in ``SystemExit(2)``, as argparse does it."""
    try:
        with checked_output():
            options = parsed(arguments)
            return _COMMANDS[options.command](options)
    except OutputError as error:
        if error.message:
            complain(error.message)
        return error.exit_code
    except CryodeviceError as error:
        complain(str(error))
        return ExitCode.USAGE
