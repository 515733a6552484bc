"""The proof: before each session the wand shows, at zero power, that it lets go by itself. Pure.

It is armed once, then only read; lease flag and relay must both be seen closed, and both open again when the lease
ends, with no drive current at any time. Meanwhile the fan must turn and the plate channels agree. A wand that fails is
monitored only.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from cryodevice.quantities import U32, Channel
from cryodevice.safety.readings import Reading
from cryodevice.safety.replacing import replace
from cryodevice.wire.codes import Flag

PROOF_LEASE_MS = 500
PROOF_TOLERANCE_MS = 50
"""The lease must end this near its time (engineering default, docs/architecture.md)."""
LONGEST_BLIND_MS = 130
"""The end must be known to within this, or the proof begins again: one period at 10 Hz and a firmware tick, with a
little for lateness (engineering default)."""
REST_CHANNELS_K = 1.0
"""Furthest the plate channels may be apart at rest, K: more than two calibrated sensors and their noise explain, and
half of what ends a treatment (engineering default)."""
FAN_TURNS_RPM = 300.0
"""A fan this fast turns, rpm; it need not have come up to speed (engineering default)."""
FAN_TRIES = 4
"""Leases of the proof within which the fan must have turned: 2 s, as long as it may stand still while the wand is
driven (engineering default)."""
_ARMED = Flag.LEASE_LIVE | Flag.RELAY_CLOSED


class Stage(StrEnum):
    """How far the proof is."""

    ARM = "arm"
    WATCH = "watch"
    PASSED = "passed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Proof:
    """The proof under way.

    Args:
        stage: How far it is.
        echo_uptime_ms: Device uptime of the status the arming order echoed; the lease counts from there.
        live_ms: How long after that the lease was last seen live.
        why: Why it failed.
        apart_k: How near the plate channels have come to each other meanwhile; a spike in one reading condemns no wand.
        fan_seen: The fan has been seen turning.
        tries: Leases that ended in order and in which it has not.
    """

    stage: Stage = Stage.ARM
    echo_uptime_ms: int = 0
    live_ms: int = 0
    why: str = ""
    apart_k: float = math.inf
    fan_seen: bool = False
    tries: int = 0


def since_ms(later_ms: int, earlier_ms: int) -> int:
    """Signed difference of two u32 device uptimes, ms; right across the wrap every 49.7 days."""
    return (later_ms - earlier_ms + U32 // 2) % U32 - U32 // 2


def armed(proof: Proof, reading: Reading, echo_uptime_ms: int, off_current_ma: float) -> Proof:
    """The proof after the reply to its arming order."""
    if reading.status.flags & _ARMED != _ARMED:
        return replace(proof, stage=Stage.FAILED, why="the relay did not close under a live lease")
    return watched(replace(proof, stage=Stage.WATCH, echo_uptime_ms=echo_uptime_ms), reading, off_current_ma)


def watched(proof: Proof, reading: Reading, off_current_ma: float) -> Proof:
    """The proof after one more status read: still live, or let go at the right time, or failed.

    A status is a sample, so the end is known to within the time between two: too early is seen by the first status
    without a lease, too late by the last one with it. Over a longer silence neither is, and the proof begins again.
    """
    elapsed = since_ms(reading.status.uptime_ms, proof.echo_uptime_ms)
    apart_k = abs(reading.value(Channel.PLATE_A) - reading.value(Channel.PLATE_B))
    proof = replace(
        proof,
        apart_k=min(proof.apart_k, apart_k),
        fan_seen=proof.fan_seen or reading.value(Channel.FAN) >= FAN_TURNS_RPM,
    )
    if not abs(reading.value(Channel.DRIVE_CURRENT)) <= off_current_ma:
        return replace(proof, stage=Stage.FAILED, why="current flowed at zero power")
    if reading.status.flags & _ARMED:
        if elapsed > PROOF_LEASE_MS + PROOF_TOLERANCE_MS:
            return replace(proof, stage=Stage.FAILED, why=f"lease or relay still on after {elapsed} ms")
        return replace(proof, live_ms=elapsed)
    if elapsed < PROOF_LEASE_MS - PROOF_TOLERANCE_MS:
        return replace(proof, stage=Stage.FAILED, why=f"the lease ended after {elapsed} ms, before its time")
    if elapsed - proof.live_ms > LONGEST_BLIND_MS:
        return Proof(fan_seen=proof.fan_seen, tries=proof.tries)
    return _let_go(proof)


def _let_go(proof: Proof) -> Proof:
    """The proof once the wand has let go in time: what else was seen meanwhile decides."""
    if not proof.apart_k <= REST_CHANNELS_K:
        return replace(
            proof,
            stage=Stage.FAILED,
            why=f"the plate channels are {proof.apart_k:.1f} K apart at rest, not {REST_CHANNELS_K:g}",
        )
    if proof.fan_seen:
        return replace(proof, stage=Stage.PASSED)
    if proof.tries + 1 < FAN_TRIES:
        return Proof(tries=proof.tries + 1)
    seconds = FAN_TRIES * PROOF_LEASE_MS / 1000.0
    return replace(proof, stage=Stage.FAILED, why=f"the fan did not turn within {seconds:g} s of a live lease")
