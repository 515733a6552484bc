"""Writes down what happened in a tick: told by the controller as it goes, and found by comparing before and after."""

import math
from dataclasses import dataclass, field

from cryodevice.quantities import Seconds
from cryodevice.safety.events import Event, EventKind
from cryodevice.safety.interlocks import TABLE
from cryodevice.safety.phases import TREATING, SessionState
from cryodevice.safety.verdict import Finding, Lockout
from cryodevice.treatment.core import Core
from cryodevice.treatment.proof import Stage
from cryodevice.wire.blocks import Identity, Order
from cryodevice.wire.codes import Refusal


def _number(value: float) -> float | None:
    """A number as JSON can carry it."""
    return value if math.isfinite(value) else None


_ROWS = {row.id: row for row in TABLE}


def withheld_by(core: Core, finding: Finding) -> dict[str, object]:
    """A finding with all that a person asks about it later: also its rule, since when, and where the treatment was."""
    row, step = _ROWS.get(finding.id), core.session.current
    rule = {"fact": row.fact, "dwell_s": row.dwell.value, "hazard": row.hazard, "source": row.source} if row else {}
    where = {"state": core.session.state.value, "zone": core.session.zone.value, "step": core.session.step + 1}
    since = {"unsafe_since_s": _number(finding.since_s)}
    return evidence_of(finding) | rule | since | (where if step is not None else {"state": where["state"]})


def evidence_of(finding: Finding | Lockout) -> dict[str, object]:
    """What was seen and what would have been safe."""
    return {
        "value": _number(finding.value),
        "low": _number(finding.low),
        "high": _number(finding.high),
        "unit": finding.unit,
        "hint": finding.hint,
        "clears": finding.clear.value,
    }


@dataclass(slots=True)
class Journal:
    """Events of one tick, in order."""

    now_s: Seconds
    _events: list[Event] = field(default_factory=list)

    @property
    def events(self) -> tuple[Event, ...]:
        """Everything written so far."""
        return tuple(self._events)

    def add(self, kind: EventKind, message: str, **evidence: object) -> None:
        """Write one event."""
        self._events.append(Event(kind, self.now_s, message, evidence))

    def connected(self, identity: Identity, why: str) -> None:
        """A wand was identified."""
        self.add(
            EventKind.LINK_UP,
            f"wand {identity.serial_number}, firmware {identity.firmware}"
            + (", SIMULATED" if identity.simulated else ""),
            serial_number=identity.serial_number,
            firmware=identity.firmware,
            simulated=identity.simulated,
            boot_id=identity.boot_id,
        )
        if why:
            self.add(EventKind.WAND_MONITORED_ONLY, why)

    def disconnected(self, core: Core, why: str) -> None:
        """The line is down; said once for each reason."""
        if core.link_why != why:
            self.add(EventKind.LINK_DOWN, why)

    def refused(self, sent: Order | None, code: int) -> None:
        """The wand refused an order."""
        name = Refusal(code).name.lower() if code in Refusal._value2member_map_ else str(code)
        self.add(
            EventKind.ORDER_REFUSED,
            f"the wand refused an order: {name}",
            refusal=code,
            sequence=sent.sequence if sent is not None else None,
        )

    def reset_sent(self) -> None:
        """The reset order goes out."""
        self.add(EventKind.RESET_SENT, "reset sent to the wand")

    def locked(self, lockout: Lockout) -> None:
        """A lockout latched."""
        self.add(
            EventKind.LOCKOUT, f"locked by {lockout.cause}: {lockout.hint}", cause=lockout.cause, **evidence_of(lockout)
        )

    def differences(self, before: Core, after: Core) -> None:
        """Everything that can be told from two states."""
        self._claim(before, after)
        self._interlocks(before, after)
        self._proof(before, after)
        self._session(before, after)

    def _claim(self, before: Core, after: Core) -> None:
        if after.link.claimed and not before.link.claimed:
            self.add(EventKind.WAND_CLAIMED, "our session token is in force", token=after.link.token)

    def _interlocks(self, before: Core, after: Core) -> None:
        old = {finding.id: finding for finding in before.verdict.active}
        new = {finding.id: finding for finding in after.verdict.active}
        for name, finding in new.items():
            if name in old:
                continue
            self.add(
                EventKind.INTERLOCK_ACTIVE,
                f"{name}: {finding.hint}",
                interlock=name,
                action=finding.action.name.lower(),
                **withheld_by(after, finding),
            )
        for name in old:
            if name not in new:
                self.add(EventKind.INTERLOCK_CLEARED, name, interlock=name)
        if before.leased and not after.leased and not after.verdict.permit:
            strongest = after.verdict.strongest
            self.add(
                EventKind.PERMIT_WITHDRAWN,
                strongest.hint if strongest is not None else "no fresh reading",
                interlock=strongest.id if strongest is not None else "",
                **(withheld_by(after, strongest) if strongest is not None else {}),
            )
        if after.leased and not before.leased:
            self.add(EventKind.PERMIT_GIVEN, "cooling")

    def _proof(self, before: Core, after: Core) -> None:
        if before.session.proof.stage is after.session.proof.stage:
            return
        if after.session.proof.stage is Stage.PASSED:
            self.add(EventKind.PROOF_PASSED, "the wand let go by itself")
        elif after.session.proof.stage is Stage.FAILED:
            self.add(EventKind.PROOF_FAILED, after.session.proof.why)

    def _session(self, before: Core, after: Core) -> None:
        old, new = before.session, after.session
        session_id = new.session_id or old.session_id
        if old.state is not new.state:
            self.add(
                EventKind.SESSION_STATE,
                f"{old.state.value} to {new.state.value}",
                session_id=session_id,
                before=old.state.value,
                after=new.state.value,
            )
            step = new.current
            if new.state is SessionState.PRECOOL and old.state in (SessionState.READY, SessionState.REWARMING) and step:
                self.add(
                    EventKind.STEP_STARTED,
                    f"step {new.step + 1}: {step.zone} at {step.plate_degc:g} degC for {step.hold_s:g} s",
                    session_id=session_id,
                    step=new.step + 1,
                    zone=step.zone.value,
                    plate_degc=step.plate_degc,
                    hold_s=step.hold_s,
                )
            if new.state is SessionState.REWARMING and old.current is not None:
                self.add(
                    EventKind.STEP_FINISHED,
                    f"step {old.step + 1}: {new.contact_s:.1f} s of contact",
                    session_id=session_id,
                    step=old.step + 1,
                    contact_s=round(new.contact_s, 2),
                )
        if old.state in TREATING and new.state not in TREATING:
            why = new.ended_why or "complete"
            exposure = after.dose.of(new.zone)
            self.add(
                EventKind.SESSION_ENDED,
                why,
                session_id=session_id,
                state=new.state.value,
                why=why,
                contact_s=round(after.dose.session_contact_s, 2),
                lowest_skin_estimate_degc=_number(round(exposure.lowest_skin_degc, 2)),
            )
