"""What is sent next: one order, or a status read. The only place that builds an order for cooling. Pure."""

from collections.abc import Collection
from enum import Enum

from cryodevice.safety.phases import COOLING, SessionState
from cryodevice.safety.replacing import replace
from cryodevice.treatment.core import Config, Core
from cryodevice.treatment.people import reset_due
from cryodevice.treatment.program import WARMEST_PLATE_DEGC
from cryodevice.treatment.proof import PROOF_LEASE_MS, Stage
from cryodevice.wire.blocks import Order
from cryodevice.wire.codes import Mode


class Ask(Enum):
    """Kinds of request."""

    READ = "read"
    STOP = "stop"
    ARM = "arm"
    RESET = "reset"
    COOL = "cool"


def wanted(core: Core, judged: Collection[SessionState], config: Config) -> Ask:
    """What to ask of the wand next.

    Cooling only with our token in force, a permit, no lockout, and in a state the verdict has judged this tick. A wand
    that is not ours gets a stop when a person asks for one, and nothing else. What is not something else is a stop.
    """
    identity, reading, session = core.link.identity, core.reading, core.session
    if identity is None or reading is None or core.link_why or core.link.rejected:
        return Ask.READ
    if core.stopping is not None and not core.link.claimed:
        return Ask.STOP
    if config.monitor_only or (identity.simulated and not config.allow_simulated):
        return Ask.READ
    if not core.link.claimed:
        return Ask.STOP if core.link.free else Ask.READ
    ask = Ask.STOP
    permitted = core.verdict.permit and core.lockout is None
    if session.state is SessionState.READY and not core.unproven:
        ask = _PROOF.get(session.proof.stage, Ask.STOP)
        if ask is Ask.ARM and (core.link.unanswered or not permitted):
            ask = Ask.STOP  # an order of unknown fate is ended before the proof begins
    elif reset_due(core):
        ask = Ask.RESET
    elif permitted and session.state in COOLING and session.state in judged:
        ask = Ask.COOL
    return ask


_PROOF = {Stage.ARM: Ask.ARM, Stage.WATCH: Ask.READ}


def built(core: Core, ask: Ask, config: Config) -> tuple[Core, Order | None]:
    """The order for a request, and the core that remembers having sent it; None for a status read."""
    reading, step = core.reading, core.session.current
    if ask is Ask.READ or reading is None:
        return replace(core, leased=False), None
    link = core.link
    coldest = core.coldest_plate_degc
    match ask:
        case Ask.ARM:
            link, order = link.order(reading, Mode.OFF, lease_ms=PROOF_LEASE_MS)
        case Ask.RESET:
            link, order = link.order(reading, Mode.OFF, reset=True)
        case Ask.COOL:
            planned = step.plate_degc if step is not None else WARMEST_PLATE_DEGC
            setpoint = max(planned, core.limits.plate_floor_degc)
            lease = min(config.lease_ms, link.identity.lease_max_ms) if link.identity is not None else config.lease_ms
            link, order = link.order(reading, Mode.COOL, setpoint_degc=setpoint, lease_ms=lease)
            coldest = min(coldest, setpoint)
        case _:
            # A person's stop of a wand that is not ours takes nothing over.
            link, order = link.order(reading, Mode.OFF, claiming=link.claimed or core.stopping is None)
    leased_at_s = core.now_s if ask is Ask.COOL else core.leased_at_s
    return replace(core, link=link, leased=ask is Ask.COOL, leased_at_s=leased_at_s, coldest_plate_degc=coldest), order
