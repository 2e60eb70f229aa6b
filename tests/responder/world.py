"""A small world for the desk's tests: brands, people, and posts that are collected and assessed
through the same functions as in the running service.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from responder.triage import TriageResult, triage_pending
from responder.triage_rules import TriageRules
from store.assessments import claim_unassessed, record_assessments
from store.clock import SetClock
from store.database import Store
from store.ingest import BrandHit, Incoming, ingest
from store.models import (
    Author,
    Brand,
    Customer,
    Mention,
    Source,
    Ticket,
    TicketConversation,
    TicketEvent,
    User,
)
from store.posts import Post, PostAuthor

INTENTS = ("complaint", "enquiry", "suggestion", "praise", "other")


@dataclass(frozen=True)
class Said:
    """A model's reading with plain defaults."""

    intent: str = "complaint"
    urgency: int = 1
    p_negative: float = 0.8
    unsure: bool = False
    probabilities: tuple[float, ...] | None = None
    sentiment: str = "negative"
    emotion: str = "anger"
    language: str = "en"
    model: str = "test-1"
    vector: bytes | None = None
    emotion_probabilities: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 0.0, 0.0)

    @property
    def p_neutral(self) -> float:
        return 1 - self.p_negative

    @property
    def p_positive(self) -> float:
        return 0.0

    @property
    def intent_probabilities(self) -> tuple[float, ...]:
        if self.probabilities is not None:
            return self.probabilities
        return tuple(0.92 if name == self.intent else 0.02 for name in INTENTS)


@dataclass
class World:
    """Builds and asks; every call is a transaction of its own."""

    store: Store
    clock: SetClock
    brands: dict[str, int] = field(default_factory=dict)
    sources: dict[str, int] = field(default_factory=dict)
    people: dict[str, int] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def later(self, **by: float) -> datetime:
        return self.clock.advance(timedelta(**by))

    def brand(self, name: str = "Acme", **values: object) -> int:
        with self.store.write() as session:
            brand = Brand(name=name, created_at=self.now, **values)
            session.add(brand)
            session.flush()
            self.brands[name] = brand.id
            return brand.id

    def source(self, name: str, brand: str | None = None, connector: str = "bluesky") -> int:
        with self.store.write() as session:
            source = Source(
                name=name,
                connector=connector,
                brand_id=self.brands[brand] if brand else None,
                created_at=self.now,
            )
            session.add(source)
            session.flush()
            self.sources[name] = source.id
            return source.id

    def person(self, name: str = "Ann", role: str = "agent", **values: object) -> int:
        with self.store.write() as session:
            user = User(
                email=f"{name.lower()}@acme.example",
                name=name,
                role=role,
                password_hash="x",
                created_at=self.now,
                **values,
            )
            session.add(user)
            session.flush()
            self.people[name] = user.id
            return user.id

    def post(
        self,
        key: str,
        text: str = "My parcel is broken",
        said: Said | None = Said(),
        *,
        author: str | None = "carol",
        thread: str | None = None,
        brands: tuple[str, ...] = ("Acme",),
        direction: str = "inbound",
        live: bool = True,
        ago: timedelta = timedelta(),
        source: str | None = None,
        followers: int | None = None,
        namespace: str = "",
        platform: str = "bluesky",
        **values: object,
    ) -> int:
        """Collect a post now and, unless ``said`` is None, assess it."""
        post = Post(
            platform=platform,
            namespace=namespace,
            external_id=key,
            text=text,
            posted_at=self.now - ago,
            author=PostAuthor(author, handle=f"@{author}", name=author.title(), followers=followers)
            if author
            else None,
            conversation=thread or key,
            in_reply_to=thread if thread and thread != key else None,
            direction=direction,  # type: ignore[arg-type]
            url=f"https://social.example/{key}",
            **values,  # type: ignore[arg-type]
        )
        hits = [BrandHit(self.brands[name]) for name in brands]
        with self.store.write() as session:
            ingest(
                session,
                [Incoming(post, hits)],
                live=live,
                now=self.now,
                source_id=self.sources[source] if source else None,
            )
        if said is not None:
            self.assess(said)
        return self.mention(key)

    def assess(self, said: Said) -> None:
        """Give every mention that waits the same reading."""
        with self.store.write() as session:
            waiting = claim_unassessed(session, "test", self.now)
            record_assessments(session, [(one, said) for one in waiting], self.now)

    def triage(self, rules: TriageRules | None = None, limit: int = 200) -> TriageResult:
        return self.store.transact(
            lambda session: triage_pending(session, self.now, limit=limit, rules=rules)
        )

    def mention(self, key: str) -> int:
        with self.store.read() as session:
            return session.scalars(select(Mention.id).where(Mention.external_id == key)).one()

    def tickets(self) -> list[Ticket]:
        with self.store.read() as session:
            return list(session.scalars(select(Ticket).order_by(Ticket.id)))

    def ticket(self) -> Ticket:
        (only,) = self.tickets()
        return only

    def events(self, ticket_id: int | None = None) -> list[str]:
        with self.store.read() as session:
            kinds = select(TicketEvent.kind).order_by(TicketEvent.id)
            if ticket_id is not None:
                kinds = kinds.where(TicketEvent.ticket_id == ticket_id)
            return list(session.scalars(kinds))

    def links(self) -> set[tuple[int, bool]]:
        with self.store.read() as session:
            rows = session.execute(select(TicketConversation.ticket_id, TicketConversation.active))
            return set(rows)

    def customer_of(self, author: str) -> Customer | None:
        with self.store.read() as session:
            return session.scalars(
                select(Customer)
                .join(Author, Author.customer_id == Customer.id)
                .where(Author.external_id == author)
            ).first()


def open_session(store: Store) -> Session:
    """A session outside the rules, for tests that keep one open on purpose."""
    return Session(store.engine, expire_on_commit=False)
