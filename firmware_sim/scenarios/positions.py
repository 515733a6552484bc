"""Where each key of a TOML file stands: ``tomllib`` gives values without their lines. Knows no scenario.

Good for files whose tables have headers of their own; keys inside an inline table stand where the table does.
"""

import re
from collections import Counter
from collections.abc import Mapping

Place = tuple[str, int, str]
"""Table, which one of that name (from 0), key; the key of a table itself is empty, the table of a file's top too."""

_HEADER = re.compile(r"^\s*(\[{1,2})\s*([A-Za-z0-9_.\-\"']+)\s*\]{1,2}\s*(?:#.*)?$")
_KEY = re.compile(r"^\s*([A-Za-z0-9_\-]+|\"[^\"]+\"|'[^']+')\s*(?:\.[^=]*)?=")
_LONG = ('"""', "'''")


def places(text: str) -> Mapping[Place, int]:
    """Line of every table and key, from 1."""
    found: dict[Place, int] = {}
    seen: Counter[str] = Counter()
    table, number, inside = "", 0, ""
    for line_number, line in enumerate(text.splitlines(), start=1):
        if inside:
            inside = "" if inside in line else inside
            continue
        inside = next((mark for mark in _LONG if line.count(mark) % 2), "")
        if header := _HEADER.match(line):
            table = header[2].strip("\"'")
            number = seen[table]
            seen[table] += 1
            found[table, number, ""] = line_number
        elif key := _KEY.match(line):
            found.setdefault((table, number, key[1].strip("\"'")), line_number)
    return found


def line_of(found: Mapping[Place, int], table: str, number: int = 0, key: str = "") -> int:
    """The line of a key (at the top of a file also of a table of that name), else that of its table, else 1."""
    named = found.get((key, 0, "")) if not table else None
    return found.get((table, number, key)) or named or found.get((table, number, "")) or 1
