"""The controller against a wand that does as it is told, reply by reply, in pure values: no bytes, no plant."""

from dataclasses import dataclass, field, replace

from cryodevice.quantities import U16, U32, Seconds
from cryodevice.safety import skin_estimate
from cryodevice.safety.events import Event, EventKind
from cryodevice.safety.limits import Zone, limits
from cryodevice.safety.phases import SessionState
from cryodevice.safety.readings import read
from cryodevice.safety.verdict import Verdict
from cryodevice.treatment.controller import decide
from cryodevice.treatment.core import Answered, Config, Connected, Core, Decision, Inputs, LineNews, Start, initial
from cryodevice.treatment.program import Step, Treatment
from cryodevice.treatment.proof import Proof, Stage
from cryodevice.treatment.session import Session
from cryodevice.wire.blocks import Order
from cryodevice.wire.codes import Capability, Flag, Mode
from tests.safety.samples import WELL, identity, status, told

TOKEN = 7
PERIOD_S = 0.05
ONE = Treatment("one", (Step(Zone.LEFT_CHEEK, 8.0, 20.0, 5.0),))
PRESENT = identity(capabilities=Capability(0x7FF), simulated=True)


@dataclass
class Bench:
    """Drive it tick by tick; ``wand`` is what the next status says."""

    config: Config = field(default_factory=lambda: Config(limits(), allow_simulated=True))
    now: float = 100.0
    epoch: int = 5
    sequence: int = 1000
    uptime_ms: int = 10_000
    lease_ends_ms: int | None = None
    token: int = 0
    setpoint_degc: float | None = None
    flags: Flag = WELL | Flag.TRIGGER
    wand: dict = field(default_factory=dict)
    order: Order | None = None

    def __post_init__(self):
        self.core: Core = initial(self.config, Seconds(self.now), skin_estimate.begin(Seconds(self.now)))
        self.events: list[Event] = []
        self.uptimes: dict[int, int] = {}
        self.last: Decision | None = None

    def decide(self, *line: LineNews, commands=(), **inputs) -> Decision:
        before = self.core
        decision = decide(
            self.core,
            Inputs(Seconds(self.now), line, tuple(commands), **{"durable_at_s": self.now, **inputs}),
            self.config,
        )
        self.core, self.order, self.last = decision.core, decision.order, decision
        self.events += decision.events
        self.checked(before, decision)
        return decision

    def checked(self, before: Core, decision: Decision) -> None:
        """What must hold of any decision."""
        core, order = decision.core, decision.order
        told(decision.events)
        assert core.now_s >= before.now_s
        if order is not None and order.lease_ms:
            assert core.verdict.permit, "a lease needs a permit"
            assert core.link.claimed
            assert not core.link.rejected
            assert core.lockout is None
        if core.leased:
            assert core.session.state in {SessionState.PRECOOL, SessionState.LIFTED, SessionState.APPLYING}
        assert (core.lockout is not None) is (core.session.state is SessionState.LOCKED)

    def accept(self, order: Order | None) -> None:
        """What the wand makes of an order."""
        if order is None:
            return
        self.epoch = (self.epoch + 1) % U16
        self.lease_ends_ms = None
        self.setpoint_degc = order.setpoint_degc if order.mode is not Mode.OFF else None
        if order.is_stop:
            self.token = order.token or self.token
        elif order.lease_ms:
            self.lease_ends_ms = self.uptimes.get(order.echo, self.uptime_ms) + order.lease_ms

    def answer(self, order: Order | None = None, **changes) -> Answered:
        """The reply to an order, or to a status read, some firmware ticks after the one before."""
        self.sequence = (self.sequence + 2) % U16
        self.uptimes[self.sequence] = self.uptime_ms
        left = max(0, self.lease_ends_ms - self.uptime_ms) if self.lease_ends_ms is not None else 0
        lit = Flag.LEASE_LIVE | Flag.RELAY_CLOSED if left else Flag(0)
        values = {
            "sequence": self.sequence,
            "uptime_ms": self.uptime_ms % U32,
            "flags": self.flags | lit,
            "lease_remaining_ms": left,
            "order_epoch": self.epoch,
            "token": self.token,
            "setpoint_degc": self.setpoint_degc,
            "sink_degc": self.wand.get("plate_a_degc", 20.0),
            **self.wand,
            **changes,
        }
        return Answered(read(status(**values), Seconds(self.now)), order)

    def pass_s(self, seconds: float = PERIOD_S) -> None:
        self.now += seconds
        self.uptime_ms += round(seconds * 1000.0)

    def tick(self, *, commands=(), dt: float = PERIOD_S, **changes) -> Decision:
        """One period later: the order at hand is accepted and answered, then decided on."""
        self.pass_s(dt)
        order = self.order
        self.accept(order)
        return self.decide(self.answer(order, **changes), commands=commands)

    def claim(self) -> None:
        self.decide(Connected(PRESENT, TOKEN))
        for _ in range(8):
            self.tick()
        assert self.core.link.claimed

    def to(self, state: SessionState, treatment: Treatment = ONE, **changes) -> None:
        """Claimed, proven and put into a state by hand, then judged there once."""
        if not self.core.link.claimed:
            self.claim()
        proven = Proof(Stage.PASSED)
        session = Session(state, "s", treatment, proof=proven, **changes)
        self.core = replace(self.core, session=session)

    def start(self, treatment: Treatment = ONE, session_id: str = "s") -> Start:
        return Start(session_id, treatment, "tester")

    def of(self, kind: EventKind) -> list[Event]:
        return [event for event in self.events if event.kind is kind]


NO_VERDICT = Verdict(False, ())
