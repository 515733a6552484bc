"""What ``firmware-sim`` prints. Output that cannot be written is told apart from every other failure.

A full disk is said in a sentence; a reader that has gone in none, it asked for no more. Both end a command with 1,
since what was to be shown was not. A wand that is served lives on: others may know where it is.
"""

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from cryodevice.errors import CryodeviceError, ExitCode


class OutputError(CryodeviceError):
    """Standard output takes no more. ``message`` is empty when its reader has gone."""

    exit_code = ExitCode.FAILED


class _Watched:
    """Stands for a text stream and remembers the error that it gave."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.failure: OSError | None = None

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            self.failure = error
            raise

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self.failure = error
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def checked_output() -> Iterator[None]:
    """While this lasts, standard output is checked; at its end everything printed has been written.

    Raises:
        OutputError: It was not, and nobody below has dealt with it.
    """
    with contextlib.ExitStack() as stack:
        _stand_in(stack)
        plain: Any = sys.stdout
        watched: Any = _Watched(plain)
        sys.stdout = watched
        try:
            try:
                yield
            except SystemExit as ending:  # argparse takes no notice of help that could not be written
                if watched.failure is not None:
                    raise watched.failure from ending
                raise
            finally:
                watched.flush()
        except OSError as error:
            if error is not watched.failure:
                raise
            _forget(plain)
            gone = isinstance(error, BrokenPipeError)
            raise OutputError("" if gone else f"cannot write the output: {error.strerror}") from error
        finally:
            sys.stdout = plain


def _stand_in(stack: contextlib.ExitStack) -> None:
    """Streams that whoever started this has closed: what is said there goes nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            nowhere = stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  # it is entered
            setattr(sys, name, nowhere)
            stack.callback(setattr, sys, name, None)


def complain(sentence: str) -> None:
    """One sentence on standard error, to whoever still listens."""
    with contextlib.suppress(OSError):
        print(f"firmware-sim: {sentence}", file=sys.stderr, flush=True)


def say(where: dict[str, object]) -> None:
    """Print where the ports are. Somebody who cannot be told is no reason to end a wand that others may know."""
    try:
        print(json.dumps(where), flush=True)
    except OSError as error:
        complain(f"cannot write where the ports are: {error.strerror}")
        _forget(sys.stdout)


def _forget(stream: TextIO) -> None:
    """What is still buffered goes nowhere, or it would fail once more at the end."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
