"""What people do with replies: write, undo, and decide where the machine must not."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from responder import tickets
from responder.channels.base import ReplyRules
from responder.errors import Collision, ReplyRefused, in_words
from responder.lengths import length
from responder.outcomes import locked, settle_by_person
from store import replies as rows
from store.models import Reply, Ticket
from store.ticket_events import add_action
from store.tickets import name_of_user

UNDO_DELAY = timedelta(seconds=5)
"""How long a reply can be undone before the first worker may take it."""

_SAME_CLICK = timedelta(minutes=1)
_LONGEST = 100_000


def compose(
    session: Session,
    ticket_id: int,
    mention_id: int,
    body: str,
    user_id: int | None,
    now: datetime,
    channel: str | None,
    *,
    rules: ReplyRules | None = None,
    undo: timedelta = UNDO_DELAY,
    key: str | None = None,
    seen_at: datetime | None = None,
    reopen: bool = False,
) -> Reply:
    """Answer a mention of a ticket. The reply is approved at once and goes out after ``undo``.

    ``channel`` is the name of the reply channel; without one, or where the mention says so, or the
    channel cannot reply, the reply is to be given by hand (status ``by_hand``, ``url`` opens the
    post). ``rules`` are the channel's. ``key`` makes a repeated call give the same reply; so does
    the same click within a minute. ``seen_at``: when the writer last saw the thread; what a
    colleague answered or resolved since is a Collision. ``reopen`` answers a ticket that was
    resolved before and opens it.

    An unassigned ticket becomes the writer's. Raises TicketError, Collision, ReplyRefused.
    """
    words = body.strip()
    ticket = tickets.current(session, ticket_id)
    if key is not None and (known := rows.by_key(session, key)) is not None:
        mine = (known.ticket_id, known.user_id) == (ticket.id, user_id)
        if mine and known.status not in ("draft", "in_review"):
            return known
        key = None  # taken back since, or not this writer's: a reply of its own
    since = now - _SAME_CLICK
    again = rows.same_words(session, ticket.id, mention_id, user_id, words, since)
    if again is not None:
        return again
    to = _checked_mention(session, ticket, mention_id)
    by_hand = (
        channel is None
        or bool(to.channel_ref.get("answer_by_hand"))
        or (rules is not None and not rules.can_reply)
    )
    _check_words(session, to, words, now, None if by_hand else rules)
    _check_nobody_was_quicker(session, ticket, user_id, seen_at, reopen)
    if ticket.status == "resolved":
        tickets.reopen(session, ticket.id, user_id, now)
    reply = Reply(
        ticket_id=ticket.id,
        mention_id=mention_id,
        channel=channel or "by_hand",
        body=words,
        status="by_hand" if by_hand else "approved",
        idempotency_key=key or uuid.uuid4().hex,
        url=to.url if by_hand else None,
        next_attempt_at=None if by_hand else now + undo,
        user_id=user_id,
        created_at=now,
    )
    session.add(reply)
    session.flush()
    if ticket.assignee_id is None and user_id is not None:
        tickets.assign(session, ticket.id, user_id, now, user_id)
    _note(session, ticket, reply, "reply_written", user_id, now)
    return reply


def cancel(session: Session, reply_id: int, user_id: int | None, now: datetime) -> Reply:
    """Undo a reply that no worker has taken yet; it becomes a draft again.

    Raises Collision when it is too late.
    """
    reply, ticket = _locked(session, reply_id)
    if reply.status not in ("approved", "by_hand") or reply.attempts > 0:
        raise Collision("It is too late to undo this reply: it is on its way or has been sent.")
    reply.status, reply.next_attempt_at = "draft", None
    _note(session, ticket, reply, "reply_undone", user_id, now)
    return reply


def mark_arrived(
    session: Session, reply_id: int, user_id: int | None, now: datetime, url: str | None = None
) -> Reply:
    """A person looked: the reply of unknown fate, or the one given by hand, is there."""
    reply, ticket = _locked(session, reply_id)
    if reply.status not in ("uncertain", "by_hand"):
        raise _decided(reply)
    by_hand = reply.status == "by_hand"
    reply.url = url or reply.url
    settle_by_person(session, reply, ticket, now)
    kind = "replied_by_hand" if by_hand else "replied"
    _note(session, ticket, reply, kind, user_id, now)
    return reply


def send_again(session: Session, reply_id: int, user_id: int | None, now: datetime) -> Reply:
    """A person looked: the reply of unknown fate is not there and shall be sent once more."""
    reply, ticket = _locked(session, reply_id)
    if reply.status != "uncertain":
        raise _decided(reply)
    return _once_more(session, reply, ticket, user_id, now)


def retry(session: Session, reply_id: int, user_id: int | None, now: datetime) -> Reply:
    """Try a failed reply again, after whatever stopped it was put right."""
    reply, ticket = _locked(session, reply_id)
    if reply.status != "failed":
        raise _decided(reply)
    return _once_more(session, reply, ticket, user_id, now)


def discard(session: Session, reply_id: int, user_id: int | None, now: datetime) -> Reply:
    """Give up a failed reply or one to be given by hand; its text stays as a draft."""
    reply, ticket = _locked(session, reply_id)
    if reply.status not in ("failed", "by_hand"):
        raise _decided(reply)
    reply.status, reply.error = "draft", None
    _note(session, ticket, reply, "reply_discarded", user_id, now)
    return reply


def window_closes(session: Session, mention_id: int, rules: ReplyRules | None) -> datetime | None:
    """Until when a mention can be answered on its platform; None without a limit."""
    if rules is None or rules.window is None:
        return None
    last = rows.last_inbound_of(session, mention_id)
    return None if last is None else last + rules.window


def _checked_mention(session: Session, ticket: Ticket, mention_id: int) -> rows.Answered:
    to = rows.answered(session, mention_id)
    if to is None or not rows.belongs_to_ticket(session, mention_id, ticket.id):
        raise ReplyRefused("This post is not part of the ticket any more. Reload the ticket.")
    if to.deleted_at is not None:
        raise ReplyRefused("This post was deleted on its platform and cannot be answered.")
    return to


def _check_words(
    session: Session, to: rows.Answered, words: str, now: datetime, rules: ReplyRules | None
) -> None:
    if not words:
        raise ReplyRefused("The reply is empty.")
    limit = rules.max_length if rules and rules.max_length is not None else _LONGEST
    size = length(words, rules.counts if rules else "characters")
    if size > limit:
        raise ReplyRefused(
            "The reply is {over} characters too long: {platform} takes {limit}.",
            over=size - limit,
            platform=to.platform,
            limit=limit,
        )
    closes = window_closes(session, to.mention_id, rules)
    if closes is not None and closes < now:
        raise ReplyRefused(
            "{platform} takes replies only until {at}, which has passed. Wait for the customer "
            "to write again, or use another channel.",
            platform=to.platform,
            at=in_words(closes),
        )


def _check_nobody_was_quicker(
    session: Session, ticket: Ticket, user_id: int | None, seen_at: datetime | None, reopen: bool
) -> None:
    if seen_at is not None:
        other = rows.others_since(session, ticket.id, user_id, seen_at)
        if other is not None:
            raise Collision(
                "{who} answered this ticket meanwhile. Read their reply before you send yours.",
                who=name_of_user(session, other.user_id),
                user_id=other.user_id,
                when=other.created_at,
            )
    unseen = seen_at is not None and ticket.resolved_at is not None and ticket.resolved_at > seen_at
    if ticket.status == "resolved" and (unseen or not reopen):
        raise Collision(
            "{number} was resolved meanwhile. Reopen it to send this reply.",
            number=ticket.number,
            when=ticket.resolved_at,
        )


def _once_more(
    session: Session, reply: Reply, ticket: Ticket, user_id: int | None, now: datetime
) -> Reply:
    reply.status, reply.error = "approved", None
    reply.attempts, reply.next_attempt_at = 0, now
    _note(session, ticket, reply, "reply_sent_again", user_id, now)
    return reply


def _locked(session: Session, reply_id: int) -> tuple[Reply, Ticket]:
    found = locked(session, reply_id)
    if found is None:
        raise ReplyRefused("This reply does not exist any more. Reload the ticket.")
    return found


def _decided(reply: Reply) -> Collision:
    return Collision(
        "This reply is {status} now: somebody else decided. Reload the ticket.",
        status=reply.status,
    )


def _note(
    session: Session, ticket: Ticket, reply: Reply, kind: str, user_id: int | None, now: datetime
) -> None:
    ticket.changed_at = now
    add_action(session, ticket.id, now, kind, user_id, reply_id=reply.id)
    session.flush()
