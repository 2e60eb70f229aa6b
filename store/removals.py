"""What a platform deleted is erased here too; a tombstone and the counts stay."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from store.models import (
    Mention,
    MentionEdit,
    MentionVector,
)
from store.posts import Removal
from store.search import forget_text
from store.ticket_events import forget_subjects


def remove(session: Session, removal: Removal, now: datetime) -> bool:
    """Follow a deletion on the platform: text and media go, a tombstone and the counts stay."""
    mention_id = session.scalar(
        select(Mention.id).where(
            Mention.platform == removal.platform,
            Mention.namespace == removal.namespace,
            Mention.external_id == removal.external_id,
            Mention.deleted_at.is_(None),
        )
    )
    if mention_id is None:
        return False
    forget(session, [mention_id])
    session.execute(
        update(Mention).where(Mention.id == mention_id).values(deleted_at=now, channel_ref={})
    )
    session.execute(
        update(Mention)
        .where(Mention.id == mention_id, Mention.assessed_at.is_(None))
        .values(assessed_at=now)
    )
    return True


def forget(session: Session, mention_ids: Sequence[int]) -> None:
    """Erase what mentions said, everywhere it is kept, and leave the counts."""
    session.execute(
        update(Mention).where(Mention.id.in_(mention_ids)).values(text="", title="", engagement={})
    )
    session.execute(delete(MentionEdit).where(MentionEdit.mention_id.in_(mention_ids)))
    session.execute(delete(MentionVector).where(MentionVector.mention_id.in_(mention_ids)))
    forget_text(session, mention_ids)
    forget_subjects(session, mention_ids)
