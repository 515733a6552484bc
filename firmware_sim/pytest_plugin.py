"""A running simulated wand for any project's tests: the fixture ``cryo_wand``, and the marker that chooses its kind.

Loaded by every pytest run of an environment that has this package, so it imports nothing but pytest until a test asks
for a wand.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from firmware_sim.client import RunningWand

MARKER = "cryo_wand"
CHOICES = {
    "link": (str, "serial, serial-tcp, modbus-rtu or modbus-tcp; default serial"),
    "seed": (int, "of the sensors' noise, the chance of faults, the boot id and the person; default 0"),
    "paused": (bool, "whether its time stands still until wand.resume() or wand.step(); default False"),
    "unit": (int, "Modbus unit id; default 1"),
    "serial_number": (int, "of the wand; default 1"),
    "record": (str, "file to record the line into"),
}
"""What the marker takes: type, and what it says."""
_KINDS = {str: "a text", int: "a whole number", bool: "True or False"}
_CALL = f"{MARKER}({', '.join(f'{name}=...' for name in CHOICES)})"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", f"{_CALL}: which simulated wand the fixture {MARKER} starts")


@pytest.fixture
def cryo_wand(request: pytest.FixtureRequest) -> Iterator["RunningWand"]:
    """A simulated wand in a process of its own, that ends with the test.

    ``wand.port`` is what a host opens: a device path, or HOST:PORT. ``wand.truth()`` is what really is, ``wand.set()``
    the hand, ``wand.inject()`` and ``wand.clear()`` the faults, ``wand.pause()``, ``wand.step()`` and ``wand.speed()``
    the time. ``@pytest.mark.cryo_wand(link="modbus-tcp", seed=3)`` chooses another than the default: serial, on a
    pseudo-terminal.
    """
    from firmware_sim.client import RunningWand, WandStartError  # noqa: PLC0415  # see above

    chosen = _chosen(request.node.get_closest_marker(MARKER))
    link, seed = chosen.pop("link", "serial"), chosen.pop("seed", 0)
    arguments = ["--paused"] if chosen.pop("paused", False) else []
    arguments += [word for name, value in chosen.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    try:
        wand = RunningWand(link, seed, arguments)
    except WandStartError as error:
        pytest.fail(f"{MARKER}: {error.message}", pytrace=False)
    with wand:
        yield wand


def _chosen(marker: pytest.Mark | None) -> dict[str, Any]:
    """What the marker says, checked."""
    if marker is None:
        return {}
    if marker.args:
        pytest.fail(f"{MARKER}: its arguments have names: {_CALL}", pytrace=False)
    for name, value in marker.kwargs.items():
        if name not in CHOICES:
            pytest.fail(f"{MARKER} takes no {name!r}; it takes: {', '.join(CHOICES)}", pytrace=False)
        kind, meaning = CHOICES[name]
        if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
            pytest.fail(f"{MARKER}: {name} is {value!r}, not {_KINDS[kind]} ({name}: {meaning})", pytrace=False)
    return dict(marker.kwargs)
