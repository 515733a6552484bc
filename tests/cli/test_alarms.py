"""``cryodevice alarms`` without a daemon: the table in three forms, and the log in two."""

import json

from cryodevice import cli
from cryodevice.records.alarm_log import SqliteAlarmLog
from cryodevice.runtime.ports import AlarmEntry
from cryodevice.safety.alarm_table import ALARMS
from tests.system.processes import write_settings

ENTRY = AlarmEntry(1e9, "condition_ended", 3, "fan_stopped", "fan", "high", True, "clear it", "anna")


def test_the_table_as_text_and_as_json(capsys):
    assert cli.main(["alarms"]) == 0
    said = capsys.readouterr().out
    assert all(f"{alarm.id} " in said and alarm.clears in said for alarm in ALARMS)
    assert "high / medium" in said
    assert cli.main(["alarms", "--json"]) == 0
    rows = {row["alarm"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows.keys() == {alarm.id for alarm in ALARMS}
    assert rows["link_lost"]["blind"] is True
    assert (rows["link_lost"]["priority_treating"], rows["link_lost"]["priority_idle"]) == ("high", "medium")


def test_the_log_as_lines_and_as_json(tmp_path, capsys):
    config = str(write_settings(tmp_path / "c.toml", "/nowhere", tmp_path / "state"))
    assert cli.main(["alarms", "--log", "5", "--config", config]) == 1
    assert "there is no alarm log at" in capsys.readouterr().err
    (tmp_path / "state").mkdir()
    log = SqliteAlarmLog(tmp_path / "state" / "alarms.db")
    log.load()
    log.append(ENTRY)
    log.close()
    assert cli.main(["alarms", "--log", "5", "--config", config]) == 0
    assert capsys.readouterr().out == (
        "2001-09-09T01:46:40Z      3  high   condition ended by anna: fan_stopped (fan: clear it)\n"
    )
    assert cli.main(["alarms", "--log", "5", "--json", "--config", config]) == 0
    assert json.loads(capsys.readouterr().out)[0]["cause"] == "fan"
