"""Replies on their way out: claimed, sent outside any transaction, written down.

Order of one reply::

    claim_outgoing      in a transaction      status sending, the claim has an end
    deliver_one         outside               prepare → hold → find, where one must look → send
    record              in a transaction      sent, failed, tried again, or a person must decide

``hold`` is called right before the request: it saves the name the reply will have on the platform
and makes sure that the claim is still this worker's. A worker that dies leaves its claim to run
out; the next one gets the reply with ``must_look`` and asks the platform before it sends.
"""

from __future__ import annotations

import secrets
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from responder.channels.base import (
    OutgoingReply,
    ReplyChannel,
    ReplyError,
    ReplyRules,
    SentReply,
)
from responder.outcomes import record_failure, record_sent
from store import replies as rows
from store.models import Reply, Ticket

CLAIM_FOR = timedelta(minutes=5)
"""Longer than any request may take (channels give up after a minute at most)."""

_log = structlog.get_logger(__name__)
_FAULT = (
    "The channel met a fault it should know ({fault}); see the log. The reply may have arrived."
)
_UNKNOWN = "Nobody knows whether this reply arrived: the program stopped while it was being sent."


@dataclass(frozen=True, slots=True)
class ClaimedReply:
    """A reply that this worker may send, under a claim that no other has.

    ``channel`` and ``source_id`` say through which account: the source of the mention that is
    answered (None when it came from none). ``must_look``: an earlier attempt may have arrived.
    """

    reply: OutgoingReply
    channel: str
    source_id: int | None
    brand_id: int
    claim: str
    attempt: int
    must_look: bool


@dataclass(frozen=True, slots=True)
class Sent:
    """The platform has the reply."""

    sent: SentReply


@dataclass(frozen=True, slots=True)
class NotSent:
    """The attempt failed; ``error`` says how, and whether the reply may have arrived."""

    error: ReplyError


@dataclass(frozen=True, slots=True)
class Lost:
    """Another worker or a person has the reply now; nothing was sent, nothing is to be written."""


Outcome = Sent | NotSent | Lost


def claim_outgoing(
    session: Session, worker: str, now: datetime, limit: int = 20
) -> list[ClaimedReply]:
    """Take replies whose time has come; each is this worker's for five minutes.

    ``worker`` names this process and thread for people who look. Two workers never get the same
    reply.
    """
    claimed = []
    for reply in rows.due(session, now, limit):
        to = rows.answered(session, reply.mention_id)
        ticket = session.get(Ticket, reply.ticket_id)
        assert to is not None
        assert ticket is not None
        must_look = reply.status == "sending"
        reply.status = "sending"
        reply.attempts += 1
        reply.claimed_by = claim = f"{worker[:70]}:{secrets.token_hex(4)}"
        reply.claim_expires_at = now + CLAIM_FOR
        claimed.append(
            ClaimedReply(
                reply=_outgoing(reply, to),
                channel=reply.channel,
                source_id=to.source_id,
                brand_id=ticket.brand_id,
                claim=claim,
                attempt=reply.attempts,
                must_look=must_look,
            )
        )
    session.flush()
    return claimed


def save_prepared(
    session: Session, claimed: ClaimedReply, platform_key: str | None, now: datetime
) -> bool:
    """Save the name the reply will have on the platform; false when the claim is lost.

    The claim is prolonged, so that it outlives the request that follows at once.
    """
    reply = rows.lock_reply(session, claimed.reply.reply_id)
    if reply is None or reply.status != "sending" or reply.claimed_by != claimed.claim:
        return False
    if reply.platform_key is None:
        reply.platform_key = platform_key
    reply.claim_expires_at = now + CLAIM_FOR
    session.flush()
    return True


def deliver_one(
    claimed: ClaimedReply,
    channel: ReplyChannel,
    now: datetime,
    hold: Callable[[str | None], bool],
) -> Outcome:
    """Send one claimed reply; network only, so call it outside any transaction.

    ``hold`` runs ``save_prepared`` in a transaction of its own. Whatever a channel raises becomes
    an outcome; a fault that is no ReplyError counts as one that may have let the reply through.
    """
    reply = claimed.reply
    rules = channel.rules
    if claimed.must_look and not rules.can_be_asked:
        return NotSent(ReplyError(_UNKNOWN, permanent=True, maybe_sent=True))
    try:
        if reply.platform_key is None:
            reply = replace(reply, platform_key=channel.prepare(reply.key, now))
        if not hold(reply.platform_key):
            return Lost()
        if claimed.must_look:
            found = channel.find(reply)
            if found is not None:
                return Sent(found)
            if not hold(reply.platform_key):  # looking may have taken long
                return Lost()
    except ReplyError as error:
        return NotSent(_still_unclear(error) if claimed.must_look else error)
    except Exception as error:  # noqa: BLE001 - a channel's fault must not stop other replies
        return _faulty(claimed, error, maybe_sent=claimed.must_look)
    try:
        return Sent(channel.send(reply))
    except ReplyError as error:
        return NotSent(error)
    except Exception as error:  # noqa: BLE001
        return _faulty(claimed, error, maybe_sent=True)


def record(
    session: Session, claimed: ClaimedReply, outcome: Outcome, rules: ReplyRules, now: datetime
) -> str:
    """Write down what came of an attempt; returns sent, approved (again later), sending (asked
    about later), uncertain, failed or lost.
    """
    match outcome:
        case Sent(sent):
            record_sent(session, claimed.reply.reply_id, sent, now)
            return "sent"
        case NotSent(error):
            return record_failure(session, claimed.reply.reply_id, claimed.claim, error, rules, now)
        case Lost():
            return "lost"


def no_channel(claimed: ClaimedReply) -> NotSent:
    """The outcome for a reply whose account is not connected (any more)."""
    return NotSent(
        ReplyError(
            f"No account is connected that can answer on {claimed.channel}. Connect one under "
            "Sources, then send the reply again.",
            permanent=True,
            maybe_sent=claimed.must_look,
        )
    )


def _faulty(claimed: ClaimedReply, error: Exception, *, maybe_sent: bool) -> NotSent:
    # Only where it happened: the message might hold what people wrote, or a token.
    place = traceback.extract_tb(error.__traceback__)[-1]
    fault = type(error).__name__
    _log.error(
        "channel_fault",
        channel=claimed.channel,
        reply_id=claimed.reply.reply_id,
        fault=fault,
        place=f"{place.filename}:{place.lineno}",
    )
    return NotSent(ReplyError(_FAULT.format(fault=fault), maybe_sent=maybe_sent))


def _still_unclear(error: ReplyError) -> ReplyError:
    """Asking failed, so the earlier attempt may still have arrived."""
    return ReplyError(
        str(error), permanent=error.permanent, retry_after=error.retry_after, maybe_sent=True
    )


def _outgoing(reply: Reply, to: rows.Answered) -> OutgoingReply:
    return OutgoingReply(
        reply_id=reply.id,
        key=reply.idempotency_key,
        body=reply.body,
        to=dict(to.channel_ref),
        mention_external_id=to.external_id,
        posted_at=to.posted_at,
        platform_key=reply.platform_key,
    )
