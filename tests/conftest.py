"""Tests that go by the clock run one after another in two lanes; those that only reckon fill up (``make test``).

A new test goes by the clock until its folder or file is named here.
"""

from pathlib import Path

import pytest

ROOT = Path(__file__).parent
RECKONING = (
    "bioheat",
    "campaign",
    "device",
    "docs",
    "firmware_sim/firmware",
    "firmware_sim/endpoints/test_pacer.py",
    "firmware_sim/plant",
    "firmware_sim/recording/test_form.py",
    "firmware_sim/recording/test_match.py",
    "firmware_sim/recording/test_player.py",
    "records",
    "safety",
    "settings",
    "system/test_blind_spots.py",
    "system/test_fault_rows.py",
    "system/test_idle_contact.py",
    "system/test_interlock_rows.py",
    "system/test_stories.py",
    "treatment",
    "wire",
)
"""Folders and files whose tests need no clock, no port and no process of their own."""
DAEMONS = ("system",)
"""Tests that start many whole daemons: a lane of their own. What is left, lines, brokers, commands, is the other."""


def _lies_in(place: str, names: tuple[str, ...]) -> bool:
    return any(place == name or place.startswith(f"{name}/") for name in names)


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks for groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.pluginmanager.hasplugin("xdist"):
        return
    for item in items:
        place = item.path.relative_to(ROOT).as_posix()
        if not _lies_in(place, RECKONING):
            item.add_marker(pytest.mark.xdist_group("daemons" if _lies_in(place, DAEMONS) else "lines"))
