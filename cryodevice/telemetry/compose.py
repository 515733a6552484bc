"""Snapshots and events as payloads. Pure: what a person reads is rounded here, what is judged never is.

Does not publish and holds no connection; its only memory is the number of the next message.
"""

import math
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from cryodevice import __version__
from cryodevice.runtime.snapshot import NumberedEvent, Snapshot
from cryodevice.safety.limits import ENVELOPE
from cryodevice.safety.verdict import Action
from cryodevice.telemetry import parts
from cryodevice.telemetry import payloads as p
from cryodevice.telemetry.values import number, plain, rounded, text, utc

_FINDINGS_SHOWN, _ALARMS_SHOWN = 12, 8
"""Findings and alarms in one ``state``; fewer where they would not fit. The strongest come first."""


class Composer:
    """Makes the payloads of one device. ``run_id`` tells this run's message ids from every other's."""

    def __init__(self, device_id: str, run_id: str) -> None:
        self._device_id = device_id
        self._run_id = run_id
        self._number = 0
        self._simulated: bool | None = None

    def telemetry(self, snapshot: Snapshot) -> p.TelemetryPayload:
        """The readings of a tick."""
        status = snapshot.reading.status if snapshot.reading else None
        session = snapshot.session
        return p.TelemetryPayload(
            **self._head(p.TelemetryPayload, snapshot),
            monotonic_s=rounded(snapshot.at_s),
            link_up=snapshot.link_up,
            permit=snapshot.permit,
            sequence=status.sequence if status else None,
            uptime_ms=status.uptime_ms if status else None,
            readings=parts.readings(snapshot),
            session=p.SessionProgress(
                id=session.session_id,
                state=session.state,
                step=session.step,
                contact_s=rounded(session.contact_s),
                hold_s=rounded(session.hold_s),
                rewarm_left_s=rounded(session.rewarm_left_s),
            ),
            exposure={zone.value: parts.zone(total) for zone, total in snapshot.exposure.items()},
            look_ahead_s={name: rounded(left_s) for name, left_s in snapshot.look_ahead().items()},
        )

    def state(self, snapshot: Snapshot) -> p.StatePayload:
        """What the device does and why it may not do more."""
        strongest = sorted(snapshot.findings, key=lambda finding: -finding.action)
        shown = strongest[:_FINDINGS_SHOWN]
        session, alarms = snapshot.session, snapshot.alarms
        payload = p.StatePayload(
            **self._head(p.StatePayload, snapshot),
            monitoring=p.MonitoringItem(ok=not alarms.blind, why=text(alarms.blind, 200)),
            sounding=alarms.sounding.name.lower() if alarms.sounding is not None else None,
            audio_paused=alarms.pause_left_s > 0.0,
            alarms=[parts.alarm(one, snapshot.at_s) for one in alarms.standing[:_ALARMS_SHOWN]],
            alarms_omitted=max(0, len(alarms.standing) - _ALARMS_SHOWN),
            link=p.LinkItem(up=snapshot.link_up, why=text(snapshot.link_why)),
            session=p.SessionItem(
                id=session.session_id,
                state=session.state,
                step=session.step,
                steps=session.steps,
                zone=session.zone,
                setpoint_degc=number(session.setpoint_degc),
                ended_why=text(session.ended_why),
            ),
            permit=snapshot.permit,
            withheld_by=withheld_by(snapshot),
            findings=[parts.finding(finding, snapshot.at_s) for finding in shown],
            findings_omitted=len(strongest) - len(shown),
            lockout=parts.lockout(snapshot.lockout),
            last_trip=parts.last_trip(snapshot.trip),
            wand=parts.wand(snapshot.reading),
        )
        return _fitting(payload)

    def info(self, snapshot: Snapshot) -> p.InfoPayload:
        """Identity, versions, limits in force."""
        return p.InfoPayload(
            **self._head(p.InfoPayload, snapshot),
            daemon_version=__version__,
            wand=parts.identity(snapshot.identity),
            limits={
                field.name: p.LimitValue(value=getattr(snapshot.limits, field.name), unit=ENVELOPE[field.name].unit)
                for field in fields(snapshot.limits)
            },
        )

    def event(self, numbered: NumberedEvent) -> p.EventPayload:
        """One event. Its id is its place, so that it is the same each time it is sent."""
        event = numbered.event
        evidence = {text(str(key), 100): plain(value) for key, value in event.evidence.items()}
        payload = p.EventPayload(
            schema=_schema(p.EventPayload),
            id=f"{numbered.epoch}-{numbered.seq}",
            device_id=self._device_id,
            time=utc(numbered.wall_s),
            simulated=self._simulated,
            epoch=numbered.epoch,
            seq=numbered.seq,
            kind=event.kind,
            message=text(event.message),
            monotonic_s=rounded(event.at_s),
            evidence=evidence,
        )
        try:
            p.encode(payload)
        except p.PayloadTooLargeError:
            return payload.model_copy(update={"evidence": {}, "evidence_omitted": True})
        return payload

    def health(self, snapshot: Snapshot, late_ms: Sequence[float], publisher: p.PublisherStatistics) -> p.HealthPayload:
        """How the daemon is; ``late_ms`` are the ticks' lateness since the last time."""
        status = snapshot.reading.status if snapshot.reading else None
        good = [late for late in late_ms if math.isfinite(late)]
        return p.HealthPayload(
            **self._head(p.HealthPayload, snapshot),
            tick=p.TickStatistics(
                ticks=snapshot.ticks,
                misses=snapshot.misses,
                overruns=snapshot.overruns,
                late_mean_ms=rounded(sum(good) / len(good)) if good else None,
                late_max_ms=rounded(max(good)) if good else None,
            ),
            publisher=publisher,
            wand_bad_frames=status.bad_frames if status else None,
            wand_refusals=status.refusals if status else None,
        )

    def _head(self, model: type[p.Payload], snapshot: Snapshot) -> dict[str, Any]:
        self._number += 1
        if snapshot.identity is not None:
            self._simulated = snapshot.identity.simulated
        return {
            "schema": _schema(model),
            "id": f"{self._run_id}-{self._number}",
            "device_id": self._device_id,
            "time": utc(snapshot.wall_s),
            "simulated": self._simulated,
        }


def _fitting(payload: p.StatePayload) -> p.StatePayload:
    """A state with as many findings and alarms as fit; it must never be too long to be told."""
    while payload.findings or payload.alarms:
        try:
            p.encode(payload)
        except p.PayloadTooLargeError:
            findings, alarms = (items[: len(items) * 2 // 3] for items in (payload.findings, payload.alarms))
            changes = {
                "findings": findings,
                "findings_omitted": payload.findings_omitted + len(payload.findings) - len(findings),
                "alarms": alarms,
                "alarms_omitted": payload.alarms_omitted + len(payload.alarms) - len(alarms),
            }
            payload = payload.model_copy(update=changes)
        else:
            break
    return payload


def withheld_by(snapshot: Snapshot) -> list[str]:
    """Ids of what withholds the permit: the lockout's cause and every finding stronger than a warning."""
    causes = [snapshot.lockout.cause] if snapshot.lockout else []
    causes += [finding.id for finding in snapshot.findings if finding.action > Action.WARN]
    return [] if snapshot.permit else list(dict.fromkeys(causes))


def _schema(model: type[p.Payload]) -> p.SchemaRef:
    topic, version = p.VERSIONS[model]
    return p.SchemaRef(name=f"cryodevice.{topic}", version=version)
