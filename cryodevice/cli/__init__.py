"""The command line: parses, then hands over to one module a command, imported only when it is asked for."""

import argparse
from collections.abc import Sequence
from importlib import import_module

from cryodevice import __version__
from cryodevice.cli.output import checked_output, say
from cryodevice.errors import CryodeviceError

_CONFIG = "settings file (default: $CRYODEVICE_CONFIG, then /etc/cryodevice/cryodevice.toml, then built-in defaults)"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cryodevice",
        description="Watches a cooled facial wand and lets it cool only while every interlock agrees. "
        "Not a medical device.",
        epilog="exit status: 0 fine, 1 failed, 2 usage or configuration, 3 refused for safety",
    )
    parser.add_argument("--version", action="version", version=f"cryodevice {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, help_text: str, *, config: bool = False, as_json: bool = False) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=help_text, description=help_text)
        if config:
            command.add_argument("--config", metavar="FILE", help=_CONFIG)
        if as_json:
            command.add_argument("--json", action="store_true", help="print JSON")
        return command

    demo = add("demo", "run one simulated treatment from start to end; needs nothing")
    demo.add_argument("--duration", type=float, default=60.0, metavar="S", help="about how long, 20 to 600 s")
    demo.add_argument("--broker", metavar="URL", help="mqtt://HOST[:PORT] of a broker to use instead of an own one")
    links = ["serial", "tcp", "modbus-rtu", "modbus-tcp"]
    demo.add_argument("--link", choices=links, default="serial", help="how to reach the simulated wand")
    demo.add_argument("--seed", type=int, default=1, help="seed of the simulated wand's sensors")
    demo.add_argument("--plain", action="store_true", help="one line a second instead of a live view")
    add("run", "watch a wand until told to end", config=True)
    add("check", "check a settings file; opens nothing", config=True, as_json=True)
    add("doctor", "look at everything that may keep a wand from working; cools nothing", config=True, as_json=True)
    add("status", "show what a running daemon sees", config=True, as_json=True)
    add("watch", "follow a running daemon until Ctrl-C", config=True, as_json=True)
    add("stop", "stop the treatment of a running daemon at once", config=True, as_json=True)
    treat = add("treat", "start a treatment from a file on a running daemon", config=True, as_json=True)
    treat.add_argument("file", metavar="FILE", help="treatment (TOML)")
    treat.add_argument("--client", metavar="NAME", help="whose dose it is; all without a name share one")
    reset = add("reset", "reset a lockout on a running daemon once its cause is gone", config=True, as_json=True)
    reset.add_argument("--service", action="store_true", help="as a service person, for lockouts only service clears")
    acknowledge = add("acknowledge", "say that the alarms of a running daemon were seen", config=True, as_json=True)
    acknowledge.add_argument(
        "alarm", metavar="ALARM", nargs="?", help="one alarm or cause, as status names it (default: all)"
    )
    add("pause-audio", "pause the sound of what sounds now, for 120 s", config=True, as_json=True)
    alarms = add("alarms", "print the alarm table, or what has become of alarms", config=True, as_json=True)
    alarms.add_argument("--log", type=int, metavar="N", help="the newest N lines of the alarm log instead")
    alarms.add_argument("--markdown", action="store_true", help="the table as the page docs/alarms.md")
    records = commands.add_parser("records", help="the exposure store", description="the exposure store")
    actions = records.add_subparsers(dest="action", required=True, metavar="ACTION")
    aside = actions.add_parser("quarantine", help="set a damaged exposure store aside (service; daemon stopped)")
    aside.add_argument("--config", metavar="FILE", help=_CONFIG)
    add("interlocks", "print the interlock table", config=True, as_json=True)
    explain = add("explain", "why cooling is refused on given values, or what a trip was", config=True, as_json=True)
    explain.add_argument("values", nargs="*", metavar="NAME=VALUE", help="what is so; see --names")
    explain.add_argument("--names", action="store_true", help="list every value that may be given")
    explain.add_argument("--strict", action="store_true", help="judge what is not given as unknown, as the daemon does")
    explain.add_argument("--trip", metavar="FILE|NUMBER|last", help="explain a recorded trip, judged again")
    explain.add_argument("--list", action="store_true", help="list the recorded trips")
    explain.add_argument("--holds", action="store_true", help="with --list or --trip: the recorded holds instead")
    return parser


_MODULES = {
    "demo": "demo",
    "run": "run",
    "check": "check",
    "doctor": "doctor",
    "status": "talk",
    "watch": "watch",
    "stop": "talk",
    "treat": "talk",
    "reset": "talk",
    "acknowledge": "talk",
    "pause-audio": "talk",
    "alarms": "alarms",
    "explain": "explain",
    "interlocks": "interlocks",
    "records": "records",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status. Errors of ours are one message, never a traceback."""
    command = ""
    try:
        with checked_output():
            options = _parser().parse_args(arguments)
            command = f" {options.command}"
            module = import_module(f"cryodevice.cli.{_MODULES[options.command]}")
            return int(module.main(options))
    except CryodeviceError as error:
        if error.message:
            say(f"cryodevice{command}: {error.message}")
        return int(error.exit_code)
    except KeyboardInterrupt:
        return 130
