"""Finds the settings a command is to use."""

import os
from pathlib import Path

from cryodevice.settings import Settings, default_settings, load_settings

SYSTEM_FILE = Path("/etc/cryodevice/cryodevice.toml")


def settings_for(given: str | None) -> Settings:
    """Settings of the file named, else of the environment's, else of the system's, else the built-in defaults.

    Raises:
        SettingsError: The file cannot be used.
    """
    named = given or os.environ.get("CRYODEVICE_CONFIG")
    if named:
        return load_settings(Path(named))
    return load_settings(SYSTEM_FILE) if SYSTEM_FILE.exists() else default_settings()
