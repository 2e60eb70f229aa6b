"""The deliver stage: replies to customers, notifications to staff."""

from __future__ import annotations

import threading

import structlog
from sqlalchemy.orm import Session

from notify import ledger
from responder import delivery
from responder.channels.base import ReplyChannel, ReplyError, ReplyRules
from responder.delivery import ClaimedReply, NotSent, Outcome
from service.wiring import Services
from store.models import Source

log = structlog.get_logger()

AT_ONCE = 10


def replies(services: Services, worker: str, stopping: threading.Event) -> int:
    """Send every reply whose time has come; returns how many were tried."""
    done = 0
    while not stopping.is_set():
        claimed = services.store.transact(
            lambda session: delivery.claim_outgoing(
                session, worker, services.clock.now(), limit=AT_ONCE
            )
        )
        if not claimed:
            break
        for reply in claimed:
            _send(services, reply)
        done += len(claimed)
    return done


def _send(services: Services, claimed: ClaimedReply) -> None:
    channel = _channel(services, claimed)
    if isinstance(channel, NotSent):
        outcome: Outcome = channel
        rules = ReplyRules()
    else:
        rules = channel.rules
        try:
            outcome = delivery.deliver_one(
                claimed,
                channel,
                services.clock.now(),
                lambda key: services.store.transact(
                    lambda session: delivery.save_prepared(
                        session, claimed, key, services.clock.now()
                    )
                ),
            )
        finally:
            channel.close()
    status = services.store.transact(
        lambda session: delivery.record(session, claimed, outcome, rules, services.clock.now())
    )
    log.info("reply tried", reply=claimed.reply.reply_id, channel=claimed.channel, status=status)


def _channel(services: Services, claimed: ClaimedReply) -> ReplyChannel | NotSent:
    """The way out through the account that heard the mention."""

    def account(session: Session) -> tuple[dict[str, object], bytes | None] | None:
        source = session.get(Source, claimed.source_id) if claimed.source_id else None
        return (dict(source.config), source.secrets) if source is not None else None

    with services.store.read() as session:
        found = account(session)
    if found is None:
        return delivery.no_channel(claimed)
    try:
        return services.channel(claimed.channel, *found)
    except ReplyError as error:
        return NotSent(
            ReplyError(str(error), permanent=error.permanent, maybe_sent=claimed.must_look)
        )


def notifications(services: Services, worker: str, stopping: threading.Event) -> int:
    """Send every notification that is due; returns how many were tried."""
    done = 0
    while not stopping.is_set():
        round_ = ledger.deliver(
            services.store,
            services.notifier,
            services.clock,
            worker,
            link_base=services.settings.resolved_base_url,
            limit=AT_ONCE,
        )
        if not round_.sent + round_.failed:
            break
        done += round_.sent + round_.failed
    return done
