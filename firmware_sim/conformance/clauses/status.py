"""How the status moves: its sequence, its clock, and that one reply is one snapshot. Sends no order."""

from itertools import pairwise

from firmware_sim.conformance.clause import Group, Wants
from firmware_sim.conformance.verdict import FailedError, expect
from firmware_sim.conformance.wand import Wand

GROUP = Group("Status", session=False)
TICK_MS = 20
CLOCK_SHARE = 0.05
"""How far the wand's clock may be off in a test of a second (engineering default: quartz is far better)."""
STANDS_STILL_S = 5.0
_MEASURED = (
    "plate_a_degc",
    "plate_b_degc",
    "skin_ir_degc",
    "sink_degc",
    "ambient_degc",
    "humidity_pct",
    "drive_ma",
    "drive_mv",
    "fan_rpm",
)
_SNAPSHOT = ("uptime_ms", "faults", "trip_code", *_MEASURED, "cooling_s")


@GROUP.clause("WIRE-06", "the sequence advances by 1 in each tick of 20 ms, and by nothing else", wants=Wants.ANY)
def sequence(wand: Wand) -> str:
    """Sequence against uptime over reads in quick and in slow succession."""
    expect(wand.identity.tick_ms == TICK_MS, f"tick_ms is {wand.identity.tick_ms}, not {TICK_MS}")
    first = last = wand.status()
    for pause_s in (0.0,) * 10 + (0.03,) * 10:
        wand.wait(pause_s)
        last = wand.status()
        steps = (last.sequence - first.sequence) % 0x10000
        passed_ms = (last.uptime_ms - first.uptime_ms) % 0x1_0000_0000
        expect(
            abs(steps * TICK_MS - passed_ms) <= TICK_MS // 2,
            f"the sequence advanced by {steps} while the uptime of its sample advanced by {passed_ms} ms",
        )
    expect(last.sequence != first.sequence, "the sequence stands still")
    return f"{(last.sequence - first.sequence) % 0x10000} steps, {TICK_MS} ms of uptime each"


@GROUP.clause("WIRE-06.sampled", "the sequence stands for samples: some reading changes within 5 s", wants=Wants.ANY)
def sampled(wand: Wand) -> str:
    """Until one does. Sensors have noise; the daemon locks out a plate that shows one value for 5 s of cooling."""
    first = wand.status()
    until_s = wand.line.now() + STANDS_STILL_S
    while wand.line.now() < until_s:
        wand.ticks(1)
        last = wand.status()
        changed = [name for name in _MEASURED if getattr(first, name) != getattr(last, name)]
        if changed:
            return f"{', '.join(changed)} changed within {(last.sequence - first.sequence) % 0x10000} ticks"
    raise FailedError(f"no reading has changed in {STANDS_STILL_S:.0f} s while the sequence advanced")


@GROUP.clause("WIRE-02", "the uptime is whole and runs with time", wants=Wants.ANY)
def uptime(wand: Wand) -> str:
    """Over 0.8 s of the kit's own clock."""
    before_s = wand.line.now()
    first = wand.status()
    between_s = wand.line.now()
    wand.wait(0.8)
    after_s = wand.line.now()
    last = wand.status()
    end_s = wand.line.now()
    passed_ms = (last.uptime_ms - first.uptime_ms) % 0x1_0000_0000
    low = (after_s - between_s) * 1000 * (1 - CLOCK_SHARE) - 2 * TICK_MS
    high = (end_s - before_s) * 1000 * (1 + CLOCK_SHARE) + 2 * TICK_MS
    expect(
        low <= passed_ms <= high,
        f"uptime advanced by {passed_ms} ms in {low:.0f} to {high:.0f} ms: words swapped, or a clock that is wrong",
    )
    return f"{passed_ms} ms in {(after_s - between_s) * 1000:.0f} ms"


@GROUP.clause("LEASE-23.snapshot", "replies with one sequence carry one snapshot", wants=Wants.ANY)
def snapshot(wand: Wand) -> str:
    """Reads in quick succession, some of which fall into one tick."""
    statuses = [wand.status() for _ in range(30)]
    pairs = 0
    for before, after in pairwise(statuses):
        if before.sequence == after.sequence:
            pairs += 1
            changed = [name for name in _SNAPSHOT if getattr(before, name) != getattr(after, name)]
            expect(not changed, f"{', '.join(changed)} changed within sequence {after.sequence}")
    return f"{pairs} pairs of replies within one tick were equal"
