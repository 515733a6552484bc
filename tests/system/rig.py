"""Daemon core and simulated wand in one process and one simulated time: the same bytes, no sleeping, no ports.

Everything between a register and a decision is real: the plant, the firmware, the frames, both codecs, ``decide``.
Only the loop that would wait between two ticks is replaced by an argument.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from cryodevice.device import serial_codec as codec
from cryodevice.errors import IdentityError, OrderRefusedError, WireError
from cryodevice.quantities import Seconds
from cryodevice.safety import skin_estimate
from cryodevice.safety.events import Event, EventKind
from cryodevice.safety.interlocks import TABLE
from cryodevice.safety.limits import Zone, limits
from cryodevice.safety.phases import SessionState
from cryodevice.safety.readings import read
from cryodevice.treatment.controller import decide
from cryodevice.treatment.core import (
    Answered,
    Command,
    Config,
    Connected,
    Core,
    Decision,
    Disconnected,
    Inputs,
    LineNews,
    Missed,
    Reset,
    Start,
    Stop,
    initial,
)
from cryodevice.treatment.program import Step, Treatment
from cryodevice.wire.blocks import Order
from cryodevice.wire.frame import FrameReader, FrameType
from firmware_sim.endpoints.serial_slave import SerialSlave
from firmware_sim.simulator import Simulator
from tests.safety.samples import told

PERIOD_S = 0.05
TIMEOUT_S = 0.025
DEMO = Treatment("demo", (Step(Zone.LEFT_CHEEK, 8.0, 20.0, 10.0),))


def table_without(row: str) -> tuple:
    """The interlock table with one row taken out; the row must be there."""
    rest = tuple(interlock for interlock in TABLE if interlock.id != row)
    assert len(rest) == len(TABLE) - 1, f"no interlock named {row}"
    return rest


@dataclass
class Rig:
    """Drive it tick by tick; look at ``sim`` for the truth and at ``core`` and ``events`` for what the daemon thinks."""

    seed: int = 1
    table: tuple = TABLE
    settings: dict = field(default_factory=dict)
    allow_simulated: bool = True
    store_writes: bool = True
    store_failure: str = ""
    dose_known: bool = True
    today_day: int | None = None
    treatment: Treatment = DEMO
    follow: Callable[[Core, Inputs, Core], None] = lambda before, inputs, after: None

    def __post_init__(self):
        self.sim = Simulator(self.seed)
        self.slave = SerialSlave(self.sim.firmware)
        self.config = Config(limits(self.settings), allow_simulated=self.allow_simulated, table=self.table)
        self.core: Core = initial(self.config, Seconds(0.0), skin_estimate.begin(Seconds(0.0)))
        self.order: Order | None = None
        self.events: list[Event] = []
        self.commands: list[Command] = []
        self.durable_at_s = float("-inf")
        self.overruns: list[float] = []
        self.frame_sequence = 0
        self.identified = False
        self.token = 0x1234
        self.filter: Callable[[bytes], bytes] = lambda data: data
        self.line_up = True
        self.decisions = 0
        self.true_skin_degc = 0.0
        self.reaction_s: float | None = None
        self.acted_s: float | None = None
        self.leases: list[tuple[float, Order]] = []

    # -- the line ------------------------------------------------------------------------------------------------
    @property
    def now(self) -> Seconds:
        return Seconds(self.sim.time_s)

    def _talk(self, request: bytes, kind: FrameType):
        reply = self.slave.feed(self.filter(request)) if self.line_up else b""
        for frame in FrameReader().feed(b"\0" + reply):
            if codec.answers(frame, kind, self.frame_sequence):
                return frame
        self.sim.advance(TIMEOUT_S)
        return None

    def _round_trip(self, order: Order | None) -> tuple[LineNews, ...]:
        self.frame_sequence = (self.frame_sequence + 1) % 256
        if not self.identified:
            frame = self._talk(codec.identify_request(self.frame_sequence), FrameType.IDENTIFY)
            if frame is None:
                return (Disconnected("no answer"),)
            try:
                identity = codec.identity_of(frame)
            except IdentityError as error:
                return (Disconnected(error.message, rejected=True),)
            self.identified = True
            return (Connected(identity, self.token),)
        if order is None:
            return self._status(None, None)
        if order.lease_ms:
            self.leases.append((self.now, order))
        frame = self._talk(codec.exchange_request(self.frame_sequence, order), FrameType.EXCHANGE)
        if frame is None:
            return (Missed(order, "no reply"),)
        try:
            return (Answered(read(codec.status_after(frame, order), self.now), order),)
        except OrderRefusedError as error:
            return self._status(order, error.evidence["refusal"])
        except WireError as error:
            return (Missed(order, error.message),)

    def _status(self, sent, refused):
        self.frame_sequence = (self.frame_sequence + 1) % 256
        frame = self._talk(codec.status_request(self.frame_sequence), FrameType.READ_STATUS)
        if frame is None:
            return (Missed(None, "no reply"),)
        return (Answered(read(codec.status_of(frame), self.now), sent, refused),)

    # -- the loop ------------------------------------------------------------------------------------------------
    def _decide(self, line: tuple[LineNews, ...], late_periods: float) -> Decision:
        commands, self.commands = tuple(self.commands), []
        overruns = [at for at in self.overruns if at >= self.now - 10.0]
        inputs = Inputs(
            self.now,
            line,
            commands,
            late_periods,
            len(overruns),
            self.dose_known,
            self.durable_at_s,
            self.store_failure,
            self.today_day,
        )
        decision = decide(self.core, inputs, self.config)
        self.follow(self.core, inputs, decision.core)
        self.core, self.order = decision.core, decision.order
        told(decision.events)
        self.events += decision.events
        self.decisions += 1
        if decision.record and self.store_writes:
            self.durable_at_s = self.now
        return decision

    def tick(self, late_s: float = 0.0) -> None:
        """One tick, ``late_s`` late, and the time until the next."""
        began = self.now
        self.sim.advance(late_s)
        late = late_s / PERIOD_S
        if late > 2.0:
            self.overruns.append(self.now)
            self._decide((), late)
        decision = self._decide(self._round_trip(self.order), late)
        if decision.urgent:
            decision = self._decide(self._round_trip(decision.order), late)
        if decision.reconnect:
            self.identified = False
            self._decide((Disconnected("the wand restarted"),), late)
        self.true_skin_degc = self.sim.truth()["skin_surface_degc"]
        self.sim.advance(max(0.0, began + late_s + PERIOD_S - self.now))

    def command(self, command: Command) -> None:
        """A command between two ticks: decided at once, sent at once if it takes a lease away."""
        self.commands.append(command)
        decision = self._decide((), 0.0)
        if decision.urgent:
            self._decide(self._round_trip(decision.order), 0.0)

    # -- the hand ------------------------------------------------------------------------------------------------
    def run(self, seconds: float) -> None:
        end = self.now + seconds - 1e-9
        while self.now < end:
            self.tick()

    def until(self, condition: Callable[[], bool], within_s: float, what: str = "") -> None:
        end = self.now + within_s
        while not condition():
            assert self.now < end, f"not within {within_s} s: {what or condition}; {self.story()}"
            self.tick()

    def until_state(self, state: SessionState, within_s: float = 30.0) -> None:
        self.until(lambda: self.core.session.state is state, within_s, state.value)

    def start(self) -> None:
        plant = self.sim.plant
        plant.zone = self.treatment.steps[0].zone.value
        self.until(lambda: self.core.link.claimed, 3.0, "claimed")
        self.run(0.5)
        plant.trigger = True
        self.command(Start("s-1", self.treatment, "tester"))

    def to_lifted(self) -> None:
        self.start()
        self.until_state(SessionState.LIFTED, 40.0)

    def to_applying(self, seconds: float = 1.0) -> None:
        self.to_lifted()
        self.sim.plant.contact = True
        self.until_state(SessionState.APPLYING, 1.0)
        self.run(seconds)

    def stop(self) -> None:
        self.command(Stop("tester"))

    def reset(self, *, service: bool = False) -> None:
        self.command(Reset("tester", service))

    # -- what happened -------------------------------------------------------------------------------------------
    @property
    def driving(self) -> bool:
        return self.sim.truth()["drive_a"] != 0.0

    @property
    def drive_off_at(self) -> float:
        return self.sim.truth()["drive_off_at_s"]

    def kinds(self) -> list[EventKind]:
        return [event.kind for event in self.events]

    def last(self, kind: EventKind) -> Event:
        return next(event for event in reversed(self.events) if event.kind is kind)

    def withdrawn_by(self) -> str:
        """The interlock that first withdrew the permit from a cooling wand; empty if none did."""
        return next((e.evidence["interlock"] for e in self.events if e.kind is EventKind.PERMIT_WITHDRAWN), "")

    def story(self) -> str:
        return f"{self.core.session.state} {self.core.session.ended_why} " + "; ".join(
            f"{event.at_s:.2f} {event.kind}: {event.message}" for event in self.events[-12:]
        )
