"""Time is an argument: exact ticks, fine device time, truth, and a boot counter that survives."""

import json
import math
import random
from typing import Any

import pytest

from cryodevice.errors import QuantityError, StoreError
from firmware_sim.firmware import BootCause
from firmware_sim.firmware.boot_counter import BootCounter
from firmware_sim.plant import Hand, drawn
from firmware_sim.plant.applicator import LIQUID_COOLED
from firmware_sim.simulator import Simulator, recent_calibration_day


def test_ticks_come_at_exact_multiples_of_20_ms_however_time_is_cut() -> None:
    whole, cut = Simulator(3), Simulator(3)
    whole.advance(1.0)
    for _ in range(300):
        cut.advance(1 / 300)
    cut.advance(1.0 - cut.time_s)
    assert whole.firmware.sequence == cut.firmware.sequence == 50
    assert whole.firmware.status_words() == cut.firmware.status_words()
    assert whole.truth() == cut.truth()


def test_fine_time_passes_between_ticks(bench: Any) -> None:
    bench.host.cool()
    bench.run(0.0125)
    assert bench.simulator.time_s == pytest.approx(0.0325)
    status = bench.host.status()
    assert (status.uptime_ms, status.lease_remaining_ms) == (20, 488)


def test_nothing_advances_because_somebody_reads(bench: Any) -> None:
    bench.run(0.3, cooling=True)
    before = bench.simulator.truth()
    for _ in range(100):
        bench.host.status()
        bench.firmware.identity_words()
        bench.simulator.advance(0.0)
    assert bench.simulator.truth() == before


@pytest.mark.parametrize("dt_s", [-1e-9, math.nan, math.inf])
def test_time_only_moves_forward(dt_s: Any) -> None:
    with pytest.raises(QuantityError):
        Simulator().advance(dt_s)


def test_the_truth_is_json_and_follows_the_drive(bench: Any) -> None:
    truth = json.loads(json.dumps(bench.simulator.truth()))
    assert (truth["drive_a"], truth["drive_on_since_s"], truth["drive_off_at_s"]) == (0.0, None, None)
    assert (truth["state"], truth["trip"], truth["simulated"]) == ("off", "none", True)
    bench.run(0.5, cooling=True)
    truth = bench.simulator.truth()
    assert truth["drive_a"] == 4.0
    assert truth["drive_on_since_s"] == pytest.approx(0.04)
    assert (truth["state"], truth["mode"], truth["setpoint_degc"], truth["lease_live"]) == (
        "cooling",
        "cool",
        8.0,
        True,
    )
    assert truth["orders_accepted"] == 6
    bench.run(0.0033)
    bench.host.stop()
    truth = bench.simulator.truth()
    assert truth["drive_off_at_s"] == pytest.approx(0.523)
    assert (truth["drive_on_since_s"], truth["relay_closed"]) == (None, False)
    assert truth["deadline_s"] == pytest.approx(truth["last_echo_sample_s"] + 0.5)


def test_current_through_a_welded_relay_shows_in_the_truth_until_it_really_ends(bench: Any) -> None:
    bench.run(0.5, cooling=True)
    bench.plant.disturbances.relay_welded = True
    bench.plant.disturbances.drive_stuck_a = 2.0
    bench.host.stop()
    bench.run(0.2)
    assert bench.simulator.truth()["drive_off_at_s"] is None
    bench.plant.disturbances.drive_stuck_a = None
    bench.run(0.05)
    assert bench.simulator.truth()["drive_off_at_s"] == pytest.approx(0.72, abs=0.021)


def test_a_stuck_drive_shows_as_soon_as_it_flows(bench: Any) -> None:
    bench.host.status()
    bench.host.send(lease_ms=1000)
    bench.run(0.1)
    bench.plant.disturbances.drive_stuck_a = 1.0
    bench.run(0.04)
    assert bench.simulator.truth()["drive_on_since_s"] == pytest.approx(0.14)
    bench.run(0.2)
    truth = bench.simulator.truth()
    assert truth["trip"] == "drive_uncommanded"
    assert truth["drive_off_at_s"] == pytest.approx(0.24, abs=0.021)


def test_a_recent_calibration_unless_told_otherwise() -> None:
    assert Simulator().firmware.identity_words()[14] == recent_calibration_day()
    assert Simulator(calibration_day=5).firmware.identity_words()[14] == 5


def test_a_reboot_counts_on_and_restarts_uptime(bench: Any) -> None:
    bench.run(1.003)
    bench.simulator.reboot(BootCause.BROWN_OUT)
    bench.run(0.03)
    truth = bench.simulator.truth()
    assert (truth["boot_id"], truth["uptime_ms"], truth["sequence"]) == (2, 30, 1)
    assert truth["faults"] == ["BROWNOUT_RESET"]
    assert truth["deadline_s"] is None


# --- the boot counter -----------------------------------------------------------------------------------------------


def test_the_boot_counter_survives_in_its_file(tmp_path: Any) -> None:
    state = tmp_path / "wand.json"
    assert Simulator(state_file=state).firmware.boot_id == 1
    second = Simulator(state_file=state)
    assert second.firmware.boot_id == 2
    second.reboot()
    assert second.firmware.boot_id == 3
    assert json.loads(state.read_text())["boot_id"] == 3
    assert [path.name for path in tmp_path.iterdir()] == ["wand.json"]


def test_the_boot_counter_skips_zero_when_it_wraps(tmp_path: Any) -> None:
    state = tmp_path / "wand.json"
    state.write_text('{"boot_id": 65535}')
    assert Simulator(state_file=state).firmware.boot_id == 1
    assert BootCounter(last=65534).next() == 65535


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"boot_id": 0}', '{"boot_id": 65536}', '{"boot_id": true}', "\0"]
)
def test_an_unreadable_state_file_is_an_error_and_is_left_alone(tmp_path: Any, text: Any) -> None:
    state = tmp_path / "wand.json"
    state.write_text(text)
    with pytest.raises(StoreError, match=r"wand\.json"):
        Simulator(state_file=state)
    assert state.read_text() == text


def test_a_state_file_that_cannot_be_written_is_an_error(tmp_path: Any) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        Simulator(state_file=tmp_path / "nowhere" / "wand.json")


@pytest.mark.parametrize(
    "quirk", [{}, {"lease_overrun_ms": 33}, {"drive_ignores_off": True}, {"hang_safety_task": True}]
)
def test_a_stride_of_a_tick_is_two_steps_to_the_last_bit(quirk, new_bench, monkeypatch):
    def lived(*, strides):
        with monkeypatch.context() as patched:
            if not strides:
                patched.setattr(Simulator, "_uneventful", lambda _self, _tick_ns: False)
            bench, chance = new_bench(), random.Random(8)  # noqa: S311
            seen = []
            for turn in range(150):
                bench.plant.contact = chance.random() < 0.5
                if turn == 100:
                    for name, value in quirk.items():
                        setattr(bench.firmware.quirks, name, value)
                bench.host.cool(lease_ms=400 if turn < 130 else 45)
                bench.simulator.advance(chance.choice((0.0, 0.007, 0.02, 0.051, 0.3)))
                seen.append((bench.simulator.truth(), bench.firmware.status_words()))
            return seen

    strode = lived(strides=True)
    assert any(truth["drive_a"] for truth, _ in strode)
    assert strode[-1][0]["trip"] != "none"
    assert strode == lived(strides=False)


def test_the_truth_has_every_zone_with_its_dose_and_the_water_on_the_plate(bench: Any) -> None:
    bench.plant.zone, bench.plant.contact = "left_cheek", True
    bench.run(75.0, cooling=True)
    truth = json.loads(json.dumps(bench.simulator.truth()))
    cheek, nose = truth["zones"]["left_cheek"], truth["zones"]["nose"]
    assert set(truth["zones"]) == set(truth["contact_s"])
    assert cheek["contact_s"] == truth["contact_s"]["left_cheek"] == pytest.approx(75.0)
    assert cheek["lowest_degc"] == truth["lowest_skin_degc"] < 15.0
    assert 0.0 < cheek["below_10_s"] < cheek["below_15_s"] < 75.0
    assert cheek["d10_degc_s"] > 0.0
    assert (nose["contact_s"], nose["below_15_s"], nose["ice_mm"]) == (0.0, 0.0, 0.0)
    assert nose["surface_degc"] > 33.0
    assert truth["flux_w_m2"] > 500.0
    assert truth["drive_w"] > 0.0
    assert (truth["frost_g_m2"], truth["conductance_w_m2k"]) == (0.0, 1300.0)
    assert truth["dew_point_degc"] == pytest.approx(11.3, abs=0.1)
    assert truth["liquid_degc"] == truth["sink_degc"]


def test_somebody_and_a_hand_by_one_seed_are_the_same_to_the_last_bit_looked_at_or_not() -> None:
    def course(seed: int, *, looked_at: bool) -> dict[str, Any]:
        person = drawn(random.Random(seed))  # noqa: S311 - chance is seeded
        wand = Simulator(seed, individual=person, applicator=LIQUID_COOLED, plate_degc=6.0)
        wand.plant.hand = Hand(seed, conductance=person.conductance)
        wand.plant.hand.glide(0.0, ("left_cheek", "nose", "forehead"), "gel")
        for _ in range(600):
            wand.advance(0.05)
            if looked_at:
                wand.truth()
        wand.advance(0.03)
        return wand.truth()

    seen = course(5, looked_at=True)
    assert seen == course(5, looked_at=False) != course(6, looked_at=False)
    assert sum(zone["contact_s"] for zone in seen["zones"].values()) > 15.0
