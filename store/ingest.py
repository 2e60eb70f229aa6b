"""Posts in, mentions stored once.

``ingest`` takes a page of posts with the brands each concerns and brings everything that follows
from it into one transaction: authors, conversations, mentions, brands of a mention, rollups, edits
and removals. The caller commits it together with the source's cursor.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from store.bulk import KEYS, execute_many, insert_new, table_of, upsert
from store.conversations import Threads
from store.models import (
    ALL_BRANDS,
    Assessment,
    Author,
    Brand,
    Mention,
    MentionBrand,
    MentionEdit,
)
from store.posts import Post, PostAuthor, Removal
from store.removals import remove
from store.rollups import UNSCORED, Counted, Deltas

Place = tuple[str, str]
"""A platform and a namespace; identities are unique within one."""


class BrandHit(NamedTuple):
    """A brand that a post concerns, and the query that found it (None: addressed directly)."""

    brand_id: int
    query_id: int | None = None


@dataclass(frozen=True, slots=True)
class Incoming:
    """A post on its way into the store, with the brands it concerns (at least one)."""

    post: Post
    brands: Sequence[BrandHit]


@dataclass(slots=True)
class Ingested:
    """What came of a page: counts of posts."""

    added: int = 0
    edited: int = 0
    known: int = 0
    removed: int = 0

    def __add__(self, other: Ingested) -> Ingested:
        return Ingested(
            self.added + other.added,
            self.edited + other.edited,
            self.known + other.known,
            self.removed + other.removed,
        )


def ingest(
    session: Session,
    incoming: Iterable[Incoming],
    *,
    live: bool,
    now: datetime,
    source_id: int | None = None,
    removals: Sequence[Removal] = (),
) -> Ingested:
    """Store a page of at most about 500 posts.

    A post that is already there (same platform, namespace and external id) is not stored again: a
    changed text is followed as an edit, a new brand is added. ``live`` false marks history.
    """
    result = Ingested()
    by_place: dict[Place, dict[str, Incoming]] = defaultdict(dict)
    for item in incoming:
        place = (item.post.platform, item.post.namespace)
        earlier = by_place[place].get(item.post.external_id)
        by_place[place][item.post.external_id] = _merged(earlier, item)
        result.known += earlier is not None
    if by_place:
        deltas = Deltas.open(session)
        realms = _realms(session, by_place)
        for place, items in sorted(by_place.items()):
            page = _Page(session, place, items, realms, deltas, live, now, source_id)
            result += page.store()
        deltas.write(session)
    for removal in removals:
        result.removed += remove(session, removal, now)
    return result


def _merged(earlier: Incoming | None, later: Incoming) -> Incoming:
    if earlier is None:
        return later
    known = {hit.brand_id for hit in later.brands}
    return Incoming(
        later.post, [*later.brands, *(hit for hit in earlier.brands if hit.brand_id not in known)]
    )


def _realms(
    session: Session, by_place: Mapping[Place, Mapping[str, Incoming]]
) -> dict[int, tuple[int, str]]:
    wanted = {
        hit.brand_id
        for items in by_place.values()
        for item in items.values()
        for hit in item.brands
    }
    rows = session.execute(
        select(Brand.id, Brand.priority, Brand.realm).where(Brand.id.in_(wanted))
    )
    return {brand: (priority, realm) for brand, priority, realm in rows}


class _Stored(NamedTuple):
    id: int
    external_id: str
    text: str
    edited_at: datetime | None
    deleted_at: datetime | None
    posted_at: datetime
    author_id: int | None
    direction: str
    engagement: dict[str, Any]


class _Page:
    """The posts of one place (platform and namespace) within a page."""

    def __init__(
        self,
        session: Session,
        place: Place,
        items: Mapping[str, Incoming],
        realms: Mapping[int, tuple[int, str]],
        deltas: Deltas,
        live: bool,
        now: datetime,
        source_id: int | None,
    ) -> None:
        self.session = session
        self.platform, self.namespace = place
        self.items = items
        self.realms = realms
        self.deltas = deltas
        self.live = live
        self.now = now
        self.source_id = source_id

    def store(self) -> Ingested:
        stored = self._stored()
        new = [item for key, item in self.items.items() if key not in stored]
        added = self._add(new) if new else 0
        edited = sum(self._follow(stored[key], self.items[key]) for key in stored)
        self._add_brands(stored)
        return Ingested(added=added, edited=edited, known=len(self.items) - added - edited)

    def _stored(self) -> dict[str, _Stored]:
        rows = self.session.execute(
            select(
                Mention.id,
                Mention.external_id,
                Mention.text,
                Mention.edited_at,
                Mention.deleted_at,
                Mention.posted_at,
                Mention.author_id,
                Mention.direction,
                Mention.engagement,
            ).where(
                Mention.platform == self.platform,
                Mention.namespace == self.namespace,
                Mention.external_id.in_(KEYS),
            ),
            {"keys": list(self.items)},
        )
        return {row.external_id: _Stored(*row) for row in rows}

    # New mentions

    def _add(self, new: Sequence[Incoming]) -> int:
        authors = self._authors(item.post.author for item in new)
        conversations = Threads(self.session, self.platform, self.namespace, self.now).place(
            [item.post for item in new]
        )
        rows = [self._row(item.post, authors, conversations[item.post.external_id]) for item in new]
        written = insert_new(self.session, Mention, rows)
        brands: list[dict[str, Any]] = []
        count = 0
        for external_id, mention_id in written.items():
            post = self.items[external_id].post
            author = authors.get(post.author.external_id) if post.author else None
            brands += self._brand_rows(mention_id, post, author, self.items[external_id].brands)
            count += 1
        execute_many(self.session, upsert(self.session, MentionBrand), brands)
        return count

    def _row(self, post: Post, authors: Mapping[str, int], conversation: int) -> dict[str, Any]:
        return {
            "platform": post.platform,
            "namespace": post.namespace,
            "external_id": post.external_id,
            "source_id": self.source_id,
            "author_id": authors.get(post.author.external_id) if post.author else None,
            "conversation_id": conversation,
            "in_reply_to": post.in_reply_to,
            "direction": post.direction,
            "kind": post.kind,
            "live": self.live,
            "title": post.title,
            "text": post.text,
            "language": post.language,
            "url": post.url,
            "posted_at": post.posted_at,
            "collected_at": self.now,
            "edited_at": post.edited_at,
            "engagement": dict(post.engagement),
            "channel_ref": dict(post.channel_ref),
        }

    def _brand_rows(
        self, mention_id: int, post: Post, author_id: int | None, hits: Sequence[BrandHit]
    ) -> list[dict[str, Any]]:
        counted = post.direction == "inbound"
        leader = self._leader(hits) if counted else None
        as_what = Counted(post.platform, post.language, UNSCORED, UNSCORED)
        rows = []
        for hit in hits:
            if counted:
                self._count(hit.brand_id, post.posted_at, author_id, as_what)
                if hit.brand_id == leader:
                    self._count(ALL_BRANDS, post.posted_at, author_id, as_what)
            rows.append(
                {
                    "brand_id": hit.brand_id,
                    "mention_id": mention_id,
                    "query_id": hit.query_id,
                    "posted_at": post.posted_at,
                    "leads": hit.brand_id == leader,
                    "counted_sentiment": UNSCORED if counted else None,
                    "counted_intent": UNSCORED if counted else None,
                    "counted_language": post.language if counted else None,
                }
            )
        return rows

    def _leader(self, hits: Sequence[BrandHit]) -> int | None:
        real = [
            (self.realms[hit.brand_id][0], hit.brand_id)
            for hit in hits
            if self.realms[hit.brand_id][1] == "real"
        ]
        return min(real)[1] if real else None

    def _count(
        self, brand_id: int, posted_at: datetime, author_id: int | None, as_what: Counted
    ) -> None:
        self.deltas.count(brand_id, posted_at, as_what, 1)
        if author_id is not None:
            self.deltas.count_author(brand_id, posted_at, author_id, 1)

    def _authors(self, people: Iterable[PostAuthor | None]) -> dict[str, int]:
        wanted = {person.external_id: person for person in people if person is not None}
        if not wanted:
            return {}
        found = self._known_authors(wanted)
        missing = [person for key, person in sorted(wanted.items()) if key not in found]
        if missing:
            rows = [self._author_row(person) for person in missing]
            found |= insert_new(self.session, Author, rows)
            late = {key: person for key, person in wanted.items() if key not in found}
            if late:
                found |= self._known_authors(late)
        return found

    def _known_authors(self, wanted: Mapping[str, PostAuthor]) -> dict[str, int]:
        rows = self.session.execute(
            select(Author.external_id, Author.id, Author.handle, Author.name, Author.followers)
            .where(Author.platform == self.platform)
            .where(Author.namespace == self.namespace)
            .where(Author.external_id.in_(KEYS)),
            {"keys": list(wanted)},
        )
        found = {}
        for external_id, author_id, handle, name, followers in rows:
            found[external_id] = author_id
            person = wanted[external_id]
            now_known = (
                person.handle or handle,
                person.name or name,
                followers if person.followers is None else person.followers,
            )
            if now_known != (handle, name, followers):
                self.session.execute(
                    update(Author)
                    .where(Author.id == author_id)
                    .values(handle=now_known[0], name=now_known[1], followers=now_known[2])
                )
        return found

    def _author_row(self, person: PostAuthor) -> dict[str, Any]:
        return {
            "platform": self.platform,
            "namespace": self.namespace,
            "external_id": person.external_id,
            "handle": person.handle,
            "name": person.name,
            "url": person.url,
            "followers": person.followers,
            "first_seen_at": self.now,
        }

    # Mentions that are already there

    def _follow(self, stored: _Stored, item: Incoming) -> bool:
        """Follow an edit and fresh engagement; true when the text changed."""
        if stored.deleted_at is not None:
            return False
        post = item.post
        values: dict[str, Any] = {}
        if post.engagement and dict(post.engagement) != stored.engagement:
            values["engagement"] = dict(post.engagement)
        older = stored.edited_at and (post.edited_at is None or post.edited_at < stored.edited_at)
        edited = post.text != stored.text and not older
        if edited:
            self.session.execute(
                insert(MentionEdit).values(
                    mention_id=stored.id, text=stored.text, replaced_at=self.now
                )
            )
            values |= {
                "text": post.text,
                "title": post.title,
                "edited_at": post.edited_at or self.now,
                "assessed_at": None,
                "claimed_by": None,
                "claim_expires_at": None,
            }
        if values:
            mention = table_of(Mention)
            self.session.execute(update(mention).where(mention.c.id == stored.id).values(**values))
        return edited

    def _add_brands(self, stored: Mapping[str, _Stored]) -> None:
        if not stored:
            return
        ids = [row.id for row in stored.values()]
        known: dict[int, set[int]] = defaultdict(set)
        led: set[int] = set()
        for mention_id, brand_id, leads in self.session.execute(
            select(MentionBrand.mention_id, MentionBrand.brand_id, MentionBrand.leads).where(
                MentionBrand.mention_id.in_(ids)
            )
        ):
            known[mention_id].add(brand_id)
            if leads:
                led.add(mention_id)
        fresh = {
            key: [hit for hit in self.items[key].brands if hit.brand_id not in known[row.id]]
            for key, row in stored.items()
        }
        fresh = {key: hits for key, hits in fresh.items() if hits}
        if not fresh:
            return
        readings = {
            reading.mention_id: reading
            for reading in self.session.scalars(
                select(Assessment).where(Assessment.mention_id.in_(stored[k].id for k in fresh))
            )
        }
        for key, hits in fresh.items():
            row = stored[key]
            reading = readings.get(row.id)
            counted = row.direction == "inbound"
            sentiment = reading.sentiment if reading else UNSCORED
            intent = reading.intent if reading else UNSCORED
            language = reading.language if reading else "und"
            as_what = Counted(self.platform, language, sentiment, intent)
            leader = self._leader(hits) if counted and row.id not in led else None
            for hit in hits:
                if counted:
                    self._count(hit.brand_id, row.posted_at, row.author_id, as_what)
                    if hit.brand_id == leader:
                        self._count(ALL_BRANDS, row.posted_at, row.author_id, as_what)
                self.session.execute(
                    insert(MentionBrand).values(
                        brand_id=hit.brand_id,
                        mention_id=row.id,
                        query_id=hit.query_id,
                        posted_at=row.posted_at,
                        leads=hit.brand_id == leader,
                        sentiment=reading.sentiment if reading else None,
                        intent=reading.intent if reading else None,
                        counted_sentiment=sentiment if counted else None,
                        counted_intent=intent if counted else None,
                        counted_language=language if counted else None,
                    )
                )
