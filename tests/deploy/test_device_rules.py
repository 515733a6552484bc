"""The udev rules: syntax by a strict reader (and by ``udevadm verify`` where there is one), and what they do."""

import re
import shutil
import subprocess
from fnmatch import fnmatchcase

import pytest

from tests.system.processes import ROOT

RULES = ROOT / "deploy" / "udev" / "65-cryodevice.rules"
TOKEN = re.compile(r'([A-Z]+)(?:\{([\w$]+)\})?(==|!=|\+=|:=|=)"([^"]*)"')
MATCHES = {"ACTION", "SUBSYSTEM", "SUBSYSTEMS", "KERNEL", "ATTR", "ATTRS", "ENV"}
ASSIGNS = {"ENV", "GROUP", "MODE", "SYMLINK", "GOTO", "LABEL"}
WITH_KEY = {"ATTR", "ATTRS", "ENV"}


def lines() -> list[list[tuple[str, str, str, str]]]:
    """Each rule as its tokens; an AssertionError for anything udev would not take."""
    found = []
    for number, line in enumerate(RULES.read_text(encoding="ascii").splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        parts = [part.strip() for part in re.split(r',(?=(?:[^"]*"[^"]*")*[^"]*$)', line)]
        tokens = []
        for part in parts:
            match = TOKEN.fullmatch(part)
            assert match, f"line {number}: {part!r} is no key, operator and value"
            key, argument, operator, value = match.groups(default="")
            known = MATCHES if operator in {"==", "!="} else ASSIGNS
            assert key in known, f"line {number}: {key} does not take {operator}"
            assert bool(argument) == (key in WITH_KEY), f"line {number}: {key}"
            tokens.append((key, argument, operator, value))
        found.append(tokens)
    return found


def matches(pattern: str, value: str) -> bool:
    return any(fnmatchcase(value, one) for one in pattern.split("|"))


def processed(**device: str) -> dict[str, str]:
    """What the rules give a device: its properties, group, mode and links."""
    given = {"ACTION": "add", **device}
    result: dict[str, str] = {}
    skip_to = ""
    for rule in lines():
        if skip_to:
            skip_to = "" if ("LABEL", "", "=", skip_to) in rule else skip_to
            continue
        for key, argument, operator, value in rule:
            name = f"{key}.{argument}" if argument else key
            if operator in {"==", "!="}:
                seen = given.get(name, result.get(name, ""))
                if matches(value, seen) != (operator == "=="):
                    break
            elif key == "GOTO":
                skip_to = value
            elif key != "LABEL":
                text = re.sub(r"\$env\{(\w+)\}", lambda found: given.get(f"ENV.{found[1]}", ""), value)
                result[name] = f"{result[name]} {text}" if operator == "+=" and name in result else text
    return result


def port(vendor: str = "0403", product: str = "6001", serial: str = "A7QX01", interface: str = "") -> dict[str, str]:
    known = {"ENV.ID_SERIAL_SHORT": serial, "ENV.ID_USB_INTERFACE_NUM": interface}
    return {"SUBSYSTEM": "tty", "SUBSYSTEMS": "usb", "ATTRS.idVendor": vendor, "ATTRS.idProduct": product, **known}


def test_the_file_is_well_formed_and_every_jump_has_its_end():
    rules = lines()
    jumps = {value for rule in rules for key, _, _, value in rule if key == "GOTO"}
    labels = [value for rule in rules for key, _, _, value in rule if key == "LABEL"]
    assert jumps == set(labels)
    assert len(labels) == 1


def test_udev_takes_it():
    tool = shutil.which("udevadm")
    assert tool, "udevadm is not installed: sh scripts/ensure-systemd.sh, or apt-get install udev"
    done = subprocess.run([tool, "verify", str(RULES)], capture_output=True, text=True, check=False, timeout=20)
    if "Unknown command verb" in done.stderr:
        return  # before systemd 254; tests/campaign/package.py has udev read it in a root of its own
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("device", "link"),
    [
        (port(), "cryodevice/A7QX01"),
        (port(interface="00"), "cryodevice/A7QX01"),
        (port(product="6010", interface="01"), "cryodevice/A7QX01-if01"),
        (port("10c4", "ea60", "0001"), "cryodevice/0001"),
    ],
)
def test_a_wand_has_a_path_by_its_serial_number(device, link):
    done = processed(**device)
    assert done["SYMLINK"] == link
    assert (done["GROUP"], done["MODE"]) == ("dialout", "0660")
    assert done["ENV.ID_MM_PORT_IGNORE"] == "1"


def test_an_adapter_without_a_serial_number_has_no_empty_path():
    done = processed(**port("1a86", "7523", ""))
    assert "SYMLINK" not in done
    assert done["GROUP"] == "dialout"


def test_the_modem_manager_is_kept_from_the_whole_adapter():
    adapter = {"SUBSYSTEM": "usb", "ENV.DEVTYPE": "usb_device", "ATTR.idVendor": "10c4", "ATTR.idProduct": "ea60"}
    assert processed(**adapter) == {"ENV.ID_MM_DEVICE_IGNORE": "1"}


@pytest.mark.parametrize(
    "device",
    [
        port("1199", "a001"),
        {**port(), "ACTION": "remove"},
        {**port(), "SUBSYSTEM": "net"},
        {"SUBSYSTEM": "tty", "KERNEL": "ttyS0"},
    ],
)
def test_nothing_else_is_touched(device):
    assert processed(**device) == {}
