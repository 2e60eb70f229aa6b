"""Bluesky: what is said to our account and about our search terms, through one logged-in account.

Three feeds, all newest first: notifications (mentions, replies and quotes of our account), our own
posts (so that a thread shows what was answered elsewhere), and a search for each term. A feed is
read back to where the last run ended and a little further, and what was seen is left out; nothing
of a run's cursor is safe before its last batch. docs/platforms/bluesky.md has the details.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, ClassVar, TypeVar

from pydantic import Field, field_validator, model_validator

from listeners.base import ListenerError
from listeners.bluesky_recent import RecentPosts, state_of
from platforms.bluesky import BlueskyAccount, BlueskyClient
from platforms.bluesky_posts import (
    PLATFORM,
    part_of,
    parts_of,
    read_post,
    read_time,
    split_uri,
    text_of,
    time_of,
)
from platforms.errors import PlatformError, Rejected, read_fields
from store.clock import Clock
from store.posts import Batch, Cursor, Post, Removal

REASONS = ("mention", "reply", "quote")
PAGE = 100  # posts a call; the network's maximum
LOOKUP = 25  # addresses a getPosts call takes
OVERLAP = timedelta(minutes=10)  # read again behind the last run: posts are indexed late
REMEMBERED = 200  # newest entries of a feed whose digests the cursor keeps
CONTEXT_LEVELS = 8  # how far up a thread is followed
CONTEXT_POSTS = 200  # in one run
_GONE = {"RecordNotFound", "RepoNotFound", "RepoTakendown"}

View = Mapping[str, Any]
Item = TypeVar("Item")


class BlueskyConfig(BlueskyAccount):
    """Settings of a Bluesky source."""

    notifications: bool = True
    own_posts: bool = True
    search: tuple[str, ...] = Field(default=(), max_length=20)
    lookback_days: int = Field(default=7, ge=1, le=90)

    @field_validator("search")
    @classmethod
    def _terms(cls, terms: tuple[str, ...]) -> tuple[str, ...]:
        cleaned = tuple(dict.fromkeys(term.strip() for term in terms))
        if any(not term or len(term) > 300 for term in cleaned):
            raise ValueError("a search term has between 1 and 300 characters")
        return cleaned

    @model_validator(mode="after")
    def _something(self) -> BlueskyConfig:
        if not self.notifications and not self.search:
            raise ValueError("choose notifications, or give at least one search term")
        return self


@dataclass(frozen=True, slots=True)
class _Entry:
    """One line of a feed: a post's address, where it stands in the feed's order, what is shown."""

    uri: str
    at: datetime
    view: View
    complete: bool  # the view has the counts


_Page = tuple[list[_Entry], str | None]
"""Entries, newest first, and the server's word for the next page (None: the last)."""


@dataclass(frozen=True, slots=True)
class _Feed:
    name: str
    page: Callable[[str | None], _Page]
    floor: datetime | None  # how far back the first run goes; None means to the beginning


class BlueskyListener:
    """Implements ``Listener`` for one account."""

    platform: ClassVar[str] = PLATFORM

    def __init__(self, client: BlueskyClient, config: BlueskyConfig, clock: Clock) -> None:
        self._client = client
        self._config = config
        self._clock = clock

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], secrets: Mapping[str, Any], clock: Clock
    ) -> BlueskyListener:
        """From a source's settings and secrets. Raises a permanent ListenerError naming a field."""
        try:
            settings = read_fields(BlueskyConfig, config, "This Bluesky source")
            return cls(BlueskyClient.open(settings, secrets, clock), settings, clock)
        except PlatformError as error:
            raise _listener_error(error) from error

    def fetch(self, cursor: Cursor | None) -> Iterator[Batch]:
        """Everything since the cursor; only the last batch carries one."""
        try:
            began = self._clock.now()
            # Another account's cursor says nothing: its lists are others.
            own = cursor if cursor and cursor.get("account") == self._client.did else {}
            yield from _Run(self._client, self._config, began, own).batches()
        except PlatformError as error:
            raise _listener_error(error) from error

    def close(self) -> None:
        self._client.close()


class _Run:
    """One pass over all feeds."""

    def __init__(
        self, client: BlueskyClient, config: BlueskyConfig, began: datetime, cursor: Cursor
    ) -> None:
        self._client = client
        self._config = config
        self._began = began
        self._feeds_before = part_of(cursor, "feeds")
        self._feeds_now: dict[str, dict[str, Any]] = {}
        self._given_before = {
            digest
            for feed in self._feeds_before.values()
            if isinstance(feed, Mapping)
            for digest in feed.get("seen", ())
        }
        self._recent = RecentPosts.read(cursor.get("recent"), began)
        self._given: set[str] = set()
        self._above: dict[str, None] = {}  # parents and roots of replies, in order

    def batches(self) -> Iterator[Batch]:
        for feed in self._feeds():
            for entries in self._walk(feed):
                posts = self._posts(entries)
                if posts:
                    yield Batch(posts)
        for posts in self._context():
            yield Batch(posts)
        posts, removals = self._look_again()
        cursor = {
            "account": self._client.did,
            "feeds": self._feeds_now,
            "recent": self._recent.written(),
        }
        yield Batch(posts, cursor, removals, covered_until=self._began)

    def _feeds(self) -> Iterator[_Feed]:
        back = self._began - timedelta(days=self._config.lookback_days)
        if self._config.notifications:
            yield _Feed("notifications", self._notifications, None)
        if self._config.own_posts:
            yield _Feed("own", self._own_posts, back)
        for term in self._config.search:
            yield _Feed(f"search {term}", self._searcher(term), back)

    def _walk(self, feed: _Feed) -> Iterator[list[_Entry]]:
        """Pages of a feed with what earlier runs did not give, newest first."""
        before = part_of(self._feeds_before, feed.name)
        until = read_time(text_of(before, "until"))
        remembered = [one for one in before.get("seen", ()) if isinstance(one, str)]
        known, order = set(remembered), list[str]()
        floor = until - OVERLAP if until else feed.floor
        page, newest, tokens = None, until, set[str]()
        while True:
            entries, page = feed.page(page)
            for entry in entries:
                order.append(_digest(entry.uri))
                newest = max(newest, entry.at) if newest else entry.at
            yield [entry for entry in entries if _digest(entry.uri) not in known]
            # Several entries decide, since one may stand out of order.
            past_floor = floor and entries and max(e.at for e in entries[-10:]) < floor
            if page is None or page in tokens or past_floor:
                break
            tokens.add(page)
        seen = list(dict.fromkeys([*order, *remembered]))[:REMEMBERED]
        # No further than now: an entry dated ahead must not make the next run stop early.
        reached = min(newest, self._began).isoformat() if newest else None
        self._feeds_now[feed.name] = {"until": reached, "seen": seen}

    def _notifications(self, page: str | None) -> _Page:
        answer = self._client.query(
            "app.bsky.notification.listNotifications",
            limit=PAGE,
            cursor=page,
            reasons=list(REASONS),
        )
        entries = []
        for notification in parts_of(answer, "notifications"):
            at = read_time(text_of(notification, "indexedAt"))
            if at and notification.get("reason") in REASONS:
                entries.append(_Entry(text_of(notification, "uri"), at, notification, False))
        return entries, text_of(answer, "cursor") or None

    def _own_posts(self, page: str | None) -> _Page:
        answer = self._client.query(
            "app.bsky.feed.getAuthorFeed",
            actor=self._client.did,
            filter="posts_with_replies",
            limit=PAGE,
            cursor=page,
        )
        # An item with a reason is a repost: somebody else's words.
        views = [part_of(item, "post") for item in parts_of(answer, "feed") if "reason" not in item]
        return _entries(views), text_of(answer, "cursor") or None

    def _searcher(self, term: str) -> Callable[[str | None], _Page]:
        def page(token: str | None) -> _Page:
            # Not with "since": it would hide what was written offline and is indexed only now.
            answer = self._client.query(
                "app.bsky.feed.searchPosts", q=term, sort="latest", limit=PAGE, cursor=token
            )
            return _entries(parts_of(answer, "posts")), text_of(answer, "cursor") or None

        return page

    def _posts(self, entries: Sequence[_Entry]) -> list[Post]:
        """Posts of a page, oldest first, each once in a run."""
        fresh = {entry.uri: entry for entry in entries if entry.uri not in self._given}
        views = self._look_up([uri for uri, entry in fresh.items() if not entry.complete])
        posts = []
        for uri, entry in reversed(fresh.items()):
            post = read_post(views.get(uri, entry.view), self._client.did)
            if post is None:
                continue
            posts.append(post)
            self._given.add(uri)
            self._recent.add(post)
            if post.direction == "inbound":
                self._above |= dict.fromkeys(_upward(post))
        return posts

    def _context(self) -> Iterator[list[Post]]:
        """The posts above new replies, so that a thread can be read; nearest first."""
        room = CONTEXT_POSTS
        wanted = [uri for uri in self._above if uri not in self._given]
        for _level in range(CONTEXT_LEVELS):
            wanted = [uri for uri in dict.fromkeys(wanted) if not self._known(uri)][:room]
            if not wanted:
                return
            posts = []
            for view in self._look_up(wanted).values():
                post = read_post(view, self._client.did, context=True)
                if post is not None:
                    posts.append(post)
            self._given.update(wanted)
            room -= len(wanted)
            if posts:
                yield posts
            wanted = [uri for post in posts for uri in _upward(post)]

    def _known(self, uri: str) -> bool:
        return uri in self._given or _digest(uri) in self._given_before

    def _look_again(self) -> tuple[list[Post], list[Removal]]:
        """Edits, deletions and fresh counts of some of the recent posts, in turn."""
        turn = self._recent.turn(self._given)
        views = self._look_up(turn)
        posts, removals = [], []
        for uri in turn:
            view = views.get(uri)
            if view is None:
                if self._is_gone(uri):
                    removals.append(Removal(PLATFORM, uri))
                    self._recent.drop(uri)
                continue
            was, now = self._recent.state(uri), state_of(view)
            if now == was:
                continue
            edited_at = self._began if now[0] != was[0] else None
            post = read_post(view, self._client.did, edited_at=edited_at)
            if post is not None:
                posts.append(post)
                self._recent.changed(uri, now)
        return posts, removals

    def _is_gone(self, uri: str) -> bool:
        """A post that is not shown may be deleted, or only hidden from us by a block."""
        address = split_uri(uri)
        if address is None:
            return False
        try:
            self._client.query(
                "com.atproto.repo.getRecord",
                repo=address[0],
                collection="app.bsky.feed.post",
                rkey=address[1],
            )
        except Rejected as refused:
            return refused.code in _GONE
        return False

    def _look_up(self, uris: Iterable[str]) -> dict[str, View]:
        found: dict[str, View] = {}
        valid = (uri for uri in uris if split_uri(uri))  # one bad address fails the whole call
        for some in _pieces(valid, LOOKUP):
            answer = self._client.query("app.bsky.feed.getPosts", uris=some)
            found |= {text_of(view, "uri"): view for view in parts_of(answer, "posts")}
        return found


def _entries(views: Iterable[View]) -> list[_Entry]:
    entries = []
    for view in views:
        at = time_of(part_of(view, "record"), view)
        if at is not None:
            entries.append(_Entry(text_of(view, "uri"), at, view, True))
    return entries


def _upward(post: Post) -> list[str]:
    if post.in_reply_to is None:
        return []
    return list(dict.fromkeys((post.in_reply_to, post.conversation)))


def _digest(uri: str) -> str:
    return hashlib.blake2b(uri.encode(), digest_size=8).hexdigest()


def _pieces(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some


def _listener_error(error: PlatformError) -> ListenerError:
    return ListenerError(
        str(error),
        permanent=error.permanent,
        retry_after=error.retry_after,
        limited=error.limited,
    )
