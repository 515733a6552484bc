"""The session machine as a table: what may happen in each state, and where it leads or why it is ignored. Pure data.

Every pair is decided. ``session.moved`` knows no other way from one state to another, and ``session_page`` prints it.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from cryodevice.safety.phases import ALWAYS, COOLING, ENDED, TREATING, SessionState

S = SessionState


class Happening(StrEnum):
    """What may happen to a session. Each value is how it reads in the document."""

    START = "a person starts a program, and nothing speaks against it"
    SCREENED = "the questionnaire is answered, and nothing speaks against it"
    PROVEN = "the proof has passed, and every interlock permits"
    PLATE_READY = "the plate is at its setpoint within 1 K"
    TOUCHED = "the plate touches skin"
    LIFTED_OFF = "the plate is lifted off before the contact is done"
    CONTACT_DONE = "the contact has lasted as long as the step holds"
    NEXT = "rewarmed, and another contact follows"
    LAST = "rewarmed, and nothing follows"
    LEFT_OUT = "the next zone has not rewarmed in time: the rest of that step is left out"
    NOT_REWARMED = "the next zone has not rewarmed in time, and no other step follows"
    HOLD = "an interlock withholds the permit"
    RELEASED = "the permit is back, off the skin"
    RELEASED_ON_SKIN = "the permit is back, and the plate touches skin"
    TOO_LONG = "the longest wait is over"
    STOP = "a person or an interlock stops"
    LINK_LOST = "the wand is gone"
    LOCKOUT = "an interlock locks"
    RESET = "a person resets the lockout, and its cause is gone"


H = Happening
_OUT: Mapping[Happening, SessionState] = {H.STOP: S.STOPPED, H.LINK_LOST: S.STOPPED, H.LOCKOUT: S.LOCKED}
"""Ways out of a session under way."""
_BY_STATE: Mapping[SessionState, Mapping[Happening, SessionState]] = {
    S.IDLE: {H.START: S.READY, H.LOCKOUT: S.LOCKED},
    S.SCREENING: {H.SCREENED: S.READY, H.TOO_LONG: S.STOPPED, **_OUT},
    S.READY: {H.PROVEN: S.PRECOOL, H.TOO_LONG: S.STOPPED, **_OUT},
    S.PRECOOL: {H.PLATE_READY: S.LIFTED, H.HOLD: S.PAUSED, H.TOO_LONG: S.STOPPED, **_OUT},
    S.LIFTED: {H.TOUCHED: S.APPLYING, H.HOLD: S.PAUSED, H.TOO_LONG: S.STOPPED, **_OUT},
    S.APPLYING: {H.LIFTED_OFF: S.LIFTED, H.CONTACT_DONE: S.REWARMING, H.HOLD: S.PAUSED, **_OUT},
    S.REWARMING: {
        H.NEXT: S.PRECOOL,
        H.LAST: S.COMPLETE,
        H.LEFT_OUT: S.REWARMING,
        H.NOT_REWARMED: S.STOPPED,
        H.TOO_LONG: S.STOPPED,
        **_OUT,
    },
    S.PAUSED: {H.RELEASED: S.PRECOOL, H.RELEASED_ON_SKIN: S.APPLYING, H.TOO_LONG: S.STOPPED, **_OUT},
    S.COMPLETE: {H.START: S.READY, H.LOCKOUT: S.LOCKED},
    S.STOPPED: {H.START: S.READY, H.LOCKOUT: S.LOCKED},
    S.LOCKED: {H.RESET: S.IDLE},
}
WAYS: Mapping[tuple[SessionState, Happening], SessionState] = MappingProxyType(
    {(state, happening): to for state, row in _BY_STATE.items() for happening, to in row.items()}
)
"""Where each happening leads."""
ALLOWED: Mapping[SessionState, frozenset[SessionState]] = MappingProxyType(
    {state: frozenset(row.values()) - {state} for state, row in _BY_STATE.items()}
)
"""From each state, the states that may follow. A lockout is left only through a person's reset, to idle."""

_OVER = ENDED | {S.LOCKED}
_BEFORE = frozenset({S.SCREENING, S.READY})
_BEGUN = COOLING | {S.REWARMING, S.PAUSED}
_NONE, _WAITS = "no session is under way", "nothing is cooled yet"
_GROUPS: tuple[tuple[frozenset[Happening], frozenset[SessionState], str], ...] = (
    (frozenset({H.START}), TREATING | {S.SCREENING}, "a session is under way: it is refused"),
    (frozenset({H.START}), frozenset({S.LOCKED}), "a lockout stands: it is refused"),
    (frozenset({H.SCREENED}), ALWAYS - {S.SCREENING}, "nobody is asked anything"),
    (frozenset({H.PROVEN}), _OVER, "no session waits for a proof"),
    (frozenset({H.PROVEN}), frozenset({S.SCREENING}), "the proof comes after the questions"),
    (frozenset({H.PROVEN}), _BEGUN, "it was proven when the session began"),
    (frozenset({H.PLATE_READY}), _OVER, _NONE),
    (frozenset({H.PLATE_READY}), _BEFORE, _WAITS),
    (frozenset({H.PLATE_READY}), frozenset({S.LIFTED, S.APPLYING}), "it was ready before it was let on the skin"),
    (frozenset({H.PLATE_READY}), frozenset({S.REWARMING, S.PAUSED}), "the drive is off; precool asks again"),
    (frozenset({H.TOUCHED}), _OVER, "no session is under way: cold contact is counted as dose"),
    (frozenset({H.TOUCHED}), _BEFORE, "nothing is cooled yet: cold contact is counted as dose"),
    (frozenset({H.TOUCHED}), frozenset({S.PRECOOL}), "contact_in_precool withholds the permit: it comes as a hold"),
    (frozenset({H.TOUCHED}), frozenset({S.APPLYING}), "it touches already"),
    (frozenset({H.TOUCHED}), frozenset({S.REWARMING}), "skin under a plate does not rewarm: the clock stands still"),
    (frozenset({H.TOUCHED}), frozenset({S.PAUSED}), "where it goes on is decided when the hold ends"),
    (frozenset({H.LIFTED_OFF}), _OVER, _NONE),
    (frozenset({H.LIFTED_OFF}), _BEFORE | {S.PRECOOL, S.LIFTED}, "it is off the skin"),
    (frozenset({H.LIFTED_OFF}), frozenset({S.REWARMING}), "the clock of the rewarming goes on"),
    (frozenset({H.LIFTED_OFF}), frozenset({S.PAUSED}), "where it goes on is decided when the hold ends"),
    (frozenset({H.CONTACT_DONE}), _OVER, _NONE),
    (frozenset({H.CONTACT_DONE}), _BEFORE | {S.PRECOOL, S.LIFTED, S.PAUSED}, "the step's clock stands still"),
    (frozenset({H.CONTACT_DONE}), frozenset({S.REWARMING}), "it is done already"),
    (frozenset({H.NEXT, H.LAST, H.LEFT_OUT, H.NOT_REWARMED}), _OVER, _NONE),
    (frozenset({H.NEXT, H.LAST, H.LEFT_OUT, H.NOT_REWARMED}), _BEFORE, _WAITS),
    (
        frozenset({H.NEXT, H.LAST, H.LEFT_OUT, H.NOT_REWARMED}),
        COOLING | {S.PAUSED},
        "the contact of this step is not done",
    ),
    (frozenset({H.HOLD}), _OVER, "nothing is cooled: nothing starts while it holds"),
    (frozenset({H.HOLD}), _BEFORE, "nothing is cooled: it waits until the hold ends"),
    (frozenset({H.HOLD}), frozenset({S.REWARMING}), "the drive is off; the next contact waits in precool"),
    (frozenset({H.HOLD}), frozenset({S.PAUSED}), "it is paused already"),
    (frozenset({H.RELEASED, H.RELEASED_ON_SKIN}), ALWAYS - {S.PAUSED}, "nothing is paused"),
    (frozenset({H.TOO_LONG}), _OVER, "nothing is waited for"),
    (frozenset({H.TOO_LONG}), frozenset({S.APPLYING}), "contact is bounded by the hold, and by step_contact"),
    (frozenset({H.STOP}), _OVER, "no session is under way; the wand itself is told to stop all the same"),
    (frozenset({H.LINK_LOST}), _OVER, _NONE),
    (frozenset({H.LOCKOUT}), frozenset({S.LOCKED}), "it is locked already: the first cause is kept"),
    (frozenset({H.RESET}), ALWAYS - {S.LOCKED}, "nothing is locked: it is refused"),
)
IGNORED: Mapping[tuple[SessionState, Happening], str] = MappingProxyType(
    {
        (state, happening): why
        for happenings, states, why in _GROUPS
        for state in S
        if state in states
        for happening in H
        if happening in happenings
    }
)
"""Why each happening that leads nowhere is ignored."""
