"""What the settings say about calendars and failed deliveries, in both languages."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

import notify.apprise
from dashboard import words
from dashboard.desk import BrandChoice, Desk, formats_for, scopes
from dashboard.periods import make
from dashboard.views import settings_parts
from dashboard.views.settings_calendars import hours_in_words
from dashboard.views.settings_targets import error_sentence
from service.signin import Person
from store.notifications import SWITCHED_OFF

BRAND = BrandChoice(1, "Acme", "own", "real", "UTC")
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def _desk(language: str, role: str = "administrator", *, all_brands: bool = True) -> Desk:
    person = Person(1, "a@example.com", "", role, language, all_brands, "")
    formats = formats_for(language, "UTC")
    scope = next(iter(scopes(person, []).values()))
    return Desk(
        person,
        words.of(language),
        formats,
        [BRAND],
        scope,
        make("7d", NOW, formats.zone, None),
        NOW,
    )


@pytest.mark.parametrize(
    "text",
    [
        "The other side refused the message (HTTP 403): check the address and its password or "
        "token.",
        "The other side could not take the message now (HTTP 503).",
        "The other side took the message and gave no answer in time.",
        SWITCHED_OFF,
    ],
)
def test_a_failed_delivery_is_told_in_the_readers_language(text: str) -> None:
    assert error_sentence(_desk("en"), text) == text
    chinese = error_sentence(_desk("zh"), text)
    assert re.findall(r"[A-Za-z]{2,}", chinese) == re.findall("HTTP", text)
    assert re.findall(r"\d+", chinese) == re.findall(r"\d+", text)


def test_the_errors_with_a_status_are_those_that_notify_writes() -> None:
    source = " ".join(Path(notify.apprise.__file__).read_text("utf-8").split())
    assert source.count("(HTTP {status})") == 2
    assert '"The other side refused the message (HTTP {status}): check the address' in source
    assert '"The other side could not take the message now (HTTP {status})."' in source


def test_an_error_we_have_no_words_for_stays_as_it_is() -> None:
    assert error_sentence(_desk("zh"), "{odd} HTTP 418 {status}") == "{odd} HTTP 418 {status}"


@pytest.mark.parametrize(
    ("language", "lines"),
    [
        ("en", ["Mon–Tue 09:00–12:00, 13:00–18:00", "Thu 10:00–14:00"]),
        ("zh", ["周一–周二 09:00–12:00, 13:00–18:00", "周四 10:00–14:00"]),
    ],
)
def test_days_with_the_same_hours_are_told_together(language: str, lines: list[str]) -> None:
    weekly = {"0": "09:00-12:00,13:00-18:00", "1": "09:00-12:00,13:00-18:00", "3": "10:00-14:00"}
    assert hours_in_words(_desk(language), weekly) == lines


@pytest.mark.parametrize(
    ("role", "all_brands", "brand_id", "wording", "targets"),
    [
        ("administrator", True, None, True, True),
        ("administrator", True, 1, True, True),
        ("administrator", False, None, False, False),
        ("administrator", False, 1, True, True),
        ("administrator", False, 2, False, False),
        ("manager", True, None, True, False),
        ("manager", False, 1, True, False),
        ("agent", True, 1, False, False),
    ],
)
def test_settings_of_all_brands_are_changed_by_who_sees_them_all(
    role: str, all_brands: bool, brand_id: int | None, wording: bool, targets: bool
) -> None:
    desk = _desk("en", role, all_brands=all_brands)
    assert settings_parts.changes(desk, "edit_wording", brand_id) is wording
    assert settings_parts.changes(desk, "edit_settings", brand_id) is targets
    assert settings_parts.sees(desk, brand_id) is (brand_id != 2)
