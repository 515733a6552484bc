"""When the daemon counts as alive: each sign of life alone, at its limit and beyond."""

import math

import pytest

from cryodevice.runtime.pulse import (
    ANSWER_LIMIT_S,
    LAG_LIMIT_S,
    READING_LIMIT_S,
    VERDICT_LIMIT_S,
    Pings,
    Signs,
    missing,
)


def signs(**changes) -> Signs:
    return Signs(**{"lag_s": 0.0, "verdict_age_s": 0.05, "reading_age_s": 0.05, "pings": (), "now_s": 100.0, **changes})


@pytest.mark.parametrize(
    ("sign", "key", "limit"),
    [
        ("loop", "lag_s", LAG_LIMIT_S),
        ("verdict", "verdict_age_s", VERDICT_LIMIT_S),
        ("reading", "reading_age_s", READING_LIMIT_S),
    ],
)
def test_each_age_at_its_limit_beyond_it_and_when_it_is_no_number(sign, key, limit):
    assert missing(signs(**{key: limit})) is None
    for bad in (math.nextafter(limit, 1.0), math.nan, math.inf, -0.001):
        found = missing(signs(**{key: bad}))
        assert found.sign == sign
        assert f"{limit:g}" in found.said


def test_a_daemon_that_waits_for_a_wand_is_alive():
    assert missing(signs(reading_age_s=None)) is None
    assert missing(signs(reading_age_s=None, verdict_age_s=9.0)).sign == "verdict"


def test_a_service_that_does_not_answer_is_named_and_one_that_does_is_not():
    pings = Pings()
    pings.of("quick")()
    slow = pings.of("slow", 11.0)
    quick = pings.of("quick")
    assert not pings.all_answered
    pings.ask(0.0)
    quick()
    slow()
    assert pings.all_answered
    pings.ask(1.0)
    slow()
    pings.ask(1.25)
    assert missing(signs(pings=pings.all.values(), now_s=1.0 + ANSWER_LIMIT_S)) is None
    found = missing(signs(pings=pings.all.values(), now_s=1.01 + ANSWER_LIMIT_S))
    assert found.sign == "quick"
    assert "quick has left a ping unanswered for 0.51 s" in found.said
    quick()
    assert missing(signs(pings=pings.all.values(), now_s=12.25)) is None
    assert missing(signs(pings=pings.all.values(), now_s=12.26)).sign == "slow"


def test_an_answer_belongs_to_one_question():
    pings = Pings()
    answer = pings.of("one")
    pings.ask(1.0)
    answer()
    answer()
    pings.ask(2.0)
    assert missing(signs(pings=pings.all.values(), now_s=3.0)).sign == "one", "an old answer is no answer"


def test_asking_again_does_not_make_a_silence_younger():
    pings = Pings()
    pings.of("one")
    for now in (0.0, 0.2, 0.4, 0.6):
        pings.ask(now)
    assert missing(signs(pings=pings.all.values(), now_s=0.6)).sign == "one"
