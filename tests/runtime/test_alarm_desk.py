"""The desk: what it gathers from a tick, what people may ask of it, what it writes down."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from cryodevice.quantities import Seconds
from cryodevice.runtime import picture
from cryodevice.runtime.alarm_desk import QUIET, Acknowledge, AlarmDesk, PauseAudio, way_out
from cryodevice.runtime.ports import AlarmEntry, AlarmHistory
from cryodevice.safety import skin_estimate
from cryodevice.safety.alarm_table import Condition, Priority
from cryodevice.safety.events import Event, EventKind
from cryodevice.safety.limits import limits
from cryodevice.safety.phases import SessionState
from cryodevice.safety.readings import MISSING_AFTER_S, read
from cryodevice.safety.verdict import Action, Clear, Finding, Verdict
from cryodevice.treatment.core import Config, initial
from cryodevice.treatment.session import Session
from tests.safety.samples import status

START = initial(Config(limits()), Seconds(0.0), skin_estimate.begin(Seconds(0.0)))
ENTRY = AlarmEntry(1e9, "raised", 41, "skin_too_cold", "skin_stop", "high", True, "lift the wand")


class Log:
    def __init__(self) -> None:
        self.entries: list[AlarmEntry] = []
        self.failure = ""

    def append(self, entry: AlarmEntry) -> None:
        self.entries.append(entry)


class Desk:
    """A desk and the ticks before it; ``jump_s`` is how far the wall clock was set."""

    def __init__(self, history: AlarmHistory | None = None) -> None:
        self.log, self.now, self.jump_s = Log(), 100.0, 0.0
        self.desk = AlarmDesk(self.log, history or AlarmHistory())
        self.state = SessionState.APPLYING
        self.reading = None

    def tick(
        self, *interlocks: str, events: tuple[EventKind, ...] = (), after_s: float = 0.05, seen: bool = False
    ) -> list[Event]:
        self.now += after_s
        if seen:
            self.reading = read(status(), Seconds(self.now))
        findings = tuple(
            Finding(name, Action.STOP, 1.0, 2.0, 3.0, "", Seconds(0.0), f"see to {name}", Clear.IDLE)
            for name in interlocks
        )
        core = replace(
            START,
            now_s=Seconds(self.now),
            verdict=Verdict(not findings, findings),
            session=Session(state=self.state),
            reading=self.reading,
            link_why="",
        )
        happened = tuple(Event(kind, Seconds(self.now), "it happened") for kind in events)
        return list(self.desk.followed(core, happened, 1e9 + self.now + self.jump_s))

    def ask(self, command: Acknowledge | PauseAudio) -> tuple[EventKind, str]:
        event = self.desk.heeded(command, Seconds(self.now), 1e9 + self.now)[-1]
        return event.kind, event.message

    def view(self):
        return self.desk.view(Seconds(self.now))


def kinds(events: list[Event]) -> list[EventKind]:
    return [event.kind for event in events]


def test_a_finding_becomes_an_alarm_is_told_seen_and_written_down() -> None:
    desk = Desk()
    assert desk.tick() == []
    assert desk.view() is QUIET
    (event,) = desk.tick("skin_stop")
    assert event.kind is EventKind.ALARM_RAISED
    assert event.message == (
        "HIGH alarm 1, raised: skin too cold: lift the wand and look at the skin (skin_stop: see to skin_stop)"
    )
    assert event.evidence["clears"] == "the skin is warmer than its stop limit, then acknowledge"
    view = desk.view()
    assert (view.sounding, view.blind, len(view.standing)) == (Priority.HIGH, "", 1)
    assert kinds(desk.tick()) == [EventKind.ALARM_CONDITION_ENDED]
    assert way_out(desk.view().standing[0]) == "acknowledge"
    events = desk.desk.heeded(Acknowledge("anna"), Seconds(desk.now), 1e9)
    assert kinds(events) == [EventKind.ALARM_ACKNOWLEDGED, EventKind.ALARM_OVER]
    assert events[0].evidence["who"] == "anna"
    assert [(entry.what, entry.number, entry.who) for entry in desk.log.entries] == [
        ("raised", 1, ""),
        ("condition_ended", 1, ""),
        ("acknowledged", 1, "anna"),
        ("over", 1, ""),
    ]
    assert desk.view() is QUIET


def test_what_ends_the_session_is_as_urgent_as_in_it() -> None:
    desk = Desk()
    desk.tick()
    desk.state = SessionState.STOPPED
    desk.tick("link_lost", after_s=1.0)
    assert (desk.view().sounding, desk.view().standing[0].latched) == (Priority.HIGH, True)
    assert desk.view().blind == "the wand does not answer: see to link_lost"
    idle = Desk()
    idle.state = SessionState.IDLE
    idle.tick("link_lost")
    assert (idle.view().sounding, idle.view().standing[0].latched) == (Priority.MEDIUM, False)
    idle.tick()
    assert way_out(idle.view().standing[0]) == "by itself, in a moment"


def test_a_gap_in_the_line_ends_no_condition_that_a_reading_has_shown() -> None:
    desk = Desk()
    desk.tick("estop", "tick_overruns", seen=True)
    desk.ask(Acknowledge("anna"))
    events = desk.tick("link_lost", after_s=0.5)
    assert [(event.kind, event.evidence["cause"]) for event in events] == [
        (EventKind.ALARM_RAISED, "link_lost"),
        (EventKind.ALARM_CONDITION_ENDED, "tick_overruns"),
        (EventKind.ALARM_OVER, "tick_overruns"),
    ]
    assert {one.cause: one.present for one in desk.view().standing} == {"link_lost": True, "estop": True}
    desk.tick("estop", seen=True)
    assert [(one.cause, one.number, one.acknowledged) for one in desk.view().standing if one.present] == [
        ("estop", 1, True)
    ], "the same occurrence, seen and silent as before"
    desk.tick("link_lost", after_s=MISSING_AFTER_S + 0.1)
    assert "estop" not in [one.cause for one in desk.view().standing], "nobody knows any more: the line is the alarm"


def test_events_are_alarms_for_the_moment_they_happen() -> None:
    desk = Desk()
    events = desk.tick(events=(EventKind.STOP_UNCONFIRMED, EventKind.SESSION_STARTED, EventKind.ORDER_REFUSED))
    assert [event.evidence["cause"] for event in events] == ["stop_unconfirmed"]
    assert kinds(desk.tick()) == [EventKind.ALARM_CONDITION_ENDED]
    assert desk.view().sounding is Priority.HIGH


def test_a_reset_acknowledges_what_is_past_and_only_that() -> None:
    desk = Desk()
    desk.tick("estop", "sink_trip")
    desk.tick("sink_trip")
    events = desk.tick("sink_trip", events=(EventKind.LOCKOUT_CLEARED,))
    assert kinds(events) == [EventKind.ALARM_ACKNOWLEDGED, EventKind.ALARM_OVER]
    assert [one.cause for one in desk.view().standing] == ["sink_trip"]
    assert [(entry.what, entry.who) for entry in desk.log.entries[-2:]] == [("acknowledged", "reset"), ("over", "")]


def test_conditions_come_go_and_are_named_by_their_first_words() -> None:
    desk = Desk()
    desk.desk.set(Condition.DISK_LOW, "20 MB", Seconds(0.0))
    desk.desk.set(Condition.DISK_LOW, "19 MB", Seconds(1.0))
    assert desk.tick()[0].message.endswith("(disk_low: 20 MB)")
    desk.desk.set(Condition.DISK_LOW, "", Seconds(2.0))
    assert kinds(desk.tick()) == [EventKind.ALARM_CONDITION_ENDED]
    desk.log.failure = "the disk is full"
    assert desk.tick()[0].evidence["cause"] == "alarm_log_failing"


def test_a_lost_broker_is_waited_for() -> None:
    desk = Desk()
    desk.desk.set(Condition.BROKER_LOST, "nobody there", Seconds(desk.now))
    assert desk.tick(after_s=9.9) == []
    assert desk.tick(after_s=0.2)[0].evidence["alarm"] == "broker_lost"


@pytest.mark.parametrize(("jump_s", "told"), [(1.9, 0), (2.1, 1), (-2.1, 1)])
def test_a_clock_that_was_set_is_said_once(jump_s: float, told: int) -> None:
    desk = Desk()
    desk.tick()
    desk.jump_s = jump_s
    raised = [event for event in desk.tick() if event.kind is EventKind.ALARM_RAISED]
    assert [event.evidence["cause"] for event in raised] == ["clock_stepped"] * told
    assert EventKind.ALARM_RAISED not in kinds(desk.tick())


def test_what_cannot_be_done_is_refused_with_its_reason() -> None:
    desk = Desk()
    assert desk.ask(Acknowledge("anna")) == (EventKind.ALARM_REFUSED, "no alarm waits to be acknowledged")
    assert desk.ask(PauseAudio("anna")) == (EventKind.ALARM_REFUSED, "nothing sounds")
    desk.tick("skin_stop")
    assert desk.ask(Acknowledge("anna", "fan")) == (EventKind.ALARM_REFUSED, "no alarm 'fan' stands")
    assert desk.ask(PauseAudio("anna"))[0] is EventKind.AUDIO_PAUSED
    assert desk.view().pause_left_s == pytest.approx(120.0)
    desk.now += 20.0
    assert desk.ask(PauseAudio("anna")) == (EventKind.ALARM_REFUSED, "paused already, for 100 s more")
    assert kinds(desk.tick("skin_stop", after_s=100.0)) == [EventKind.AUDIO_RESUMED]
    kind, why = desk.ask(PauseAudio("anna"))
    assert (kind, why) == (
        EventKind.ALARM_REFUSED,
        "it has only just come back: it sounds for 5 s before it may be paused again",
    )
    desk.now += 5.0
    assert desk.ask(PauseAudio("anna"))[0] is EventKind.AUDIO_PAUSED
    assert desk.ask(Acknowledge("anna", "skin_too_cold"))[0] is EventKind.ALARM_ACKNOWLEDGED
    assert desk.ask(Acknowledge("anna")) == (EventKind.ALARM_REFUSED, "no alarm waits to be acknowledged")
    assert way_out(desk.view().standing[0]) == "the skin is warmer than its stop limit"


def test_after_a_restart_what_was_not_acknowledged_stands_and_counts_on() -> None:
    gone = replace(ENTRY, number=40, cause="of_an_older_version", priority="extreme", says="before the restart: look")
    desk = Desk(AlarmHistory((ENTRY, gone), count=44))
    view = desk.view()
    assert (view.sounding, view.blind) == (Priority.HIGH, "")
    assert [(one.number, one.says) for one in view.standing] == [
        (40, "before the restart: look"),
        (41, "before the restart: lift the wand"),
    ]
    assert desk.tick("fan")[0].evidence["occurrence"] == 45
    desk.ask(Acknowledge("anna"))
    assert [one.cause for one in desk.view().standing] == ["fan"]


def test_a_log_that_was_lost_is_an_alarm() -> None:
    desk = Desk(AlarmHistory(lost="it could not be read"))
    assert desk.tick()[0].evidence["alarm"] == "alarm_log_lost"
    desk.tick(after_s=3600.0)
    assert desk.view().sounding is Priority.MEDIUM


def test_a_session_near_a_limit_and_a_crash_in_one_are_told() -> None:
    desk = Desk()
    desk.desk.happened(Condition.INTERRUPTED, "look at the skin")
    assert desk.tick()[0].evidence["alarm"] == "daemon_restarted"
    core = replace(
        START, now_s=Seconds(desk.now), session=replace(Session(state=SessionState.APPLYING), touched_s=80.0)
    )
    events = desk.desk.followed(core, (), 1e9 + desk.now)
    assert [event.evidence["cause"] for event in events if event.kind is EventKind.ALARM_RAISED] == ["near_limit"]


def test_a_desk_without_a_log_keeps_its_alarms_all_the_same() -> None:
    desk = AlarmDesk()
    desk.happened(Condition.INTERRUPTED, "look at the skin")
    desk.followed(START, (), 0.0)
    assert desk.view(Seconds(0.0)).sounding is Priority.HIGH


def test_a_pause_is_told_once_with_all_that_it_silences() -> None:
    desk = Desk()
    desk.tick("skin_stop", "fan")
    (event,) = desk.desk.heeded(PauseAudio("anna"), Seconds(desk.now), 1e9)
    assert event.message == "sound paused for 120 s: skin_stop, fan"
    assert event.evidence == {"causes": ["skin_stop", "fan"], "who": "anna"}
    assert [entry.what for entry in desk.log.entries[-2:]] == ["paused", "paused"]


@pytest.mark.parametrize(
    ("age_s", "state", "ok", "priority"),
    [
        (0.9, SessionState.IDLE, True, None),
        (1.1, SessionState.IDLE, False, "medium"),
        (1.1, SessionState.PAUSED, False, "high"),
        (float("nan"), SessionState.IDLE, False, "medium"),
    ],
)
def test_a_loop_that_stands_still_monitors_nothing(age_s, state, ok, priority) -> None:
    told = picture.monitoring(SimpleNamespace(alarms=QUIET, session=SimpleNamespace(state=state)), age_s)
    assert (told["ok"], told["priority"], told["stalled"]) == (ok, priority, not ok)
