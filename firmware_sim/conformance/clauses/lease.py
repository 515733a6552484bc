"""The lease in time: from when it counts, when it ends, what the reply says of it. The plate is never driven."""

from cryodevice.wire.codes import Flag, Refusal, State
from firmware_sim.conformance.blocks import Status
from firmware_sim.conformance.clause import Group, Wants
from firmware_sim.conformance.clauses.checks import all_wrong, unknown_echo
from firmware_sim.conformance.clauses.identity import is_zero
from firmware_sim.conformance.verdict import expect
from firmware_sim.conformance.wand import Wand

GROUP = Group("The lease in time")
TOLERANCE_MS = 30
"""Of LEASE-24."""
END_MS = 50
"""How far from its deadline a lease may be seen to end: two ticks and the granularity of the uptime."""
GIVE_UP_S = 2.0
"""How long past its end a lease is watched by the kit's own clock: the wand's may stand still."""
_HALF = 2**31


def since(before_ms: int, after_ms: int) -> int:
    """Signed difference of two uptimes, ms."""
    return (after_ms - before_ms + _HALF) % 2**32 - _HALF


@GROUP.clause("LEASE-11.sample", "the lease counts from the sample that is echoed", "LEASE-24")
def from_sample(wand: Wand) -> str:
    """Arming on a status that is 150 ms old."""
    worst = 0
    for age_s in (0.0, 0.15):
        status = wand.status()
        wand.wait(age_s)
        lease = wand.long_ms
        after = wand.arm(lease, status)
        error = after.lease_remaining_ms - (lease - since(status.uptime_ms, after.uptime_ms))
        expect(
            abs(error) <= TOLERANCE_MS,
            f"a lease of {lease} ms on a sample {since(status.uptime_ms, after.uptime_ms)} ms old has "
            f"{after.lease_remaining_ms} ms left, {error:+d} ms from what it should (tolerance {TOLERANCE_MS})",
        )
        worst = max(worst, abs(error))
    return f"within {worst} ms"


@GROUP.clause("LEASE-11.replaces", "a new deadline replaces the old one, earlier or later")
def replaces(wand: Wand) -> str:
    """Long, short, long on fresh statuses."""
    long_ms, short_ms = wand.long_ms, wand.long_ms // 2
    for lease in (long_ms, short_ms, long_ms):
        status = wand.status()
        after = wand.arm(lease, status)
        error = after.lease_remaining_ms - (lease - since(status.uptime_ms, after.uptime_ms))
        expect(
            abs(error) <= TOLERANCE_MS,
            f"{after.lease_remaining_ms} ms remain after an order with a lease of {lease} ms while another stood",
        )
    return f"{long_ms}, {short_ms}, {long_ms} ms"


@GROUP.clause("LEASE-11.past", "a deadline that has passed is refused (3)")
def past(wand: Wand) -> str:
    """Arming for 100 ms on a sample 200 ms old."""
    status = wand.status()
    wand.wait(0.2)
    wand.refused(wand.make(status, lease_ms=100), Refusal.ECHO, "a lease of 100 ms on a sample 200 ms old")
    return "3"


@GROUP.clause("LEASE-10", "only a status that a reply has carried can be echoed")
def only_carried(wand: Wand) -> str:
    """A tick between two reads was never carried; neither is one to come."""
    first = wand.status()
    wand.ticks(6)
    last = wand.status()
    lease = wand.long_ms
    for echo, what in (
        ((first.sequence + 3) % 0x10000, "a tick between two reads, which no reply carried"),
        ((last.sequence + 1000) % 0x10000, "a tick to come"),
        (unknown_echo(last), "a sequence from nowhere"),
    ):
        wand.refused(wand.make(lease_ms=lease, echo=echo), Refusal.ECHO, f"the echo of {what}")
    wand.accepted(wand.make(first, lease_ms=lease), "the echo of the first of two reads")
    return "3 for a tick never carried and for two to come; an older carried one is good"


@GROUP.clause("LEASE-13", "the epoch counts every order accepted, stops too, and nothing else", wants=Wants.ANY)
def epoch(wand: Wand) -> str:
    """A stop, an arming where the wand may be armed, a refusal, a repeat."""
    before = wand.status()
    stop = wand.make()
    steps = [("a stop", 1, stop), ("its repeat", 0, stop)]
    steps += [("a refusal", 0, all_wrong(wand, before)), ("a stop", 1, wand.make())]
    if not before.has(Flag.TRIP_LATCHED):
        steps += [("arming", 1, wand.make(before, lease_ms=wand.long_ms)), ("a stop", 1, wand.make(token=0))]
    counted = before.order_epoch
    for what, step, order in steps:
        wand.order(order)
        counted = (counted + step) % 0x10000
        seen = wand.status().order_epoch
        expect(seen == counted, f"after {what} the epoch is {seen}, not {counted}")
    return f"{before.order_epoch} to {counted}"


@GROUP.clause("LEASE-14", "armed: lease live, state 1, drive zero")
def armed(wand: Wand) -> str:
    """In the reply and five ticks later."""
    for status in (wand.arm(), _later(wand)):
        expect(status.has(Flag.LEASE_LIVE), "flag 0 (lease live) is not set while armed")
        expect(status.state == State.ARMED, f"state is {status.state} while armed, not 1")
        expect(is_zero(wand, status), f"{status.drive_ma} mA flow while armed")
    return "flag 0, state 1, no current"


def _later(wand: Wand) -> Status:
    wand.ticks(5)
    return wand.status()


@GROUP.clause("LEASE-15.armed", "the relay closes with the lease")
def relay_closes(wand: Wand) -> str:
    """Flag 8 in the reply and five ticks later."""
    for status in (wand.arm(), _later(wand)):
        expect(status.has(Flag.RELAY_CLOSED), "flag 8 (relay closed) is not set while a lease is live")
    return "flag 8 set"


@GROUP.clause("LEASE-17", "a lease that expires in mode 0 ends on time, opens the relay, latches nothing")
def expires(wand: Wand) -> str:
    """Armed for 300 ms, then only read."""
    lease = min(300, wand.long_ms)
    sample = wand.status()
    wand.arm(lease, sample)
    last, first = watch_end(wand, sample, lease)
    expect(not first.has(Flag.RELAY_CLOSED), "the relay is closed (flag 8) after the lease ended")
    expect(first.lease_remaining_ms == 0, f"{first.lease_remaining_ms} ms remain of a lease that ended")
    wand.ticks(3)
    after = wand.status()
    expect(after.trip_code == 0 and not after.has(Flag.TRIP_LATCHED), f"trip {after.trip_code} is latched")
    expect(after.state == State.OFF, f"state is {after.state}, not 0")
    return f"live at {since(sample.uptime_ms, last.uptime_ms)}, ended at {since(sample.uptime_ms, first.uptime_ms)} ms"


def watch_end(wand: Wand, sample: Status, lease_ms: int) -> tuple[Status, Status]:
    """Read until the lease has ended; the last status with it and the first without."""
    last = sample
    until_s = wand.line.now() + lease_ms / 1000 + GIVE_UP_S
    while True:
        expect(wand.line.now() < until_s, f"a lease of {lease_ms} ms is live and the uptime stands still")
        status = wand.status()
        age = since(sample.uptime_ms, status.uptime_ms)
        if not status.has(Flag.LEASE_LIVE):
            expect(age >= lease_ms - END_MS, f"a lease of {lease_ms} ms had ended {age} ms after its sample")
            return last, status
        expect(age <= lease_ms + END_MS, f"a lease of {lease_ms} ms is live {age} ms after its sample")
        last = status
        wand.wait(0.004)


@GROUP.clause("LEASE-23.order", "the reply to an order reflects that order")
def reflects(wand: Wand) -> str:
    """Arming and stopping: lease, relay, state, number, token, epoch."""
    before = wand.status()
    order = wand.make(before, lease_ms=wand.long_ms)
    after = wand.accepted(order, "arming")
    seen = (after.order_sequence, after.token, (after.order_epoch - before.order_epoch) % 0x10000)
    expect(
        seen == (order.number, wand.token, 1),
        f"the reply says number {seen[0]}, token 0x{seen[1]:04X}, epoch {seen[2]:+d}; "
        f"the order had {order.number}, 0x{wand.token:04X}, and counts 1",
    )
    expect(
        after.has(Flag.LEASE_LIVE) and after.lease_remaining_ms > 0,
        f"the reply to arming says {after.lease_remaining_ms} ms remain, flag 0 {int(after.has(Flag.LEASE_LIVE))}",
    )
    stopped = wand.stop()
    expect(stopped.lease_remaining_ms == 0, f"the reply to a stop says {stopped.lease_remaining_ms} ms remain")
    return "number, token, epoch, lease"
