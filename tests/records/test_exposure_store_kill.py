from collections.abc import Callable

import pytest

KillWhileWriting = Callable[[int], float]


@pytest.mark.req("R-H10-4")
@pytest.mark.req("R-H23-2")
@pytest.mark.req("T01")
def test_what_was_acknowledged_survives_kill_9(kill_while_writing: KillWhileWriting) -> None:
    acknowledged = [kill_while_writing(number) for number in range(10)]
    assert sum(count > 0 for count in acknowledged) >= 5, "too few children were killed while writing"


@pytest.mark.req("T01")
@pytest.mark.campaign
@pytest.mark.timeout(600)
def test_what_was_acknowledged_survives_200_times_kill_9(kill_while_writing: KillWhileWriting) -> None:
    assert sum(kill_while_writing(number) > 0 for number in range(200)) >= 100
