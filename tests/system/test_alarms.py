"""An alarm through the whole house: wand, daemon, state and event on a broker, status, log; and over restarts."""

import asyncio
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from cryodevice import cli
from cryodevice.records import SqliteAlarmLog
from tests.system.processes import Bed, bed, until

MQTT = {"mode": "embedded", "port": 0}


def standing(testbed: Bed, cause: str) -> dict[str, Any]:
    """The alarm of a cause; empty while there is none."""
    status = testbed.daemon.status()
    found = [alarm for alarm in status.get("alarms", {}).get("standing", ()) if alarm["cause"] == cause]
    return found[0] if found else {}


def published(testbed: Bed, cause: str, provoke: Callable[[], object]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The first ``state`` and the first ``event`` on the broker that tell of an alarm of this cause."""
    broker = testbed.daemon.event("embedded broker")

    async def listen() -> tuple[dict[str, Any], dict[str, Any]]:
        state: dict[str, Any] = {}
        event: dict[str, Any] = {}
        async with aiomqtt.Client(broker["host"], broker["port"]) as client, asyncio.timeout(5.0):
            await client.subscribe([("cryodevice/+/state", 1), ("cryodevice/+/event", 1)])
            provoke()
            async for message in client.messages:
                told = json.loads(bytes(message.payload))
                if any(alarm["cause"] == cause for alarm in told.get("alarms", ())):
                    state = state or told
                if told.get("kind") == "alarm_raised" and told["evidence"]["cause"] == cause:
                    event = told
                if state and event:
                    return state, event
        raise AssertionError("the broker went")

    return asyncio.run(listen())


@pytest.mark.timeout(90)
def test_an_alarm_from_a_broken_sensor_through_a_crash_to_its_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(*words: str) -> tuple[int, str]:
        code = cli.main([*words, "--config", str(testbed.daemon.config)])
        return code, "".join(capsys.readouterr())

    with bed(tmp_path, mqtt=MQTT) as testbed:
        testbed.start_session()
        state, event = published(testbed, "sensor_invalid", lambda: testbed.wand.control.inject("plate_open"))
        assert (state["sounding"], state["monitoring"]["ok"]) == ("high", True)
        assert event["message"].startswith("HIGH alarm ")
        seen = standing(testbed, "sensor_invalid")
        assert (seen["alarm"], seen["priority"], seen["latched"]) == ("sensor_fault", "high", True)
        assert seen["sounding"]
        assert testbed.daemon.event("alarm_raised")["level"] == "warning"
        paused = testbed.daemon.ask({"ask": "pause-audio", "who": "anna"})
        assert (paused["ok"], "sound paused" in paused["message"]) == (True, True)
        _, said = command("status")
        assert "ALARM     HIGH   a sensor cannot be believed: lift the wand (sensor_invalid: " in said
        assert "audio     paused, 1" in said

        testbed.daemon.send(signal.SIGKILL)
        testbed.daemon.wait(3)
        code, said = command("status")
        assert (code, "NOT MONITORING: no daemon answers" in said) == (1, True), said
        testbed.restart_daemon()
        seen = until(lambda: standing(testbed, "sensor_invalid"), 10, "the alarm again", testbed.story)
        assert (seen["priority"], seen["sounding"]) == ("high", True), "no pause outlives the daemon"
        until(lambda: standing(testbed, "sensor_invalid")["present"], 10, "present again", testbed.story)
        code, said = command("acknowledge", "sensor_fault")
        assert (code, "acknowledged" in said) == (0, True), said
        seen = standing(testbed, "sensor_invalid")
        assert (seen["present"], seen["acknowledged"], seen["sounding"]) == (True, True, False), "not cleared by it"
        testbed.wand.control.clear()
        until(lambda: not standing(testbed, "sensor_invalid"), 10, "it is over", testbed.story)

        testbed.daemon.send(signal.SIGTERM)
        assert testbed.daemon.wait(5) == 0, testbed.daemon.said()
        _, log = command("alarms", "--log", "100")
        of_it = [line.split()[3:5] for line in log.splitlines() if "(sensor_invalid:" in line]
        assert of_it == [["raised:", "sensor_fault"], ["paused", "by"], ["raised:", "sensor_fault"],
                         ["acknowledged", "by"], ["condition", "ended:"], ["over:", "sensor_fault"]]  # fmt: skip
        left = SqliteAlarmLog(testbed.daemon.state_dir / "alarms.db")
        assert "sensor_invalid" not in {entry.cause for entry in left.load().open}, (
            "nothing is left of it to sound again"
        )
        left.close()
