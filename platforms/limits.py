"""How long to wait after a rate limit, read from a response's headers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

LONGEST = timedelta(hours=24)


def wait_from_headers(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """The wait a platform asks for, or None when it names none.

    Reads ``Retry-After`` (seconds or a date, RFC 9110) and ``RateLimit-Reset`` (a Unix time, or
    seconds as in the IETF draft). Moments are compared with the response's own ``Date``, so that a
    wrong clock on either side does no harm. Never less than a second, nor more than a day.
    """
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    sent_at = _date(lower.get("date", "")) or now
    asked = lower.get("retry-after", "")
    seconds = _number(asked)
    if seconds is None and (until := _date(asked)) is not None:
        seconds = (until - sent_at).total_seconds()
    if seconds is None:
        seconds = _number(lower.get("ratelimit-reset", "") or lower.get("x-ratelimit-reset", ""))
        if seconds is not None and seconds > 1_000_000_000:  # a moment, not a duration
            seconds -= sent_at.timestamp()
    if seconds is None:
        return None
    return min(max(timedelta(seconds=min(seconds, 1e6)), timedelta(seconds=1)), LONGEST)


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,9})?", text) else None


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
