"""Logging that cannot stall the loop: every line is built where it happens and written in a thread of its own.

Does not hide secrets: callers do not log them. When nobody reads the stream, 10 000 lines wait; later ones are
dropped, counted, and the count is logged once lines flow again.

structlog and the standard library's loggers (asyncio, pymodbus, paho) end in the same queue and look the same.
"""

import atexit
import contextlib
import logging
import os
import select
import sys
import threading
import time
from collections.abc import MutableMapping
from queue import SimpleQueue
from typing import Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor

from cryodevice.errors import SettingsError

LogFormat = Literal["auto", "console", "json"]
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
QUEUE_LINES = 10_000
"""Lines that wait for a slow reader before the newest are dropped (engineering default, about 10 MB)."""
CLOSE_S = 1.0
"""Longest wait for the last lines at exit, s (engineering default)."""


class LogSink(logging.Handler):
    """Takes events from any thread and writes them in its own. Handler of the root logger and end of structlog."""

    def __init__(self, render: Processor, stream: TextIO) -> None:
        super().__init__()
        self._render = render
        self._stream = stream
        self._descriptor = _own_descriptor(stream)
        # A SimpleQueue never blocks and may be entered again from a finalizer that logs during ``put``.
        self._queue: SimpleQueue[EventDict | None] = SimpleQueue()
        self._closed = False
        self._given_up = False
        self.dropped = 0
        self._dropped_said = 0
        self._thread = threading.Thread(target=self._run, name="log writer", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def offer(self, event: EventDict) -> None:
        """Queue an event; dropped and counted when the queue is full or the sink closed. Never blocks, never raises."""
        if self._closed or self._queue.qsize() >= QUEUE_LINES:
            self.dropped += 1
        else:
            self._queue.put(event)

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record of a standard library logger in structlog's form."""
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - arguments that do not fit their format are somebody else's mistake: show both
            message = f"{record.msg!r} {record.args!r}"
        event: EventDict = {
            "event": message,
            "level": record.levelname.lower(),
            "timestamp": _iso(record.created),
            "logger": record.name,
        }
        if record.exc_info and record.exc_info[1] is not None:
            event["exc_info"] = record.exc_info
        if record.stack_info:
            event["stack"] = record.stack_info
        self.offer(structlog.processors.format_exc_info(None, "", event))

    def close(self) -> None:
        """Write what waits, at most a second, then end. A reader that still blocks loses the rest."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        logging.getLogger().removeHandler(self)
        logging.captureWarnings(capture=False)
        self._queue.put(None)
        self._thread.join(CLOSE_S)
        self._given_up = True
        super().close()

    def _run(self) -> None:
        while (event := self._queue.get()) is not None:
            self._write(event)
            if self.dropped != self._dropped_said and self._queue.qsize() < QUEUE_LINES // 2:
                newly, self._dropped_said = self.dropped - self._dropped_said, self.dropped
                said = {"event": "log lines dropped: nobody read them in time", "level": "warning"}
                self._write({**said, "timestamp": _iso(time.time()), "lines": newly})
        if self._descriptor is not None:
            os.close(self._descriptor)

    def _write(self, event: EventDict) -> None:
        if self._given_up:
            return
        try:
            level = str(event.get("level", "info"))
            line = f"{self._render(None, level, event)!s}\n"
        except Exception as error:  # noqa: BLE001 - a value that cannot be shown must not end the writer
            line = f"a log line could not be shown: {error!r}\n"
        with contextlib.suppress(OSError, ValueError):  # a reader that has gone: nobody is left to tell
            if self._descriptor is None:
                self._stream.write(line)
                self._stream.flush()
            else:
                _write_all(self._descriptor, line.encode(errors="backslashreplace"))


class _Logger:
    """What structlog calls at the end of its processors."""

    def __init__(self, sink: LogSink, name: str) -> None:
        self._sink = sink
        self._name = name

    def msg(self, **event: object) -> None:
        """Queue one event."""
        if self._name:
            event.setdefault("logger", self._name)
        self._sink.offer(event)

    debug = info = warning = warn = error = critical = exception = fatal = log = msg


def configure_logging(format: LogFormat, level: str, stream: TextIO | None = None) -> LogSink:  # noqa: A002 - the key in the settings file
    """Send all logging of this process to ``stream``, in place of where it went before.

    Args:
        format: ``console`` for people, ``json`` for machines (one object a line), ``auto``: console on a terminal.
        level: ``debug``, ``info``, ``warning`` or ``error``.
        stream: Standard error when None. Written by its descriptor where it has one, so that the interpreter can end
            while a write blocks.

    Returns:
        The sink: ``dropped`` counts lost lines, ``close`` ends it (also done at exit).

    Raises:
        SettingsError: An unknown format or level.
    """
    if level not in LEVELS or format not in {"auto", "console", "json"}:
        raise SettingsError(
            f"log level {level!r} or format {format!r} is not known; levels: {', '.join(LEVELS)}; "
            "formats: auto, console, json",
            level=level,
            format=format,
        )
    target = sys.stderr if stream is None else stream
    console = format == "console" or (format == "auto" and target.isatty())
    sink = LogSink(_console(colors=target.isatty()) if console else _json(), target)
    root = logging.getLogger()
    for earlier in [handler for handler in root.handlers if isinstance(handler, LogSink)]:
        earlier.close()
    root.addHandler(sink)
    root.setLevel(LEVELS[level])
    logging.captureWarnings(capture=True)
    # pymodbus reports every time-out as an error; the link's own events say it once, with its reason.
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _timestamp,
            structlog.processors.format_exc_info,
            _as_keywords,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=lambda *name: _Logger(sink, str(name[0]) if name else ""),
        cache_logger_on_first_use=False,  # a second call here then reaches loggers already in use
    )
    return sink


def _as_keywords(_: object, __: str, event: EventDict) -> tuple[tuple[()], MutableMapping[str, object]]:
    return (), event


def _timestamp(_: object, __: str, event: EventDict) -> EventDict:
    event["timestamp"] = _iso(time.time())
    return event


def _iso(wall_s: float) -> str:
    whole = int(wall_s)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{int((wall_s - whole) * 1000):03d}Z"


def _console(*, colors: bool) -> Processor:
    plain = structlog.dev.plain_traceback
    return structlog.dev.ConsoleRenderer(colors=colors and not os.environ.get("NO_COLOR"), exception_formatter=plain)


def _json() -> Processor:
    return structlog.processors.JSONRenderer(default=str)


def _own_descriptor(stream: TextIO) -> int | None:
    """A descriptor of the same file, which stays valid however long a write blocks; None if there is no file."""
    try:
        return os.dup(stream.fileno())
    except (OSError, AttributeError, ValueError):
        return None


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            select.select([], [descriptor], [])
