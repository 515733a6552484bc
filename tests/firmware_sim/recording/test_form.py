"""The file of a recording: what is written can be read, and what is none says so in one sentence."""

import json

import pytest

from firmware_sim.recording.form import VERSION, Entry, RecordingError, header_text, parse
from firmware_sim.recording.tape import tape_of

HEADER = header_text({"seed": 7}) + "\n"
ASKED = Entry(0.5, 0.52, "serial", 1, "wand", bytes.fromhex("05032ad07b00"), 2)
HEARD = Entry(0.75, 0.77, "serial", 1, "host", b"\x01\x00", 3)
BODY = f"{ASKED.text}\n{HEARD.text}\n"


def test_what_is_written_is_read():
    recording = parse("x", [HEADER, *BODY.splitlines(keepends=True)])
    assert (recording.header["seed"], recording.cut) == (7, 0)
    assert recording.entries == (ASKED, HEARD)
    (talk,) = tape_of("x", recording, None).talks
    assert [(request.data, request.at, request.replies) for request in talk] == [
        (ASKED.data, 2, [(0.25, HEARD.data)]),
    ]


@pytest.mark.parametrize("length", [1, 20, len(HEARD.text)])
def test_a_last_line_that_is_cut_off_is_left_out_and_named(length):
    text = HEADER + ASKED.text + "\n" + HEARD.text[:length]
    recording = parse("x", text.splitlines(keepends=True))
    assert (recording.entries, recording.cut) == ((ASKED,), 3)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "x is no recording; 'firmware-sim serve --record FILE' makes one"),
        ("[link]\nport = 3\n", "is no recording"),
        ("[]\n", "is no recording"),
        ('{"recording": "other", "version": 1}\n', "is no recording"),
        (HEADER.replace(f'"version": {VERSION}', '"version": "1"'), "is no recording"),
        ("[" * 100_000, "is no recording"),
        (HEADER.replace(f'"version": {VERSION}', '"version": 2'), "version 2, and this firmware-sim reads up to 1"),
        (HEADER + "{}\n" + BODY, "line 2: this is no frame"),
        (HEADER + BODY.replace('"to": "wand"', '"to": "cat"') + BODY, "line 2: this is no frame"),
        (HEADER + BODY.replace("05032a", "05032") + BODY, "line 2: this is no frame"),
        (HEADER + BODY.replace('"line": "serial"', '"line": "can"') + BODY, "line 2: this is no frame"),
        (HEADER + BODY.replace('"t_s": 0.75', '"t_s": Infinity') + ASKED.text + "\n", "line 3: this is no frame"),
        (HEADER + BODY.replace('"wand_s": 0.77', '"wand_s": NaN') + ASKED.text + "\n", "line 3: this is no frame"),
        (HEADER + f"{HEARD.text}\n{ASKED.text}\n", "line 3: t_s is 0.5, before the 0.75 of line 2"),
        (
            HEADER + BODY.replace('"wand_s": 0.77', '"wand_s": 0.51'),
            "line 3: wand_s is 0.51, before the 0.52 of line 2",
        ),
        (HEADER + BODY.replace('"t_s": 0.75', '"t_s": 1000000000.0'), r"line 3: t_s is 1e\+09, a reply 1e\+09 s after"),
        (HEADER + BODY.replace('"t_s": 0.75', '"t_s": 1e9') + BODY, "line 3: t_s is"),
    ],
)
def test_what_is_no_recording_says_so(text, says):
    with pytest.raises(RecordingError, match=says) as caught:
        parse("x", text.splitlines(keepends=True))
    assert "\n" not in caught.value.message


def entries(*rows):
    texts = [
        json.dumps({"t_s": t_s, "wand_s": t_s, "line": line, "peer": peer, "to": to, "hex": data})
        for t_s, line, peer, to, data in rows
    ]
    return parse("x", [HEADER, *(f"{text}\n" for text in texts)])


def test_the_line_that_is_played():
    both = entries((1, "serial_tcp", 1, "wand", "0100"), (2, "modbus_tcp", 1, "wand", "000100000002010b"))
    assert tape_of("x", both, "serial").line == "serial_tcp"
    assert tape_of("x", both, "modbus_tcp").protocol == "tcp"
    with pytest.raises(RecordingError, match="several lines; say which to play: --serial-tcp, --modbus-tcp"):
        tape_of("x", both, None)
    with pytest.raises(RecordingError, match="no request that could be played there; recorded were: serial_tcp"):
        tape_of("x", both, "modbus_rtu")
    with pytest.raises(RecordingError, match="holds no request"):
        tape_of("x", entries((1, "serial", 1, "wand", "00"), (2, "serial", 1, "host", "0100")), None)


def test_connections_are_conversations_of_their_own_unless_the_line_has_only_one():
    tape = tape_of(
        "x",
        entries(
            (1, "serial_tcp", 1, "wand", "aa00"),
            (2, "serial_tcp", 2, "wand", "bb00"),
            (3, "serial_tcp", 1, "host", "cc00"),
            (4, "serial_tcp", 2, "host", "dd00"),
            (5, "serial_tcp", 1, "wand", "ee00"),
        ),
        None,
    )
    assert [[request.data[0] for request in talk] for talk in tape.talks] == [[0xAA, 0xEE], [0xBB]]
    assert tape.talks[0][0].replies == [(2.0, b"\xcc\0")]
    assert [request.data[0] for request in tape.on_one_connection().talks[0]] == [0xAA, 0xEE, 0xBB]
    assert tape.requests == 3
