"""The triage stage: which posts become tickets, and what a later post does to one.

The posts of a conversation are taken in the order in which they were posted. The first that needs
an answer opens the conversation's one ticket; later ones are attached to it, bring it back from
waiting, or reopen it. Posts of our own that the desk did not send count as answers by hand.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from responder import recognition
from responder.opening import Case, open_ticket
from responder.priority import Circumstances, merged_parts, points_of, priority_of, priority_parts
from responder.states import make_open, note_answer
from responder.triage_rules import TriageRules, Verdict, judge, praises
from store import ticket_links as links
from store import triage as rows
from store.customers import customer_of_author
from store.models import Customer, Ticket
from store.ticket_events import add_event, unanswered_messages
from store.triage import PendingMention

REPEATED_WITHIN = timedelta(days=30)
"""Earlier tickets of a customer count towards priority for so long."""


@dataclass(slots=True)
class TriageResult:
    """What came of a round. ``taken``: mentions that were decided; 0 means nothing is left that
    this process may do now.

    ``opened`` and ``reopened`` are ticket ids; ``woken`` those that a post brought back from
    waiting; ``attached`` counts posts that joined a ticket, ``answered_by_hand`` answers that the
    desk did not send, ``passed`` posts that need no ticket.
    """

    taken: int = 0
    opened: list[int] = field(default_factory=list)
    reopened: list[int] = field(default_factory=list)
    woken: list[int] = field(default_factory=list)
    attached: int = 0
    answered_by_hand: int = 0
    passed: int = 0


def triage_pending(
    session: Session, now: datetime, limit: int = 200, rules: TriageRules | None = None
) -> TriageResult:
    """Decide up to ``limit`` live mentions that wait, oldest first.

    Safe to repeat and to run in several processes at once: mentions and conversations that another
    one is busy with are left to it. Run it inside ``Store.transact``, which repeats it after a
    deadlock, until ``taken`` is 0.
    """
    chosen = rules or TriageRules()
    result = TriageResult()
    by_conversation: dict[int, list[PendingMention]] = defaultdict(list)
    for mention in rows.take_pending(session, limit):
        by_conversation[mention.conversation_id].append(mention)
    done: list[int] = []
    for mentions in by_conversation.values():
        conversation = _Conversation(session, now, chosen, result)
        done += [mention.id for mention in mentions if conversation.take(mention)]
    rows.mark_triaged(session, done, now)
    result.taken = len(done)
    return result


@dataclass(slots=True)
class _Conversation:
    """One conversation in one round; it is locked, so nobody else decides about it."""

    session: Session
    now: datetime
    rules: TriageRules
    result: TriageResult

    def take(self, mention: PendingMention) -> bool:
        """Decide one post; false when it must wait for a reply of ours that is on its way."""
        ticket = links.active_ticket(self.session, mention.conversation_id)
        if mention.direction == "outbound":
            return self._ours(mention, ticket)
        verdict = judge(mention, self.rules)
        if ticket is not None and not self._is_over(ticket):
            self._attach(mention, ticket, verdict)
        elif verdict is not None:
            self._open(mention, verdict, ticket)
        elif ticket is not None and mention.deleted_at is None:
            self._note_post(mention, ticket)
        else:
            self.result.passed += 1
        return True

    def _is_over(self, ticket: Ticket) -> bool:
        """Whether the ticket was resolved so long ago that a new post is a new case."""
        return (
            ticket.resolved_at is not None
            and self.now - ticket.resolved_at > self.rules.reopen_within
        )

    # A new ticket

    def _open(self, mention: PendingMention, verdict: Verdict, old: Ticket | None) -> None:
        case = Case(
            mention_id=mention.id,
            conversation_id=mention.conversation_id,
            author_id=mention.author_id,
            title=mention.title,
            text=mention.text,
            language=mention.language,
            platform=mention.platform,
            posted_at=mention.posted_at,
            received_at=mention.collected_at,
            brand_id=verdict.brand.id,
            realm=verdict.brand.realm,
            category=verdict.category,
            reason=verdict.reason,
        )
        ticket = open_ticket(self.session, case, self.now, follows=old)
        if ticket is None:
            winner = links.active_ticket(self.session, mention.conversation_id)
            assert winner is not None
            self._attach(mention, winner, verdict)
            return
        self._prioritise(mention, ticket, verdict.category, new=True)
        self.result.opened.append(ticket.id)
        self._answered_already(mention, ticket)

    def _answered_already(self, mention: PendingMention, ticket: Ticket) -> None:
        """Our own posts need no model, so an answer by hand may have passed before the question."""
        for ours in rows.later_outbound(self.session, mention.conversation_id, mention.posted_at):
            self._ours(ours, ticket)

    # Later posts

    def _attach(self, mention: PendingMention, ticket: Ticket, verdict: Verdict | None) -> None:
        if mention.deleted_at is not None:
            self.result.passed += 1
            return
        by_customer = self._note_post(mention, ticket)
        stirs = verdict is not None or (by_customer and not praises(mention))
        if stirs and ticket.status != "open":
            reopened = ticket.status == "resolved"
            make_open(self.session, ticket, self.now, mention.collected_at)
            kind = "reopened" if reopened else "woken"
            add_event(
                self.session, ticket.id, self.now, kind, None, reason="post", mention_id=mention.id
            )
            (self.result.reopened if reopened else self.result.woken).append(ticket.id)
        if stirs:
            self._prioritise(mention, ticket, verdict.category if verdict else "other")

    def _note_post(self, mention: PendingMention, ticket: Ticket) -> bool:
        """Write the post into the ticket's history; true when it is the customer's."""
        customer_id = rows.customer_of(self.session, mention.author_id)
        if ticket.customer_id is None and mention.author_id is not None:
            customer_id = customer_of_author(self.session, mention.author_id, self.now).id
            ticket.customer_id = customer_id
        by_customer = customer_id is not None and customer_id == ticket.customer_id
        kind = "mention" if by_customer or mention.author_id is None else "comment"
        add_event(self.session, ticket.id, self.now, kind, None, mention_id=mention.id)
        ticket.last_inbound_at = max(ticket.last_inbound_at, mention.posted_at)
        ticket.changed_at = self.now
        self.session.flush()
        self.result.attached += 1
        return kind == "mention"

    def _prioritise(
        self, mention: PendingMention, ticket: Ticket, category: str, *, new: bool = False
    ) -> None:
        said = mention.understanding
        earlier, vip = 0, False
        if ticket.customer_id is not None:
            since = self.now - REPEATED_WITHIN
            earlier = rows.recent_tickets(self.session, ticket.customer_id, ticket.id, since)
            vip = self.session.get_one(Customer, ticket.customer_id).vip
        waiting_since = ticket.created_at if ticket.priority_parts else mention.posted_at
        waited = timedelta() if ticket.first_replied_at else self.now - waiting_since
        parts = priority_parts(
            Circumstances(
                urgency=said.urgency if said else 0,
                p_negative=said.p_negative if said else 0.0,
                intent=category,
                followers=mention.followers,
                vip=vip,
                earlier_tickets=earlier,
                repeated_messages=0 if new else unanswered_messages(self.session, ticket.id),
                waited=waited,
            )
        )
        ticket.priority_parts = merged_parts(ticket.priority_parts or [], parts)
        ticket.priority_points = points_of(ticket.priority_parts)
        ticket.priority = priority_of(ticket.priority_parts)
        self.session.flush()

    # Posts of our own

    def _ours(self, mention: PendingMention, ticket: Ticket | None) -> bool:
        opened_for = rows.opened_for(self.session, ticket.id) if ticket else None
        before = opened_for is not None and mention.posted_at < opened_for
        if ticket is None or before or mention.deleted_at is not None:
            self.result.passed += 1
            return True
        known = recognition.recognise(self.session, ticket, mention, self.now)
        if known == "wait":
            return False
        if known == "by_hand":
            add_event(
                self.session, ticket.id, self.now, "replied_by_hand", None, mention_id=mention.id
            )
            note_answer(self.session, ticket, mention.posted_at, self.now)
            self.result.answered_by_hand += 1
        else:
            self.result.passed += 1
        return True
