"""The sections of the settings file, each key with its unit, range and default.

Judges one key at a time; what keys must be to one another is ``rules``. Strict: no text for numbers, no truth values
for numbers, no unknown keys, no NaN and no infinity.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator

from cryodevice.errors import SettingsError
from cryodevice.safety.limits import ENVELOPE, Limits


def _range(default: float | None, low: float, high: float, unit: str, what: str) -> Any:
    return Field(default=default, ge=low, le=high, description=what, json_schema_extra={"unit": unit})


def _text(default: str | None, what: str, pattern: str = r"^[^\x00-\x1f\x7f]+$") -> Any:
    # The length stands beside the pattern, not in it: {1,4096} would compile to 9 MB that stay for the whole run.
    return Field(default=default, pattern=pattern, max_length=4096, description=what)


BUILT_IN = "built-in defaults"
"""``Settings.source`` of settings that come from no file."""
SYSTEM_DIRECTORY = Path("/etc/cryodevice")
HOST = r"^[A-Za-z0-9]([A-Za-z0-9_.:-]{0,252})$"
"""A host name or an address; never credentials."""
TCP_PORTS = {"tcp": 4357, "modbus-tcp": 1502}
"""``link.tcp_port`` when it is not given, by ``link.kind``."""


class Section(BaseModel):
    """What all sections share."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


class DeviceSettings(Section):
    """``[device]``: which wand this daemon watches."""

    id: str = _text("wand-1", "name of the wand in topics and paths", r"^[a-z0-9][a-z0-9_-]{0,62}$")
    allow_simulated: bool = Field(default=False, description="whether a simulated wand may be driven")
    serial_number: int | None = _range(None, 0, 0xFFFF_FFFF, "", "serial number of the one wand that may be driven")
    oldest_firmware: str | None = _text(
        None, "oldest firmware that may be driven, as in 1.2.0", r"^[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,5}$"
    )

    @property
    def firmware_from(self) -> tuple[int, int, int] | None:
        """``oldest_firmware`` as major, minor, patch."""
        if self.oldest_firmware is None:
            return None
        major, minor, patch = (int(part) for part in self.oldest_firmware.split("."))
        return major, minor, patch


class LinkSettings(Section):
    """``[link]``: how to reach the wand."""

    kind: Literal["serial", "tcp", "modbus-rtu", "modbus-tcp"] = Field(
        default="serial", description="frames on a serial port or over TCP, or Modbus on either"
    )
    port: str = _text("/dev/ttyUSB0", "serial port, for kinds serial and modbus-rtu")
    host: str = _text("127.0.0.1", "host name or address, for kinds tcp and modbus-tcp", HOST)
    tcp_port: int = _range(TCP_PORTS["tcp"], 1, 65535, "", "TCP port, for kinds tcp and modbus-tcp")
    baud: int = _range(115_200, 9_600, 4_000_000, "bit/s", "line rate, for kinds serial and modbus-rtu")
    unit: int = _range(1, 1, 247, "", "Modbus unit id of the wand, for kinds modbus-rtu and modbus-tcp")

    @model_validator(mode="before")
    @classmethod
    def _tcp_port_of_the_kind(cls, given: Any) -> Any:
        if isinstance(given, dict) and "tcp_port" not in given and str(given.get("kind")) in TCP_PORTS:
            return {**given, "tcp_port": TCP_PORTS[given["kind"]]}
        return given


class ControlSettings(Section):
    """``[control]``: how often the wand is judged and how long a permit lasts without renewal."""

    rate_hz: float = _range(20.0, 5.0, 50.0, "Hz", "control ticks; below 10 Hz the wand is monitored, never cooled")
    lease_ms: int = _range(500, 200, 1000, "ms", "how long the wand may drive on one order")

    @property
    def period_s(self) -> float:
        """Seconds from tick to tick."""
        return 1.0 / self.rate_hz

    @property
    def exchange_deadline_s(self) -> float:
        """Longest time one exchange may take: 40 ms or half a period, whichever is less (docs/architecture.md)."""
        return min(0.040, 0.5 * self.period_s)

    @property
    def monitoring_only(self) -> bool:
        """Whether the rate is too low for cooling: 5 to 10 Hz (docs/architecture.md)."""
        return not self.rate_hz >= 10.0


class MqttSettings(Section):
    """``[mqtt]``: where telemetry goes. ``repr`` shows no account."""

    mode: Literal["embedded", "broker", "off"] = Field(
        default="embedded", description="a broker of our own on loopback, a broker that is there, or none"
    )
    host: str = _text("127.0.0.1", "broker, for mode broker", HOST)
    port: int = _range(1883, 0, 65535, "", "broker's port; embedded: the port to prefer, 0 for any")
    tls: bool = Field(default=False, description="whether to speak TLS to the broker")
    ca_file: str | None = _text(None, "PEM file of the authority that signed the broker's certificate")
    username: Annotated[str | None, Field(repr=False)] = _text(None, "account at the broker")
    password_file: Annotated[str | None, Field(repr=False)] = _text(
        None, "file whose first line is the password; only its owner and group may read it"
    )
    telemetry_hz: float = _range(10.0, 0.1, 50.0, "Hz", "readings published; never more often than ticks")
    keepalive_s: int = _range(15, 5, 600, "s", "a silent broker is noticed within twice this")
    connect_timeout_s: float = _range(5.0, 0.5, 60.0, "s", "longest wait for the broker to answer a connection")

    def at(self, host: str, port: int) -> "MqttSettings":
        """The same settings for a broker at another address (an embedded one that has just been started)."""
        return self.model_copy(update={"host": host, "port": port})


class RecordsSettings(Section):
    """``[records]``: where what must survive a restart is kept."""

    state_dir: str | None = _text(None, "directory of the records; none: see Settings.state_dir")


class LogSettings(Section):
    """``[log]``: what the daemon says about itself."""

    format: Literal["auto", "console", "json"] = Field(
        default="auto", description="auto: console on a terminal, JSON lines otherwise"
    )
    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="least severity shown")


if TYPE_CHECKING:

    class LimitsSection(Section):
        """``[limits]``, whose keys are not known to a type checker."""

else:
    LimitsSection = create_model(
        "LimitsSection",
        __base__=Section,
        __doc__="``[limits]``: a row of the compiled envelope for each key; the range is the envelope's, closed.",
        **{
            name: (float, _range(bound.initial, bound.low, bound.high, bound.unit, f"{bound.tighter} is stricter"))
            for name, bound in ENVELOPE.items()
        },
    )


class File(Section):
    """The whole file."""

    device: DeviceSettings = DeviceSettings()
    link: LinkSettings = LinkSettings()
    control: ControlSettings = ControlSettings()
    limits: LimitsSection = LimitsSection()
    mqtt: MqttSettings = MqttSettings()
    records: RecordsSettings = RecordsSettings()
    log: LogSettings = LogSettings()


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings in force for the whole run; the file is read once and later edits of it change nothing.

    Args:
        device, link, control, mqtt, records, log: The sections.
        limits: The limits asked for, inside the envelope; the wand's own may tighten them further.
        source: Where they came from, for a person.
        sha256: Hash of the file's bytes, hexadecimal; of no bytes for the built-in defaults.
    """

    device: DeviceSettings
    link: LinkSettings
    control: ControlSettings
    limits: Limits
    mqtt: MqttSettings
    records: RecordsSettings
    log: LogSettings
    source: str
    sha256: str

    @property
    def state_dir(self) -> Path:
        """``records.state_dir``; by default one that depends on the file and not on who runs it, see ``_default_base``.

        Raises:
            SettingsError: It lies under a home directory and there is none.
        """
        given = self.records.state_dir
        try:
            if given is not None:
                path = Path(given).expanduser()
            else:
                path = _default_base(self.source) / "cryodevice" / self.device.id
        except RuntimeError:
            path = Path()
        if not path.is_absolute():
            raise SettingsError(
                f"no home directory is known for user {os.geteuid()}: set records.state_dir to an absolute path",
                path=self.source,
            )
        return path


def _default_base(source: str) -> Path:
    """Root's files and those of the system keep state under /var/lib, whoever runs them: one file, one ledger."""
    system = source != BUILT_IN and Path(source).absolute().is_relative_to(SYSTEM_DIRECTORY)
    return Path("/var/lib") if system or os.geteuid() == 0 else Path("~/.local/state").expanduser()
