"""``status | stop | treat | reset | acknowledge | pause-audio``: talk to a running daemon over its local socket."""

import argparse
import getpass
import json
from pathlib import Path
from typing import Any, cast

from cryodevice.cli.alarm_text import NOT_MONITORING
from cryodevice.cli.configuration import settings_for
from cryodevice.cli.program import refusals
from cryodevice.cli.text import status_lines
from cryodevice.console.local_socket import SOCKET_NAME, ask
from cryodevice.errors import ExitCode, QuantityError, SettingsError, StoreError
from cryodevice.safety.exposure import client_named
from cryodevice.settings.program_file import load_program, named

_ANSWERED = frozenset({"treat", "reset", "acknowledge", "pause-audio"})
"""Commands that may be refused."""


def main(options: argparse.Namespace) -> ExitCode:
    """Send one request and show the answer."""
    settings = settings_for(options.config)
    request: dict[str, object] = {"ask": options.command, "who": _who()}
    match options.command:
        case "treat":
            filed = load_program(named(options.file))
            if against := refusals(filed, settings.limits):
                return _refused(against, as_json=options.json)
            request |= {"ask": "start", "treatment": filed.tree}
            request |= {"client": _client(options.client)} if options.client is not None else {}
        case "reset":
            request["service"] = options.service
        case "acknowledge":
            request["alarm"] = options.alarm or ""
        case _:
            pass
    return _shown(_answer(settings.state_dir / SOCKET_NAME, request), options)


def _answer(path: Path, request: dict[str, object]) -> dict[str, Any]:
    try:
        return ask(path, request)
    except StoreError as error:
        if request["ask"] == "status":
            raise StoreError(f"{NOT_MONITORING}: {error.message}", **error.evidence) from error
        raise


def _shown(answer: dict[str, Any], options: argparse.Namespace) -> ExitCode:
    if options.json:
        print(json.dumps(answer, indent=2))
    elif options.command == "status" and isinstance(answer.get("status"), dict):
        print("\n".join(status_lines(cast("dict[str, Any]", answer["status"]))))
    else:
        refused = options.command in _ANSWERED and answer.get("ok") is not True
        print(f"{'refused: ' if refused else ''}{answer.get('message', '')}")
    if answer.get("ok") is True:
        return ExitCode.FINE
    return ExitCode.REFUSED if options.command in {"treat", "reset"} else ExitCode.FAILED


def _refused(reasons: list[str], *, as_json: bool) -> ExitCode:
    """A program that the daemon would refuse, or that would not end in order, is not asked for."""
    message = "; ".join(reasons)
    print(json.dumps({"ok": False, "message": message}, indent=2) if as_json else f"refused: {message}")
    return ExitCode.REFUSED


def _client(name: str) -> str:
    try:
        return client_named(name)
    except QuantityError as error:
        raise SettingsError(f"--{error.message}") from error


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "local"
