"""What may be said to ``firmware-sim``: commands, options, and the values they take. Opens nothing, prints nothing."""

import argparse
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from cryodevice.errors import ExitCode
from firmware_sim.conformance import command as conformance
from firmware_sim.endpoints.loopback import Address, parse_address
from firmware_sim.faults import FaultError, Injection, injection_from_words
from firmware_sim.plant.applicator import AIR_COOLED, LIQUID_COOLED
from firmware_sim.recording.match import MODES
from firmware_sim.scenarios import command as scenarios

AUTO = "auto"
"""In place of a path: any free port in software."""
COOLING = {"air": AIR_COOLED, "liquid": LIQUID_COOLED}
"""The hardware of a wand by what cools its sink."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence; all that may be said is in the help."""

    def error(self, message: str) -> NoReturn:
        self.exit(ExitCode.USAGE, f"{self.prog}: {message}; see '{self.prog} --help'\n")


def parser() -> argparse.ArgumentParser:
    """Of the whole command line."""
    whole: argparse.ArgumentParser = _Parser(
        prog="firmware-sim", description="The wand without the wand: a simulated wand."
    )
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="run a wand in real time on a pseudo-terminal and on TCP")
    serve.add_argument(
        "--serial",
        metavar="auto|PATH",
        help="serial port in software; PATH is a symbolic link to make to it (default: auto if no line is asked for)",
    )
    serve.add_argument("--serial-tcp", type=_address, metavar="HOST:PORT", help="serial protocol on TCP, loopback only")
    serve.add_argument("--modbus-rtu", metavar="auto|PATH", help="Modbus RTU on a port in software of its own")
    serve.add_argument("--modbus-tcp", type=_address, metavar="HOST:PORT", help="Modbus TCP, loopback only")
    serve.add_argument("--unit", type=_Whole(1, 247), default=1, metavar="N", help="Modbus unit id (default: 1)")
    serve.add_argument("--control", type=_address, metavar="HOST:PORT", help="live control over HTTP, loopback only")
    serve.add_argument("--paused", action="store_true", help="begin with the time standing still; --control lets it go")
    serve.add_argument(
        "--seed",
        type=_Whole(0, 2**63 - 1),
        metavar="N",
        help="of the sensors' noise, the chance of faults, the boot id and the person (default: 0, and any boot id)",
    )
    serve.add_argument(
        "--inject",
        type=_fault,
        action="append",
        default=[],
        metavar="FAULT",
        help="a fault from the start, as 'bit_errors rate=1e-3'; 'firmware-sim faults' lists them; may be repeated",
    )
    serve.add_argument("--serial-number", type=_Whole(0, 2**32 - 1), default=1, metavar="N", help="of the wand")
    serve.add_argument(
        "--state", type=Path, metavar="FILE", help="where the boot counter lives; without it each start is a new wand"
    )
    serve.add_argument("--boot-id", type=_Whole(1, 65_535), metavar="N", help="of this start, in place of the seed's")
    serve.add_argument(
        "--individual", choices=("typical", "drawn"), default="typical", help="whose skin (default: typical)"
    )
    serve.add_argument("--cooling", choices=COOLING, default="air", help="what cools the sink (default: air)")
    serve.add_argument("--record", type=Path, metavar="FILE", help="keep every frame of every line in a new file")
    serve.add_argument(
        "--record-limit", type=_Whole(1, 1_000_000), default=100, metavar="MB", help="longest file (default: 100)"
    )
    conformance.add_parser(commands)
    _add_ends(serve)
    replay = commands.add_parser("replay", help="play a device from a recording; fail on what was never recorded")
    replay.add_argument("file", type=Path, metavar="FILE", help="made by 'serve --record'")
    place = replay.add_mutually_exclusive_group()
    place.add_argument("--serial", metavar="auto|PATH", help="play it on a serial port in software")
    place.add_argument("--serial-tcp", type=_address, metavar="HOST:PORT", help="on TCP, loopback only")
    place.add_argument("--modbus-rtu", metavar="auto|PATH", help="on a port in software")
    place.add_argument("--modbus-tcp", type=_address, metavar="HOST:PORT", help="on TCP, loopback only")
    modes = "; ".join(f"{mode}: {what}" for mode, what in MODES.items())
    replay.add_argument("--match", choices=MODES, default="frames", help=f"{modes} (default: frames)")
    replay.add_argument("--fast", action="store_true", help="reply at once instead of after the recorded delay")
    _add_ends(replay)
    scenarios.add_to(commands, _Whole(0, 2**63 - 1))
    faults = commands.add_parser("faults", help="list every fault that can be injected")
    form = faults.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="for a program")
    form.add_argument("--markdown", action="store_true", help="as docs/faults.md")
    return whole


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """What was said; what no command knows is a mistake of the command it was said to."""
    whole = parser()
    options, rest = whole.parse_known_args(arguments)
    if rest:
        whole.prog = f"{whole.prog} {options.command}"
        whole.error(f"unrecognized arguments: {' '.join(rest)}")
    return options


def _add_ends(command: argparse.ArgumentParser) -> None:
    command.add_argument("--duration", type=_duration, metavar="S", help="end after this many seconds")
    command.add_argument(
        "--exit-with-parent", action="store_true", help="end when the process that started this one does"
    )


def _address(text: str) -> Address:
    try:
        return parse_address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _fault(text: str) -> Injection:
    name, *words = text.split() or [""]
    try:
        return injection_from_words(name, words)
    except FaultError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


class _Whole:
    """Reads a whole number of a closed range, and says that range when it is none."""

    def __init__(self, low: int, high: int) -> None:
        self._low, self._high = low, high

    def __call__(self, text: str) -> int:
        with suppress(ValueError):
            value = int(text, 0)
            if self._low <= value <= self._high:
                return value
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {self._low} to {self._high}")


def _duration(text: str) -> float:
    with suppress(ValueError):
        value = float(text)
        if 0.0 < value <= 1e9:
            return value
    raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
