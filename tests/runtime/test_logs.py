import asyncio
import io
import json
import logging
import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from typing import TextIO

import pytest
import structlog

from cryodevice.errors import SettingsError
from cryodevice.runtime import logs
from cryodevice.runtime.logs import LogSink, configure_logging


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    level = logging.getLogger().level
    yield
    for handler in logging.getLogger().handlers[:]:
        if isinstance(handler, LogSink):
            handler.close()
    logging.getLogger().setLevel(level)
    logging.getLogger("pymodbus").setLevel(logging.NOTSET)
    structlog.reset_defaults()


@pytest.fixture
def unread_pipe() -> Iterator[tuple[TextIO, TextIO]]:
    reader, writer = os.pipe()
    stream = os.fdopen(writer, "w")
    source = os.fdopen(reader)
    yield source, stream
    source.close()
    stream.close()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def fail() -> None:
    raise RuntimeError("on purpose")


def test_json_lines_carry_level_time_logger_and_values() -> None:
    stream = io.StringIO()
    sink = configure_logging("json", "info", stream)
    structlog.get_logger("cryodevice.test").bind(port="/dev/x").warning("no reply", misses=3, why={"a": b"\x00"})
    sink.close()
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "no reply",
        "level": "warning",
        "logger": "cryodevice.test",
        "port": "/dev/x",
        "misses": 3,
        "why": {"a": "b'\\x00'"},
    }


def test_standard_library_loggers_look_the_same_and_warnings_join_them() -> None:
    stream = io.StringIO()
    sink = configure_logging("auto", "info", stream)
    logging.getLogger("asyncio").warning("slow %s", "callback")
    logging.getLogger("asyncio").debug("not at this level")
    logging.getLogger("pymodbus.logging").error("time-out, said by the link already")
    sink.handle(logging.LogRecord("mqtt", logging.INFO, "x.py", 1, "%d", ("not a number",), None))
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("old ways", DeprecationWarning, stacklevel=1)
    sink.close()
    first, second, third = lines(stream)
    assert (first["event"], first["level"], first["logger"]) == ("slow callback", "warning", "asyncio")
    assert second["event"] == "'%d' ('not a number',)"
    assert third["logger"] == "py.warnings"
    assert "old ways" in third["event"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_exceptions_are_plain_text_of_the_place_they_came_from(form: str) -> None:
    stream = io.StringIO()
    sink = configure_logging(form, "info", stream)
    try:
        fail()
    except RuntimeError:
        structlog.get_logger().exception("ours")
        logging.getLogger("foreign").exception("theirs")
    sink.close()
    text = stream.getvalue()
    assert text.count("Traceback (most recent call last)") == 2
    assert text.count("RuntimeError: on purpose") == 2
    assert "╭" not in text, "rich frames"


def test_a_terminal_gets_the_console_form_and_no_color_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for variable, escaped in ((None, True), ("1", False)):
        if variable is not None:
            monkeypatch.setenv("NO_COLOR", variable)
        stream = Terminal()
        sink = configure_logging("auto", "info", stream)
        structlog.get_logger().info("hello", plate_degc=8.0)
        sink.close()
        assert "hello" in stream.getvalue()
        assert ("\x1b[" in stream.getvalue()) is escaped
        assert not stream.getvalue().startswith("{")


def test_levels_are_filtered_for_both_kinds_and_context_is_merged() -> None:
    stream = io.StringIO()
    sink = configure_logging("json", "warning", stream)
    with structlog.contextvars.bound_contextvars(session="s1"):
        structlog.get_logger().info("too low")
        logging.getLogger("x").info("too low")
        structlog.get_logger().error("high")
    sink.close()
    (line,) = lines(stream)
    assert (line["event"], line["session"]) == ("high", "s1")


@pytest.mark.parametrize(("form", "level"), [("json", "loud"), ("xml", "info"), ("json", "INFO")])
def test_unknown_words_are_refused(form: str, level: str) -> None:
    with pytest.raises(SettingsError, match="levels: debug, info, warning, error; formats: auto, console, json"):
        configure_logging(form, level, io.StringIO())


def test_a_second_configuration_takes_over_loggers_in_use_and_ends_the_first() -> None:
    first, second = io.StringIO(), io.StringIO()
    log = structlog.get_logger("early")
    configure_logging("json", "info", first)
    log.info("one")
    sink = configure_logging("json", "info", second)
    log.info("two")
    logging.getLogger("x").info("three")
    sink.close()
    assert [line["event"] for line in lines(first)] == ["one"]
    assert [line["event"] for line in lines(second)] == ["two", "three"]
    assert not [thread for thread in threading.enumerate() if thread.name == "log writer"]


def test_a_value_that_cannot_be_shown_costs_its_line_only() -> None:
    class Rude:
        def __str__(self) -> str:
            raise ValueError("no")

    stream = io.StringIO()
    sink = configure_logging("json", "info", stream)
    structlog.get_logger().info("bad", value=Rude())
    structlog.get_logger().info("good")
    sink.close()
    bad, good = stream.getvalue().splitlines()
    assert bad.startswith("a log line could not be shown: ValueError")
    assert json.loads(good)["event"] == "good"


async def test_a_pipe_nobody_reads_does_not_delay_a_20_hz_loop(unread_pipe: tuple[TextIO, TextIO]) -> None:
    sink = configure_logging("json", "info", unread_pipe[1])
    log = structlog.get_logger("loop")
    lateness = []
    due = time.monotonic()
    for _ in range(30):
        due += 0.05
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        lateness.append(time.monotonic() - due)
        for _ in range(20):  # 20 kB a tick: the pipe's 64 kB are full after the third
            log.info("tick", filling="x" * 1000)
            logging.getLogger("asyncio").warning("y")
    assert sorted(lateness)[-2] < 0.05  # one hiccup of a shared machine is not a pipe
    assert max(lateness) < 0.5
    assert sink._queue.qsize() > 500, "the pipe was not full, so nothing was shown"
    began = time.monotonic()
    sink.close()
    assert time.monotonic() - began < 3.0


def test_lines_beyond_the_queue_are_dropped_counted_and_the_count_is_said(
    unread_pipe: tuple[TextIO, TextIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, stream = unread_pipe
    monkeypatch.setattr(logs, "QUEUE_LINES", 200)
    sink = configure_logging("json", "info", stream)
    log = structlog.get_logger()
    for number in range(1000):
        log.info("line", number=number, filling="x" * 1000)
    assert sink.dropped > 500
    dropped = sink.dropped
    read: list[dict[str, object]] = []
    while len(read) < 1000 - dropped + 1:
        read.append(json.loads(reader.readline()))
    assert sum("dropped" in line["event"] for line in read) == 1
    (said,) = [line for line in read if "dropped" in line["event"]]
    assert (said["lines"], said["level"]) == (dropped, "warning")
    assert sink.dropped == dropped
    sink.close()


def test_a_reader_that_has_gone_is_no_error(unread_pipe: tuple[TextIO, TextIO]) -> None:
    reader, stream = unread_pipe
    sink = configure_logging("json", "info", stream)
    reader.close()
    for _ in range(10):
        structlog.get_logger().info("to nobody")
    sink.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "log writer"]


def test_a_nonblocking_stream_gets_whole_lines(unread_pipe: tuple[TextIO, TextIO]) -> None:
    reader, stream = unread_pipe
    os.set_blocking(stream.fileno(), False)
    sink = configure_logging("json", "info", stream)
    for number in range(300):
        structlog.get_logger().info("line", number=number, filling="x" * 1000)
    assert [json.loads(reader.readline())["number"] for _ in range(300)] == list(range(300))
    sink.close()


UNREAD = """
import structlog
from cryodevice.runtime.logs import configure_logging
configure_logging("json", "info")
for number in range(3000):
    structlog.get_logger().info("line", filling="x" * 100)
print("done", flush=True)
"""


def test_a_process_can_end_while_its_log_is_blocked() -> None:
    child = subprocess.Popen([sys.executable, "-c", UNREAD], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline() == "done\n"
        assert child.wait(timeout=10) == 0
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
        child.stderr.close()
