"""Who holds which switch: of several faults on one switch the newest wins, and the older comes back when it ends.

When the last lets go, the switch is what it was before the first. A switch that somebody else has set in the meantime
belongs to him from then on: no fault that ends changes it.
"""

from typing import Any


class _Held:
    __slots__ = ("base", "holders")

    def __init__(self, base: object) -> None:
        self.base = base
        self.holders: dict[int, object] = {}

    @property
    def value(self) -> object:
        return next(reversed(self.holders.values())) if self.holders else self.base


class Switches:
    """All switches that faults hold, each by its record and name."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], _Held] = {}

    def hold(self, holder: int, of: str, record: Any, name: str, value: object) -> None:
        """Take a switch, as the newest, or set one that is held anew: below the newest that changes what comes back."""
        known = self._held.get((of, name))
        if known is not None and holder in known.holders and known.holders[holder] == value:
            return
        now = getattr(record, name)
        held = self._held.setdefault((of, name), _Held(now))
        foreign = now != held.value
        if holder not in held.holders:
            held.base = now if foreign else held.base
            foreign = False
        held.holders[holder] = value
        if not foreign:
            setattr(record, name, held.value)

    def release(self, holder: int, of: str, record: Any, name: str) -> None:
        """Let go of a switch."""
        held = self._held.get((of, name))
        if held is None or holder not in held.holders:
            return
        ours = held.value
        del held.holders[holder]
        if getattr(record, name) == ours:
            setattr(record, name, held.value)
        if not held.holders:
            del self._held[of, name]

    def rules(self, holder: int, of: str, name: str) -> bool:
        """Whether this holder is the newest of a switch."""
        held = self._held.get((of, name))
        return held is not None and next(reversed(held.holders)) == holder
