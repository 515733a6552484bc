"""One root, few branches: every error says what happened, carries its evidence, and knows its exit code."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's exit status means."""

    FINE = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3


class CryodeviceError(Exception):
    """Root of every error this package raises on purpose.

    Args:
        message: What happened and what to do about it, in one or two sentences.
        evidence: Values that show it (frame bytes as hex, register, path), for the log and the report.
    """

    exit_code: ExitCode = ExitCode.FAILED

    def __init__(self, message: str, **evidence: object) -> None:
        super().__init__(message)
        self.message = message
        self.evidence: dict[str, object] = dict(evidence)


class QuantityError(CryodeviceError, ValueError):
    """A number that is not finite or not in its range where one is required."""


class SettingsError(CryodeviceError):
    """The settings file cannot be used; nothing was opened and nothing was sent."""

    exit_code = ExitCode.USAGE


class SafetyRefusedError(CryodeviceError):
    """The command was understood and refused because it would not be safe."""

    exit_code = ExitCode.REFUSED


class WireError(CryodeviceError):
    """Bytes or registers that do not follow docs/wire.md; carries them as hex or words."""


class LinkError(CryodeviceError):
    """The line to the wand failed: missing, busy, closed, or silent."""


class PortUnavailableError(LinkError):
    """The port cannot be opened: absent, in use, or not permitted. Says which, and what to do."""


class LinkTimeoutError(LinkError):
    """No good reply before the deadline."""


class LinkClosedError(LinkError):
    """The other end went away (unplugged, hung up, connection reset)."""


class DeviceError(CryodeviceError):
    """The thing at the other end answered, and the answer rules it out."""


class IdentityError(DeviceError):
    """Not a wand, not our wire version, or a wand that may not be driven."""


class OrderRefusedError(DeviceError):
    """The wand refused an order; ``evidence['refusal']`` holds the code of status register 24."""


class StoreError(CryodeviceError):
    """The durable store cannot be read or written; treatment is locked until it can."""


class NewerStateError(StoreError):
    """The state directory was written by a newer program; nothing was touched. A wrong installation, not damage."""

    exit_code = ExitCode.USAGE


class RecordError(CryodeviceError):
    """A record of a trip cannot be read: damaged, not one, or of another version of the program."""


class BrokerError(CryodeviceError):
    """The MQTT broker cannot be started or reached."""
