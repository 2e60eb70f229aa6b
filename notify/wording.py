"""What a notification says, in English and Chinese.

The parts are numbers and names that the watch stage wrote down (``Incident.summary``): brand,
number, level, change, finding, value, baseline, window in minutes, negative share, distinct
authors, severity, since. No post and no person is named; who wants to read opens the incident.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from notify.base import Message
from store.notifications import ClaimedDelivery

LEVELS = {
    "en": {"blue": "BLUE", "yellow": "YELLOW", "orange": "ORANGE", "red": "RED"},
    "zh": {"blue": "蓝色预警", "yellow": "黄色预警", "orange": "橙色预警", "red": "红色预警"},
}
CHANGES = {
    "en": {
        "opened": "New incident",
        "escalated": "The incident has become worse",
        "flared_up": "The incident has flared up again",
        "by_hand": "Escalated by a colleague",
    },
    "zh": {
        "opened": "新的危机事件",
        "escalated": "危机事件升级",
        "flared_up": "危机事件再度升温",
        "by_hand": "同事手动上报",
    },
}
SEVERITY = {
    "injury": ("injury or death", "伤亡"),
    "safety": ("safety", "安全隐患"),
    "food_safety": ("food safety", "食品安全"),
    "fire": ("fire or explosion", "起火爆炸"),
    "fraud": ("fraud", "欺诈"),
    "lawsuit": ("lawsuit", "诉讼维权"),
    "discrimination": ("discrimination", "歧视"),
    "privacy": ("data leak", "信息泄露"),
    "regulator": ("regulator or 315", "监管与 315"),
    "boycott": ("boycott", "抵制"),
    "recall": ("recall", "召回"),
}
_LONGEST_NAME = 80


def message_of(delivery: ClaimedDelivery, link_base: str = "") -> Message:
    """The message of a delivery, in its target's language (Chinese for zh…, else English)."""
    language = "zh" if delivery.language.lower().startswith("zh") else "en"
    parts = delivery.content
    title = _title(parts, delivery.level, language)
    lines = [_opening(parts, language), sentence(parts, language), *_details(parts, language)]
    link = _link(parts, link_base)
    if link:
        lines.append(f"查看：{link}" if language == "zh" else f"Open: {link}")
    body = "\n".join(line for line in lines if line)
    return Message(title=title, body=body, level=delivery.level, key=delivery.key)


def test_message(language: str, key: str) -> Message:
    """What is sent when somebody asks whether a target works, in the target's language."""
    if language.lower().startswith("zh"):
        return Message(
            "听潮：测试通知", "这是一条测试消息。收到它说明预警通知可以送达这里。", None, key
        )
    return Message(
        "Groundswell: a test",
        "This is a test. Whoever reads it will be told here when an alert is raised.",
        None,
        key,
    )


def sentence(parts: Mapping[str, Any], language: str) -> str:
    """What rose, by how much, against what, since when; empty for what a person reported."""
    finding = parts.get("finding")
    zh = language == "zh"
    since = _moment(parts.get("since"), parts.get("time_zone"))
    if finding is None:
        return ""
    value, usual = parts.get("value"), parts.get("baseline")
    minutes = int(parts.get("window_minutes") or 15)
    negative = parts.get("metric") == "negative"
    if finding == "share":
        share, before = _percent(parts.get("share")), _percent(parts.get("usual_share"))
        if zh:
            return f"自{since}起，负面占比升至 {share}（平时 {before}）。"
        return f"Negative share has risen to {share} (usually {before}) since {since}."
    what = (
        ("负面提及" if zh else "negative mentions") if negative else ("提及" if zh else "mentions")
    )
    if usual is None:
        if zh:
            return f"自{since}起，{minutes} 分钟内{what} {_number(value)} 条；尚无基线，把握不大。"
        return (
            f"{_number(value)} {what} in {minutes} minutes since {since}; "
            "there is no baseline yet, so this is not sure."
        )
    compared = _compared(float(value or 0), float(usual), zh)
    if zh:
        return f"自{since}起，{minutes} 分钟内{what} {_number(value)} 条，{compared}。"
    return f"{_number(value)} {what} in {minutes} minutes, {compared}, since {since}."


def _compared(value: float, usual: float, zh: bool) -> str:
    if usual < 1:
        return "平时不足 1 条" if zh else "usually less than one"
    times = value / usual
    if zh:
        return f"平时约 {_number(usual)} 条（{times:.1f} 倍）"
    return f"usually about {_number(usual)} ({times:.1f} times as many)"


def _title(parts: Mapping[str, Any], level: str | None, language: str) -> str:
    brand = plain(parts.get("brand"))
    named = LEVELS[language].get(level or "", "")
    if parts.get("good_news"):
        news = "好评激增，非危机" if language == "zh" else "praise is surging, no crisis"
        title = f"{brand}：{news}" if language == "zh" else f"{brand}: {news}"
    else:
        number = plain(parts.get("number"))
        title = f"{brand} {number}"
    drill = {"drill": ("DRILL", "演练"), "demo": ("DEMO", "演示")}.get(str(parts.get("realm")))
    marks = [f"[{named}]" if named else ""]
    if drill:
        marks.insert(0, f"[{drill[1] if language == 'zh' else drill[0]}]")
    return " ".join(part for part in (*marks, title) if part)


def _opening(parts: Mapping[str, Any], language: str) -> str:
    change = CHANGES[language].get(str(parts.get("change")), "")
    number = plain(parts.get("number"))
    if language == "zh":
        return f"{change}（{number}）。" if change else ""
    return f"{change} ({number})." if change else ""


def _details(parts: Mapping[str, Any], language: str) -> list[str]:
    zh = language == "zh"
    lines = []
    share, authors = parts.get("share"), parts.get("authors")
    if share is not None and parts.get("finding") != "share":
        lines.append(f"负面占比 {_percent(share)}。" if zh else f"{_percent(share)} are negative.")
    if authors:
        lines.append(
            f"涉及 {_number(authors)} 位作者。" if zh else f"{_number(authors)} different authors."
        )
    named = [SEVERITY[key] for key in parts.get("severity") or () if key in SEVERITY]
    if named:
        words = ("、" if zh else ", ").join(pair[1] if zh else pair[0] for pair in named)
        lines.append(f"涉及：{words}。" if zh else f"It touches: {words}.")
    if parts.get("good_news"):
        lines.append("多为正面内容。" if zh else "Most of it is positive.")
    return lines


def _link(parts: Mapping[str, Any], link_base: str) -> str:
    number = plain(parts.get("number"))
    if not link_base or not number:
        return ""
    return f"{link_base.rstrip('/')}/alerts?incident={quote(number, safe='')}"


def plain(text: object) -> str:
    """A name on one line, without control characters, not longer than it needs to be."""
    shown = "".join(c if c.isprintable() else " " for c in str(text or ""))
    return " ".join(shown.split())[:_LONGEST_NAME]


def _number(value: object) -> str:
    return f"{float(str(value or 0)):,.0f}"


def _percent(share: object) -> str:
    return "?" if share is None else f"{float(str(share)):.0%}"


def _moment(stamp: object, zone: object) -> str:
    if not stamp:
        return "?"
    moment = datetime.fromisoformat(str(stamp))
    try:
        local = moment.astimezone(ZoneInfo(str(zone or "UTC")))
    except (ZoneInfoNotFoundError, ValueError):
        local = moment.astimezone(UTC)
    offset = local.strftime("%z")
    return f"{local:%Y-%m-%d %H:%M} (UTC{offset[:3]}:{offset[3:]})"
