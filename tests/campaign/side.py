"""A run of the campaign in a process of its own, which cannot find what stands in ``__main__`` by itself."""

from importlib import import_module
from typing import Any


def one(item_name: str, case: str, seed: int) -> dict[str, Any]:
    """One run of one case of an item."""
    return import_module("tests.campaign.__main__").one(item_name, case, seed)
