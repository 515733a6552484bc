"""A record of switches that knows whether any is set, so that whoever obeys it asks once and not switch by switch."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any


def _nothing() -> None:
    return None


class Watched:
    """Base of a dataclass with slots whose fields all have a plain default: off.

    Attributes:
        quiet: Whether every field is at its default.
        changed: Called after a field has been set.
    """

    __slots__ = ("changed", "quiet")
    quiet: bool
    changed: Callable[[], None]

    def __post_init__(self) -> None:
        object.__setattr__(self, "changed", _nothing)
        self._look()

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)
        if hasattr(self, "quiet") and name != "changed":
            self._look()
            self.changed()

    def _look(self) -> None:
        record: Any = self
        quiet = all(getattr(self, field.name) == field.default for field in fields(record))
        object.__setattr__(self, "quiet", quiet)
