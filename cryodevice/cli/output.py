"""Standard output that cannot be written is told apart from every other failure. Prints nothing itself.

A full disk is said in a sentence, a reader that has gone in none: it asked for no more. Both are exit status 1, since
what was to be shown was not.
"""

import contextlib
import os
import sys
from typing import Any, TextIO

from cryodevice.errors import CryodeviceError


class OutputError(CryodeviceError):
    """Standard output takes no more. ``message`` is empty when its reader has gone."""


class Output:
    """Stands for a text stream and turns its errors into ``OutputError``."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write as the stream does."""
        try:
            return self._stream.write(text)
        except OSError as error:
            raise _error(error) from error

    def flush(self) -> None:
        """Flush as the stream does."""
        try:
            self._stream.flush()
        except OSError as error:
            raise _error(error) from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def checked_output() -> Any:
    """While this lasts, standard output is checked; at its end everything printed has been written."""
    plain = sys.stdout
    if plain is None:  # closed by whoever started us: there is nothing to write to
        yield
        return
    checked = Output(plain)
    sys.stdout = checked  # a stream in all that is used of one
    try:
        try:
            yield
        finally:
            checked.flush()
    except OutputError:
        _forget(plain)
        raise
    finally:
        sys.stdout = plain


def say(text: str) -> None:
    """To standard error, which may be full or gone as well."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            print(text, file=sys.stderr, flush=True)


def _error(error: OSError) -> OutputError:
    if isinstance(error, BrokenPipeError):
        return OutputError("")
    return OutputError(f"cannot write the output: {error.strerror}")


def _forget(stream: TextIO) -> None:
    """What is still buffered goes nowhere, or the interpreter would fail on it once more at its end."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
