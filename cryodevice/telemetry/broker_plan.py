"""Which broker to embed, on which ports, with which configuration. Starts nothing."""

import contextlib
import importlib.util
import os
import shutil
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryodevice.errors import BrokerError

BrokerKind = Literal["auto", "mosquitto", "iotcore"]
HOST = "127.0.0.1"
_CHILD = Path(__file__).with_name("broker_child.py")
_SYSTEM_PATHS = ("/usr/sbin", "/usr/local/sbin")

MOSQUITTO_CONFIGURATION = """\
# Written by cryodevice at each start; edits are lost. Loopback only, so that nobody else can reach it.
{user}listener {port} 127.0.0.1
allow_anonymous true
set_tcp_nodelay true
persistence false
log_dest stderr
log_type error
log_type warning
connection_messages false
max_packet_size 65536
max_queued_messages 2000
"""

# Segments are capped because its commit log otherwise grows with traffic (docs/decisions/0004).
IOTCORE_CONFIGURATION = """\
# Written by cryodevice at each start; edits are lost. Loopback only, so that nobody else can reach it.
id = 0

[router]
id = 0
max_connections = 100
max_outgoing_packet_count = 200
max_segment_size = 1048576
max_segment_count = 10
{listeners}"""
IOTCORE_LISTENER = """
[{version}.1]
name = "{version}-1"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1
    [{version}.1.connections]
    connection_timeout_ms = 5000
    max_payload_size = 65536
    max_inflight_count = 100
    dynamic_filters = true
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to start, and the ports it will listen on: MQTT 5 first, 3.1.1 last."""

    kind: str
    argv: tuple[str, ...]
    ports: tuple[int, ...]


def find_mosquitto() -> str | None:
    """Path of the Mosquitto program; Debian keeps it where an ordinary user's PATH does not look."""
    return shutil.which("mosquitto", path=os.pathsep.join((os.environ.get("PATH", os.defpath), *_SYSTEM_PATHS)))


def make_plan(state_dir: Path, port: int, kind: BrokerKind) -> Plan:
    """Choose a broker and its ports, and write its configuration.

    Raises:
        BrokerError: No broker is installed, or no port is free.
    """
    mosquitto = find_mosquitto() if kind in {"auto", "mosquitto"} else None
    iotcore = kind in {"auto", "iotcore"} and importlib.util.find_spec("iotcore") is not None
    if mosquitto is None and not iotcore:
        raise BrokerError(
            'no broker to embed: install Mosquitto (apt install mosquitto), or set mqtt.mode to "broker" or "off"',
            kind=kind,
        )
    folder = state_dir / "broker"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    child = (sys.executable, "-I", str(_CHILD), str(os.getpid()))
    if mosquitto is not None:
        ports: tuple[int, ...] = _free_ports(port, 1)
        user = "user root\n" if os.geteuid() == 0 else ""  # else it gives up root and cannot read its configuration
        path = _write(folder / "mosquitto.conf", MOSQUITTO_CONFIGURATION.format(user=user, port=ports[0]))
        return Plan("mosquitto", (*child, "mosquitto", str(path), mosquitto), ports)
    ports = _free_ports(port, 2)
    listeners = "".join(
        IOTCORE_LISTENER.format(version=version, port=number)
        for version, number in zip(("v5", "v4"), ports, strict=True)
    )
    path = _write(folder / "iotcore.toml", IOTCORE_CONFIGURATION.format(listeners=listeners))
    return Plan("iotcore", (*child, "iotcore", str(path)), ports)


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def _free_ports(preferred: int, count: int) -> tuple[int, ...]:
    """Free ports on loopback, the preferred one first if it is free. Held together, so that they differ."""
    found: list[int] = []
    with contextlib.ExitStack() as held:
        for wanted in (preferred, *[0] * count):
            listener = held.enter_context(socket.socket())
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError, OverflowError):
                listener.bind((HOST, wanted))
                found.append(listener.getsockname()[1])
            if len(found) == count:
                return tuple(found)
    raise BrokerError("no free port on loopback for the embedded broker")
