"""The alarm log: what is written is there after a kill, what was left open is known, what is broken is said."""

import os
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from cryodevice.errors import StoreError
from cryodevice.records import alarm_log
from cryodevice.records.alarm_log import SqliteAlarmLog, newest
from cryodevice.runtime.ports import AlarmEntry, AlarmHistory

ENTRY = AlarmEntry(1e9, "raised", 1, "skin_too_cold", "skin_stop", "high", True, "lift the wand")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "alarms.db"


def written(path, *entries: AlarmEntry) -> AlarmHistory:
    """A log that holds these, as the next start sees it."""
    log = SqliteAlarmLog(path)
    log.load()
    for entry in entries:
        log.append(entry)
    log.close()
    assert log.failure == ""
    return again(path)


def again(path) -> AlarmHistory:
    log = SqliteAlarmLog(path)
    history = log.load()
    log.close()
    return history


def of(what: str, **values) -> AlarmEntry:
    return replace(ENTRY, what=what, **values)


def test_a_new_log_holds_nothing_and_is_for_its_user_only(path) -> None:
    assert again(path) == AlarmHistory()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("then", "open_numbers"),
    [
        ([], [1]),
        ([of("condition_ended")], [1]),
        ([of("paused"), of("resumed")], [1]),
        ([of("acknowledged", who="anna")], []),
        ([of("condition_ended"), of("acknowledged"), of("over")], []),
        ([of("acknowledged"), of("raised", number=2)], [2]),
        ([of("raised", number=2)], [2]),
        ([of("raised", number=2, cause="trigger", latched=False)], [1]),
        ([of("raised", number=2, cause="estop")], [1, 2]),
        ([of("raised", number=2, latched=False)], []),
    ],
)
def test_what_latched_and_nobody_acknowledged_is_open(path, then, open_numbers) -> None:
    history = written(path, ENTRY, *then)
    assert [entry.number for entry in history.open] == open_numbers
    assert history.count == max([1, *(entry.number for entry in then)])
    assert history.lost == ""
    assert newest(path, 50) == [ENTRY, *then]
    assert newest(path, 1) == [[ENTRY, *then][-1]]
    assert [file.name for file in path.parent.iterdir()] == ["alarms.db"], "reading leaves nothing behind"


KILLED = """
import os, sys, time
from pathlib import Path
from cryodevice.records.alarm_log import SqliteAlarmLog
from tests.records.test_alarm_log import ENTRY
log = SqliteAlarmLog(Path(sys.argv[1]))
log.load()
log.append(ENTRY)
log._writer.flush(3.0)
print("durable", flush=True)
time.sleep(30)
"""


def test_what_was_written_survives_kill_9(path) -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"durable\n"
        assert newest(path, 1) == [ENTRY], "also read while it is written"
        process.kill()
    assert again(path).open == (ENTRY,)


def test_a_damaged_log_is_put_aside_said_and_begun_anew(path) -> None:
    written(path, ENTRY)
    data = bytearray(path.read_bytes())
    data[4096:8192] = os.urandom(4096)
    path.write_bytes(data)
    log = SqliteAlarmLog(path)
    history = log.load()
    assert history.open == ()
    assert "could not be read" in history.lost
    assert "alarms.db.damaged-" in history.lost
    log.append(ENTRY)
    log.close()
    assert log.failure == ""
    assert again(path) == AlarmHistory((ENTRY,), 1)
    assert len(list(path.parent.glob("alarms.db.damaged-*"))) >= 1


@pytest.mark.parametrize("content", [b"", b"no database at all" * 100])
def test_what_is_no_log_is_put_aside(path, content) -> None:
    path.write_bytes(content)
    assert "could not be read" in again(path).lost
    assert again(path) == AlarmHistory()


def test_a_log_of_another_version_is_put_aside(path) -> None:
    written(path, ENTRY)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=2")
    connection.close()
    assert "no alarm log of this version" in again(path).lost


def test_a_place_that_cannot_be_written_is_said_and_keeps_nobody_from_watching(tmp_path) -> None:
    log = SqliteAlarmLog(tmp_path / "nowhere" / "alarms.db")
    history = log.load()
    log.append(ENTRY)
    assert "cannot be written" in history.lost
    assert "cannot be written" in log.failure
    log.close()


def test_a_write_that_fails_is_said_and_made_up_for(path, monkeypatch) -> None:
    log = SqliteAlarmLog(path)
    log.load()
    real, broken = alarm_log._write, [True]

    def write(connection, entry):
        if broken[0]:
            raise sqlite3.OperationalError("disk I/O error")
        real(connection, entry)

    monkeypatch.setattr(alarm_log, "_write", write)
    log.append(ENTRY)
    log.append(of("acknowledged"))
    end = time.monotonic() + 5.0
    while not log.failure:
        assert time.monotonic() < end
        time.sleep(0.01)
    broken[0] = False
    log.close()
    assert newest(path, 9) == [ENTRY, of("acknowledged")], "nothing was dropped"


def test_old_lines_go_as_new_ones_come(path, monkeypatch) -> None:
    monkeypatch.setattr(alarm_log, "KEPT", 10)
    written(path, *(of("raised", number=number) for number in range(25)))
    assert [entry.number for entry in newest(path, 100)] == list(range(15, 25))


def test_reading_where_there_is_none_is_one_sentence(path) -> None:
    with pytest.raises(StoreError, match="there is no alarm log"):
        newest(path, 5)
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match="cannot be read"):
        newest(path, 5)
