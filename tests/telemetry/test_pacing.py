"""When to publish, when to try again, which MQTT to speak, and which events wait: without a broker."""

from dataclasses import replace
from typing import Any

import pytest

from cryodevice.runtime.bus import Bus
from cryodevice.safety.phases import SessionState
from cryodevice.telemetry.event_queue import EventQueue
from cryodevice.telemetry.pacing import LONGEST_DELAY_S, Backoff, Decimator, Rivalry, VersionChoice, info_key, state_key


def test_backoff_doubles_to_a_cap_and_is_spread_by_chance() -> None:
    longest, shortest = Backoff(), Backoff()
    assert [longest.next(1.0) for _ in range(8)] == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, LONGEST_DELAY_S, LONGEST_DELAY_S]
    assert [shortest.next(0.0) for _ in range(3)] == [0.125, 0.25, 0.5]
    for _ in range(2000):
        assert longest.next(1.0) == LONGEST_DELAY_S
    longest.reset()
    assert longest.next(1.0) == 0.25


@pytest.mark.parametrize(
    ("hz", "rate", "expected"), [(10.0, 20, 10), (20.0, 20, 20), (50.0, 20, 20), (1.0, 20, 1), (7.0, 20, 7)]
)
@pytest.mark.parametrize("jitter_s", [0.0, 0.002, -0.002])
def test_ticks_are_thinned_to_the_rate_whatever_their_jitter(
    hz: float, rate: int, expected: int, jitter_s: float
) -> None:
    decimator = Decimator(hz)
    ticks = [tick / rate + (jitter_s if tick % 2 else 0.0) for tick in range(rate * 20)]
    assert sum(decimator.due(at_s) for at_s in ticks) == pytest.approx(expected * 20, abs=2)


def test_after_a_pause_ticks_go_on_at_once_and_do_not_catch_up() -> None:
    decimator = Decimator(10.0)
    assert decimator.due(0.0)
    assert not decimator.due(0.05)
    assert decimator.due(60.0)
    assert not decimator.due(60.05)
    assert decimator.due(5.0)


def test_a_refused_version_is_changed_and_silence_counts_only_before_the_first_success() -> None:
    choice = VersionChoice()
    choice.refused()
    assert choice.version == "3.1.1"
    quiet = VersionChoice()
    quiet.silent()
    assert quiet.version == "3.1.1"
    quiet.worked()
    quiet.silent()
    assert quiet.version == "5"
    quiet.worked()
    quiet.silent()
    assert quiet.version == "5"
    quiet.refused()
    quiet.silent()
    assert quiet.version == "5"


def test_running_numbers_do_not_make_a_state_and_words_do(samples: Any) -> None:
    snapshot = replace(samples.snapshot(), findings=(samples.finding(),))
    same = replace(
        snapshot,
        at_s=200.0,
        ticks=9,
        skin_estimate_degc=3.0,
        tick_late_ms=9.0,
        findings=(replace(samples.finding(), value=1.5),),
        session=replace(samples.session, contact_s=9.0, rewarm_left_s=3.0),
    )
    assert state_key(same) == state_key(snapshot)
    status = snapshot.reading.status
    for change in (
        {"link_up": False},
        {"permit": False},
        {"findings": ()},
        {"lockout": samples.lockout},
        {"session": replace(samples.session, state=SessionState.LIFTED)},
        {"session": replace(samples.session, step=2)},
        {"reading": replace(snapshot.reading, status=replace(status, trip_code=3))},
        {"reading": replace(snapshot.reading, status=replace(status, flags=status.flags & ~2))},
        {"reading": None},
    ):
        assert state_key(replace(snapshot, **change)) != state_key(snapshot), change


def test_an_identity_or_a_limit_makes_an_info(samples: Any) -> None:
    snapshot = samples.snapshot()
    assert info_key(replace(snapshot, permit=False)) == info_key(snapshot)
    assert info_key(replace(snapshot, identity=None)) != info_key(snapshot)
    assert info_key(replace(snapshot, limits=replace(snapshot.limits, plate_floor_degc=6.0))) != info_key(snapshot)


def test_the_first_event_stays_until_it_is_done_even_when_the_queue_overflows(samples: Any) -> None:
    bus: Bus[Any] = Bus()
    queue = EventQueue(bus, depth=3)
    assert queue.first() is None
    for seq in range(1, 4):
        bus.publish(samples.event(seq))
    assert queue.first().seq == 1
    for seq in range(4, 9):
        bus.publish(samples.event(seq))
    assert queue.first().seq == 1
    assert (len(queue), queue.dropped) == (4, 4)
    seen = []
    while (event := queue.first()) is not None:
        seen.append(event.seq)
        queue.done()
    assert seen == [1, 6, 7, 8]
    queue.close()
    bus.publish(samples.event(9))
    assert len(queue) == 0


@pytest.mark.req("X05")
def test_a_rival_is_left_the_place_longer_each_time():
    rivalry = Rivalry()
    assert [rivalry.ended(1000.0, taken_over=True) for _ in range(6)] == [300.0, 600.0, 1200.0, 2400.0, 3600.0, 3600.0]


@pytest.mark.req("X05")
def test_five_short_lives_in_a_row_are_suspected_and_steady_ones_are_not():
    rivalry = Rivalry()
    assert [rivalry.ended(1.0, taken_over=False) for _ in range(6)] == [0.0, 0.0, 0.0, 0.0, 60.0, 0.0]
    assert [rivalry.ended(1.0, taken_over=False) for _ in range(4)] == [0.0, 0.0, 0.0, 120.0]
    assert [rivalry.ended(life, taken_over=False) for life in (1.0, 1.0, 1.0, 6.0, 1.0, 1.0)] == [0.0] * 6
