"""Keeps the alarms of a running daemon: gathers what is wrong each tick, and writes down what becomes of it.

Judges nothing and makes no sound: priorities and life are ``safety.alarms``, the sound is made by whoever watches.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from cryodevice.quantities import Seconds
from cryodevice.runtime.ports import AlarmEntry, AlarmHistory, AlarmLog
from cryodevice.safety import alarms
from cryodevice.safety.alarm_table import BY_CAUSE, RAISING, UNLISTED, Condition, Priority
from cryodevice.safety.alarms import Alarms, Cause, Change, Occurrence
from cryodevice.safety.events import Event, EventKind
from cryodevice.safety.interlocks import TABLE
from cryodevice.safety.phases import TREATING
from cryodevice.safety.readings import MISSING_AFTER_S
from cryodevice.treatment.core import Core
from cryodevice.treatment.evidence import fresh
from cryodevice.treatment.nearing import nearing

TREATED_FOR_S = 2.0
"""A session counts as under way this long after its end, s: a cause is found later than it ends the session, and no
dwell of an interlock is longer than 1 s (engineering default)."""
CLOCK_STEP_S = 2.0
"""A wall clock that moves this far against the steady one was set (clinical note 6.2, A17)."""
_KINDS: Mapping[Change, EventKind] = MappingProxyType(
    {
        Change.RAISED: EventKind.ALARM_RAISED,
        Change.CONDITION_ENDED: EventKind.ALARM_CONDITION_ENDED,
        Change.OVER: EventKind.ALARM_OVER,
        Change.ACKNOWLEDGED: EventKind.ALARM_ACKNOWLEDGED,
        Change.PAUSED: EventKind.AUDIO_PAUSED,
        Change.RESUMED: EventKind.AUDIO_RESUMED,
    }
)
_WORDS: Mapping[Change, str] = MappingProxyType(
    {
        Change.RAISED: "raised",
        Change.CONDITION_ENDED: "its condition has ended",
        Change.OVER: "over",
        Change.ACKNOWLEDGED: "acknowledged",
        Change.PAUSED: "sound paused",
        Change.RESUMED: "sounds again",
    }
)
_BEFORE = "before the restart: "
_BY_READING = frozenset(row.id for row in TABLE if row.needs_reading)
_BY_A_PERSON = frozenset({Change.ACKNOWLEDGED, Change.PAUSED})


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """A person has seen the alarms; ``alarm`` names one, empty means all that stand."""

    who: str
    alarm: str = ""


@dataclass(frozen=True, slots=True)
class PauseAudio:
    """A person pauses the sound of what sounds now."""

    who: str


AlarmCommand = Acknowledge | PauseAudio


@dataclass(frozen=True, slots=True)
class AlarmView:
    """The alarms at one moment.

    Args:
        standing: The most urgent first.
        sounding: Priority to be sounded; None is silence.
        pause_left_s: Seconds until a paused sound comes back, 0 when none is paused.
        blind_by: The most urgent of those that are present while nobody guards the wand; None while it is guarded.
    """

    standing: tuple[Occurrence, ...] = ()
    sounding: Priority | None = None
    pause_left_s: float = 0.0
    blind_by: Occurrence | None = None

    @property
    def blind(self) -> str:
        """Why nobody guards the wand; empty while it is guarded."""
        return f"{self.blind_by.alarm.says}: {self.blind_by.says}" if self.blind_by is not None else ""


QUIET = AlarmView()


class _NoLog:
    """Keeps nothing."""

    failure = ""

    def append(self, entry: AlarmEntry) -> None:
        """Forget it."""


@dataclass(slots=True)
class AlarmDesk:
    """The alarms of one daemon. Every call returns the events it has caused, and none blocks.

    Args:
        log: Where every change is written.
        history: What the log held at start; what latched and nobody acknowledged stands again.
    """

    log: AlarmLog = field(default_factory=_NoLog)
    history: AlarmHistory = field(default_factory=AlarmHistory)
    _alarms: Alarms = field(init=False)
    _conditions: dict[str, Cause] = field(default_factory=dict)
    _moment: dict[str, Cause] = field(default_factory=dict)
    _treated_at_s: float = -math.inf
    _seen_s: float = -math.inf
    _clocks_apart_s: float = math.nan

    def __post_init__(self) -> None:
        self._alarms = alarms.resumed(tuple(map(_again, self.history.open)), self.history.count)
        if self.history.lost:
            self._moment[Condition.ALARM_LOG_LOST] = Cause(Seconds(-math.inf), self.history.lost)

    def set(self, condition: Condition, says: str, now_s: Seconds) -> None:
        """A condition is present, or with empty words no longer."""
        if not says:
            self._conditions.pop(condition, None)
        elif condition not in self._conditions:
            self._conditions[condition] = Cause(now_s, says)

    def happened(self, condition: Condition, says: str) -> None:
        """A condition was present for a moment; the next tick hears of it."""
        self._moment[condition] = Cause(Seconds(-math.inf), says)

    def followed(self, core: Core, events: Iterable[Event], wall_s: float) -> tuple[Event, ...]:
        """One decision and the events it has caused."""
        now = core.now_s
        if core.session.state in TREATING:
            self._treated_at_s = now
        past: alarms.Changes = ()
        for event in events:
            if event.kind in RAISING:
                self._moment[event.kind.value] = Cause(now, event.message)
            elif event.kind is EventKind.LOCKOUT_CLEARED:  # whoever resets has seen what is past
                self._alarms, past = alarms.acknowledged(self._alarms, now, past_only=True)
        self._look(core, wall_s)
        causes = {finding.id: Cause(finding.since_s, finding.hint) for finding in core.verdict.active}
        causes |= self._last_seen(core)
        for more in (self._conditions, self._moment):
            causes |= more
        self._moment.clear()
        treating = now - self._treated_at_s <= TREATED_FOR_S
        self._alarms, changes = alarms.followed(self._alarms, causes, now, treating=treating)
        if not past and not changes:
            return ()
        return self._told(past, now, wall_s, "reset") + self._told(changes, now, wall_s, "")

    def heeded(self, command: AlarmCommand, now_s: Seconds, wall_s: float) -> tuple[Event, ...]:
        """A person's command; the last event answers it."""
        if isinstance(command, PauseAudio):
            self._alarms, changes = alarms.audio_paused(self._alarms, now_s)
            if not changes:
                return (_refused(now_s, self._why_not_paused(now_s), command.who),)
            self._told(changes, now_s, wall_s, command.who)
            causes = [one.cause for _, one in changes]
            said = f"sound paused for {alarms.PAUSE_S:g} s: {', '.join(causes)}"
            return (Event(EventKind.AUDIO_PAUSED, now_s, said, {"causes": causes, "who": command.who}),)
        if command.alarm and not any(command.alarm in (one.alarm.id, one.cause) for one in self._alarms.standing):
            return (_refused(now_s, f"no alarm {command.alarm!r} stands", command.who),)
        self._alarms, changes = alarms.acknowledged(self._alarms, now_s, command.alarm)
        if not changes:
            return (_refused(now_s, "no alarm waits to be acknowledged", command.who),)
        return self._told(changes, now_s, wall_s, command.who)

    def view(self, now_s: Seconds) -> AlarmView:
        """The alarms as they stand."""
        standing = self._alarms.standing
        if not standing:
            return QUIET
        blind = next((one for one in standing if one.alarm.blind and one.present), None)
        loudest, left_s = alarms.loudest(self._alarms, now_s), alarms.pause_left_s(self._alarms, now_s)
        return AlarmView(standing, loudest, left_s, blind)

    def _last_seen(self, core: Core) -> dict[str, Cause]:
        """What a reading showed to be wrong, while none shows that it is over: a gap in the line ends no condition.

        Once the reading is missing nobody knows, and the line is the alarm.
        """
        if fresh(core, core.now_s):
            self._seen_s = core.now_s
        if core.now_s - self._seen_s > MISSING_AFTER_S or self._seen_s == core.now_s:
            return {}
        return {
            one.cause: Cause(one.began_s, one.says)
            for one in self._alarms.standing
            if one.present and one.cause in _BY_READING
        }

    def _look(self, core: Core, wall_s: float) -> None:
        """What no interlock and no event tells."""
        self.set(Condition.NEAR_LIMIT, nearing(core), core.now_s)
        self.set(Condition.ALARM_LOG_FAILING, self.log.failure, core.now_s)
        apart_s, before_s = wall_s - core.now_s, self._clocks_apart_s
        self._clocks_apart_s = apart_s
        if abs(apart_s - before_s) > CLOCK_STEP_S:
            self.happened(Condition.CLOCK_STEPPED, f"it moved by {apart_s - before_s:+.1f} s")

    def _why_not_paused(self, now_s: Seconds) -> str:
        if alarms.loudest(self._alarms, now_s) is not None:
            return (
                f"it has only just come back: it sounds for {alarms.SOUNDS_AGAIN_S:g} s before it may be paused again"
            )
        left_s = alarms.pause_left_s(self._alarms, now_s)
        return f"paused already, for {left_s:.0f} s more" if left_s else "nothing sounds"

    def _told(self, changes: alarms.Changes, now_s: Seconds, wall_s: float, who: str) -> tuple[Event, ...]:
        for change, one in changes:
            name, level, by = one.alarm.id, one.priority.name.lower(), who if change in _BY_A_PERSON else ""
            self.log.append(AlarmEntry(wall_s, change, one.number, name, one.cause, level, one.latched, one.says, by))
        return tuple(_event(change, one, now_s, who) for change, one in changes)


def way_out(one: Occurrence) -> str:
    """What ends an occurrence, in words."""
    if one.present:
        return one.alarm.clears + (", then acknowledge" if one.latched and not one.acknowledged else "")
    return "acknowledge" if one.latched else "by itself, in a moment"


def _event(change: Change, one: Occurrence, now_s: Seconds, who: str) -> Event:
    evidence: dict[str, object] = {
        "alarm": one.alarm.id,
        "cause": one.cause,
        "priority": one.priority.name.lower(),
        "occurrence": one.number,
        "present": one.present,
        "latched": one.latched,
        "clears": way_out(one),
    }
    if who and change in _BY_A_PERSON:
        evidence["who"] = who
    message = f"{one.priority.name} alarm {one.number}, {_WORDS[change]}: {one.alarm.says} ({one.cause}: {one.says})"
    return Event(_KINDS[change], now_s, message, evidence)


def _refused(now_s: Seconds, why: str, who: str) -> Event:
    return Event(EventKind.ALARM_REFUSED, now_s, why, {"who": who})


def _again(entry: AlarmEntry) -> Occurrence:
    """An occurrence of before the restart."""
    alarm = BY_CAUSE.get(entry.cause, UNLISTED)
    never = Seconds(-math.inf)
    says = entry.says if entry.says.startswith(_BEFORE) else _BEFORE + entry.says
    return Occurrence(
        entry.number,
        alarm,
        entry.cause,
        Priority.__members__.get(entry.priority.upper(), Priority.HIGH),
        True,
        says,
        never,
        never,
        present=False,
    )
