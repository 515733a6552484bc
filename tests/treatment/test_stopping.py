"""A stop a person asked for: sent to whatever wand is there, and called done only when the wand shows it."""

from dataclasses import replace

import pytest

from cryodevice.safety.events import EventKind
from cryodevice.safety.phases import SessionState as S
from cryodevice.treatment.core import Connected, Disconnected, Missed, Stop
from cryodevice.treatment.stopping import SHOWN_WITHIN_S
from cryodevice.wire.codes import Flag, State
from tests.treatment.ideal_wand import ONE, PRESENT, TOKEN, Bench

OTHER = 0x7777


def watching(**wand) -> Bench:
    """A bench whose wand another program orders: a lease is live under its token."""
    bench = Bench(wand={"token": OTHER, "lease_remaining_ms": 480, "drive_ma": 3995, **wand})
    bench.decide(Connected(PRESENT, TOKEN))
    for _ in range(20):
        bench.tick()
    return bench


def said(bench: Bench, kind: EventKind) -> list[str]:
    return [event.message for event in bench.of(kind)]


def test_a_stop_is_confirmed_by_the_reply_to_a_stop_and_by_nothing_before_it():
    bench = Bench()
    bench.to(S.LIFTED)
    bench.tick()
    bench.decide(commands=[Stop("x")])
    assert not said(bench, EventKind.STOP_CONFIRMED)
    bench.tick(drive_ma=3995)  # LEASE-23: the current is that of the tick before
    assert not said(bench, EventKind.STOP_CONFIRMED)
    bench.tick()
    assert len(said(bench, EventKind.STOP_CONFIRMED)) == 1
    assert bench.core.stopping is None


@pytest.mark.parametrize(
    "shows",
    [
        {"lease_remaining_ms": 100},
        {"flags": Flag.LEASE_LIVE},
        {"flags": Flag.RELAY_CLOSED},
        {"state": State.ARMED},
        {"state": State.COOLING},
        {"drive_ma": 250},
        {"drive_ma": -250},
        {"drive_ma": None},
    ],
)
def test_a_wand_that_is_not_off_confirms_no_stop(shows):
    bench = Bench()
    bench.claim()
    bench.tick(commands=[Stop("x")])
    for _ in range(round(SHOWN_WITHIN_S / 0.05) + 2):
        bench.tick(**shows)
    assert not said(bench, EventKind.STOP_CONFIRMED)
    assert "it is not off" in said(bench, EventKind.STOP_UNCONFIRMED)[0]
    assert "cut its supply" in said(bench, EventKind.STOP_UNCONFIRMED)[0]


def test_a_stop_without_replies_is_given_up_in_time_however_often_it_is_asked_for():
    bench = Bench()
    bench.claim()
    began = bench.now
    while not said(bench, EventKind.STOP_UNCONFIRMED):
        bench.pass_s()
        bench.decide(Missed(bench.order, "no answer"), commands=[Stop("x")])
        assert bench.now - began < SHOWN_WITHIN_S + 0.2
    assert "it does not answer" in said(bench, EventKind.STOP_UNCONFIRMED)[0]


def test_a_stop_without_a_wand_is_told_so_at_once():
    bench = Bench()
    bench.decide(Disconnected("the cable is out"))
    bench.pass_s()
    bench.decide(commands=[Stop("x")])
    bench.pass_s()
    bench.decide()
    assert "the cable is out" in said(bench, EventKind.STOP_UNCONFIRMED)[0]


def test_a_stop_while_the_cable_comes_out_is_told_so_at_once():
    bench = Bench()
    bench.claim()
    bench.decide(commands=[Stop("x")])
    bench.pass_s()
    bench.decide(Disconnected("the cable is out"))
    assert "the cable is out" in said(bench, EventKind.STOP_UNCONFIRMED)[0]


def test_a_wand_that_is_only_watched_is_told_as_such():
    bench = Bench()
    bench.decide(Connected(replace(PRESENT, applicator=1), TOKEN))
    bench.tick()
    assert bench.tick(commands=[Stop("x")]).order is None
    bench.tick()
    assert "only watched" in said(bench, EventKind.STOP_UNCONFIRMED)[0]


@pytest.mark.parametrize("config", [{"monitor_only": True}, {"allow_simulated": False}])
def test_a_stop_reaches_a_wand_that_may_not_be_driven_and_takes_nothing_over(config):
    bench = Bench()
    bench.config = replace(bench.config, **config)
    bench.decide(Connected(replace(PRESENT, simulated=True), TOKEN))
    bench.tick()
    order = bench.tick(commands=[Stop("x")]).order
    assert order is not None
    assert (order.is_stop, order.token) == (True, 0)
    bench.tick()
    bench.tick()
    assert said(bench, EventKind.STOP_CONFIRMED)
    assert bench.tick().order is None


def test_a_stop_reaches_a_wand_that_another_program_orders_and_takes_nothing_over():
    bench = watching()
    assert (bench.core.link.claimed, bench.order) == (False, None)
    order = bench.decide(commands=[Stop("x")]).order
    assert order is not None
    assert (order.is_stop, order.token) == (True, 0)
    off = {"token": 0, "lease_remaining_ms": 0, "drive_ma": 0}
    bench.tick(**off)
    bench.tick(**off)
    assert said(bench, EventKind.STOP_CONFIRMED)
    assert not bench.core.link.claimed


def test_the_end_of_our_own_session_leaves_the_wand_of_another_program_alone():
    bench = watching()
    assert bench.decide(commands=[Stop("the end", own=True)]).order is None
    assert bench.core.stopping is None


def test_nothing_starts_while_a_stop_is_being_carried_out():
    bench = Bench()
    bench.claim()
    bench.decide(commands=[Stop("x")])
    bench.decide(commands=[bench.start(ONE)])
    assert "a stop is being carried out" in said(bench, EventKind.SESSION_REFUSED)[0]
