"""The assess stage's side of the store: what waits, and what a model made of it.

A mention is claimed before the model runs and checked again when its reading is recorded, so that
any number of workers may assess at once and an edit in between is not overwritten.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from store.bulk import execute_many, table_of, upsert
from store.models import (
    ALL_BRANDS,
    Assessment,
    Mention,
    MentionBrand,
    MentionVector,
    Override,
)
from store.rollups import Counted, Deltas
from store.search import index_texts

CLAIM_FOR = timedelta(minutes=10)


class Reading(Protocol):
    """What a sentiment model says of one text (see ``sentiment.base.Assessment``)."""

    @property
    def sentiment(self) -> str: ...
    @property
    def p_negative(self) -> float: ...
    @property
    def p_neutral(self) -> float: ...
    @property
    def p_positive(self) -> float: ...
    @property
    def intent(self) -> str: ...
    @property
    def intent_probabilities(self) -> Sequence[float]: ...
    @property
    def emotion(self) -> str: ...
    @property
    def emotion_probabilities(self) -> Sequence[float]: ...
    @property
    def urgency(self) -> int: ...
    @property
    def language(self) -> str: ...
    @property
    def unsure(self) -> bool: ...
    @property
    def model(self) -> str: ...
    @property
    def vector(self) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class Unassessed:
    """A mention that waits for the model. ``text`` is title and text together."""

    mention_id: int
    text: str
    edited_at: datetime | None


def backlog(session: Session) -> int:
    """How many mentions wait for the model."""
    return session.scalar(select(func.count()).where(Mention.assessed_at.is_(None))) or 0


def claim_unassessed(
    session: Session, worker: str, now: datetime, limit: int = 256
) -> list[Unassessed]:
    """Take mentions to assess: live ones first, then the newest."""
    free = or_(Mention.claim_expires_at.is_(None), Mention.claim_expires_at < now)
    ids = list(
        session.scalars(
            select(Mention.id)
            .where(Mention.assessed_at.is_(None), free)
            .order_by(Mention.live.desc(), Mention.id.desc())
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
    )
    if not ids:
        return []
    session.execute(
        update(Mention)
        .where(Mention.id.in_(ids))
        .values(claimed_by=worker, claim_expires_at=now + CLAIM_FOR)
    )
    rows = session.execute(
        select(Mention.id, Mention.title, Mention.text, Mention.edited_at).where(
            Mention.id.in_(ids)
        )
    )
    return [
        Unassessed(mention_id, f"{title}\n{words}" if title else words, edited_at)
        for mention_id, title, words, edited_at in rows
    ]


def record_assessments(
    session: Session, readings: Iterable[tuple[Unassessed, Reading]], now: datetime
) -> int:
    """Save what the model said, index the texts, move the counts. Returns the rows recorded.

    A mention that was edited, deleted or assessed by another worker since it was claimed is left
    as it is.
    """
    by_id = {waiting.mention_id: (waiting, reading) for waiting, reading in readings}
    current = session.execute(
        select(Mention.id, Mention.edited_at, Mention.platform, Mention.author_id)
        .where(Mention.id.in_(by_id), Mention.assessed_at.is_(None))
        .order_by(Mention.id)
        .with_for_update()
    ).all()
    good = {row.id: row.platform for row in current if row.edited_at == by_id[row.id][0].edited_at}
    if not good:
        return 0
    _save(session, {key: by_id[key][1] for key in good}, now)
    index_texts(session, {key: by_id[key][0].text for key in good})
    session.execute(
        update(Mention)
        .where(Mention.id.in_(good))
        .values(assessed_at=now, claimed_by=None, claim_expires_at=None)
    )
    session.execute(
        update(Mention).execution_options(synchronize_session=False),
        [{"id": key, "language": by_id[key][1].language} for key in good],
    )
    _move(session, good, {key: by_id[key][1] for key in good})
    return len(good)


def _save(session: Session, readings: dict[int, Reading], now: datetime) -> None:
    rows = [
        {
            "mention_id": key,
            "model": reading.model,
            "sentiment": str(reading.sentiment),
            "p_negative": reading.p_negative,
            "p_neutral": reading.p_neutral,
            "p_positive": reading.p_positive,
            "intent": str(reading.intent),
            "intent_probabilities": [round(p, 5) for p in reading.intent_probabilities],
            "emotion": str(reading.emotion),
            "emotion_probabilities": [round(p, 5) for p in reading.emotion_probabilities],
            "urgency": reading.urgency,
            "language": reading.language,
            "unsure": reading.unsure,
            "assessed_at": now,
        }
        for key, reading in sorted(readings.items())
    ]
    insert = upsert(session, Assessment)
    columns = [c.name for c in table_of(Assessment).columns if c.name != "mention_id"]
    execute_many(
        session,
        insert.on_conflict_do_update(
            index_elements=["mention_id"], set_={name: insert.excluded[name] for name in columns}
        ),
        rows,
    )
    vectors = [
        {"mention_id": key, "model": reading.model, "vector": reading.vector}
        for key, reading in sorted(readings.items())
        if reading.vector is not None
    ]
    insert = upsert(session, MentionVector)
    execute_many(
        session,
        insert.on_conflict_do_update(
            index_elements=["mention_id"],
            set_={"model": insert.excluded.model, "vector": insert.excluded.vector},
        ),
        vectors,
    )


def _move(session: Session, platforms: dict[int, str], readings: dict[int, Reading]) -> None:
    overrides = {
        (mention_id, brand_id, field): value
        for mention_id, brand_id, field, value in session.execute(
            select(Override.mention_id, Override.brand_id, Override.field, Override.new_value)
            .where(Override.mention_id.in_(platforms), Override.active)
            .order_by(Override.id)
        )
    }
    deltas = Deltas.open(session)
    changed = []
    for row in session.execute(
        select(
            MentionBrand.brand_id,
            MentionBrand.mention_id,
            MentionBrand.posted_at,
            MentionBrand.leads,
            MentionBrand.counted_sentiment,
            MentionBrand.counted_intent,
            MentionBrand.counted_language,
        )
        .where(MentionBrand.mention_id.in_(platforms))
        .with_for_update()
    ):
        reading = readings[row.mention_id]
        key = (row.mention_id, row.brand_id)
        sentiment = overrides.get((*key, "sentiment"), str(reading.sentiment))
        intent = overrides.get((*key, "intent"), str(reading.intent))
        values: dict[str, object] = {
            "brand_id": row.brand_id,
            "mention_id": row.mention_id,
            "sentiment": sentiment,
            "intent": intent,
            "counted_sentiment": None,
            "counted_intent": None,
            "counted_language": None,
        }
        if row.counted_sentiment is not None:
            platform = platforms[row.mention_id]
            old = Counted(platform, row.counted_language, row.counted_sentiment, row.counted_intent)
            new = Counted(platform, reading.language, sentiment, intent)
            for brand_id in (row.brand_id, ALL_BRANDS) if row.leads else (row.brand_id,):
                deltas.count(brand_id, row.posted_at, old, -1)
                deltas.count(brand_id, row.posted_at, new, 1)
            values |= {
                "counted_sentiment": sentiment,
                "counted_intent": intent,
                "counted_language": reading.language,
            }
        changed.append(values)
    if changed:
        session.execute(update(MentionBrand).execution_options(synchronize_session=False), changed)
    deltas.write(session)


def override(
    session: Session,
    *,
    mention_id: int,
    brand_id: int,
    field: str,
    value: str,
    user_id: int | None,
    now: datetime,
) -> bool:
    """Let a person's correction stand for one mention and brand; the rollups follow at once.

    ``field`` is sentiment or intent. Returns false when it already had that value.
    """
    row = session.get(MentionBrand, (brand_id, mention_id), with_for_update=True)
    if row is None:
        raise LookupError("this mention does not concern this brand")
    old = row.sentiment if field == "sentiment" else row.intent
    if old == value:
        return False
    session.execute(
        update(Override)
        .where(
            Override.mention_id == mention_id,
            Override.brand_id == brand_id,
            Override.field == field,
        )
        .values(active=False)
    )
    session.add(
        Override(
            mention_id=mention_id,
            brand_id=brand_id,
            field=field,
            old_value=old,
            new_value=value,
            user_id=user_id,
            created_at=now,
        )
    )
    before = (row.counted_sentiment, row.counted_intent)
    if field == "sentiment":
        row.sentiment = value
    else:
        row.intent = value
    if row.counted_sentiment is not None and row.counted_sentiment != "unscored":
        platform = session.scalars(select(Mention.platform).where(Mention.id == mention_id)).one()
        language = row.counted_language or "und"
        row.counted_sentiment = row.sentiment
        row.counted_intent = row.intent
        deltas = Deltas.open(session)
        old_count = Counted(platform, language, str(before[0]), str(before[1]))
        new_count = Counted(platform, language, str(row.sentiment), str(row.intent))
        for brand in (brand_id, ALL_BRANDS) if row.leads else (brand_id,):
            deltas.count(brand, row.posted_at, old_count, -1)
            deltas.count(brand, row.posted_at, new_count, 1)
        deltas.write(session)
    session.flush()
    return True
