"""Every broken wand is caught, and fails what it breaks and nothing else; some broken wand fails every clause."""

import pytest

from firmware_sim.conformance.clause import Wants
from firmware_sim.conformance.clauses import every
from firmware_sim.conformance.runner import Verdict
from tests.firmware_sim.conformance.bench import run_on
from tests.firmware_sim.conformance.variants import VARIANTS

PRESSED = {clause.id for clause in every() if clause.wants is Wants.ESTOP}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_broken_wand_fails_exactly_its_clauses(name):
    """On the first line it differs on; ``python -m tests.campaign.conformance`` has the others."""
    variant = VARIANTS[name]
    line = variant.on[0]
    expected = variant.expected(line)
    if expected - PRESSED:
        run = run_on(line, variant)
        failed = {outcome.clause.id: outcome.said for outcome in run.outcomes if outcome.verdict is Verdict.FAIL}
        assert set(failed) == expected - PRESSED, failed
        assert all(failed.values())
        assert run.stopped is not False
    if expected & PRESSED:
        assert set(run_on(line, variant, estop=True).failed) == expected & PRESSED


def test_every_clause_can_fail():
    caught = {clause for variant in VARIANTS.values() for line in variant.on for clause in variant.expected(line)}
    assert caught == {clause.id for clause in every()}
    assert all(variant.expected(line) for variant in VARIANTS.values() for line in variant.on)
