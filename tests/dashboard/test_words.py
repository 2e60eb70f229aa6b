"""Both languages are complete: nothing missing, nothing left over, every placeholder kept."""

from __future__ import annotations

import re

import pytest

from dashboard import catalogues, words
from dashboard.words import LANGUAGES

OTHERS = [language for language in LANGUAGES if language != "en"]
_NAMES = re.compile(r"\{(\w+)\}")


def _first(text: object) -> str:
    return str(text[0]) if isinstance(text, (tuple, list)) else str(text)


@pytest.mark.parametrize("language", OTHERS)
def test_no_text_is_missing_and_none_is_left_over(language: str) -> None:
    said = {message.id for message in catalogues.source_texts() if message.id}
    known = {message.id for message in catalogues.read(language) if message.id}
    assert said - known == set(), "run: python -m dashboard.catalogues, then translate"
    assert known - said == set(), "run: python -m dashboard.catalogues"


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_is_translated(language: str) -> None:
    assert catalogues.untranslated(catalogues.read(language)) == []


@pytest.mark.parametrize("language", OTHERS)
def test_translations_keep_the_placeholders(language: str) -> None:
    wrong = [
        message.id
        for message in catalogues.read(language)
        if message.id
        and set(_NAMES.findall(_first(message.id))) != set(_NAMES.findall(_first(message.string)))
    ]
    assert wrong == []


@pytest.mark.parametrize("language", OTHERS)
def test_the_compiled_catalogue_is_up_to_date(language: str) -> None:
    compiled = catalogues.po_file(language).with_suffix(".mo").read_bytes()
    assert compiled == catalogues.compiled(catalogues.read(language))


def test_words_of_the_glossary_are_used() -> None:
    said = words.of("zh")
    for english, chinese in {
        "Mentions": "提及",
        "Sources": "监测源",
        "Acknowledge": "确认接报",
        "Manager": "舆情主管",
        "Share of voice": "声量占比",
        "Snoozed": "稍后处理",
        "Reopen": "重新打开",
        "Negative": "负面",
        "Red": "红色预警",
        "Competitor": "竞品",
        "Standard wording": "标准话术",
        "Complaint": "投诉",
        "Service levels": "服务时限",
        "Calendars": "工作日历",
    }.items():
        assert said.t(english) == chinese


def test_plurals_follow_the_language() -> None:
    english, chinese = words.of("en"), words.of("zh")
    one, many = "{n} follower", "{n} followers"
    assert [english.nt(one, many, n) for n in (1, 2)] == ["1 follower", "2 followers"]
    assert [chinese.nt(one, many, n) for n in (1, 2)] == ["1 位粉丝", "2 位粉丝"]


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("fr,en;q=0.5,zh;q=0.9", "zh"),
        ("de-DE", "en"),
        ("", "en"),
        ("zh;q=nonsense,en;q=0.1", "en"),
    ],
)
def test_the_sign_in_page_follows_the_browser(asked: str, given: str) -> None:
    assert words.best_language(asked) == given
