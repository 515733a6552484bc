"""Two masters on one wand: the second claims nothing, locks nothing, and says why."""

import pytest

from cryodevice.quantities import Seconds
from cryodevice.safety.events import EventKind
from cryodevice.treatment.core import Connected, Missed
from cryodevice.treatment.link import OTHERS_FOR_S, QUIET_BEFORE_CLAIM_S
from tests.treatment.ideal_wand import PERIOD_S, PRESENT, TOKEN, Bench

OTHER = 0x7777


def ticks(bench: Bench, seconds: float, *, orders_every_s: float = 0.0, **changes) -> None:
    """Let time pass; another master gives an order every so often."""
    next_s = bench.now + orders_every_s
    for _ in range(round(seconds / PERIOD_S)):
        if orders_every_s and bench.now >= next_s - 1e-9:
            bench.epoch += 1
            next_s = Seconds(next_s + orders_every_s)
        bench.tick(**changes)


def connected(**changes) -> Bench:
    bench = Bench(wand=changes)
    bench.decide(Connected(PRESENT, TOKEN))
    return bench


def test_a_free_wand_is_claimed_once_it_has_been_watched_and_not_before():
    bench = connected()
    began = bench.now
    while not bench.core.link.claimed:
        assert bench.now - began < QUIET_BEFORE_CLAIM_S + 3 * PERIOD_S
        bench.tick()
    assert bench.now - began > QUIET_BEFORE_CLAIM_S


@pytest.mark.parametrize("period_s", [0.05, 0.1, 0.2])
def test_a_wand_that_another_master_orders_without_a_lease_is_left_to_it(period_s):
    """Paused or idle, the other one sends stops at its own rate, and no lease is live."""
    bench = connected(token=OTHER)
    ticks(bench, 3.0, orders_every_s=period_s)
    assert not bench.core.link.claimed
    assert bench.order is None
    assert bench.core.lockout is None
    assert [finding.id for finding in bench.core.verdict.active if finding.action.name == "HOLD"] == ["occupied"]
    bench.decide(commands=[bench.start()])
    assert "occupied: another program orders this wand" in bench.of(EventKind.SESSION_REFUSED)[0].message


def test_a_wand_that_another_master_drives_locks_nothing_here():
    bench = connected(token=OTHER, lease_remaining_ms=450, drive_ma=3995, plate_a_degc=8.0, plate_b_degc=8.0)
    ticks(bench, 3.0, orders_every_s=0.05)
    assert bench.core.lockout is None
    assert not bench.core.link.claimed


def test_once_the_other_master_is_gone_the_wand_is_claimed():
    bench = connected(token=OTHER)
    ticks(bench, 1.0, orders_every_s=0.05)
    bench.wand.clear()
    ticks(bench, QUIET_BEFORE_CLAIM_S + 4 * PERIOD_S)
    assert bench.core.link.claimed
    assert not [finding for finding in bench.core.verdict.active if finding.id == "occupied"]


def test_the_last_sign_of_another_master_is_told_of_for_a_while():
    bench = connected(token=OTHER, lease_remaining_ms=400)
    ticks(bench, 1.0)
    assert bench.core.link.occupied
    bench.wand.pop("lease_remaining_ms")
    bench.tick()
    assert bench.core.link.occupied
    ticks(bench, OTHERS_FOR_S + 2 * PERIOD_S)
    assert not bench.core.link.occupied


def test_our_own_orders_of_unknown_fate_are_no_other_master():
    bench = connected()
    while bench.order is None:
        bench.tick()
    for _ in range(3):  # accepted, and the reply lost
        bench.pass_s()
        bench.accept(bench.order)
        bench.decide(Missed(bench.order, "no answer"))
    bench.decide(bench.answer(None))
    assert bench.core.link.claimed or bench.core.link.unanswered
    assert not bench.core.link.occupied


@pytest.mark.parametrize("changes", [{}, {"token": 0}])
def test_current_while_off_is_judged_once_the_wand_is_ours_and_stays_judged_without_a_token(changes):
    bench = Bench()
    bench.claim()
    ticks(bench, 0.4, drive_ma=3995, **changes)
    assert bench.core.lockout is not None
    assert bench.core.lockout.cause == "drive_while_off"
