"""RSS and Atom: one feed, asked for only when it has changed.

The cursor remembers the feed's ETag and Last-Modified and, for each of its newest items, a digest
and when it was first seen: so that only new and changed items come, and an item without a date
keeps the moment at which it was first seen. Feeds forget their older items by themselves; that is
no deletion. docs/platforms/rss.md has the details.
"""

from __future__ import annotations

import calendar
import hashlib
import io
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import urlsplit

import feedparser
from pydantic import BaseModel, ConfigDict, Field, field_validator

from listeners.base import ListenerError
from platforms.errors import ConfigError, PlatformError, Rejected, Unreachable, read_fields
from platforms.html_text import html_to_text
from platforms.public_web import Page, PublicWeb
from store.clock import Clock
from store.posts import Batch, Cursor, Post, PostAuthor

PLATFORM = "rss"
PAGE = 500
REMEMBERED = 1_000
"""Items whose digests the cursor keeps: the newest of the feed."""

LONGEST_TEXT = 20_000
_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
# Of these faults feedparser mends the consequences itself.
_HARMLESS = (feedparser.CharacterEncodingOverride, feedparser.NonXMLContentType)


class RssConfig(BaseModel):
    """Settings of a feed. ``allow_private`` lets it lie on a server of the own network."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(max_length=2_000)
    allow_private: bool = False

    @field_validator("url")
    @classmethod
    def _address(cls, url: str) -> str:
        text = url.strip()
        try:
            parts = urlsplit(text)
            host, _ = parts.hostname, parts.port
        except ValueError:
            host = None
        if not host or parts.scheme not in ("http", "https"):
            raise ValueError("give the full address, such as https://example.org/feed.xml")
        if parts.username or parts.password:
            raise ValueError(
                "an address holds no user name or password; enter them in their fields"
            )
        return text


class RssSecrets(BaseModel):
    """For feeds that want a password (HTTP Basic)."""

    model_config = ConfigDict(extra="ignore")

    username: str = ""
    password: str = ""


@dataclass(frozen=True, slots=True)
class _Item:
    """One item of a feed as far as it could be read."""

    external_id: str
    title: str
    text: str
    url: str | None
    author: str
    published: datetime | None
    updated: datetime | None

    @property
    def digest(self) -> str:
        return _hash(f"{self.title}\0{self.text}")[:16]


@dataclass(frozen=True, slots=True)
class _Channel:
    """The feed itself: who writes where an item names nobody, and in which language."""

    name: str
    language: str


class RssListener:
    """Implements ``Listener`` for one feed."""

    platform: ClassVar[str] = PLATFORM

    def __init__(self, web: PublicWeb, config: RssConfig, clock: Clock) -> None:
        self._web = web
        self._config = config
        self._clock = clock
        self._namespace = namespace_of(config.url)

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], secrets: Mapping[str, Any], clock: Clock
    ) -> RssListener:
        """From a source's settings and secrets. Raises a permanent ListenerError naming a field."""
        try:
            settings = read_fields(RssConfig, config, "This feed")
            login = read_fields(RssSecrets, secrets, "The login of this feed")
        except ConfigError as error:
            raise _listener_error(error) from error
        auth = (login.username, login.password) if login.username else None
        return cls(PublicWeb(allow_private=settings.allow_private, auth=auth), settings, clock)

    def fetch(self, cursor: Cursor | None) -> Iterator[Batch]:
        """New and changed items, oldest first; the last batch carries the cursor."""
        began = self._clock.now()
        known = cursor if cursor and cursor.get("url") == self._config.url else {}
        try:
            page = self._web.get(self._config.url, began, _conditions(known))
            if page.status == 304:
                yield Batch((), cursor=known, covered_until=began)
                return
            yield from self._batches(page, known, began)
        except PlatformError as error:
            raise _listener_error(error) from error

    def close(self) -> None:
        """Give connections back. Safe to call twice."""
        self._web.close()

    def _batches(self, page: Page, known: Cursor, began: datetime) -> Iterator[Batch]:
        feed = _parse(page, bool(known))
        seen: dict[str, list[str]] = dict(known.get("seen", {}))
        channel = _Channel(
            html_to_text(str(feed.feed.get("title", "")))[:400]
            or str(urlsplit(self._config.url).hostname),
            _language(str(feed.feed.get("language", ""))),
        )
        posts: list[Post] = []
        now_seen: dict[str, list[str]] = {}
        for entry in feed.entries:
            item = _item(entry)
            key = _hash(item.external_id)[:16]
            if key in now_seen:
                continue
            digest, first_seen = seen.get(key, ["", began.isoformat()])
            now_seen[key] = [item.digest, first_seen]
            if item.digest != digest:
                since = datetime.fromisoformat(first_seen)
                posts.append(self._post(item, channel, since, began, bool(digest)))
        posts.sort(key=lambda post: post.posted_at)
        message = _complaint(feed)
        after = {
            "url": self._config.url,
            # Half a feed must be asked for again whole.
            "etag": "" if message else page.headers.get("etag", ""),
            "modified": "" if message else page.headers.get("last-modified", ""),
            "seen": _newest(now_seen, seen),
        }
        for start in range(0, len(posts) - PAGE, PAGE):
            yield Batch(posts[start : start + PAGE])
        rest = posts[(max(len(posts) - 1, 0) // PAGE) * PAGE :]
        yield Batch(rest, cursor=after, covered_until=began, message=message)

    def _post(
        self,
        item: _Item,
        channel: _Channel,
        first_seen: datetime,
        began: datetime,
        changed: bool,
    ) -> Post:
        author = item.author or channel.name
        posted_at = min(item.published or item.updated or first_seen, began)
        edited_at = None
        if changed:
            fresh = item.updated and posted_at < item.updated <= began
            edited_at = item.updated if fresh else began
        return Post(
            platform=PLATFORM,
            namespace=self._namespace,
            external_id=item.external_id,
            text=item.text or item.title,
            title=item.title,
            posted_at=posted_at,
            author=PostAuthor(author, name=author),
            conversation=item.external_id,
            kind="article",
            url=item.url,
            language=channel.language,
            edited_at=edited_at,
            channel_ref={"answer_by_hand": True, "url": item.url},
        )


def namespace_of(url: str) -> str:
    """The namespace of a feed's items: its address, shortened where it is too long to store."""
    return url if len(url) <= 200 else f"{url[:150]}#{_hash(url)[:32]}"


def _conditions(known: Cursor) -> dict[str, str]:
    headers = {
        "Accept": "application/atom+xml, application/rss+xml, application/xml;q=0.9, */*;q=0.5"
    }
    if known.get("etag"):
        headers["If-None-Match"] = known["etag"]
    if known.get("modified"):
        headers["If-Modified-Since"] = known["modified"]
    return headers


def _parse(page: Page, worked_before: bool) -> Any:
    # A stream, since feedparser would take bytes for the name of a file.
    feed = feedparser.parse(
        io.BytesIO(page.content),
        response_headers={
            "content-type": page.headers.get("content-type", "application/xml"),
            "content-location": page.url,
        },
    )
    if feed.entries or (feed.version and not feed.bozo):
        return feed
    if feed.version or worked_before:
        raise Unreachable(
            f"{urlsplit(page.url).hostname} sent something that is no readable feed. It is tried "
            "again."
        )
    raise Rejected(_no_feed(page))


def _no_feed(page: Page) -> str:
    host = urlsplit(page.url).hostname
    for tag in re.findall(rb"<link\b[^>]{0,500}>", page.content[:200_000], re.IGNORECASE):
        if re.search(rb"application/(?:rss|atom)\+xml", tag, re.IGNORECASE):
            found = re.search(rb"href\s*=\s*[\"']([^\"']{1,300})", tag, re.IGNORECASE)
            if found:
                address = found[1].decode("utf-8", "replace")
                return (
                    f"{host} answers with a web page and no feed. The page names this feed: "
                    f"{address}"
                )
    return f"{host} answers with something that is no RSS or Atom feed. Check the address."


def _complaint(feed: Any) -> str | None:
    fault = feed.get("bozo_exception")
    if not feed.bozo or isinstance(fault, _HARMLESS):
        return None
    return (
        f"The feed is not well-formed ({type(fault).__name__}); what could be read was taken, "
        f"{len(feed.entries)} items. The publisher should be told."
    )


def _item(entry: Any) -> _Item:
    title = html_to_text(str(entry.get("title", "")))[:1_000]
    contents = [str(part.get("value", "")) for part in entry.get("content", [])]
    markup = max([*contents, str(entry.get("summary", ""))], key=len)
    text = html_to_text(markup[: 10 * LONGEST_TEXT])[:LONGEST_TEXT]
    link = str(entry.get("link", "")).strip()
    url = link if re.match(r"https?://", link, re.IGNORECASE) and len(link) <= 2_000 else None
    published = _moment(entry.get("published_parsed") or entry.get("created_parsed"))
    # entry.get would answer with the day of publication, and a warning, where there is no update.
    updated = _moment(dict.get(entry, "updated_parsed"))
    identity = str(entry.get("id", "")).strip() or link or _hash(f"{title}\0{text}\0{published}")
    return _Item(
        external_id=identity if len(identity) <= 400 else f"sha256:{_hash(identity)}",
        title=title,
        text=text,
        url=url,
        author=html_to_text(str(entry.get("author", "")))[:400],
        published=published,
        updated=updated,
    )


def _moment(parsed: time.struct_time | None) -> datetime | None:
    if parsed is None:
        return None
    try:
        found = datetime.fromtimestamp(calendar.timegm(parsed), UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return found if found >= _EARLIEST else None


def _language(given: str) -> str:
    found = re.match(r"([a-z]{2})(?:[-_]|$)", given.strip().lower())
    return found[1] if found else "und"


def _newest(now_seen: dict[str, list[str]], before: dict[str, list[str]]) -> dict[str, list[str]]:
    """Digests to keep: all of the feed as it is, and of what left it the latest."""
    gone = [key for key in before if key not in now_seen]
    kept = dict(list(now_seen.items())[:REMEMBERED])
    for key in gone[-max(0, REMEMBERED - len(kept)) :] if len(kept) < REMEMBERED else []:
        kept[key] = before[key]
    return kept


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _listener_error(error: PlatformError) -> ListenerError:
    return ListenerError(
        str(error),
        permanent=error.permanent,
        retry_after=error.retry_after,
        limited=error.limited,
    )
