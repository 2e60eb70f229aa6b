"""Standard wording, filled in for one ticket.

Placeholders are words in braces. They are filled in one pass: a value is never looked at again, so
a customer who calls himself ``{agent}`` stays ``{agent}``, and nothing is ever formatted.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from responder.errors import CannedError
from store import canned, locks

PLACEHOLDERS = ("customer", "agent", "ticket", "brand")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_VALUE_LENGTH = 80
_NAMELESS = {
    "en": {"customer": "there", "agent": "your support team"},
    "zh": {"customer": "尊敬的客户", "agent": "客服团队"},
}
_LONGEST_TITLE = 120


@dataclass(frozen=True, slots=True)
class DraftValues:
    """What the placeholders stand for; an unknown name is filled with a polite word instead."""

    customer: str = ""
    agent: str = ""
    ticket: str = ""
    brand: str = ""


def fill(body: str, values: DraftValues, language: str = "en") -> str:
    """Standard wording with its placeholders filled in.

    Names come from the internet: they are put on one line, without control and direction signs,
    and cut at 80 characters. Raises CannedError for an unknown placeholder or a lone brace.
    """
    check(body)
    polite = _NAMELESS.get(language.split("-")[0], _NAMELESS["en"])
    words: Mapping[str, str] = {
        name: _plain(getattr(values, name)) or polite.get(name, "") for name in PLACEHOLDERS
    }
    return _PLACEHOLDER.sub(lambda match: words[match[1]], body)


def check(body: str) -> None:
    """Raise CannedError when wording cannot be filled; the text says what to write instead."""
    if not body.strip():
        raise CannedError("The text is empty.")
    known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
    for name in _PLACEHOLDER.findall(body):
        if name not in PLACEHOLDERS:
            raise CannedError(
                "{wrong} is no placeholder. Placeholders are {known}.",
                wrong=f"{{{name}}}",
                known=known,
            )
    rest = _PLACEHOLDER.sub("", body)
    if "{" in rest or "}" in rest:
        raise CannedError(
            "The text has a single brace. Braces are for placeholders: {known}.", known=known
        )


def check_title(title: str) -> None:
    """Raise CannedError for an empty or too long title."""
    if not title.strip() or len(title) > _LONGEST_TITLE:
        raise CannedError(
            "Give the text a title of at most {limit} characters.", limit=_LONGEST_TITLE
        )


def add_starter_set(session: Session, now: datetime) -> int:
    """Wording to begin with, in English and Chinese, where there is none at all; returns how many
    were added. Safe when two processes do it at once.
    """
    locks.hold(session, "canned-starter-set")
    if canned.how_many(session):
        return 0
    for language, category, title, body in STARTER_SET:
        canned.add(session, title, body, language, now, category=category)
    return len(STARTER_SET)


def _plain(value: str) -> str:
    visible = (c for c in value if c.isspace() or unicodedata.category(c)[0] != "C")
    return " ".join("".join(visible).split())[:_VALUE_LENGTH]


STARTER_SET: tuple[tuple[str, str | None, str, str], ...] = (
    (
        "en",
        "complaint",
        "Sorry, we look into it",
        "Hi {customer}, I am sorry about this. I am looking into it now and will come back to you "
        "today. Your case number is {ticket}. – {agent}, {brand}",
    ),
    (
        "en",
        "complaint",
        "Ask for the order number",
        "Hi {customer}, I am sorry that this went wrong. Please send us your order number in a "
        "private message, so that I can check it at once. Please post no personal data here. "
        "Case {ticket}. – {agent}, {brand}",
    ),
    (
        "en",
        "complaint",
        "It is put right",
        "Hi {customer}, thank you for your patience. It should be put right now. If anything is "
        "still wrong, just answer here and I will see to it. – {agent}, {brand}",
    ),
    (
        "en",
        "enquiry",
        "Thanks for asking",
        "Hi {customer}, thanks for asking. I am checking this for you and will answer shortly. "
        "– {agent}, {brand}",
    ),
    (
        "en",
        "suggestion",
        "Thanks for the idea",
        "Hi {customer}, thank you for the idea. I have passed it on to the people who can build "
        "it. – {agent}, {brand}",
    ),
    (
        "en",
        "praise",
        "Thank you",
        "Hi {customer}, thank you, that made our day! I will share it with the team. "
        "– {agent}, {brand}",
    ),
    (
        "en",
        None,
        "Anything else?",
        "Hi {customer}, is there anything else that I can do for you? If not, I will close case "
        "{ticket}; an answer here opens it again. – {agent}, {brand}",
    ),
    (
        "zh",
        "complaint",
        "致歉并核实",
        "{customer}，您好！非常抱歉给您带来不便，我正在核实情况，今天内会给您答复。"
        "您的工单编号是 {ticket}。——{brand} {agent}",
    ),
    (
        "zh",
        "complaint",
        "请提供订单号",
        "{customer}，您好！很抱歉没有让您满意。请私信告诉我们订单号，我马上为您查询。"
        "请不要在公开评论中留下个人信息。工单 {ticket}。——{brand} {agent}",
    ),
    (
        "zh",
        "complaint",
        "问题已处理",
        "{customer}，您好！感谢您的耐心等待，问题已经处理。如果还有不妥，"
        "请直接在这里回复，我会继续跟进。——{brand} {agent}",
    ),
    (
        "zh",
        "enquiry",
        "感谢咨询",
        "{customer}，您好！感谢您的咨询，我正在为您确认，稍后答复您。——{brand} {agent}",
    ),
    (
        "zh",
        "suggestion",
        "感谢建议",
        "{customer}，您好！感谢您的建议，我已经转给相关同事认真研究。——{brand} {agent}",
    ),
    (
        "zh",
        "praise",
        "感谢认可",
        "{customer}，您好！感谢您的认可，我们会继续努力，也会把您的话转告团队。——{brand} {agent}",
    ),
    (
        "zh",
        None,
        "还有其他需要吗",
        "{customer}，您好！请问还有什么可以帮您？如果没有，我将关闭工单 {ticket}，"
        "您随时在这里回复即可重新打开。——{brand} {agent}",
    ),
)
