"""Whether a write-ahead log lost acknowledged commits: SQLite silently ends the log at its first damaged frame.

Pure bytes in, sentence out. A damaged frame is harmless only at the very end, in a transaction that was never
acknowledged: each commit is on the disk before the next one is written (``synchronous=FULL``), so damage that has a
later transaction behind it is corruption. Damage inside the last transaction cannot be told from a crash during it.

Source: "The WAL file format", https://www.sqlite.org/fileformat2.html section 4.
"""

import struct
from array import array

_HEADER = 32
_FRAME_HEADER = 24
_MAGIC_LITTLE, _MAGIC_BIG = 0x377F0682, 0x377F0683
_LOW32 = 0xFFFF_FFFF


def damage(log: bytes) -> str:
    """What is wrong with a write-ahead log, empty when it holds all that was acknowledged."""
    if len(log) <= _HEADER:
        return ""
    magic, _, page_size, _, salt_1, salt_2, check_1, check_2 = struct.unpack_from(">8I", log)
    if magic not in {_MAGIC_LITTLE, _MAGIC_BIG}:
        return "the header of its write-ahead log is damaged"
    big = magic == _MAGIC_BIG
    running = _checksum(log[:24], (0, 0), big=big)
    if running != (check_1, check_2):
        return "the header of its write-ahead log is damaged"
    bad_at, commit_after_bad = None, False
    for index, start in enumerate(range(_HEADER, len(log) - _FRAME_HEADER - page_size + 1, _FRAME_HEADER + page_size)):
        _, pages_after, *salts, frame_1, frame_2 = struct.unpack_from(">6I", log, start)
        ours = salts == [salt_1, salt_2]
        if bad_at is None:
            body = start + _FRAME_HEADER
            running = _checksum(log[start : start + 8] + log[body : body + page_size], running, big=big)
            if ours and running == (frame_1, frame_2):
                continue
            bad_at = index
        elif ours and commit_after_bad:
            return f"frame {bad_at} of its write-ahead log is damaged and later commits stand behind it"
        commit_after_bad = commit_after_bad or (ours and pages_after != 0)
    return ""


def _checksum(data: bytes, seed: tuple[int, int], *, big: bool) -> tuple[int, int]:
    words = array("I", data)
    if big != (array("H", b"\0\1")[0] == 1):
        words.byteswap()
    first, second = seed
    for index in range(0, len(words), 2):
        first = (first + words[index] + second) & _LOW32
        second = (second + words[index + 1] + first) & _LOW32
    return first, second
