"""A digest of all that happened, to tell whether two runs were the same. Keeps nothing but the digest and a count."""

import hashlib
import struct


class Trace:
    """Feed it bytes as they pass a line (it is a ``Tap``) and facts as they become known; compare ``digest``.

    Attributes:
        entries: How many things have been noted.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.entries = 0

    def __call__(self, at_s: float, way: str, data: bytes) -> None:
        """Note bytes: when, which way, which."""
        self._hash.update(struct.pack(">dcH", at_s, way.encode("ascii"), len(data)) + data)
        self.entries += 1

    def note(self, *facts: object) -> None:
        """Note facts whose ``repr`` is the same whenever they are equal: numbers, texts, and tuples of them."""
        self._hash.update(repr(facts).encode())
        self.entries += 1

    @property
    def digest(self) -> str:
        """SHA-256 of everything so far, as hexadecimal digits."""
        return self._hash.hexdigest()
