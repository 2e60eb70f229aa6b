"""Timestamp identifiers: the record keys of Bluesky posts. https://atproto.com/specs/tid"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

_ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def make_tid(moment: datetime, key: str) -> str:
    """The identifier for something of ours at a moment: 13 characters, sorted by time.

    The last three digits of the microseconds and the ten clock bits come from ``key``, so that two
    things of the same millisecond get different identifiers, and one thing always the same.
    """
    digest = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
    milliseconds = (moment - _EPOCH) // timedelta(milliseconds=1)
    number = ((milliseconds * 1000 + digest % 1000) << 10) | ((digest // 1000) % 1024)
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(60, -1, -5))


def tid_time(tid: str) -> datetime:
    """The moment in an identifier, to the millisecond. Raises ValueError for another text."""
    if len(tid) != 13 or any(char not in _ALPHABET for char in tid):
        raise ValueError(f"{tid!r} is no record key of ours")
    number = 0
    for char in tid:
        number = number << 5 | _ALPHABET.index(char)
    return _EPOCH + timedelta(milliseconds=(number >> 10) // 1000)
