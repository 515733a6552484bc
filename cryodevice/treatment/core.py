"""What the controller remembers, is told, and answers: the three records around ``decide``. Data, no behaviour."""

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from cryodevice.quantities import Seconds
from cryodevice.safety.contact import Contact
from cryodevice.safety.events import Event
from cryodevice.safety.exposure import Dose, Others
from cryodevice.safety.freeze_watch import FreezeWatch
from cryodevice.safety.interlocks import TABLE, Interlock
from cryodevice.safety.limits import Limits
from cryodevice.safety.phases import SessionState
from cryodevice.safety.plate_model import PlateModel
from cryodevice.safety.plate_watch import PlateWatch
from cryodevice.safety.readings import Reading
from cryodevice.safety.skin_estimate import SkinEstimate
from cryodevice.safety.verdict import Lockout, Verdict
from cryodevice.treatment.link import Link
from cryodevice.treatment.program import Treatment
from cryodevice.treatment.session import Session
from cryodevice.treatment.wand_clock import WandClock
from cryodevice.wire.blocks import Identity, Order
from cryodevice.wire.codes import Refusal


@dataclass(frozen=True, slots=True)
class Config:
    """What does not change while the daemon runs.

    Args:
        limits: Limits of the settings, inside the envelope.
        allow_simulated: Whether a simulated wand may be driven.
        lease_ms: Lease of a cooling order, ms.
        monitor_only: The control rate is too low for cooling: the wand is read, never ordered.
        table: The interlocks in force.
    """

    limits: Limits
    allow_simulated: bool = False
    lease_ms: int = 500
    monitor_only: bool = False
    table: tuple[Interlock, ...] = TABLE


@dataclass(frozen=True, slots=True)
class Start:
    """A person starts a treatment."""

    session_id: str
    treatment: Treatment
    who: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Anyone, by any path, stops; ``own`` ends our session only and leaves alone a wand that somebody else orders."""

    who: str
    own: bool = False


@dataclass(frozen=True, slots=True)
class Reset:
    """A person resets a lockout; ``service`` when a service person does."""

    who: str
    service: bool = False


Command = Start | Stop | Reset


@dataclass(frozen=True, slots=True)
class Answered:
    """A good reply came: to an order, or to a status read. ``refused`` when the order was refused first."""

    reading: Reading
    sent: Order | None
    refused: Refusal | int | None = None


@dataclass(frozen=True, slots=True)
class Missed:
    """No good reply came."""

    sent: Order | None
    why: str


@dataclass(frozen=True, slots=True)
class Connected:
    """A wand was identified on a fresh connection; ``token`` is random and non-zero."""

    identity: Identity
    token: int


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection is gone, or none could be made; ``rejected`` when what answered is no wand of ours."""

    why: str
    rejected: bool = False


LineNews = Answered | Missed | Connected | Disconnected


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is new this tick.

    Args:
        now_s: Monotonic second.
        line: What came of the line, oldest first; empty when nothing was tried.
        commands: What people asked, oldest first.
        late_periods: How late the tick is, in periods.
        overruns: Ticks more than two periods late in the last 10 s.
        dose_known: The store knew the exposure at start and still works.
        durable_at_s: Second of the newest durable exposure record.
        today_day: Today as days since 2000-01-01; None while nobody keeps the wall clock.
        store_failure: Why records are not reaching the disk; empty while they are.
    """

    now_s: Seconds
    line: tuple[LineNews, ...] = ()
    commands: tuple[Command, ...] = ()
    late_periods: float = 0.0
    overruns: int = 0
    dose_known: bool = True
    durable_at_s: float = float("-inf")
    store_failure: str = ""
    today_day: int | None = None


class Resetting(StrEnum):
    """How far a reset of the wand's own trip is."""

    NO = "no"
    ASKED = "asked"
    TAKEN = "taken"
    """The wand has accepted the order; that its trip is gone is seen by a status of a later firmware tick."""


@dataclass(frozen=True, slots=True)
class Stopping:
    """A stop a person asked for and no wand has shown yet.

    Args:
        first_s: When it was first asked for.
        latest_s: When it was last asked for; a wand must show it after that.
    """

    first_s: Seconds
    latest_s: Seconds


@dataclass(frozen=True, slots=True)
class Core:
    """Everything the controller remembers.

    Args:
        now_s: Second of the last decision.
        limits: Limits in force: settings intersected with the wand's.
        link: The line.
        link_why: Why the line is down, as last told.
        reading: Newest good reading.
        plate: How the plate sensors have behaved.
        model: What the module's voltage says of the plate, in this session.
        freeze: Infra-red of skin cold enough to freeze.
        wand_clock: The wand's clock beside ours.
        contact: Pessimistic memory of the contact flag.
        estimate: Worst-case skin.
        dose: Exposure of the client in hand.
        others: Exposure of every other client, by client.
        session: The treatment.
        verdict: The last verdict.
        lockout: The latched lockout.
        unproven: Why the wand failed its lease proof; empty when it has not.
        leased: The last order gave a lease for cooling.
        leased_at_s: When one last did; -inf never.
        doubted: The plate sensors were found to deceive since; a precool that begins ends it.
        stuck_degc: What both showed when nothing was sampled any more; None while that is not so.
        resetting: How far a reset of the wand's own trip is.
        stopping: The stop a person waits to see carried out.
        refused: Refusal code of the newest order; None when it was accepted.
        fan_still_s: Driven time since the fan was last seen turning, s; a pause takes half its length off.
        reached_degc: Setpoint the plate has been within 1 K of; NaN none.
        coldest_plate_degc: Coldest plate ordered in this session.
        recorded_at_s: When the exposure was last handed to the store.
        recorded: The dose that was handed over.
        begun_at_s: When the session was started; a record of before says nothing of it.
    """

    now_s: Seconds
    limits: Limits
    estimate: SkinEstimate
    link: Link = field(default_factory=Link)
    link_why: str = "not connected yet"
    reading: Reading | None = None
    plate: PlateWatch = field(default_factory=PlateWatch)
    model: PlateModel = field(default_factory=PlateModel)
    freeze: FreezeWatch = field(default_factory=FreezeWatch)
    wand_clock: WandClock = field(default_factory=WandClock)
    contact: Contact = field(default_factory=Contact)
    dose: Dose = field(default_factory=Dose)
    others: Others = field(default_factory=lambda: MappingProxyType({}))
    session: Session = field(default_factory=Session)
    verdict: Verdict = field(default_factory=lambda: Verdict(False, ()))
    lockout: Lockout | None = None
    unproven: str = ""
    leased: bool = False
    leased_at_s: float = float("-inf")
    doubted: bool = False
    stuck_degc: tuple[float | None, float | None] | None = None
    resetting: Resetting = Resetting.NO
    stopping: Stopping | None = None
    refused: int | None = None
    fan_still_s: float = 0.0
    reached_degc: float = float("nan")
    coldest_plate_degc: float = float("inf")
    recorded_at_s: float = float("-inf")
    recorded: Dose | None = None
    begun_at_s: float = float("-inf")


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done now.

    Args:
        core: What to remember.
        order: Order for the next exchange; None asks for a status read only.
        urgent: Send it at once, not at the next tick: it takes a lease away, or a person waits for a stop.
        events: What happened, oldest first.
        record: The exposure is to be made durable.
        lockout_changed: The latched lockout is to be made durable.
    """

    core: Core
    order: Order | None
    urgent: bool
    events: tuple[Event, ...]
    record: bool = False
    lockout_changed: bool = False

    @property
    def reconnect(self) -> bool:
        """The wand at the end of this connection is not the one identified (it restarted): identify anew.

        False once the connection has been given up, or every tick would give it up again.
        """
        reading, identity = self.core.reading, self.core.link.identity
        if reading is None or identity is None or self.core.link_why:
            return False
        return reading.status.boot_id != identity.boot_id

    @property
    def permit(self) -> bool:
        """Whether cooling is permitted now."""
        return self.core.verdict.permit and self.core.lockout is None and self.core.link.claimed


def initial(
    config: Config,
    now_s: Seconds,
    estimate: SkinEstimate,
    dose: Dose | None = None,
    lockout: Lockout | None = None,
    *,
    others: Others | None = None,
) -> Core:
    """The controller at start: no link, no session; the doses and lockout of before."""
    session = Session(state=SessionState.LOCKED) if lockout is not None else Session()
    return Core(
        now_s,
        config.limits,
        estimate,
        dose=dose or Dose(),
        others=others or MappingProxyType({}),
        lockout=lockout,
        session=session,
    )
