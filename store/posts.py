"""Posts as connectors hand them over, before they are stored as mentions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Cursor = Mapping[str, Any]
"""Where a connector goes on. JSON; only the connector that wrote it reads it."""


@dataclass(frozen=True, slots=True)
class PostAuthor:
    """Who wrote a post. ``external_id`` is unique within platform and namespace."""

    external_id: str
    handle: str = ""
    name: str = ""
    url: str | None = None
    followers: int | None = None


@dataclass(frozen=True, slots=True)
class Post:
    """One post, comment, message or article as its platform has it.

    ``platform``, ``namespace`` and ``external_id`` identify it (docs/identity.md). ``conversation``
    is the external id of its thread's root, its own id when it is the root. ``posted_at`` is aware.
    ``channel_ref`` is JSON that the reply channel of the same platform understands.
    """

    platform: str
    external_id: str
    text: str
    posted_at: datetime
    namespace: str = ""
    author: PostAuthor | None = None
    conversation: str = ""
    in_reply_to: str | None = None
    direction: Literal["inbound", "outbound"] = "inbound"
    kind: str = "post"
    title: str = ""
    url: str | None = None
    language: str = "und"
    edited_at: datetime | None = None
    engagement: Mapping[str, int] = field(default_factory=dict)
    channel_ref: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Removal:
    """A post that its platform no longer has."""

    platform: str
    external_id: str
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """A page of posts and what may be remembered once it is stored.

    ``cursor`` is None while it is not yet safe to save one (pages that come newest first: only the
    last page carries it). ``covered_until`` says that everything posted before has been seen.
    ``cost_usd`` is what the calls for this batch cost. ``message`` is something staff should know
    although the batch could be read (a feed that is not well-formed).
    """

    posts: Sequence[Post]
    cursor: Cursor | None = None
    removals: Sequence[Removal] = ()
    covered_until: datetime | None = None
    cost_usd: float = 0.0
    message: str | None = None
