"""What a notification says."""

from __future__ import annotations

from typing import Any

import pytest

from notify.base import Message
from notify.wording import message_of, sentence
from store.notifications import ClaimedDelivery
from tests.conftest import START

PARTS: dict[str, Any] = {
    "brand": "Acme", "number": "INC-2026-000012", "realm": "real", "change": "opened",
    "metric": "negative", "finding": "surge", "value": 84, "baseline": 6.2, "window_minutes": 15,
    "share": 0.62, "usual_share": 0.14, "authors": 71, "since": "2026-03-02T01:40:00+00:00",
    "time_zone": "Asia/Shanghai", "severity": ["fire"], "good_news": False, "sure": True,
}  # fmt: skip


def message(language: str = "en", level: str = "orange", **changes: Any) -> Message:
    delivery = ClaimedDelivery(
        id=1, key="k", kind="incident", level=level, content={**PARTS, **changes},
        created_at=START, target_id=1, target_kind="console", address=None, language=language,
        attempts=1,
    )  # fmt: skip
    return message_of(delivery, "https://desk.example/")


def test_an_english_message_says_what_rose_against_what_since_when() -> None:
    told = message()
    assert told.title == "[ORANGE] Acme INC-2026-000012"
    assert told.body.splitlines() == [
        "New incident (INC-2026-000012).",
        "84 negative mentions in 15 minutes, usually about 6 (13.5 times as many), "
        "since 2026-03-02 09:40 (UTC+08:00).",
        "62% are negative.",
        "71 different authors.",
        "It touches: fire or explosion.",
        "Open: https://desk.example/alerts?incident=INC-2026-000012",
    ]


def test_a_chinese_message_says_the_same() -> None:
    told = message("zh")
    assert told.title == "[橙色预警] Acme INC-2026-000012"
    assert told.body.splitlines() == [
        "新的危机事件（INC-2026-000012）。",
        "自2026-03-02 09:40 (UTC+08:00)起，15 分钟内负面提及 84 条，平时约 6 条（13.5 倍）。",
        "负面占比 62%。",
        "涉及 71 位作者。",
        "涉及：起火爆炸。",
        "查看：https://desk.example/alerts?incident=INC-2026-000012",
    ]


@pytest.mark.parametrize(
    ("changes", "english", "chinese"),
    [
        ({"finding": "share"}, "Negative share has risen to 62% (usually 14%)", "负面占比升至 62%"),
        ({"baseline": None}, "there is no baseline yet", "尚无基线"),
        ({"baseline": 0.4}, "in 15 minutes, usually less than one, since", "平时不足 1 条"),
        ({"metric": "volume"}, "84 mentions in 15 minutes", "提及 84 条"),
    ],
)
def test_the_sentence_follows_what_was_found(
    changes: dict[str, Any], english: str, chinese: str
) -> None:
    assert english in sentence({**PARTS, **changes}, "en")
    assert chinese in sentence({**PARTS, **changes}, "zh")


def test_good_news_drills_and_reports_by_hand_are_named() -> None:
    assert message(good_news=True, level="blue").title == (
        "[BLUE] Acme: praise is surging, no crisis"
    )
    assert message("zh-CN", good_news=True, level="blue").title.endswith("好评激增，非危机")
    assert message(realm="drill").title.startswith("[DRILL] ")
    assert message("zh", realm="drill").title.startswith("[演练] ")
    by_hand = message(change="by_hand", finding=None)
    assert by_hand.body.startswith("Escalated by a colleague")
    assert "usually" not in by_hand.body


def test_a_hostile_brand_name_stays_on_one_line_and_short() -> None:
    told = message(brand="Evil\r\nBcc: all@example.org\u202e" + "x" * 500)
    assert "\n" not in told.title
    assert "\u202e" not in told.title
    assert len(told.title) < 130


def test_an_unknown_time_zone_falls_back_to_utc() -> None:
    assert "01:40 (UTC+00:00)" in message(time_zone="Mars/Olympus").body
