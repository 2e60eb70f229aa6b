"""Recent Bluesky posts whose edits, deletions and counts are followed, a few in each run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from platforms.bluesky_posts import engagement_of, iso_time, read_time, text_of
from store.posts import Post

MOST = 200
FOLLOWED_FOR = timedelta(days=14)
IN_A_RUN = 50

State = tuple[str, str]
"""What tells whether a post changed: the id of its content, and its counts."""


class RecentPosts:
    """The newest posts we gave, the longest unlooked-at first. Kept in the source's cursor."""

    def __init__(self, rows: dict[str, list[Any]]) -> None:
        self._rows = rows  # address: [cid, counts, posted at]

    @classmethod
    def read(cls, written: object, now: datetime) -> RecentPosts:
        """From a cursor; posts that have grown too old are left out."""
        rows: dict[str, list[Any]] = {}
        for uri, cid, counts, posted in written if isinstance(written, list) else ():
            since = read_time(posted)
            if since and now - since < FOLLOWED_FOR:
                rows[uri] = [cid, counts, posted]
        return cls(rows)

    def written(self) -> list[list[Any]]:
        """For the cursor: the newest posts, in the order of their turn."""
        kept = set(sorted(self._rows, key=lambda uri: str(self._rows[uri][2]))[-MOST:])
        return [[uri, *row] for uri, row in self._rows.items() if uri in kept]

    def add(self, post: Post) -> None:
        """Follow a post from now on."""
        state = post.channel_ref["cid"], _counts(post.engagement)
        self._rows[post.external_id] = [*state, iso_time(post.posted_at)]

    def turn(self, given: set[str]) -> list[str]:
        """Whose turn it is, without those just given; they go to the end of the queue."""
        uris = list(islice((uri for uri in self._rows if uri not in given), IN_A_RUN))
        for uri in uris:
            self._rows[uri] = self._rows.pop(uri)
        return uris

    def state(self, uri: str) -> State:
        """As it was given last."""
        return self._rows[uri][0], self._rows[uri][1]

    def changed(self, uri: str, state: State) -> None:
        """Remember what was given now."""
        self._rows[uri][:2] = state

    def drop(self, uri: str) -> None:
        """Follow it no longer."""
        del self._rows[uri]


def state_of(view: Mapping[str, Any]) -> State:
    """What a post's view says of it now."""
    return text_of(view, "cid"), _counts(engagement_of(view))


def _counts(engagement: Mapping[str, int]) -> str:
    return " ".join(str(count) for count in engagement.values())
