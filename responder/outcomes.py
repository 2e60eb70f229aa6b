"""What became of a reply, written down: sent, failed, or unknown."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from responder.channels.base import ReplyError, ReplyRules, SentReply
from responder.states import note_answer
from store import replies as rows
from store.models import Reply, Ticket
from store.ticket_events import add_event
from store.ticket_links import final_id, lock_ticket

MAX_ATTEMPTS = 8
_FIRST_PAUSE = timedelta(seconds=15)
_LONGEST_PAUSE = timedelta(hours=1)


def locked(session: Session, reply_id: int) -> tuple[Reply, Ticket] | None:
    """A reply and the ticket it belongs to now (merges followed), both locked, always in this
    order: ticket, then reply.
    """
    ticket_id = session.scalar(select(Reply.ticket_id).where(Reply.id == reply_id))
    if ticket_id is None:
        return None
    ticket = lock_ticket(session, final_id(session, ticket_id))
    reply = rows.lock_reply(session, reply_id)
    return None if ticket is None or reply is None else (reply, ticket)


def back_off(attempts: int, error: ReplyError) -> timedelta:
    """How long to wait before the next attempt: what the platform says, else twice as long each
    time, from 15 seconds to an hour.
    """
    if error.retry_after is not None:
        return max(error.retry_after, timedelta(seconds=1))
    pause: timedelta = _FIRST_PAUSE * 2 ** (max(attempts, 1) - 1)
    return min(pause, _LONGEST_PAUSE)


def record_sent(
    session: Session,
    reply_id: int,
    sent: SentReply,
    now: datetime,
    *,
    posted_at: datetime | None = None,
) -> bool:
    """Write down that the platform has a reply; true when that was news.

    The reply becomes a mention of its conversation exactly once, the first answer stops its clock.
    It is a fact whoever says it, so a worker whose claim ran out may still say it. A second post
    of the same reply is written into the ticket's history, where a person sees it.
    """
    found = locked(session, reply_id)
    if found is None or found[0].external_id == sent.external_id:
        return False
    reply, ticket = found
    twice = reply.external_id is not None
    known = reply.status == "sent"  # a person said so, or it is a second post
    mention_id = rows.store_outbound(
        session,
        reply,
        namespace=sent.namespace,
        external_id=sent.external_id,
        url=sent.url,
        brand_id=ticket.brand_id,
        now=posted_at or now,
    )
    if twice:
        add_event(
            session, ticket.id, now, "reply_doubled", None, reply_id=reply.id, mention_id=mention_id
        )
        session.flush()
        return True
    reply.external_id, reply.url = sent.external_id, sent.url
    _settle(reply, "sent")
    reply.sent_at = reply.sent_at or posted_at or now
    if not known:
        add_event(
            session, ticket.id, now, "replied", reply.user_id,
            reply_id=reply.id, mention_id=mention_id,
        )  # fmt: skip
        note_answer(session, ticket, posted_at or now, now)
    session.flush()
    return True


def record_failure(
    session: Session,
    reply_id: int,
    claim: str,
    error: ReplyError,
    rules: ReplyRules,
    now: datetime,
) -> str:
    """Write down that an attempt failed; returns the reply's status.

    ``approved``: it is tried again later. ``sending``: it may have arrived, so after a pause the
    platform is asked before anything is sent. ``uncertain``: it may have arrived and the platform
    cannot be asked; only a person decides. ``failed``: trying again does not help. ``claim`` is the
    claim under which it was tried; when it is no longer the reply's, nothing changes.
    """
    found = locked(session, reply_id)
    if found is None:
        return "failed"
    reply, ticket = found
    if reply.status != "sending" or reply.claimed_by != claim:
        return reply.status
    reply.error = str(error)
    last = reply.attempts >= MAX_ATTEMPTS
    next_at = now + back_off(reply.attempts, error)
    if error.maybe_sent:
        if rules.can_be_asked and not error.permanent and not last:
            reply.next_attempt_at = reply.claim_expires_at = next_at
            reply.claimed_by = None
        else:
            _settle(reply, "uncertain")
    elif error.permanent or last:
        _settle(reply, "failed")
    else:
        _settle(reply, "approved")
        reply.next_attempt_at = next_at
    if reply.status in ("failed", "uncertain"):
        ticket.changed_at = now
        add_event(
            session, ticket.id, now, f"reply_{reply.status}", None,
            reply_id=reply.id, reason=str(error),
        )  # fmt: skip
    session.flush()
    return reply.status


def settle_by_person(session: Session, reply: Reply, ticket: Ticket, now: datetime) -> None:
    """A person says that the customer has this answer."""
    _settle(reply, "sent")
    reply.sent_at = now
    reply.error = None
    note_answer(session, ticket, now, now)


def _settle(reply: Reply, status: str) -> None:
    reply.status = status
    reply.claimed_by = reply.claim_expires_at = reply.next_attempt_at = None
    if status == "sent":
        reply.error = None
