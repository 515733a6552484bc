"""A stop that a person asked for, followed until the wand itself shows that it is off. Pure.

Ending the session is not enough to say *stopped*: the cable may be out, or the wand another program's.
"""

from cryodevice.quantities import Channel
from cryodevice.safety.events import EventKind
from cryodevice.safety.replacing import replace
from cryodevice.treatment.core import Answered, Core, Inputs, Stopping
from cryodevice.treatment.news import Journal
from cryodevice.wire.codes import Flag, State

SHOWN_WITHIN_S = 1.0
"""A wand that has not shown a stop by then is said not to have: the longest lease, 500 ms, has long ended by itself
(engineering default)."""
_WHAT_TO_DO = "its lease ends by itself within half a second; if it still cools, lift it and cut its supply"


def asked(core: Core, inputs: Inputs) -> Stopping:
    """The stop to follow, after one more person asked for one; many who ask do not put off the answer."""
    now = inputs.now_s
    return Stopping(core.stopping.first_s if core.stopping is not None else now, now)


def followed(core: Core, inputs: Inputs, journal: Journal) -> Core:
    """The controller after this tick's news of the stop: shown, given up, or still waited for."""
    stopping = core.stopping
    if stopping is None:
        return core
    if any(isinstance(news, Answered) and _shows(core, news, stopping) for news in inputs.line):
        journal.add(EventKind.STOP_CONFIRMED, "stopped: the wand shows that it is off")
        return replace(core, stopping=None)
    why = _hopeless(core)
    if not why and inputs.now_s - stopping.first_s >= SHOWN_WITHIN_S:
        why = "it does not answer" if core.reading is None or core.reading.at_s < stopping.first_s else "it is not off"
    if why:
        journal.add(
            EventKind.STOP_UNCONFIRMED,
            f"nothing is treated from here any more, but the wand has not shown that it is off: {why}; {_WHAT_TO_DO}",
            why=why,
        )
        return replace(core, stopping=None)
    return core


def _hopeless(core: Core) -> str:
    if core.link_why or core.link.identity is None:
        return core.link_why or "it is not connected"
    return f"it is only watched: {core.link.rejected}" if core.link.rejected else ""


def _shows(core: Core, news: Answered, stopping: Stopping) -> bool:
    """Whether a reply to a stop, asked for since, shows lease, relay and drive at rest."""
    status, sent = news.reading.status, news.sent
    return (
        sent is not None
        and sent.is_stop
        and news.refused is None
        and news.reading.at_s >= stopping.latest_s
        and status.state in (State.OFF, State.TRIPPED)
        and status.lease_remaining_ms == 0
        and not status.flags & (Flag.LEASE_LIVE | Flag.RELAY_CLOSED)
        and abs(news.reading.value(Channel.DRIVE_CURRENT)) <= core.limits.off_current_ma
    )
