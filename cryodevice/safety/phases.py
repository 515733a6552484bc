"""The states of a session, as the interlock table needs them; how they follow one another is ``treatment.session``."""

from enum import StrEnum


class SessionState(StrEnum):
    """Where a treatment stands."""

    IDLE = "idle"
    SCREENING = "screening"
    READY = "ready"
    PRECOOL = "precool"
    APPLYING = "applying"
    LIFTED = "lifted"
    REWARMING = "rewarming"
    PAUSED = "paused"
    COMPLETE = "complete"
    STOPPED = "stopped"
    LOCKED = "locked"


ALWAYS = frozenset(SessionState)
COOLING = frozenset({SessionState.PRECOOL, SessionState.APPLYING, SessionState.LIFTED})
"""The only states in which a lease for cooling may be ordered."""
TREATING = COOLING | {SessionState.READY, SessionState.REWARMING, SessionState.PAUSED}
"""States of a session under way."""
DRIVE_OFF = ALWAYS - COOLING
"""States in which the drive is told to be off."""
ENDED = frozenset({SessionState.IDLE, SessionState.COMPLETE, SessionState.STOPPED})
"""States from which a session may be started."""
