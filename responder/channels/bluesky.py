"""Replies on Bluesky, in the thread, from one account.

A reply's record key is chosen before the first attempt and everything else in the record follows
from it and the text, so sending twice writes the same record once, and ``find`` can ask for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

import regex
from atproto_client.utils.facet_detection import detect_facets, detect_mentions

from platforms.bluesky import BlueskyAccount, BlueskyClient
from platforms.bluesky_posts import iso_time
from platforms.errors import PlatformError, Rejected, read_fields
from platforms.tid import make_tid, tid_time
from responder.channels.base import OutgoingReply, ReplyError, ReplyRules, SentReply
from store.clock import Clock

POSTS = "app.bsky.feed.post"
LONGEST = 300  # graphemes, lexicons/app/bsky/feed/post.json
LONGEST_BYTES = 3000


class BlueskyChannel:
    """Implements ``ReplyChannel`` for one account."""

    channel: ClassVar[str] = "bluesky"
    rules: ClassVar[ReplyRules] = ReplyRules(max_length=LONGEST, counts="graphemes")

    def __init__(self, client: BlueskyClient) -> None:
        self._client = client

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], secrets: Mapping[str, Any], clock: Clock
    ) -> BlueskyChannel:
        """From a source's settings and secrets. Raises a permanent ReplyError naming a field."""
        own = {name: config[name] for name in BlueskyAccount.model_fields if name in config}
        try:
            account = read_fields(BlueskyAccount, own, "This Bluesky account")
            return cls(BlueskyClient.open(account, secrets, clock))
        except PlatformError as error:
            raise _reply_error(error) from error

    def prepare(self, key: str, now: datetime) -> str:
        """The record key."""
        return make_tid(now, key)

    def find(self, reply: OutgoingReply) -> SentReply | None:
        """Ask for the record; None when our account holds none under that key."""
        try:
            self._client.query(
                "com.atproto.repo.getRecord",
                repo=self._client.did,
                collection=POSTS,
                rkey=_record_key(reply),
            )
        except Rejected as refused:
            if refused.code == "RecordNotFound":
                return None
            raise _reply_error(refused) from refused
        except PlatformError as error:
            raise _reply_error(error) from error
        return self._sent(reply)

    def send(self, reply: OutgoingReply) -> SentReply:
        """Put the record. Refuses what is too long, and posts that are gone or closed to us."""
        _check_length(reply.body)
        key = _record_key(reply)
        try:
            record = self._record(reply, tid_time(key), self._parent(reply))
            self._client.procedure(
                "com.atproto.repo.putRecord",
                {"repo": self._client.did, "collection": POSTS, "rkey": key, "record": record},
            )
        except PlatformError as error:
            raise _reply_error(error) from error
        return self._sent(reply)

    def close(self) -> None:
        self._client.close()

    def _parent(self, reply: OutgoingReply) -> Mapping[str, Any]:
        """The post that is answered as it is now, since an edit changes its cid."""
        answer = self._client.query("app.bsky.feed.getPosts", uris=[_ref(reply, "uri")])
        posts = answer.get("posts")
        if not isinstance(posts, list) or not posts or not isinstance(posts[0], Mapping):
            raise ReplyError(
                "The post is not on Bluesky any more, or its author has blocked our account, so "
                "it cannot be answered there.",
                permanent=True,
            )
        parent: Mapping[str, Any] = posts[0]
        viewer = parent.get("viewer")
        if isinstance(viewer, Mapping) and viewer.get("replyDisabled"):
            raise ReplyError(
                "The author has limited who may answer this post, and our account may not.",
                permanent=True,
            )
        return parent

    def _record(
        self, reply: OutgoingReply, created_at: datetime, parent: Mapping[str, Any]
    ) -> dict[str, Any]:
        uri, root_uri = _ref(reply, "uri"), _ref(reply, "root_uri")
        now_cid = str(parent.get("cid") or _ref(reply, "cid"))
        root_cid = now_cid if root_uri == uri else _ref(reply, "root_cid")
        record: dict[str, Any] = {
            "$type": POSTS,
            "text": reply.body,
            "createdAt": iso_time(created_at),
            "reply": {
                "root": {"uri": root_uri, "cid": root_cid},
                "parent": {"uri": uri, "cid": now_cid},
            },
        }
        facets = _facets(reply)
        if facets:
            record["facets"] = facets
        return record

    def _sent(self, reply: OutgoingReply) -> SentReply:
        did, key = self._client.did, _record_key(reply)
        return SentReply(
            external_id=f"at://{did}/{POSTS}/{key}",
            url=f"https://bsky.app/profile/{did}/post/{key}",
        )


def graphemes(text: str) -> int:
    """Length as Bluesky counts it: extended grapheme clusters, what a reader calls characters."""
    return len(regex.findall(r"\X", text))


def _check_length(body: str) -> None:
    if not body.strip():
        raise ReplyError("The reply is empty.", permanent=True)
    length = graphemes(body)
    if length > LONGEST:
        raise ReplyError(
            f"The reply has {length} characters; Bluesky takes at most {LONGEST}. Shorten it by "
            f"{length - LONGEST}.",
            permanent=True,
        )
    if len(body.encode()) > LONGEST_BYTES:
        raise ReplyError(
            f"The reply takes {len(body.encode())} bytes; Bluesky takes at most {LONGEST_BYTES}. "
            "Use fewer emoji or accents, or shorten it.",
            permanent=True,
        )


def _facets(reply: OutgoingReply) -> list[dict[str, Any]]:
    """What is to be clickable: links, hashtags, and the handle of the author we answer."""
    found = [
        facet.model_dump(by_alias=True, exclude_none=True) for facet in detect_facets(reply.body)
    ]
    handle, did = str(reply.to.get("author_handle") or ""), reply.to.get("author_did")
    for mention in detect_mentions(reply.body):
        if did and mention.handle.lower() == handle.lower():
            found.append(
                {
                    "index": {"byteStart": mention.byte_start, "byteEnd": mention.byte_end},
                    "features": [{"$type": "app.bsky.richtext.facet#mention", "did": did}],
                }
            )
    return sorted(found, key=lambda facet: int(facet["index"]["byteStart"]))


def _record_key(reply: OutgoingReply) -> str:
    if not reply.platform_key:
        raise ReplyError(
            "This reply was saved without its record key and is not sent, since it could then "
            "arrive twice. Write it again.",
            permanent=True,
        )
    try:
        tid_time(reply.platform_key)
    except ValueError as error:
        raise ReplyError(f"{error}, so the reply is not sent.", permanent=True) from error
    return reply.platform_key


def _ref(reply: OutgoingReply, name: str) -> str:
    found = reply.to.get(name)
    if not isinstance(found, str) or not found:
        raise ReplyError(
            f"The mention does not say what to answer on Bluesky ({name} is missing). Answer it "
            "by hand.",
            permanent=True,
        )
    return found


def _reply_error(error: PlatformError) -> ReplyError:
    return ReplyError(
        str(error),
        permanent=error.permanent,
        retry_after=error.retry_after,
        maybe_sent=error.maybe_sent,
    )
