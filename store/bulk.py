"""Many rows in one statement, on both databases."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import JSON, BindParameter, Table, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from store.models.base import UtcDateTime

# Handed over as one parameter: SQLAlchemy would look at each of 500 keys otherwise.
KEYS: BindParameter[Any] = bindparam("keys", expanding=True)


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
    """Run an insert for many rows, which all have the same keys.

    On SQLite the rows go straight to the driver's executemany, since SQLAlchemy's preparation of
    each row costs more than the insert. Columns left out need a default in ``_defaults`` or may be
    null. PostgreSQL's driver sends one message a row in executemany, unless the statement returns
    something: then SQLAlchemy writes all rows as one statement.
    """
    if not rows:
        return
    table = statement.table
    assert isinstance(table, Table)
    if session.get_bind().dialect.name != "sqlite":
        key = next(iter(table.primary_key.columns))
        session.execute(statement.returning(key), list(rows)).close()
        return
    defaults = _defaults(table, rows[0])
    compiled = statement.compile(
        dialect=session.get_bind().dialect, column_keys=[*rows[0], *defaults]
    )
    order = [str(name) for name in compiled.positiontup or ()]
    writers = [
        (place, writer)
        for place, name in enumerate(order)
        if (writer := _writer(table, name)) is not None
    ]
    pick: Callable[[Mapping[str, Any]], Any] = itemgetter(*order)
    tuples = []
    for row in rows:
        values = list(pick({**defaults, **row} if defaults else row))
        for place, writer in writers:
            values[place] = writer(values[place])
        tuples.append(tuple(values))
    session.connection().exec_driver_sql(str(compiled), tuples)


def insert_new(
    session: Session, model: type[Any], rows: Sequence[dict[str, Any]]
) -> dict[str, int]:
    """Insert rows that were not there a moment ago; gives their ids by external id.

    A row that another transaction has stored meanwhile is left out.
    """
    statement = upsert(session, model).on_conflict_do_nothing()
    table = table_of(model)
    if session.get_bind().dialect.name == "sqlite":
        # The write lock is ours since the transaction began, so the next ids are free.
        first = (session.scalar(select(func.max(table.c.id))) or 0) + 1
        for number, row in enumerate(rows, first):
            row["id"] = number
        execute_many(session, statement, rows)
        return {row["external_id"]: row["id"] for row in rows}
    written = session.execute(statement.returning(table.c.external_id, table.c.id), list(rows))
    return dict(written.all())


def _defaults(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for column in table.columns:
        default = column.default
        if column.name in row or default is None:
            continue
        if default.is_callable:
            found[column.name] = default.arg(None)  # type: ignore[attr-defined]
        elif default.is_scalar:
            found[column.name] = default.arg  # type: ignore[attr-defined]
    return found


def _writer(table: Table, name: str) -> Callable[[Any], Any] | None:
    kind = table.columns[name].type
    if isinstance(kind, UtcDateTime):
        return _time
    if isinstance(kind, JSON):
        return _json
    return None


def _json(value: Any) -> str:
    return "{}" if value == {} else json.dumps(value)


@lru_cache(4096)
def _time(value: datetime | None) -> str | None:
    """The text in which SQLAlchemy keeps a time on SQLite: UTC, six decimals."""
    if value is None:
        return None
    if value.tzinfo is not UTC:
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone cannot be stored: {value!r}")
        value = value.astimezone(UTC)
    return value.isoformat(" ", "microseconds")[:26]
