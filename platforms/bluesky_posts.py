"""What Bluesky shows of a post, turned into ours.

Records are written by anybody: every field may be missing or of another type than its lexicon
says (https://github.com/bluesky-social/atproto/tree/main/lexicons/app/bsky/feed).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from store.posts import Post, PostAuthor

PLATFORM = "bluesky"
_LONGEST_URI = 400
_URI = re.compile(r"at://(did:[a-z]+:[A-Za-z0-9._:%-]+)/app\.bsky\.feed\.post/([A-Za-z0-9._~:-]+)")
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_COUNTS = {
    "likes": "likeCount",
    "reposts": "repostCount",
    "replies": "replyCount",
    "quotes": "quoteCount",
}


def read_post(
    view: Mapping[str, Any],
    own_did: str,
    *,
    edited_at: datetime | None = None,
    context: bool = False,
) -> Post | None:
    """A post from an ``app.bsky.feed.defs#postView``; None when it has no usable identity or time.

    ``context`` marks a post that is shown for the sake of a thread and addresses nobody of ours.
    """
    uri, author = text_of(view, "uri"), part_of(view, "author")
    address = split_uri(uri)
    did = text_of(author, "did")
    record = part_of(view, "record")
    posted_at = time_of(record, view)
    if address is None or did != address[0] or posted_at is None or len(uri) > _LONGEST_URI:
        return None
    handle = text_of(author, "handle")
    cid = text_of(view, "cid")
    root, parent = reply_refs(record)
    reference: dict[str, Any] = {
        "uri": uri,
        "cid": cid,
        "root_uri": root[0] if root else uri,
        "root_cid": root[1] if root else cid,
        "author_did": did,
        "author_handle": handle,
    }
    if context:
        reference["context"] = True
    return Post(
        platform=PLATFORM,
        external_id=uri,
        text=text_of(record, "text"),
        posted_at=posted_at,
        author=PostAuthor(
            external_id=did,
            handle=handle,
            name=text_of(author, "displayName")[:400],
            url=f"https://bsky.app/profile/{did}",
        ),
        conversation=root[0] if root else uri,
        in_reply_to=parent[0] if parent else None,
        direction="outbound" if did == own_did else "inbound",
        kind="reply" if parent else "post",
        url=f"https://bsky.app/profile/{did}/post/{address[1]}",
        language=_language(record),
        edited_at=edited_at,
        engagement=engagement_of(view),
        channel_ref=reference,
    )


def split_uri(uri: str) -> tuple[str, str] | None:
    """The author's DID and the record key of a post's at:// address."""
    found = _URI.fullmatch(uri)
    return (found[1], found[2]) if found else None


def reply_refs(
    record: Mapping[str, Any],
) -> tuple[tuple[str, str] | None, tuple[str, str] | None]:
    """(uri, cid) of the thread's root and of the parent, where the record answers something."""
    reply = part_of(record, "reply")
    parent = _ref(part_of(reply, "parent"))
    root = _ref(part_of(reply, "root")) or parent
    return (root, parent) if parent else (None, None)


def engagement_of(view: Mapping[str, Any]) -> dict[str, int]:
    """The public counts that the server gives; none when it gives none."""
    found = {}
    for name, key in _COUNTS.items():
        count = view.get(key)
        if isinstance(count, int) and not isinstance(count, bool) and count >= 0:
            found[name] = count
    return found


def time_of(record: Mapping[str, Any], view: Mapping[str, Any]) -> datetime | None:
    """When a post was posted: what its author says, unless that is later than it was seen.

    ``indexedAt`` is the server's; ``createdAt`` is whatever the author's program wrote.
    """
    indexed = read_time(text_of(view, "indexedAt"))
    created = read_time(text_of(record, "createdAt"))
    if created is None or created.year < 2000:
        return indexed
    return min(created, indexed) if indexed else created


def read_time(text: str) -> datetime | None:
    """An aware UTC time from the network's ISO form, None when it is not one."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def iso_time(moment: datetime) -> str:
    """A moment in the network's form."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parts_of(holder: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    """The objects in a list, skipping what is none."""
    found = holder.get(key)
    for item in found if isinstance(found, list) else ():
        if isinstance(item, Mapping):
            yield item


def part_of(holder: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The object under a key, empty when there is none."""
    found = holder.get(key)
    return found if isinstance(found, Mapping) else {}


def text_of(holder: Mapping[str, Any], key: str) -> str:
    """The text under a key, free of what a database refuses (NUL, lone surrogates)."""
    found = holder.get(key)
    if not isinstance(found, str):
        return ""
    return found.replace("\x00", "").encode("utf-8", "replace").decode()


def _ref(holder: Mapping[str, Any]) -> tuple[str, str] | None:
    uri, cid = text_of(holder, "uri"), text_of(holder, "cid")
    return (uri, cid) if split_uri(uri) and cid and len(uri) <= _LONGEST_URI else None


def _language(record: Mapping[str, Any]) -> str:
    langs = record.get("langs")
    first = langs[0] if isinstance(langs, list) and langs else None
    found = _LANGUAGE.fullmatch(first.split("-")[0].lower()) if isinstance(first, str) else None
    return found[0] if found else "und"
