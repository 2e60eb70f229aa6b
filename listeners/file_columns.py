"""Which column of a file holds what: named by a person, or guessed from its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches

from platforms.tables import TableError


@dataclass(frozen=True, slots=True)
class Columns:
    """The column for each field of a post; None where the file has none (or it is to be guessed).

    Only ``text`` must be there in the end; what stands in for the others is in docs/import.md.
    """

    text: str | None = None
    time: str | None = None
    id: str | None = None
    author: str | None = None
    author_name: str | None = None
    followers: str | None = None
    brand: str | None = None
    platform: str | None = None
    direction: str | None = None
    in_reply_to: str | None = None
    conversation: str | None = None
    language: str | None = None
    url: str | None = None
    title: str | None = None
    likes: str | None = None
    reposts: str | None = None
    replies: str | None = None
    views: str | None = None


_NAMES: dict[str, tuple[str, ...]] = {
    "text": (
        "text", "content", "full_text", "body", "message", "tweet", "tweet_text", "post_text",
        "comment", "comment_text", "review", "review_text", "review_body", "mention", "post",
        "内容", "正文", "文本", "微博正文", "微博内容", "评论内容", "评论", "原文", "帖子内容",
    ),
    "time": (
        "time", "posted_at", "created_at", "created", "timestamp", "date", "datetime",
        "published_at", "published", "tweet_created", "post_date", "review_date", "sent_at",
        "time_utc", "created_utc", "发布时间", "时间", "日期", "创建时间", "评论时间",
    ),
    "id": (
        "id", "tweet_id", "post_id", "message_id", "mention_id", "comment_id", "review_id",
        "status_id", "id_str", "mid", "external_id", "编号", "微博id", "帖子id", "评论id",
    ),
    "author": (
        "author", "author_id", "user_id", "username", "user_name", "user", "screen_name",
        "handle", "from", "sender", "reviewer", "作者", "用户", "用户名", "作者id", "用户id",
        "发布者",
    ),
    "author_name": (
        "author_name", "display_name", "full_name", "user_display_name", "昵称", "用户昵称",
        "作者昵称",
    ),
    "followers": ("followers", "followers_count", "follower_count", "粉丝数", "粉丝"),
    "brand": ("brand", "brand_name", "company", "品牌", "品牌名", "公司"),
    "platform": ("platform", "channel", "network", "平台", "渠道"),
    "direction": ("direction", "inbound", "is_inbound", "outbound", "is_outbound", "方向"),
    "in_reply_to": (
        "in_reply_to", "in_reply_to_id", "in_reply_to_status_id", "in_response_to_tweet_id",
        "in_response_to", "reply_to", "reply_to_id", "parent_id", "parent", "回复对象", "父id",
        "上级id",
    ),
    "conversation": ("conversation", "conversation_id", "thread_id", "thread", "会话", "会话id"),
    "language": ("language", "lang", "语言", "语种"),
    "url": ("url", "link", "permalink", "post_url", "链接", "网址"),
    "title": ("title", "subject", "headline", "标题", "主题"),
    "likes": ("likes", "like_count", "favorite_count", "favourites_count", "点赞数", "点赞"),
    "reposts": ("reposts", "retweets", "retweet_count", "repost_count", "share_count", "转发数"),
    "replies": ("replies", "reply_count", "comment_count", "comments_count", "评论数"),
    "views": ("views", "view_count", "impressions", "阅读数", "浏览量"),
}  # fmt: skip

FLAGS = {
    name: f"--{name.replace('_', '-')}-column" for name in (field.name for field in fields(Columns))
}
"""The option of ``groundswell import`` that names each column."""


def resolve(asked: Columns, present: Sequence[str], file: str) -> Columns:
    """The columns to read: the asked ones as they are written in the file, the rest guessed.

    Raises TableError when an asked column is not there or no text column can be found.
    """
    found: dict[str, str | None] = {}
    for field in fields(Columns):
        name = getattr(asked, field.name)
        if name is not None:
            found[field.name] = _named(name, present, FLAGS[field.name], file)
    taken = set(found.values())
    for field in fields(Columns):
        if field.name not in found:
            found[field.name] = _guess(field.name, present, taken)
            taken.add(found[field.name])
    chosen = replace(asked, **found)
    if chosen.text is None:
        raise TableError(
            f"{file} has no column that looks like the text of a post. Name it with "
            f"{FLAGS['text']}. {_listed(present)}"
        )
    return chosen


def _named(name: str, present: Sequence[str], flag: str, file: str) -> str:
    for column in present:
        if column == name:
            return column
    for column in present:
        if _plain(column) == _plain(name):
            return column
    near = get_close_matches(_plain(name), [_plain(column) for column in present], 1, 0.6)
    hint = ""
    if near:
        meant = next(column for column in present if _plain(column) == near[0])
        hint = f' Did you mean "{meant}"?'
    raise TableError(f'{flag}: {file} has no column "{name}".{hint} {_listed(present)}')


def _guess(field: str, present: Sequence[str], taken: set[str | None]) -> str | None:
    plain = {_plain(column): column for column in reversed(present) if column not in taken}
    for candidate in _NAMES[field]:
        if _plain(candidate) in plain:
            return plain[_plain(candidate)]
    return None


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _listed(present: Sequence[str]) -> str:
    shown = ", ".join(present[:40])
    more = f" and {len(present) - 40} more" if len(present) > 40 else ""
    return f"Its columns are: {shown}{more}."
