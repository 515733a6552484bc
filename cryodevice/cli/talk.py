"""``status | stop | treat | reset | acknowledge | pause-audio``: talk to a running daemon over its local socket."""

import argparse
import getpass
import json
from pathlib import Path
from typing import Any, cast

from cryodevice.cli.alarm_text import NOT_MONITORING
from cryodevice.cli.configuration import settings_for
from cryodevice.cli.text import status_lines
from cryodevice.console.local_socket import SOCKET_NAME, ask
from cryodevice.errors import ExitCode, QuantityError, SettingsError, StoreError
from cryodevice.safety.exposure import client_named
from cryodevice.settings.treatment_file import load_treatment

_ANSWERED = frozenset({"treat", "reset", "acknowledge", "pause-audio"})
"""Commands that may be refused."""


def main(options: argparse.Namespace) -> ExitCode:
    """Send one request and show the answer."""
    settings = settings_for(options.config)
    request: dict[str, object] = {"ask": options.command, "who": _who()}
    if options.command == "treat":
        treatment = load_treatment(Path(options.file))
        steps = [
            {
                "zone": step.zone.value,
                "plate_degc": step.plate_degc,
                "hold_s": step.hold_s,
                "rewarm_s": step.rewarm_s,
                "glide": step.glide,
            }
            for step in treatment.steps
        ]
        request |= {"ask": "start", "treatment": {"name": treatment.name, "step": steps}}
    if options.command == "reset":
        request["service"] = options.service
    if options.command == "treat" and options.client is not None:
        request["client"] = _client(options.client)
    if options.command == "acknowledge":
        request["alarm"] = options.alarm or ""
    try:
        answer = ask(settings.state_dir / SOCKET_NAME, request)
    except StoreError as error:
        if options.command == "status":
            raise StoreError(f"{NOT_MONITORING}: {error.message}", **error.evidence) from error
        raise
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
