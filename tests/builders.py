"""Small builders that tests share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from store.ingest import BrandHit, Incoming, Ingested, ingest
from store.models import Brand
from store.posts import Post, PostAuthor
from tests.conftest import START


def a_brand(session: Session, name: str = "Acme", **values: Any) -> int:
    """Store a brand; gives its id."""
    brand = Brand(name=name, **{"created_at": START, **values})
    session.add(brand)
    session.flush()
    return brand.id


def a_post(external_id: str = "1", text: str = "hello", **values: Any) -> Post:
    """A post on the platform "demo", by author "ann" unless told otherwise."""
    author = values.pop("author", "ann")
    return Post(
        **{
            "platform": "demo",
            "external_id": external_id,
            "text": text,
            "posted_at": START - timedelta(minutes=1),
            "author": PostAuthor(author, handle=f"@{author}") if author else None,
            **values,
        }
    )


def take_in(
    session: Session,
    posts: Sequence[Post],
    *brands: int,
    live: bool = True,
    now: datetime = START,
    source_id: int | None = None,
) -> Ingested:
    """Ingest posts for brands."""
    hits = [BrandHit(brand) for brand in brands]
    return ingest(
        session,
        [Incoming(post, hits) for post in posts],
        live=live,
        now=now,
        source_id=source_id,
    )


@dataclass(frozen=True)
class AReading:
    """What a model might say; complaint in English unless told otherwise."""

    sentiment: str = "negative"
    p_negative: float = 0.9
    p_neutral: float = 0.07
    p_positive: float = 0.03
    intent: str = "complaint"
    intent_probabilities: tuple[float, ...] = (0.8, 0.05, 0.05, 0.05, 0.05)
    emotion: str = "anger"
    emotion_probabilities: tuple[float, ...] = (0.7, 0.1, 0.05, 0.05, 0.05, 0.05)
    urgency: int = 1
    language: str = "en"
    unsure: bool = False
    model: str = "test-1"
    vector: bytes | None = b"\x00" * 768
