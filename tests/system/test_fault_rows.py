"""Rows of the fault matrix that no other test shows, once each, in simulated time; 20 times: docs/fault-matrix.md."""

import pytest

from tests.campaign.fault_matrix import once, why_not
from tests.trace.matrix import Row, matrix

HERE = ("S02", "S08", "F04")
ROW = {row.id: row for row in matrix()}


@pytest.mark.parametrize("of", [pytest.param(of, marks=pytest.mark.req(of)) for of in HERE])
def test_the_drive_is_off_within_the_budget(of):
    row: Row = ROW[of]
    for fault in row.runs:
        assert why_not(row, once(fault, seed=1)) == ""


@pytest.mark.req("S05")
def test_one_spike_of_a_plate_channel_stops_nothing():
    run = once("plate_spike", seed=1, longest_s=3.0)
    assert run["answer"] == "-"
    assert run["off_ms"] is None


def test_a_reaction_that_is_late_or_missing_is_seen():
    seen = once("plate_short", seed=1)
    assert why_not(ROW["S02"], seen | {"off_ms": None}) == "the drive stayed on"
    assert why_not(ROW["S02"], seen | {"off_ms": 101}) == "101 ms"
    assert why_not(ROW["S05"], seen) == "answered by wand_tripped"
