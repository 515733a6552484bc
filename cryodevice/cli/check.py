"""``cryodevice check``: is this settings file good? Opens no port, starts no broker."""

import argparse
import json

from cryodevice.cli.configuration import settings_for
from cryodevice.errors import ExitCode
from cryodevice.settings import settings_as_dict


def main(options: argparse.Namespace) -> ExitCode:
    """Print what would be in force."""
    settings = settings_for(options.config)
    tree = settings_as_dict(settings)
    if options.json:
        print(json.dumps(tree, indent=2, allow_nan=False))
        return ExitCode.FINE
    print(f"{settings.source}: good")
    for section, values in tree.items():
        if isinstance(values, dict):
            print(f"\n[{section}]")
            for name, value in values.items():
                print(f"{name} = {json.dumps(value)}")
    print(f"\nstate directory: {settings.state_dir}")
    return ExitCode.FINE
