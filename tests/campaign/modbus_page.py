"""What the measurements of the Modbus slave write on, and the host's end of a line they measure with."""

import os
import select
import socket
import sys
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

ANSWER_S = 0.25


@dataclass
class Page:
    """The document as it grows, and whether all in it is as it should be."""

    lines: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def row(self, *cells: object) -> None:
        self.lines.append("| " + " | ".join(map(str, cells)) + " |")

    def head(self, title: str, text: str, *columns: str) -> None:
        self.lines += [f"\n{'#' * (2 + (title[:1] == '#'))} {title.lstrip('# ')}\n", text + "\n"]
        self.row(*columns)
        self.row(*["---"] * len(columns))
        sys.stdout.write(f"== {title.lstrip('# ')}\n")
        sys.stdout.flush()

    def judged(self, good: bool, what: str, said: str) -> str:
        if not good:
            self.failed.append(f"{what}: {said}")
        return said if good else f"**{said}**"


class Line:
    """A host's end of a pty or a connection."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def send(self, data: bytes) -> None:
        os.write(self.descriptor, data)

    def receive(self, number: int, within_s: float = ANSWER_S) -> bytes:
        """What came, at most ``number`` bytes; all that came when the time was over."""
        found, end = b"", time.monotonic() + within_s
        while len(found) < number and (left := end - time.monotonic()) > 0:
            if select.select([self.descriptor], [], [], left)[0]:
                piece = os.read(self.descriptor, 65536)
                if not piece:
                    break
                found += piece
        return found

    def ask(self, frame: bytes, number: int) -> bytes:
        self.send(frame)
        return self.receive(number)


@contextmanager
def pty_line(path: str) -> Iterator[Line]:
    descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY)
    try:
        tty.setraw(descriptor)
        yield Line(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def tcp_line(port: str) -> Iterator[Line]:
    with socket.create_connection(("127.0.0.1", int(port)), timeout=2) as connection:
        connection.setblocking(True)
        yield Line(connection.fileno())
