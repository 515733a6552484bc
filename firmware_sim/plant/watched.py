"""A record of switches that knows whether any is set, so that whoever obeys it asks once and not switch by switch."""

from collections.abc import Callable
from dataclasses import fields
from functools import cache
from typing import Any


def _nothing() -> None:
    return None


@cache
def _defaults(record: Any) -> tuple[tuple[str, object], ...]:
    return tuple((field.name, field.default) for field in fields(record))


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
        kind: Any = type(self)
        quiet = all(getattr(self, name) == default for name, default in _defaults(kind))
        object.__setattr__(self, "quiet", quiet)
