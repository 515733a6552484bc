import re

import pytest

from cryodevice.errors import SettingsError
from cryodevice.runtime import failpoints
from cryodevice.runtime.failpoints import VARIABLE, FailpointError, arm, failpoint
from tests.system.processes import cryodevice, write_settings


@pytest.fixture(autouse=True)
def none_is_left_set():
    yield
    arm({}, simulated=False)


def test_nothing_is_set_by_itself():
    arm({}, simulated=True)
    failpoint("loop.after_decide")
    assert failpoints._set == {}


def test_one_that_is_set_raises_the_first_time_only():
    arm({VARIABLE: "here=raise"}, simulated=True)
    failpoint("elsewhere")
    with pytest.raises(FailpointError, match="failpoint here"):
        failpoint("here")
    failpoint("here")


def test_one_with_a_file_waits_for_it(tmp_path):
    arm({VARIABLE: f"here=raise@{tmp_path / 'now'}"}, simulated=True)
    failpoint("here")
    (tmp_path / "now").touch()
    with pytest.raises(FailpointError):
        failpoint("here")


def test_a_daemon_for_real_wands_refuses_to_start_with_one():
    with pytest.raises(SettingsError, match=r"allow_simulated = true; unset it"):
        arm({VARIABLE: "here=raise"}, simulated=False)
    failpoint("here")


@pytest.mark.parametrize("text", ["here", "=kill", "here=", "here=explode", "here=explode@file"])
def test_one_that_cannot_be_read_is_said(text):
    with pytest.raises(SettingsError, match=re.escape(text)):
        arm({VARIABLE: text}, simulated=True)


def test_the_command_says_so_in_one_sentence_and_opens_nothing(tmp_path):
    config = write_settings(tmp_path / "c.toml", "/dev/null", tmp_path / "state", device={"allow_simulated": False})
    done = cryodevice("run", "--config", config, **{VARIABLE: "loop.after_decide=kill"})
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert f"{VARIABLE} is set" in done.stderr
    assert not (tmp_path / "state").exists()
