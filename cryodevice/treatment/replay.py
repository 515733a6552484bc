"""A recorded stretch of decisions judged again by the same core: does the same trip come out of it? Pure.

``decide`` knows no clock and no chance, so the same memory and the same inputs give the same decisions, to the bit.
"""

import math
from dataclasses import dataclass

from cryodevice.safety.facts import Facts
from cryodevice.safety.phases import SessionState
from cryodevice.safety.readings import Reading
from cryodevice.safety.verdict import Finding, Lockout
from cryodevice.treatment.controller import decide
from cryodevice.treatment.core import Config, Core, Inputs
from cryodevice.treatment.evidence import facts_of, skin_degc
from cryodevice.treatment.trip import Trip, hold_of, trip_of


@dataclass(frozen=True, slots=True)
class Stretch:
    """Decisions that followed one another: what was remembered before the first, and what was new at each."""

    core: Core
    inputs: tuple[Inputs, ...]


@dataclass(frozen=True, slots=True)
class Moment:
    """One decision as it came out again.

    Args:
        at_s: Monotonic second.
        state: Session state after it.
        permit: Whether cooling was permitted.
        reading: Newest reading; None before the first.
        skin_degc: Worst-case skin of the zone worked on (an estimate).
        active: Interlocks that acted.
        lockout: The latched lockout.
    """

    at_s: float
    state: SessionState
    permit: bool
    reading: Reading | None
    skin_degc: float
    active: tuple[Finding, ...]
    lockout: Lockout | None


@dataclass(frozen=True, slots=True)
class Replay:
    """What came out: every decision, every trip and hold, and the facts each was judged on."""

    moments: tuple[Moment, ...]
    trips: tuple[tuple[Trip, Facts], ...]

    def facts_at(self, at_s: float) -> Facts | None:
        """Facts of the trip at this second."""
        return next((facts for trip, facts in self.trips if trip.at_s == at_s), None)


def replayed(stretches: tuple[Stretch, ...], config: Config) -> Replay:
    """Decide all of it again."""
    moments: list[Moment] = []
    trips: list[tuple[Trip, Facts]] = []
    for stretch in stretches:
        core = stretch.core
        for inputs in stretch.inputs:
            before, core = core, decide(core, inputs, config).core
            moments.append(moment_of(core))
            trip = trip_of(before, core, config.table) or hold_of(before, core, config.table)
            if trip is not None:
                trips.append((trip, facts_of(core, config, inputs)))
    return Replay(tuple(moments), tuple(trips))


def moment_of(core: Core) -> Moment:
    """A state of the controller as a moment."""
    return Moment(
        core.now_s,
        core.session.state,
        core.verdict.permit and core.lockout is None,
        core.reading,
        skin_degc(core, core.now_s),
        core.verdict.active,
        core.lockout,
    )


def why_not_the_same(recorded: Trip, replay: Replay) -> str:
    """Why the replay does not give the recorded trip; empty when it does: same cause, same moment, same value."""
    then = [trip for trip, _ in replay.trips if trip.at_s == recorded.at_s]
    if not then:
        others = [f"{trip.cause} {trip.at_s - recorded.at_s:+.2f} s from it" for trip, _ in replay.trips]
        return "nothing trips at the recorded moment" + (f"; instead {', '.join(others)}" if others else "")
    found = then[0]
    if (found.cause, found.action) != (recorded.cause, recorded.action):
        return f"{found.cause} ({found.action}) trips instead of {recorded.cause} ({recorded.action})"
    for name in ("value", "low", "high", "since_s"):
        was, is_now = getattr(recorded, name), getattr(found, name)
        if was != is_now and not (math.isnan(was) and math.isnan(is_now)):
            return f"{found.cause} trips with {name} {is_now:g} where the record says {was:g}"
    return ""
