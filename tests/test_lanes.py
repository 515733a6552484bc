"""The two lanes of tests/conftest.py are in force: a pytest that pytest-xdist does not know drops them silently."""

import pytest


def test_under_loadgroup_a_test_that_goes_by_the_clock_is_in_its_lane(request):
    if not request.config.getoption("loadgroup", False):
        pytest.skip("not run in lanes; make test does")
    assert request.node.nodeid.endswith("@lines")
