"""What can be asked of a running wand, and what each mistake is answered with. Real sockets."""

import dataclasses
from typing import Any

import pytest

from firmware_sim.plant.hand import Habits, Hand


def state(wand: Any) -> Any:
    return (
        wand.simulator.truth(),
        wand.plant.ambient_degc,
        wand.plant.humidity_pct,
        dataclasses.asdict(wand.plant.disturbances),
        dataclasses.asdict(wand.firmware.quirks),
    )


async def test_the_hand_and_the_room(served: Any):
    plant = served.wand.plant
    for name in ("contact", "trigger", "estop", "tip", "motion"):
        for value in (True, False):
            answer = await served.ask("PATCH", "/hand", {name: value})
            assert (answer.status, answer.json[name], getattr(plant, name)) == (200, value, value)
    assert (await served.ask("PATCH", "/hand", {"zone": "left_cheek", "conductance_w_m2k": 500})).status == 200
    assert (plant.zone, plant.conductance_w_m2k) == ("left_cheek", 500.0)
    assert (await served.ask("PATCH", "/room", {"ambient_degc": -3.5})).json == {
        "ambient_degc": -3.5,
        "humidity_pct": 45.0,
    }


async def test_a_random_hand_holds_the_wand_by_its_seed_until_it_is_taken_away(served: Any):
    plant = served.wand.plant
    assert (await served.ask("GET", "/hand/random")).json == {"holds": False, "how": None}
    asked = {"zones": ["left_cheek"], "seed": 5, "lifts_per_min": 60, "lift_s": 0.3}
    answer = await served.ask("POST", "/hand/random", asked)
    assert (answer.json["holds"], answer.json["how"]["surface"], answer.json["how"]["seed"]) == (True, "dry", 5)
    mirror = Hand(5, "left_cheek", Habits(lifts_per_min=60.0, lift_s=0.3), plant.individual.conductance)
    mirror.lay(plant.time_s, "left_cheek")
    seen = set()
    for _ in range(100):
        served.wand.simulator.advance(0.1)
        assert plant.contact == mirror.at(plant.time_s - 0.01).contact
        seen.add(plant.contact)
    assert seen == {True, False}
    clash = await served.ask("PATCH", "/hand", {"contact": True, "trigger": True})
    assert (clash.status, clash.json["error"][:8], plant.trigger) == (409, "contact:", False)
    assert (await served.ask("PATCH", "/hand", {"trigger": True})).status == 200
    assert (await served.ask("DELETE", "/hand/random")).json == {"holds": False, "how": None}
    served.wand.simulator.advance(5.0)
    assert (plant.contact, plant.motion) == (False, False)
    assert (await served.ask("PATCH", "/hand", {"contact": True})).json["contact"] is True
    glide = await served.ask("POST", "/hand/random", {"zones": ["nose", "neck"], "glide": True})
    served.wand.simulator.advance(0.1)
    assert (glide.json["how"]["surface"], plant.motion, plant.zone, plant.gel) == ("gel", True, "nose", True)


async def test_truth_is_the_truth_of_now(served: Any):
    served.clock[0] += 0.1
    truth = (await served.ask("GET", "/truth")).json
    assert truth["time_s"] == pytest.approx(0.12)
    assert truth == served.wand.simulator.truth()


async def test_faults_come_act_and_go(served: Any):
    one = (await served.ask("POST", "/faults", {"name": "plate_open"})).json["id"]
    later = {"name": "plate_offset", "values": {"channel": "b", "offset_k": 1.5}, "start_s": 9.0, "duration_s": 0.5}
    two = (await served.ask("POST", "/faults", later)).json["id"]
    served.clock[0] += 0.1
    truth = (await served.ask("GET", "/truth")).json
    assert (truth["trip"], [fault["id"] for fault in truth["faults_active"]]) == ("plate_sensor", [one, two])
    faults = (await served.ask("GET", "/faults")).json
    assert faults["fired"]["plate_open"] >= 1
    assert [(fault["running"], fault["end_s"]) for fault in faults["active"]] == [(True, None), (False, 9.5)]
    assert (await served.ask("DELETE", f"/faults/{two}")).json["active"] == faults["active"][:1]
    assert (await served.ask("DELETE", "/faults")).json["active"] == []
    gone = await served.ask("DELETE", f"/faults/{one}")
    assert (gone.status, "none" in gone.json["error"]) == (404, True)


async def test_a_quirk_and_a_reboot(served: Any):
    assert (await served.ask("PATCH", "/quirks", {"magic": 0x1111})).json["magic"] == 0x1111
    assert served.wand.firmware.identity_words()[0] == 0x1111
    assert (await served.ask("PATCH", "/quirks", {"magic": None})).json["magic"] is None
    assert (await served.ask("POST", "/reboot")).json == {"boot_id": 2}
    assert (await served.ask("POST", "/reboot", {"cause": "watchdog"})).json == {"boot_id": 3}
    assert served.wand.simulator.truth()["trip"] == "watchdog"


async def test_time_stands_still_steps_and_goes_on(served: Any):
    assert (await served.ask("PATCH", "/clock", {"paused": True})).json["paused"] is True
    served.clock[0] += 5.0
    assert (await served.ask("GET", "/clock")).json["time_s"] == pytest.approx(0.02)
    assert (await served.ask("POST", "/clock/step", {"seconds": 1.3})).json["time_s"] == pytest.approx(1.32)
    assert (await served.ask("PATCH", "/clock", {"paused": False, "speed": 4})).json["speed"] == 4.0
    served.clock[0] += 0.1
    assert (await served.ask("GET", "/clock")).json["time_s"] == pytest.approx(1.72)


async def test_a_step_of_running_time_is_a_conflict(served: Any):
    answer = await served.ask("POST", "/clock/step", {"seconds": 1})
    assert (answer.status, "pause it first" in answer.json["error"]) == (409, True)
    assert served.wand.simulator.time_s == pytest.approx(0.02)


JSON = "application/json"


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "says"),
    [
        ("GET", "/fly", None, {}, 404, "/truth"),
        ("GET", "/faults/x", None, {}, 404, "/faults/{id}"),
        ("GET", "//truth", None, {}, 404, "there are"),
        ("POST", "/truth", {}, {}, 405, "understands GET"),
        ("DELETE", "/", None, {}, 405, "understands GET"),
        ("OPTIONS", "/hand", None, {}, 405, "GET, PATCH"),
        ("DELETE", "/faults/99", None, {}, 404, "no fault has the id 99"),
        ("DELETE", "/faults", {"id": 1}, {}, 400, "takes no body"),
        ("PATCH", "/hand", b"contact=true", {"content_type": "application/x-www-form-urlencoded"}, 415, "JSON"),
        ("PATCH", "/hand", {"contact": True}, {"content_type": "text/plain"}, 415, "JSON"),
        ("PATCH", "/hand", {"contact": True}, {"content_encoding": "gzip"}, 415, "JSON"),
        ("PATCH", "/hand", None, {}, 415, "JSON"),
        ("PATCH", "/hand", b"", {}, 400, "no JSON"),
        ("PATCH", "/hand", b"{", {}, 400, "no JSON"),
        ("PATCH", "/hand", b"\xff\xfe", {}, 400, "no JSON"),
        ("PATCH", "/hand", b"[" * 8000, {}, 400, "nested too deeply"),
        ("PATCH", "/hand", b"[]", {}, 400, "a JSON object"),
        ("PATCH", "/hand", b'{"contact": true, "contact": false}', {}, 400, "comes twice"),
        ("PATCH", "/hand", {"plate": 3}, {}, 400, "contact, zone"),
        ("PATCH", "/hand", {"contact": 1}, {}, 400, "neither true nor false"),
        ("PATCH", "/hand", {"contact": True, "zone": "moon"}, {}, 400, "left_cheek"),
        ("PATCH", "/hand", {"zone": ["nose"]}, {}, 400, "left_cheek"),
        ("PATCH", "/hand", {"conductance_w_m2k": -1}, {}, 400, "from 0 to 100000"),
        ("POST", "/hand/random", {}, {}, 400, "zones is missing"),
        ("POST", "/hand/random", {"zones": []}, {}, 400, "is no list of 1 to 9 of: forehead"),
        ("POST", "/hand/random", {"zones": ["moon"]}, {}, 400, "'moon' is not one of"),
        ("POST", "/hand/random", {"zones": ["nose", "nose"], "glide": True}, {}, 400, "names one twice"),
        ("POST", "/hand/random", {"zones": ["nose", "neck"]}, {}, 400, "does not glide"),
        ("POST", "/hand/random", {"zones": ["nose"], "lift_s": 0}, {}, 400, "from 0.01 to 600"),
        ("PATCH", "/room", {"ambient_degc": True}, {}, 400, "from -40 to 60"),
        ("PATCH", "/room", b'{"ambient_degc": NaN}', {}, 400, "NaN is no number"),
        ("PATCH", "/room", b'{"ambient_degc": 1e999}', {}, 400, "from -40 to 60"),
        ("PATCH", "/room", {"ambient_degc": "x" * 5000}, {}, 400, "..."),
        ("PATCH", "/disturbances", {"plate_a_open": 1}, {}, 400, "neither true nor false"),
        ("PATCH", "/disturbances", {"fan_stalled": None}, {}, 400, "neither true nor false"),
        ("PATCH", "/disturbances", {"nothing": True}, {}, 400, "plate_a_offset_k"),
        ("PATCH", "/disturbances", {"plate_a_offset_k": 1001}, {}, 400, "from -1000 to 1000"),
        ("PATCH", "/quirks", {"magic": 65536}, {}, 400, "65535"),
        ("PATCH", "/quirks", {"magic": 1.5}, {}, 400, "whole number"),
        ("PATCH", "/quirks", {"refuse_orders": 77}, {}, 400, "from 0 to 9"),
        ("PATCH", "/quirks", {"setpoint_offset_k": 251}, {}, 400, "from -250 to 250"),
        ("PATCH", "/quirks", {"hang_safety_task": True, "magic": -1}, {}, 400, "register"),
        ("POST", "/faults", {}, {}, 400, "name is missing"),
        ("POST", "/faults", {"name": "plate_opens"}, {}, 400, "did you mean plate_open"),
        ("POST", "/faults", {"name": 3}, {}, 400, "is no text"),
        ("POST", "/faults", {"name": "plate_open", "values": 3}, {}, 400, "no JSON object"),
        ("POST", "/faults", {"name": "plate_open", "values": {"x": 1}}, {}, 400, "it has: channel"),
        ("POST", "/faults", {"name": "plate_open", "values": {"channel": "c"}}, {}, 400, "a | b | both"),
        ("POST", "/faults", {"name": "plate_open", "duration_s": 0}, {}, 400, "duration_s"),
        ("POST", "/faults", {"name": "plate_open", "count": 0}, {}, 400, "from 1"),
        ("POST", "/reboot", {"cause": "soon"}, {}, 400, "watchdog"),
        ("PATCH", "/clock", {"speed": 0}, {}, 400, "from 0.01 to 100"),
        ("PATCH", "/clock", {"paused": "yes"}, {}, 400, "neither true nor false"),
        ("POST", "/clock/step", {"seconds": 601}, {}, 400, "from 0 to 600"),
        ("POST", "/clock/step", {}, {}, 400, "seconds is missing"),
        ("GET", "/truth", None, {"host": "wand.example:80"}, 403, "not this machine"),
        ("GET", "/truth", None, {"host": "127.0.0.1.example.com"}, 403, "not this machine"),
        ("GET", "/truth", None, {"host": "10.0.0.1"}, 403, "not this machine"),
        ("GET", "/truth", None, {"host": ""}, 400, "Host"),
        ("PATCH", "/hand", {"contact": True}, {"origin": "http://localhost"}, 403, "browser"),
        ("GET", "/truth", None, {"sec_fetch_site": "cross-site"}, 403, "browser"),
    ],
)
async def test_what_cannot_be_done_says_what_can(
    served: Any, method: str, path: str, body: Any, headers: Any, status: int, says: str
):
    before = state(served.wand)
    answer = await served.ask(method, path, body, **headers)
    assert (answer.status, list(answer.json)) == (status, ["error"])
    assert says in answer.json["error"]
    assert len(answer.json["error"]) < 800
    assert "\n" not in answer.json["error"]
    assert state(served.wand) == before
    if status == 405:
        assert "GET" in answer.headers["allow"]
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1", "127.8.8.8:1", "[::1]:4358", "[::1]"])
async def test_names_of_this_machine_are_let_in(served: Any, host: str):
    assert (await served.ask("GET", "/truth", host=host)).status == 200


async def test_the_overview_says_where_the_lines_are_and_what_can_be_asked(served: Any):
    told = (await served.ask("GET", "/")).json
    assert (told["lines"], told["simulated"]) == ({"serial": "/dev/x"}, True)
    assert any(line.startswith("PATCH /hand") for line in told["requests"])
