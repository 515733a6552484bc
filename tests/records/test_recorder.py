"""Trips are recorded whole, durably and off the loop, and what is recorded gives the same trip again."""

import errno
import json
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from cryodevice.errors import RecordError
from cryodevice.records import trip_file, trip_writer
from cryodevice.records.trip_file import TripFile, lines_of, read
from cryodevice.records.trip_shelf import TripShelf, name_of
from cryodevice.treatment.core import Inputs
from cryodevice.treatment.replay import replayed, why_not_the_same
from tests.system.recording import QUICK, SETTINGS, estop_while_applying, recorded, records, written
from tests.system.rig import Rig


def again(found: TripFile) -> str:
    """Why the record does not give its trip again; empty when it does."""
    assert found.recorded is not None, found.unreadable
    return why_not_the_same(found.trip, replayed(found.recorded.stretches, found.recorded.config))


@pytest.fixture(scope="module")
def estop(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("trips")
    estop_while_applying(directory, QUICK, 0.0)
    return records(directory)[0]


def test_a_record_says_what_happened_and_gives_it_again(estop):
    found = read(estop)
    trip = found.trip
    assert (found.damage, found.unreadable) == ("", "")
    assert (trip.cause, trip.action, trip.fact, trip.value) == ("estop", "lockout", "estop_released", 0.0)
    assert (trip.state, trip.treatment, trip.step, trip.steps, trip.zone) == ("applying", "quick", 1, 1, "left_cheek")
    assert (trip.low, trip.high, trip.dwell_s, trip.clear) == (1.0, 1.0, 0.0, "on acknowledgement")
    assert found.head["settings_sha256"] == SETTINGS
    assert found.head["wand"]["serial_number"] == 1
    assert found.head["wand"]["firmware_version"]
    assert found.head["facts"]["estop_released"] == 0.0
    assert found.head["withheld_by"][0]["id"] == "estop"
    assert 5.0 <= found.recorded.span_s[1] <= 5.1
    assert found.recorded.complete
    assert again(found) == ""


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"flags"', None, "wand_tripped (lockout) trips instead of estop (lockout)"),
        ("", "", "nothing trips at the recorded moment"),
        ('"cause":"estop"', '"cause":"tip"', "estop (lockout) trips instead of tip"),
        ('"value":0.0', '"value":0.5', "with value 0 where the record says 0.5"),
    ],
)
def test_an_edited_record_says_that_it_does_not(estop, tmp_path, old, new, says):
    lines = estop.read_text().splitlines(keepends=True)
    if new == "":  # None stands for something else
        del lines[100:-1]
    elif new is not None:
        lines[0] = lines[0].replace(old, new, 1)
    else:  # the e-stop bit out of every status
        place = json.loads(lines[0])["places"]["Status"].index("flags")
        for number, line in enumerate(lines):
            content = json.loads(line)
            for news in content.get("tick", {}).get("line", ()):
                if "reading" in news:
                    news["reading"]["status"][place] &= ~8
                    lines[number] = json.dumps(content) + "\n"
    edited = tmp_path / estop.name
    edited.write_text("".join(lines))
    found = read(edited)
    assert "changed since it was written" in found.damage
    assert says in again(found)


def test_a_record_that_is_cut_off_anywhere_says_so(estop, tmp_path):
    content = estop.read_bytes()
    head = content.index(b"\n") + 1
    for length in range(0, head - 1, 997):
        (tmp_path / "cut").write_bytes(content[:length])
        with pytest.raises(RecordError, match="its first line is damaged"):
            read(tmp_path / "cut")
    for length in (head - 1, head, head + 10, len(content) // 2, len(content) - 40, len(content) - 1):
        (tmp_path / "cut").write_bytes(content[:length])
        found = read(tmp_path / "cut")
        assert "cut off after line" in found.damage
        assert found.trip.cause == "estop"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda head: head.update(version=2, program="9.9"), "written in form 2 by cryodevice 9.9"),
        (lambda head: head["trip"].pop("value"), "its first line is damaged"),
        (lambda head: head.pop("wall_s"), "its first line is damaged"),
        (lambda head: head.update(record="diary"), "no record of a trip"),
    ],
)
def test_a_head_that_cannot_be_used_is_named(estop, tmp_path, change, says):
    first, _, rest = estop.read_text().partition("\n")
    head = json.loads(first)
    change(head)
    (tmp_path / "r").write_text(json.dumps(head) + "\n" + rest)
    with pytest.raises(RecordError, match=says):
        read(tmp_path / "r")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda head, _: head["places"]["Status"].append("new"), "this version has others"),
        (lambda head, _: head.pop("config"), "first line is damaged"),
        (lambda _, lines: lines.insert(0, '{"tick":{}}'), "line 2 cannot be read: it is no decision"),
        (lambda _, lines: lines.__setitem__(1, '{"tick":{"now_s":true}}'), "line 3 cannot be read"),
        (lambda _, lines: lines.__setitem__(1, "[]"), "line 3 cannot be read: it is no decision"),
    ],
)
def test_decisions_that_cannot_be_read_leave_the_head(estop, tmp_path, change, says):
    first, *lines = estop.read_text().splitlines()
    head = json.loads(first)
    change(head, lines)
    (tmp_path / "r").write_text("\n".join([json.dumps(head), *lines]) + "\n")
    found = read(tmp_path / "r")
    assert found.recorded is None
    assert says in found.unreadable
    assert found.trip.cause == "estop"


def test_what_is_no_file_or_too_long_is_refused(tmp_path, monkeypatch):
    with pytest.raises(RecordError, match="cannot be read: No such file"):
        read(tmp_path / "none")
    with pytest.raises(RecordError, match="no record of a trip"):
        read(tmp_path)
    (tmp_path / "long").write_bytes(b"x" * 100)
    monkeypatch.setattr(trip_file, "MOST_BYTES", 99)
    with pytest.raises(RecordError, match="too long"):
        read(tmp_path / "long")


def test_what_changes_memory_between_decisions_begins_a_new_stretch(tmp_path):
    rig = Rig(treatment=QUICK)
    recorder = recorded(rig, tmp_path)
    rig.to_applying(1.0)
    rig.core = replace(rig.core, dose=replace(rig.core.dose, past=()))  # as when ages become known
    rig.run(1.0)
    rig.sim.plant.estop = True
    rig.run(0.2)
    recorder.close()
    found = read(records(tmp_path)[-1])
    assert len(found.recorded.stretches) == 2
    assert again(found) == ""
    assert not found.recorded.complete, "the daemon ended before its 5 s were over"


def test_one_trip_that_follows_another_is_recorded_too(tmp_path):
    rig = Rig(treatment=QUICK)
    recorder = recorded(rig, tmp_path)
    rig.to_applying(1.0)
    rig.line_up = False  # the session stops; when the line is back, the wand's own trip locks
    rig.run(1.0)
    rig.line_up = True
    rig.run(1.0)
    recorder.close()
    found = [read(path) for path in records(tmp_path)]
    assert [(each.trip.cause, each.trip.action) for each in found] == [
        ("link_lost", "stop"),
        ("wand_tripped", "lockout"),
    ]
    assert [again(each) for each in found] == ["", ""]
    assert recorder.latest.record == records(tmp_path)[-1].name
    assert found[1].trip.session_id == "", "the session was over"


def test_a_persons_stop_and_a_complete_treatment_are_no_trips(tmp_path):
    rig = Rig(treatment=QUICK)
    recorder = recorded(rig, tmp_path)
    rig.to_applying(1.0)
    rig.stop()
    rig.run(1.0)
    recorder.close()
    assert records(tmp_path) == []
    assert recorder.latest is None


def test_a_hold_is_a_record_of_its_own_and_gives_itself_again(tmp_path):
    rig = Rig(treatment=QUICK)
    recorder = recorded(rig, tmp_path)
    rig.to_applying(1.0)
    for _ in range(2):  # the second is in the record of the first
        rig.sim.firmware.quirks.drop_replies = True
        rig.run(0.15)
        rig.sim.firmware.quirks.drop_replies = False
        rig.run(1.0)
    rig.sim.plant.trigger = False
    rig.run(0.5)
    rig.sim.plant.trigger = True
    rig.run(4.0)
    recorder.close()
    assert records(tmp_path) == []
    assert recorder.latest is None, "a hold is no trip"
    (path,) = records(tmp_path / "holds")
    found = read(path)
    assert (found.trip.cause, found.trip.action, found.trip.state) == ("stale", "hold", "applying")
    assert found.recorded.complete
    assert again(found) == ""


# -- the disk ----------------------------------------------------------------------------------------------------------


class BadDisk(TripShelf):
    """A disk that is full until told otherwise, and slow to say so."""

    full = True

    def put(self, name, lines):
        if self.full:
            time.sleep(0.05)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().put(name, lines)


def tripped(rig: Rig) -> None:
    """One more trip, by a rig that can be started again."""
    rig.sim.plant.estop = True
    rig.run(0.1)
    rig.sim.plant.estop = False
    rig.run(0.1)
    rig.reset()
    rig.until(lambda: rig.core.lockout is None, 1.0)


def test_a_full_disk_holds_up_nothing_and_is_written_to_later(tmp_path, monkeypatch):
    monkeypatch.setattr(trip_writer, "RETRY_S", 0.05)
    rig = Rig()
    shelf = BadDisk(tmp_path)
    recorder = recorded(rig, tmp_path, shelf)
    longest = 0.0

    def follow(before, inputs, after):
        nonlocal longest
        began = time.thread_time()
        recorder.follow(before, inputs, after)
        longest = max(longest, time.thread_time() - began)

    rig.follow = follow
    rig.until(lambda: rig.core.link.claimed, 3.0)
    tripped(rig)
    tripped(rig)
    deadline = time.monotonic() + 5.0
    while not recorder.failure and time.monotonic() < deadline:
        time.sleep(0.005)
    assert "No space left" in recorder.failure
    assert longest < 0.02, "the loop's thread did not wait for the disk"
    assert records(tmp_path) == []
    shelf.full = False
    while recorder.failure and time.monotonic() < deadline:
        time.sleep(0.005)
    written(recorder)
    assert [read(path).trip.cause for path in records(tmp_path)] == ["estop", "estop"]
    recorder.close()


def test_more_trips_than_may_wait_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(trip_writer, "MOST_WAITING", 2)
    monkeypatch.setattr(trip_writer, "RETRY_S", 60.0)
    rig = Rig()
    recorder = recorded(rig, tmp_path, BadDisk(tmp_path))
    rig.until(lambda: rig.core.link.claimed, 3.0)
    for _ in range(3):
        tripped(rig)
        recorder.writer.flush(0.2)
    assert recorder.writer.lost >= 1
    recorder.close()


def test_a_half_written_file_is_no_record_and_is_swept_away(tmp_path):
    class TornError(OSError):
        pass

    def lines():
        yield b"one\n"
        raise TornError

    shelf = TripShelf(tmp_path)
    name = name_of(1, 0.0, "estop")
    with pytest.raises(TornError):
        shelf.put(name, lines())
    assert list(tmp_path.iterdir()) == []
    (tmp_path / f".{name}.tmp").write_text("half")
    shelf.sweep()
    assert list(tmp_path.iterdir()) == []


def test_the_oldest_records_go_and_their_number_is_known(tmp_path):
    shelf = TripShelf(tmp_path, most_records=3, most_bytes=1000)
    assert [shelf.put(name_of(number, 0.0, "x"), [b"y" * 100]) for number in range(1, 6)] == [0, 0, 0, 1, 1]
    assert [entry.number for entry in shelf.entries()] == [3, 4, 5]
    assert shelf.dropped(shelf.entries()) == 2
    assert shelf.put(name_of(6, 0.0, "x"), [b"y" * 950]) == 3, "the newest stays, whatever its size"
    assert [entry.number for entry in shelf.entries()] == [6]
    assert TripShelf(tmp_path / "none").entries() == []
    assert shelf.dropped([]) == 0


def test_numbers_go_on_after_a_restart_and_the_last_trip_is_known(tmp_path):
    for expected in (None, "estop"):
        rig = Rig()
        recorder = recorded(rig, tmp_path)
        assert (recorder.latest.cause if recorder.latest is not None else None) == expected
        rig.until(lambda: rig.core.link.claimed, 3.0)  # noqa: B023  # run at once
        tripped(rig)
        recorder.close()
    assert [path.name[:6] for path in records(tmp_path)] == ["000001", "000002"]
    records(tmp_path)[-1].write_text("rubbish\n")
    recorder = recorded(Rig(), tmp_path)
    assert recorder.latest is None
    recorder.close()


def test_a_recorder_that_cannot_record_says_so_and_raises_nothing(tmp_path):
    (tmp_path / "trips").write_text("not a directory")
    rig = Rig()
    recorder = recorded(rig, tmp_path / "trips")
    assert "cannot be read" in recorder.failure
    recorder.follow(None, Inputs(0.0), None)
    assert "trips are not recorded" in recorder.failure
    recorder.close()


def test_a_trip_while_another_is_written_is_not_lost(tmp_path):
    began, go_on = threading.Event(), threading.Event()

    class Slow(TripShelf):
        def put(self, name, lines):
            began.set()
            assert go_on.wait(10.0)
            return super().put(name, lines)

    rig = Rig()
    recorder = recorded(rig, tmp_path, Slow(tmp_path))
    rig.until(lambda: rig.core.link.claimed, 3.0)
    tripped(rig)
    assert began.wait(10.0)
    tripped(rig)
    tripped(rig)
    go_on.set()
    recorder.close()
    assert [read(path).trip.cause for path in records(tmp_path)] == ["estop"] * 3


def test_every_line_of_a_record_is_read_back_as_it_was(estop):
    found = read(estop)
    assert b"".join(lines_of(found.recorded)) == estop.read_bytes()
