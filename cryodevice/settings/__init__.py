"""Settings: one TOML file in, frozen settings out, or every problem of the file at once.

Opens the settings file and nothing else: no device, no network, no other state. Environment variables are not read.
"""

from cryodevice.settings.load import default_settings, load_settings, settings_as_dict
from cryodevice.settings.sections import (
    TCP_PORTS,
    ControlSettings,
    DeviceSettings,
    LinkSettings,
    LogSettings,
    MqttSettings,
    RecordsSettings,
    Settings,
)

__all__ = [
    "TCP_PORTS",
    "ControlSettings",
    "DeviceSettings",
    "LinkSettings",
    "LogSettings",
    "MqttSettings",
    "RecordsSettings",
    "Settings",
    "default_settings",
    "load_settings",
    "settings_as_dict",
]
