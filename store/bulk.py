"""Many rows in one statement, on both databases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session


def table_of(model: type[Any]) -> Table:
    """The table behind a model."""
    table = model.__table__
    assert isinstance(table, Table)
    return table


def upsert(session: Session, model: type[Any]) -> sqlite.Insert | postgresql.Insert:
    """An insert of the session's own dialect, which knows ``on_conflict_do_…``."""
    if session.get_bind().dialect.name == "sqlite":
        return sqlite.insert(table_of(model))
    return postgresql.insert(table_of(model))


def execute_many(
    session: Session,
    statement: sqlite.Insert | postgresql.Insert,
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Run an insert for many rows.

    SQLite's driver is fastest with executemany. PostgreSQL's sends one message a row there, unless
    the statement returns something: then SQLAlchemy writes them as one statement.
    """
    if not rows:
        return
    if session.get_bind().dialect.name == "sqlite":
        session.execute(statement, list(rows))
        return
    key = next(iter(statement.table.primary_key.columns))  # type: ignore[attr-defined]
    session.execute(statement.returning(key), list(rows)).close()
