import os

import pytest

from tests.system.processes import PYTHON, Child

ASK = "from cryodevice.runtime.hangup import terminal_is_ours; print(terminal_is_ours())"
NOHUP = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); "


@pytest.mark.req("D14")
@pytest.mark.parametrize(
    ("on_a_terminal", "before", "ours"),
    [(True, "", "True"), (True, NOHUP, "False"), (False, "", "False")],
    ids=["terminal", "nohup", "service"],
)
def test_a_hang_up_means_the_terminal_only_where_there_is_one(tmp_path, on_a_terminal, before, ours):
    master, terminal = os.openpty()
    try:
        with Child([PYTHON, "-c", before + ASK], tmp_path, "asks", terminal if on_a_terminal else -1) as child:
            assert child.wait(10) == 0, child.said()
            assert child.out.read_text().strip() == ours
    finally:
        os.close(master)
        os.close(terminal)
