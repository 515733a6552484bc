"""Where the simulator may listen: this machine only. Addresses as text in, checked addresses out; opens nothing."""

import ipaddress
from dataclasses import dataclass

from cryodevice.errors import PortUnavailableError


@dataclass(frozen=True, slots=True)
class Address:
    """A loopback host and a port, 0 for any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """The address in ``HOST:PORT``.

    Raises:
        ValueError: Not of that form, no such port, or a host that others could reach.
    """
    host, colon, port_text = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not (port_text.isascii() and port_text.isdigit()) or int(port_text) > 0xFFFF:
        raise ValueError(f"{text!r} is no HOST:PORT with a port from 0 to 65535, such as 127.0.0.1:0")
    if not _is_loopback(host):
        raise ValueError(f"host {host!r} is not this machine's loopback; use 127.0.0.1, ::1 or localhost")
    return Address("127.0.0.1" if host == "localhost" else host, int(port_text))  # one family, so one port


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def unavailable(what: str, address: Address, error: OSError) -> PortUnavailableError:
    """The error for a port that cannot be listened on."""
    reason = error.strerror or str(error)
    return PortUnavailableError(
        f"{what} cannot listen on {address}: {reason}; give another port, or 0 for any free one", address=str(address)
    )
