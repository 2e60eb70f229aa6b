"""Tells replies that the desk sent from answers that somebody gave on the platform itself."""

from __future__ import annotations

import html
import re
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy.orm import Session

from responder import outcomes
from responder.channels.base import SentReply
from store import replies as rows
from store.models import Reply, Ticket
from store.ticket_links import merged_ids
from store.triage import PendingMention

_CLOCKS_DIFFER = timedelta(minutes=5)
_TELLING = 15
"""A text of so many characters inside another is no chance."""
_ADDRESSED = re.compile(r"^(@\S+\s+)+")
_TAGS = re.compile(r"<[^>]*>")


def recognise(
    session: Session, ticket: Ticket, mention: PendingMention, now: datetime
) -> Literal["ours", "by_hand", "wait"]:
    """Compare a post of ours in a ticket's conversation with the ticket's replies.

    ``ours``: it is a reply of the desk; one of unknown fate is recorded as sent, since here it is.
    ``wait``: a reply is on its way and this may be it; ask again later. ``by_hand``: neither.
    """
    replies = [
        reply
        for ticket_id in merged_ids(session, ticket.id)
        for reply in rows.of_ticket(session, ticket_id)
    ]
    if any(reply.external_id == mention.external_id for reply in replies):
        return "ours"
    for reply in replies:
        if _may_be(reply, mention):
            sent = SentReply(mention.external_id, mention.url, mention.namespace)
            outcomes.record_sent(session, reply.id, sent, now, posted_at=mention.posted_at)
            return "ours"
    return "wait" if any(reply.status == "sending" for reply in replies) else "by_hand"


def _may_be(reply: Reply, mention: PendingMention) -> bool:
    if reply.external_id is not None or reply.created_at > mention.posted_at + _CLOCKS_DIFFER:
        return False
    tried = reply.attempts > 0 and reply.status in ("approved", "sending", "failed")
    if not tried and reply.status not in ("uncertain", "by_hand", "sent"):
        return False
    if reply.platform_key and reply.platform_key in mention.external_id:
        return True
    ours, theirs = _plain(reply.body), _plain(mention.text)
    return ours == theirs or (len(ours) >= _TELLING and ours in theirs)


def _plain(text: str) -> str:
    """Words only, so that a platform's mark-up, signature or line breaks make no difference."""
    words = " ".join(html.unescape(_TAGS.sub(" ", text)).casefold().split())
    return _ADDRESSED.sub("", words)
