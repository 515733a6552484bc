"""``cryodevice records``: what a service person does with the exposure store while no daemon runs."""

import argparse

from cryodevice.cli.configuration import settings_for
from cryodevice.errors import ExitCode, StoreError


def main(options: argparse.Namespace) -> ExitCode:
    """Set the store aside, so that the next start begins a new one. Nothing is deleted."""
    from cryodevice.app import STORE_NAME  # noqa: PLC0415  # settings first: a wrong file opens nothing
    from cryodevice.records import quarantine  # noqa: PLC0415

    settings = settings_for(options.config)
    if not settings.state_dir.is_dir():
        raise StoreError(f"there is no state directory {settings.state_dir}: nothing to set aside")
    aside = quarantine(settings.state_dir / STORE_NAME)
    print(f"set aside as {aside}; its exposure no longer counts: note today's treatments before the next one")
    return ExitCode.FINE
