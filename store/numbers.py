"""Numbers that people say to each other, such as GS-2026-000123."""

from __future__ import annotations

from sqlalchemy.orm import Session

from store.bulk import table_of, upsert
from store.models import NumberSeries


def next_number(session: Session, prefix: str, year: int) -> str:
    """The next number of a series, like ``GS-2026-000123``; never given out twice.

    The series stays locked until the transaction ends, so two processes never get the same one.
    A transaction that is undone may leave a gap.
    """
    insert = upsert(session, NumberSeries).values(prefix=prefix, year=year, last=1)
    series = table_of(NumberSeries)
    last = session.execute(
        insert.on_conflict_do_update(
            index_elements=["prefix", "year"], set_={"last": series.c.last + 1}
        ).returning(series.c.last)
    ).scalar_one()
    return f"{prefix}-{year}-{last:06d}"
