"""The closed vocabulary of what can happen: every safety fact is one of these kinds, never free text in a log."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from cryodevice.quantities import Seconds


class EventKind(StrEnum):
    """Stable names; consumers and tests rely on them."""

    DAEMON_STARTED = "daemon_started"
    DAEMON_STOPPING = "daemon_stopping"
    LINK_UP = "link_up"
    LINK_DOWN = "link_down"
    WAND_CLAIMED = "wand_claimed"
    WAND_MONITORED_ONLY = "wand_monitored_only"
    SESSION_STARTED = "session_started"
    SESSION_REFUSED = "session_refused"
    SESSION_STATE = "session_state"
    SESSION_ENDED = "session_ended"
    STEP_STARTED = "step_started"
    STEP_FINISHED = "step_finished"
    PROOF_PASSED = "proof_passed"
    PROOF_FAILED = "proof_failed"
    PERMIT_WITHDRAWN = "permit_withdrawn"
    PERMIT_GIVEN = "permit_given"
    INTERLOCK_ACTIVE = "interlock_active"
    INTERLOCK_CLEARED = "interlock_cleared"
    LOCKOUT = "lockout"
    LOCKOUT_CLEARED = "lockout_cleared"
    RESET_SENT = "reset_sent"
    RESET_REFUSED = "reset_refused"
    STOP_COMMANDED = "stop_commanded"
    STOP_CONFIRMED = "stop_confirmed"
    STOP_UNCONFIRMED = "stop_unconfirmed"
    ORDER_REFUSED = "order_refused"
    LOOP_STALLED = "loop_stalled"
    ALARM_RAISED = "alarm_raised"
    ALARM_CONDITION_ENDED = "alarm_condition_ended"
    ALARM_OVER = "alarm_over"
    ALARM_ACKNOWLEDGED = "alarm_acknowledged"
    AUDIO_PAUSED = "audio_paused"
    AUDIO_RESUMED = "audio_resumed"
    ALARM_REFUSED = "alarm_refused"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened at ``at_s`` (monotonic seconds), with the values that show it (JSON-able, no NaN)."""

    kind: EventKind
    at_s: Seconds
    message: str
    evidence: Mapping[str, object] = field(default_factory=dict)
