"""What ``firmware-sim`` prints. Somebody who has gone and does not read it is no reason to fail."""

import json
import os
import sys
from contextlib import suppress


def complain(sentence: str) -> None:
    """One sentence on standard error, to whoever still listens."""
    with suppress(OSError):
        print(f"firmware-sim: {sentence}", file=sys.stderr)


def say(where: dict[str, object]) -> None:
    """Print where the ports are. Somebody who cannot be told is no reason to end a wand that others may know."""
    tell(json.dumps(where), "where the ports are")


def tell(text: str, what: str | None = None) -> None:
    """Print to whoever still listens; say what could not be written, where there is a name for it."""
    try:
        print(text, flush=True)
    except OSError as error:
        if what is not None:
            with suppress(OSError):
                print(f"firmware-sim: cannot write {what}: {error.strerror}", file=sys.stderr)
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
