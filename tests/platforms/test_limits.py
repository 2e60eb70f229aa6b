"""How long a platform asks us to wait."""

from __future__ import annotations

from datetime import timedelta

import pytest

from platforms.limits import wait_from_headers
from tests.conftest import START

DATE = "Mon, 02 Mar 2026 09:00:00 GMT"
LATER = "Mon, 02 Mar 2026 09:00:40 GMT"
MOMENT = str(int(START.timestamp()) + 25)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "30"}, 30),
        ({"retry-after": "1.5"}, 1.5),
        ({"Retry-After": LATER, "Date": DATE}, 40),
        ({"Retry-After": LATER}, 40),
        ({"RateLimit-Reset": MOMENT, "Date": DATE}, 25),
        ({"X-RateLimit-Reset": "12"}, 12),
        ({"Retry-After": "30", "RateLimit-Reset": MOMENT}, 30),
        ({"Retry-After": "0"}, 1),
        ({"Retry-After": DATE, "Date": LATER}, 1),
        ({"Retry-After": "999999999999"}, 86_400),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "9" * 400}, None),
        ({"Retry-After": "٣٠"}, None),
        ({}, None),
    ],
)
def test_the_wait_is_read_from_either_header(
    headers: dict[str, str], seconds: float | None
) -> None:
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert wait_from_headers(headers, START) == expected


def test_a_wrong_clock_of_ours_does_not_lengthen_the_wait() -> None:
    headers = {"RateLimit-Reset": MOMENT, "Date": DATE}
    assert wait_from_headers(headers, START - timedelta(days=300)) == timedelta(seconds=25)
