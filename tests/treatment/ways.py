"""Follows the ways a session really takes, by listening where the table is asked."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cryodevice.safety.phases import SessionState
from cryodevice.treatment import people, session

Way = tuple[SessionState, session.Happening, SessionState]


@contextmanager
def followed() -> Iterator[list[Way]]:
    """While this lasts, every way taken is appended; clear the list as you like."""
    ways: list[Way] = []
    real = session.moved

    def moved(before: session.Session, happening: session.Happening, **changes: object) -> session.Session:
        after = real(before, happening, **changes)
        ways.append((before.state, happening, after.state))
        return after

    with pytest.MonkeyPatch.context() as patch:
        for module in (session, people):
            patch.setattr(module, "moved", moved)
        yield ways


def reached(start: SessionState, ways: list[Way]) -> set[SessionState]:
    """Where these ways can have led, one after the other; some are only tried (what a start would come to)."""
    states = {start}
    for before, _, after in ways:
        if before in states:
            states.add(after)
    return states
