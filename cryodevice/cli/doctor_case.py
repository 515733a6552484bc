"""What the doctor's checks have found so far and later ones need. Looks at nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryodevice.device.wand import Wand
from cryodevice.errors import CryodeviceError
from cryodevice.safety.readings import Reading
from cryodevice.settings import Settings, default_settings
from cryodevice.wire.blocks import Identity


@dataclass(slots=True)
class Case:
    """One examination.

    Args:
        config: Settings file as given on the command line.
        settings: In force; the built-in defaults until they have been loaded.
        daemon_runs: A daemon of ours is on the state directory; the port is then left alone.
        no_daemon: None is, as far as can be told; before that is known no line is opened.
        status: What that daemon answered; empty when it had nothing to say yet.
        wand: The driver, once the port was opened here.
        identity: Who answered, here.
        unanswered: Why nobody did.
        reading: The newest one, read here.
        epoch: Order epoch in the first one; another one later means that somebody orders this wand.
    """

    config: str | None = None
    settings: Settings = field(default_factory=default_settings)
    daemon_runs: bool = False
    no_daemon: bool = False
    status: Mapping[str, Any] = field(default_factory=dict)
    wand: Wand | None = None
    identity: Identity | None = None
    unanswered: CryodeviceError | None = None
    reading: Reading | None = None
    epoch: int | None = None

    def close(self) -> None:
        """Let go of the port."""
        if self.wand is not None:
            self.wand.close()
