"""From what the user wrote (a path or a URL) to the link that serves it. Opens nothing."""

from urllib.parse import urlsplit

from cryodevice.errors import SettingsError
from cryodevice.transport.link import Link
from cryodevice.transport.serial_link import SerialLink
from cryodevice.transport.tcp_link import TcpLink

_FORMS = "write a device path such as /dev/serial/by-id/usb-… or socket://HOST:PORT"


def open_link(url_or_path: str, baud: int = 115_200, parity: str = "N", stop_bits: int = 1) -> Link:
    """The link for a port, ready to be opened.

    Args:
        url_or_path: Device path, or ``socket://host:port`` for a serial line over TCP.
        baud: Bit rate, above 0; for a device path only, as are the next two.
        parity: N, E or O.
        stop_bits: 1 or 2.

    Raises:
        SettingsError: Not a path or URL of that form, or line settings outside the above.
    """
    if not (baud > 0 and parity in ("N", "E", "O") and stop_bits in (1, 2)):
        raise SettingsError(
            f"{baud} baud, parity {parity!r}, {stop_bits} stop bits: above 0 baud, parity N, E or O, 1 or 2 stop bits",
            port=url_or_path,
        )
    if "://" not in url_or_path:
        if not url_or_path:
            raise SettingsError(f"no port is given: {_FORMS}", port=url_or_path)
        return SerialLink(url_or_path, baud, parity, stop_bits)
    try:
        url = urlsplit(url_or_path)
        host, port = url.hostname, url.port
    except ValueError as error:
        raise SettingsError(f"{url_or_path!r} is not a port ({error}): {_FORMS}", port=url_or_path) from error
    if url.scheme != "socket" or not host or not port or url.path not in ("", "/") or url.query or url.username:
        raise SettingsError(f"{url_or_path!r} is not a port: {_FORMS}", port=url_or_path)
    return TcpLink(host, port)
