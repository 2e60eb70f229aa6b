"""How a post is drawn: author, words, platform, what we make of it. All of it hostile text."""

from __future__ import annotations

from datetime import datetime

from dashboard import parts, terms
from dashboard.desk import Desk
from dashboard.hostile import escape, link, one_line, to_html
from store.mention_list import MentionLine

LONG = 1200


def mention(desk: Desk, line: MentionLine, *, show_brand: bool) -> str:
    """HTML of a mention in a list."""
    tags = [
        chip_of_sentiment(desk, line.sentiment, unsure=line.unsure),
        parts.chip(terms.word(desk, terms.INTENTS, line.intent or "unscored"), "tag"),
    ]
    if line.urgency:
        urgency = terms.word(desk, terms.URGENCIES, str(line.urgency))
        tags.append(parts.chip(desk.t("Urgency: {urgency}", urgency=urgency), "tag"))
    if show_brand:
        tags.append(parts.chip(line.brand_name, "tag"))
    return (
        f'<article class="post">{head(desk, line)}{body(desk, line.title, line.text, line.deleted)}'
        f'<div class="foot">{"".join(tags)}</div></article>'
    )


def head(desk: Desk, line: MentionLine) -> str:
    """HTML of a post's first line: who, where, when."""
    return head_of(
        desk, line.author_name or line.author_handle, line.author_handle, line.followers,
        line.platform, line.url, line.posted_at,
    )  # fmt: skip


def head_of(
    desk: Desk, name: str, handle: str, followers: int | None, platform: str, url: str | None,
    at: datetime,
) -> str:  # fmt: skip
    """HTML of a first line from its parts."""
    who = one_line(name, 60) or desk.t("Unknown author")
    shown = [f'<bdi class="who">{escape(who)}</bdi>']
    if handle and handle != name:
        shown.append(f"<bdi>{escape(one_line(handle, 60))}</bdi>")
    if followers:
        shown.append(escape(desk.nt("{n} follower", "{n} followers", followers)))
    shown.append(link(url, terms.platform(desk, platform)))
    shown.append(parts.when(desk, at))
    return f'<div class="head">{"".join(f"<span>{one}</span>" for one in shown)}</div>'


def body(desk: Desk, title: str, text: str, deleted: bool) -> str:
    """HTML of what a post says; a long one folds."""
    if deleted:
        gone = desk.t("Deleted on its platform; its text is removed here too.")
        return f'<p class="words gone">{escape(gone)}</p>'
    shown = f'<p class="title" dir="auto">{escape(one_line(title, 300))}</p>' if title else ""
    if len(text) > LONG:
        start, rest = text[:LONG], text[LONG:]
        return (
            f'{shown}<div class="words" dir="auto">{to_html(start)}<details><summary>'
            f"{escape(desk.t('Show the rest'))}</summary>{to_html(rest)}</details></div>"
        )
    return f'{shown}<div class="words" dir="auto">{to_html(text)}</div>'


def chip_of_sentiment(desk: Desk, sentiment: str | None, *, unsure: bool = False) -> str:
    """HTML: the sentiment as shape, colour and word, and whether the model is unsure of it."""
    name = sentiment or "unscored"
    word = terms.word(desk, terms.SENTIMENTS, name)
    if unsure:
        word = desk.t("{sentiment}, unsure", sentiment=word)
    return parts.chip(word, name)
