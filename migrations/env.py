"""Alembic's entry: runs migrations on the engine that the store hands over."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine

from store.models import Base

config = context.config


def run() -> None:
    """Run all pending migrations in one transaction."""
    engine = config.attributes.get("engine")
    if engine is None:
        url = context.get_x_argument(as_dictionary=True).get("url", "sqlite:///:memory:")
        engine = create_engine(url)
    with engine.connect().execution_options(writing=True) as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_as_batch=True,
            include_name=lambda name, kind, _parents: (
                kind != "table" or not str(name).startswith("mention_text")
            ),
            compare_type=True,
        )
        with context.begin_transaction():
            context.run_migrations()


run()
