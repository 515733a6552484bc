"""Where in a TOML text a key stands, as far as one can tell line by line.

Not a TOML parser: keys inside inline tables are not found, and nothing is reported rather than something wrong.
"""

import re
from collections.abc import Iterator

_KEY_PART = r"(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')"
_KEY = rf"{_KEY_PART}(?:\s*\.\s*{_KEY_PART})*"
_TABLE = re.compile(rf"^\s*\[\[?\s*({_KEY})\s*\]")
_ASSIGN = re.compile(rf"^\s*({_KEY})\s*=")
_QUOTES = ('"""', "'''")


def key_lines(text: str) -> dict[tuple[str, ...], int]:
    """The line, counted from 1, where each table and key first stands."""
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in _outside_long_strings(text):
        if match := _TABLE.match(line):
            table = _parts(match[1])
            found.setdefault(table, number)
        elif match := _ASSIGN.match(line):
            found.setdefault(table + _parts(match[1]), number)
    return found


def array_lines(text: str, name: str) -> dict[tuple[int, str], int]:
    """The line of each ``[[name]]``, as (index, ""), and of each key under it, as (index, key); indices from 0."""
    found: dict[tuple[int, str], int] = {}
    index, inside = -1, False
    for number, line in _outside_long_strings(text):
        if match := _TABLE.match(line):
            inside = line.lstrip().startswith("[[") and _parts(match[1]) == (name,)
            index += inside
            if inside:
                found[index, ""] = number
        elif inside and (match := _ASSIGN.match(line)):
            found.setdefault((index, _parts(match[1])[0]), number)
    return found


def _parts(key: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(_KEY_PART, key))


def _outside_long_strings(text: str) -> Iterator[tuple[int, str]]:
    closing = ""
    for number, line in enumerate(text.split("\n"), start=1):
        if closing:
            if closing in line:
                closing = ""
            continue
        yield number, line
        closing = next((quotes for quotes in _QUOTES if line.count(quotes) % 2), "")
