"""The dates of an X.509 certificate, read from its bytes. Trusts nothing and verifies nothing.

The standard library tells the dates of a certificate only once it has verified it, and an expired one never verifies.
Source: RFC 5280 sections 4.1 and 4.1.2.5; DER is ITU-T X.690.
"""

from datetime import UTC, datetime

_SEQUENCE, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18
_LONG = 0x80
_FORMATS = {_UTC_TIME: "%y%m%d%H%M%SZ", _GENERALIZED_TIME: "%Y%m%d%H%M%SZ"}
_PIVOT = 50
"""A two-digit year from 50 up is of the last century (RFC 5280, 4.1.2.5.1); Python's pivot is another."""


def dates(der: bytes) -> tuple[datetime, datetime]:
    """Not before, not after, in UTC.

    Raises:
        ValueError: Not a certificate.
    """
    _, certificate, _ = _element(der)
    _, rest, _ = _element(certificate)  # what is signed
    tag, _, after = _element(rest)
    if tag == _VERSION:
        rest = after
    for _ in range(3):  # serial number, signature algorithm, issuer
        _, _, rest = _element(rest)
    tag, validity, _ = _element(rest)
    if tag != _SEQUENCE:
        raise ValueError("no validity where it belongs in a certificate")
    begins, begins_text, rest = _element(validity)
    ends, ends_text, _ = _element(rest)
    return _time(begins, begins_text), _time(ends, ends_text)


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """Tag, content and what follows of the first element."""
    if len(data) < 2:
        raise ValueError("a certificate that ends too soon")
    tag, length, start = data[0], data[1], 2
    if length & _LONG:
        count = length & ~_LONG
        start += count
        length = int.from_bytes(data[2:start], "big")
    if start + length > len(data):
        raise ValueError("a certificate that ends too soon")
    return tag, data[start : start + length], data[start + length :]


def _time(tag: int, content: bytes) -> datetime:
    if tag not in _FORMATS:
        raise ValueError("no time where it belongs in a certificate")
    text = content.decode("ascii")
    found = datetime.strptime(text, _FORMATS[tag]).replace(tzinfo=UTC)
    if tag == _UTC_TIME:
        short = int(text[:2])
        found = found.replace(year=(1900 if short >= _PIVOT else 2000) + short)
    return found
