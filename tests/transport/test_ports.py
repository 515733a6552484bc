"""What a person is told when a port does not open, and which link a name stands for."""

import errno
import os
import termios

import pytest

from cryodevice.errors import SettingsError
from cryodevice.transport import open_link
from cryodevice.transport.ports import explain, holder, present
from cryodevice.transport.serial_link import SerialLink
from cryodevice.transport.tcp_link import TcpLink

PORT = "/dev/ttyUSB0"


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOENT, "there is no /dev/ttyUSB0"),
        (errno.ENXIO, "there is no /dev/ttyUSB0"),
        (errno.EACCES, "sudo usermod -aG dialout $USER"),
        (errno.EPERM, "log out and in again"),
        (errno.EBUSY, "is in use"),
        (errno.EAGAIN, "is in use"),
        (errno.ENOTTY, "is not a serial port"),
        (errno.EISDIR, "is not a serial port"),
        (errno.EIO, "cannot be opened"),
    ],
)
def test_each_failure_is_told_apart(number: int, words: str) -> None:
    error = explain(PORT, OSError(number, os.strerror(number)))
    assert words in str(error)
    assert error.evidence["errno"] == number
    assert error.evidence["port"] == PORT


def test_a_missing_port_lists_those_there_are() -> None:
    absent = OSError(errno.ENOENT, "no")
    assert "ports found: /dev/serial/by-id/usb-x, /dev/ttyACM0" in str(
        explain(PORT, absent, ["/dev/serial/by-id/usb-x", "/dev/ttyACM0"])
    )
    assert "no serial port found: is the cable in?" in str(explain(PORT, absent))


def test_a_busy_port_names_its_holder() -> None:
    assert "in use by screen (pid 7);" in str(explain(PORT, OSError(errno.EBUSY, "busy"), holder="screen (pid 7)"))


def test_an_errno_that_pyserial_hid_is_found() -> None:
    hidden = OSError("Could not configure port")
    hidden.__context__ = termios.error(errno.ENOTTY, "Inappropriate ioctl for device")
    assert "is not a serial port" in str(explain(PORT, hidden))
    assert "cannot be opened: odd" in str(explain(PORT, ValueError("odd")))


def test_looking_around_never_fails() -> None:
    assert isinstance(present(), list)
    assert holder("/dev/no-such-port") == ""
    assert holder("/dev/null") == ""


def test_a_path_is_a_serial_port_and_a_url_is_tcp() -> None:
    assert isinstance(open_link("/dev/serial/by-id/usb-wand"), SerialLink)
    tcp = open_link("socket://wand.local:4000")
    assert isinstance(tcp, TcpLink)
    assert tcp.name == "socket://wand.local:4000"
    assert open_link("socket://[::1]:4000/").name == "socket://[::1]:4000"
    assert not tcp.is_open


@pytest.mark.parametrize(
    "name",
    [
        "",
        "socket://host",
        "socket://:4000",
        "socket://host:0",
        "socket://host:70000",
        "socket://host:many",
        "socket://host:1/path",
        "socket://me@host:1",
        "socket://host:1?x",
        "rfc2217://host:1",
        "tcp://host:1",
    ],
)
def test_what_is_neither_is_refused_before_anything_is_opened(name: str) -> None:
    with pytest.raises(SettingsError, match="/dev/serial/by-id"):
        open_link(name)


@pytest.mark.parametrize("settings", [{"baud": 0}, {"baud": -9600}, {"parity": "M"}, {"parity": "n"}, {"stop_bits": 3}])
def test_line_settings_out_of_range_are_refused(settings: dict[str, int]) -> None:
    with pytest.raises(SettingsError, match="stop bits"):
        open_link(PORT, **settings)
