"""The control loop: 20 times a second one exchange and one decision; the only interpreter of what ``decide`` returns.

It knows no interlock and no wire. Everything that watches hangs on the two buses and can slow nothing here.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import chain

from cryodevice.quantities import U16
from cryodevice.runtime.alarm_desk import Acknowledge, AlarmCommand, AlarmDesk, PauseAudio
from cryodevice.runtime.bus import Bus
from cryodevice.runtime.clock import Clock
from cryodevice.runtime.connection import Connection
from cryodevice.runtime.failpoints import failpoint
from cryodevice.runtime.ports import ExposureStore, Ledger, TripRecorder
from cryodevice.runtime.session_record import record_of, touched_outside
from cryodevice.runtime.snapshot import NumberedEvent, Snapshot
from cryodevice.runtime.view import snapshot_of
from cryodevice.safety import skin_estimate
from cryodevice.safety.alarm_table import Condition
from cryodevice.safety.events import Event, EventKind
from cryodevice.safety.exposure import Past
from cryodevice.safety.phases import TREATING
from cryodevice.treatment.controller import decide
from cryodevice.treatment.core import (
    Answered,
    Command,
    Config,
    Core,
    Decision,
    Inputs,
    LineNews,
    Missed,
    Stop,
    initial,
)
from cryodevice.wire.blocks import Order

OVERRUN_PERIODS = 2.0
OVERRUN_WINDOW_S = 10.0
JUST_TREATED_S = 1.0
"""On the way out, a session that ended no longer ago may still be cooled by its last lease: twice the lease."""
MOST_WORDS = 200
"""A reason goes into the ledger up to this many characters."""


@dataclass(slots=True)
class ControlLoop:
    """One wand's loop. ``run`` until ``stop_running``; commands come in by ``command``, at any time, from the loop.

    Args:
        connection: The line.
        store: Durable exposure.
        config: Limits and interlocks.
        ledger: What the store knew at start.
        clock: Time.
        period_s: Tick period, s.
        snapshots: One message each tick.
        events: Every event, numbered.
        epoch: Names this run of the daemon in event numbers.
        alarms: What becomes an alarm, and what becomes of it.
        on_tick: Called at the end of each tick, for liveness; must not block.
        ending: On the way out: the wand is being made safe, or has been.
        today_day: Today as days since 2000-01-01; None while nobody keeps the wall clock.
        why_failed: What made the daemon fail, once something has; the reason of a session that this ends.
        recorder: Told of every decision; None records no trips.
    """

    connection: Connection
    store: ExposureStore
    config: Config
    ledger: Ledger
    clock: Clock
    period_s: float
    snapshots: Bus[Snapshot]
    events: Bus[NumberedEvent]
    epoch: str
    alarms: AlarmDesk = field(default_factory=AlarmDesk)
    on_tick: Callable[[], None] = lambda: None
    ticks: int = 0
    misses: int = 0
    latest: Snapshot | None = None
    ever_claimed: bool = False
    shown_safe: bool = False
    ending: bool = False
    why_failed: str = ""
    today_day: int | None = None
    recorder: TripRecorder | None = None
    _core: Core = field(init=False)
    _treated_at_s: float = float("-inf")
    _order: Order | None = None
    _answered: Order | None = None
    _commands: list[Command] = field(default_factory=list)
    _noted: list[Event] = field(default_factory=list)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _overruns: deque[float] = field(default_factory=deque)
    _seq: int = 0
    _stopping: bool = False

    def __post_init__(self) -> None:
        now = self.clock.monotonic()
        ledger = self.ledger
        everyone = chain(ledger.dose.past, *ledger.others.values())  # who comes next is not known: the coldest counts
        estimate = skin_estimate.resumed(everyone, now)
        self._core = initial(self.config, now, estimate, ledger.dose, ledger.lockout, others=ledger.others)
        if self.config.monitor_only:
            self.alarms.set(Condition.RATE_TOO_LOW, "the control rate of the settings is too low to cool", now)

    def command(self, command: Command | AlarmCommand) -> None:
        """Hand in what a person asked; it is decided on at once, not at the next tick."""
        if isinstance(command, Acknowledge | PauseAudio):
            self._tell(self.alarms.heeded(command, self.clock.monotonic(), self.clock.wall()))
            return
        self._commands.append(command)
        self._wake.set()

    def stop_running(self, who: str) -> None:
        """End the session, make the wand safe, and return from ``run``."""
        self._stopping = True
        self.command(Stop(who, own=True))

    def note(self, kind: EventKind, message: str, **evidence: object) -> None:
        """Publish an event that is not the controller's."""
        event = Event(kind, self.clock.monotonic(), message, evidence)
        self._noted.append(event)
        self._tell((event,))

    def age(self, known: Iterable[tuple[Past, Past]]) -> None:
        """Take over what has become known of the age of earlier sessions: each pair is one as loaded, and as known."""
        older = {id(past): now for past, now in known}

        def aged(books: tuple[Past, ...]) -> tuple[Past, ...]:
            return tuple(older.get(id(past), past) for past in books)

        dose = replace(self._core.dose, past=aged(self._core.dose.past))
        others = {client: aged(books) for client, books in self._core.others.items()}
        self._core = replace(self._core, dose=dose, others=others)

    async def run(self) -> bool:
        """Tick until stopped. On every way out the wand is made safe first.

        Returns:
            Whether the wand showed that it is safe.
        """
        self.note(EventKind.DAEMON_STARTED, "watching the wand", known_dose=self.ledger.known)
        if self.ledger.interrupted is not None:
            self.note(
                EventKind.SESSION_ENDED,
                "daemon restart",
                session_id=self.ledger.interrupted.session_id,
                why="daemon restart",
                zone=self.ledger.interrupted.zone.value,
            )
            self.alarms.happened(Condition.INTERRUPTED, "look at the skin that was treated")
        try:
            await self._tick_for_ever()
        except Exception as error:
            self.why_failed = self.why_failed or f"control loop: {type(error).__name__}: {error}"
            raise
        finally:
            self.ending = True
            treated = self.clock.monotonic() - self._treated_at_s <= JUST_TREATED_S
            try:
                self.shown_safe = await self._make_safe()
            finally:
                self._end_session(just_treated=treated)
        return self.shown_safe

    async def _tick_for_ever(self) -> None:
        due: float = self.clock.monotonic()
        while not self._stopping or self._commands:
            timed = await self._until(due)
            now = self.clock.monotonic()
            late = max(0.0, now - due) if timed else 0.0
            if late > OVERRUN_PERIODS * self.period_s:
                due = now  # what was missed is not made up for; that it was missed is judged
            await self._tick(late, timed=timed)
            if timed:
                self.ticks += 1
                due += self.period_s
            self.on_tick()

    async def _until(self, due: float) -> bool:
        """Wait for the tick or for a command; True for the tick."""
        wait = due - self.clock.monotonic()
        if wait > 0.0 and not self._commands:
            timer = asyncio.get_running_loop().call_later(wait, self._wake.set)
            try:
                await self._wake.wait()
            finally:
                timer.cancel()
        self._wake.clear()
        return self.clock.monotonic() >= due

    async def _tick(self, late_s: float, *, timed: bool) -> None:
        late_periods = late_s / self.period_s
        if late_periods > OVERRUN_PERIODS:
            # The order at hand was judged before the stall: judge again before anything is sent.
            self._overruns.append(self.clock.monotonic())
            self._decide((), late_periods)
        line: tuple[LineNews, ...] = ()
        if timed:
            line = await self._round_trip(self._order)
        decision = self._decide(line, late_periods)
        if decision.urgent:
            decision = self._decide(await self._round_trip(decision.order), late_periods)
        if decision.reconnect:
            decision = self._decide((self.connection.drop("the wand restarted"),), late_periods)
        self._show(decision, late_s)

    async def _round_trip(self, order: Order | None) -> tuple[LineNews, ...]:
        failpoint("loop.before_exchange")
        line = await self.connection.round_trip(order)
        failpoint("loop.after_exchange")
        for news in line:
            if isinstance(news, Missed):
                self.misses += 1
            elif isinstance(news, Answered):
                self._answered = news.sent if news.sent is not None else self._answered
        return line

    def _decide(self, line: tuple[LineNews, ...], late_periods: float) -> Decision:
        now = self.clock.monotonic()
        while self._overruns and self._overruns[0] < now - OVERRUN_WINDOW_S:
            self._overruns.popleft()
        commands, self._commands = tuple(self._commands), []
        inputs = Inputs(
            now_s=now,
            line=line,
            commands=commands,
            late_periods=late_periods,
            overruns=len(self._overruns),
            dose_known=self.ledger.known,
            durable_at_s=self.store.durable_at_s,
            store_failure=self.store.failure,
            today_day=self.today_day,
        )
        before = self._core
        decision = decide(before, inputs, self.config)
        failpoint("loop.after_decide")
        self._core, self._order = decision.core, decision.order
        self.ever_claimed = self.ever_claimed or decision.core.link.claimed
        if decision.core.session.state in TREATING:
            self._treated_at_s = now
        self._keep(decision)
        failpoint("loop.after_record")
        if self.recorder is not None:
            self.recorder.follow(before, inputs, decision.core)
        self._tell(decision.events)
        noted, self._noted = self._noted, []
        self._tell(self.alarms.followed(decision.core, (*noted, *decision.events), self.clock.wall()))
        return decision

    def _keep(self, decision: Decision) -> None:
        core = decision.core
        if decision.lockout_changed:
            self.store.submit_lockout(core.lockout)
        if decision.record:
            named = bool(core.session.session_id)
            self.store.submit_session(record_of(core, core.now_s) if named else touched_outside(core, self.epoch))

    def _tell(self, events: tuple[Event, ...]) -> None:
        for event in events:
            self._seq += 1
            self.events.publish(NumberedEvent(self.epoch, self._seq, self.clock.wall(), event))

    def _show(self, decision: Decision, late_s: float) -> None:
        self.latest = snapshot_of(
            decision,
            self.clock.wall(),
            self._answered,
            late_s=late_s,
            ticks=self.ticks,
            misses=self.misses,
            overruns=len(self._overruns),
            alarms=self.alarms.view(decision.core.now_s),
            trip=self.recorder.latest if self.recorder is not None else None,
            trips_failing=self.recorder.failure if self.recorder is not None else "",
        )
        self.snapshots.publish(self.latest)

    def _end_session(self, *, just_treated: bool) -> None:
        """End a session that a failure leaves open, with its reason, durably if the store still works.

        The allowance of a crash is added here where deciding is what fails, and where the wand did not show that it is
        safe: it may go on until its lease ends, and nobody is left to count.
        """
        why = f"failure ({self.why_failed or 'cancelled'})"[:MOST_WORDS]
        reckoned = True
        if self._core.session.state in TREATING:
            try:
                self._commands = [Stop(why, own=True)]
                self._decide((), 0.0)
            except Exception:  # noqa: BLE001  # the failure that is on its way out already is the one to tell
                reckoned = False
                self.note(EventKind.SESSION_ENDED, why, session_id=self._core.session.session_id, why=why)
        if reckoned and (self.shown_safe or not just_treated):
            return
        self.store.submit_session(record_of(self._core, self.clock.monotonic(), unfinished=why, allowance=True))

    async def _make_safe(self) -> bool:
        self.note(EventKind.DAEMON_STOPPING, "making the wand safe")
        failpoint("safe.before_stop")
        sequence = (self._core.link.order_sequence + 1) % U16
        task = asyncio.ensure_future(self.connection.close(sequence, ours=self._core.link.claimed))
        try:
            safe = await asyncio.shield(task)
        except asyncio.CancelledError:
            await task
            raise
        failpoint("safe.after_stop")
        return safe
