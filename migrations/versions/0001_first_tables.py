"""first tables"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Text

import store.models.base
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "app_user",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("all_brands", sa.Boolean(), nullable=False),
        sa.Column("failed_sign_ins", sa.Integer(), nullable=False),
        sa.Column("locked_until", store.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("created_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "role in ('agent', 'manager', 'analyst', 'administrator')",
            name=op.f("ck_app_user_role"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_app_user")),
        sa.UniqueConstraint("email", name=op.f("uq_app_user_email")),
    )
    op.create_table(
        "brand",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("realm", sa.String(length=20), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column(
            "handles",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("created_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind in ('own', 'competitor')", name=op.f("ck_brand_kind")),
        sa.CheckConstraint("realm in ('real', 'demo', 'drill')", name=op.f("ck_brand_realm")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_brand")),
        sa.UniqueConstraint("name", name=op.f("uq_brand_name")),
    )
    op.create_table(
        "business_calendar",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column(
            "weekly",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("holidays", sa.String(length=8), nullable=True),
        sa.Column(
            "closed_days",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=Text()), "postgresql"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_business_calendar")),
        sa.UniqueConstraint("name", name=op.f("uq_business_calendar_name")),
    )
    op.create_table(
        "conversation",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("platform", sa.String(length=40), nullable=False),
        sa.Column("namespace", sa.String(length=200), nullable=False),
        sa.Column("external_id", sa.String(length=400), nullable=False),
        sa.Column("title", sa.String(length=400), nullable=False),
        sa.Column("created_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversation")),
        sa.UniqueConstraint(
            "platform",
            "namespace",
            "external_id",
            name=op.f("uq_conversation_platform_namespace_external_id"),
        ),
    )
    op.create_table(
        "customer",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=400), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("vip", sa.Boolean(), nullable=False),
        sa.Column("created_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer")),
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("holder", sa.String(length=80), nullable=False),
        sa.Column("host", sa.String(length=120), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("expires_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )
    op.create_table(
        "number_series",
        sa.Column("prefix", sa.String(length=8), nullable=False),
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("prefix", "year", name=op.f("pk_number_series")),
    )
    op.create_table(
        "rollup",
        sa.Column(
            "brand_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("bucket", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("platform", sa.String(length=40), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("sentiment", sa.String(length=10), nullable=False),
        sa.Column("intent", sa.String(length=12), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("mentions", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(
            "brand_id",
            "bucket",
            "platform",
            "language",
            "sentiment",
            "intent",
            name=op.f("pk_rollup"),
        ),
    )
    with op.batch_alter_table("rollup", schema=None) as batch_op:
        batch_op.create_index("ix_rollup_bucket", ["bucket"], unique=False)

    op.create_table(
        "rollup_horizon",
        sa.Column("width", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("before", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("width", name=op.f("pk_rollup_horizon")),
    )
    op.create_table(
        "setup_token",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("used_at", store.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_setup_token")),
    )
    op.create_table(
        "article",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("brand_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("updated_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brand.id"], name=op.f("fk_article_brand_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_article")),
    )
    op.create_table(
        "audit_event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("object_type", sa.String(length=40), nullable=False),
        sa.Column("object_id", sa.String(length=60), nullable=True),
        sa.Column(
            "detail",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=Text()), "postgresql"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["app_user.id"], name=op.f("fk_audit_event_user_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_event")),
    )
    with op.batch_alter_table("audit_event", schema=None) as batch_op:
        batch_op.create_index("ix_audit_event_at", ["at"], unique=False)

    op.create_table(
        "author",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("platform", sa.String(length=40), nullable=False),
        sa.Column("namespace", sa.String(length=200), nullable=False),
        sa.Column("external_id", sa.String(length=400), nullable=False),
        sa.Column("handle", sa.String(length=400), nullable=False),
        sa.Column("name", sa.String(length=400), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("followers", sa.Integer(), nullable=True),
        sa.Column("first_seen_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column(
            "customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
            name=op.f("fk_author_customer_id"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_author")),
        sa.UniqueConstraint(
            "platform",
            "namespace",
            "external_id",
            name=op.f("uq_author_platform_namespace_external_id"),
        ),
    )
    with op.batch_alter_table("author", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_author_customer_id"), ["customer_id"], unique=False)

    op.create_table(
        "canned_response",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("brand_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("title", sa.String(length=120), nullable=False),
        sa.Column("category", sa.String(length=12), nullable=True),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brand.id"], name=op.f("fk_canned_response_brand_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_canned_response")),
    )
    op.create_table(
        "detector_state",
        sa.Column("brand_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("metric", sa.String(length=20), nullable=False),
        sa.Column(
            "state",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("updated_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brand.id"], name=op.f("fk_detector_state_brand_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("brand_id", "metric", name=op.f("pk_detector_state")),
    )
    op.create_table(
        "incident",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("brand_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("level", sa.String(length=10), nullable=False),
        sa.Column(
            "summary",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "reasons",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("started_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("detected_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("changed_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("acknowledged_at", store.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column(
            "acknowledged_by", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("closed_at", store.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("verdict", sa.String(length=20), nullable=True),
        sa.CheckConstraint(
            "level in ('blue', 'yellow', 'orange', 'red')", name=op.f("ck_incident_level")
        ),
        sa.CheckConstraint(
            "status in ('open', 'acknowledged', 'contained', 'recovering', 'closed')",
            name=op.f("ck_incident_status"),
        ),
        sa.ForeignKeyConstraint(
            ["acknowledged_by"],
            ["app_user.id"],
            name=op.f("fk_incident_acknowledged_by"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brand.id"], name=op.f("fk_incident_brand_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident")),
        sa.UniqueConstraint("number", name=op.f("uq_incident_number")),
    )
    with op.batch_alter_table("incident", schema=None) as batch_op:
        batch_op.create_index("ix_incident_changed", ["changed_at", "id"], unique=False)
        batch_op.create_index(
            "uq_incident_one_open",
            ["brand_id"],
            unique=True,
            sqlite_where=sa.text("status <> 'closed'"),
            postgresql_where=sa.text("status <> 'closed'"),
        )

    op.create_table(
        "job",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column(
            "params",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column(
            "result",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("claimed_by", sa.String(length=80), nullable=True),
        sa.Column("claim_expires_at", store.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("created_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("finished_at", store.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status in ('waiting', 'running', 'done', 'failed')", name=op.f("ck_job_status")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["app_user.id"], name=op.f("fk_job_user_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
    )
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.create_index("ix_job_status_id", ["status", "id"], unique=False)

    op.create_table(
        "notification_target",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("address", sa.LargeBinary(), nullable=True),
        sa.Column("brand_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("min_level", sa.String(length=10), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id"],
            ["brand.id"],
            name=op.f("fk_notification_target_brand_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification_target")),
        sa.UniqueConstraint("name", name=op.f("uq_notification_target_name")),
    )
    op.create_table(
        "rule",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("brand_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("metric", sa.String(length=20), nullable=False),
        sa.Column(
            "settings",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brand.id"], name=op.f("fk_rule_brand_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rule")),
        sa.UniqueConstraint("brand_id", "name", name=op.f("uq_rule_brand_id_name")),
    )
    op.create_table(
        "search_query",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("brand_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brand.id"], name=op.f("fk_search_query_brand_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_query")),
    )
    with op.batch_alter_table("search_query", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_search_query_brand_id"), ["brand_id"], unique=False)

    op.create_table(
        "sla_policy",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("brand_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("category", sa.String(length=12), nullable=False),
        sa.Column("first_response_minutes", sa.Integer(), nullable=False),
        sa.Column("resolution_minutes", sa.Integer(), nullable=False),
        sa.Column(
            "calendar_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brand.id"], name=op.f("fk_sla_policy_brand_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["calendar_id"], ["business_calendar.id"], name=op.f("fk_sla_policy_calendar_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sla_policy")),
        sa.UniqueConstraint("brand_id", "category", name=op.f("uq_sla_policy_brand_id_category")),
    )
    op.create_table(
        "source",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("connector", sa.String(length=40), nullable=False),
        sa.Column("brand_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column(
            "config",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("secrets", sa.LargeBinary(), nullable=True),
        sa.Column(
            "cursor",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=Text()), "postgresql"),
            nullable=True,
        ),
        sa.Column("interval_seconds", sa.Integer(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("next_run_at", store.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("claimed_by", sa.String(length=80), nullable=True),
        sa.Column("claim_expires_at", store.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("covered_until", store.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("last_run_at", store.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("last_success_at", store.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("last_error_at", store.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("consecutive_failures", sa.Integer(), nullable=False),
        sa.Column("budget_usd", sa.Double(), nullable=True),
        sa.Column("spent_usd", sa.Double(), nullable=False),
        sa.Column("spent_month", sa.String(length=7), nullable=True),
        sa.Column("created_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state in ('new', 'ok', 'failing', 'paused')", name=op.f("ck_source_state")
        ),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brand.id"], name=op.f("fk_source_brand_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source")),
        sa.UniqueConstraint("name", name=op.f("uq_source_name")),
    )
    with op.batch_alter_table("source", schema=None) as batch_op:
        batch_op.create_index("ix_source_due", ["enabled", "next_run_at"], unique=False)

    op.create_table(
        "ticket",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("brand_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("category", sa.String(length=12), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("priority", sa.String(length=10), nullable=False),
        sa.Column("priority_points", sa.Integer(), nullable=False),
        sa.Column(
            "priority_parts",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("platform", sa.String(length=40), nullable=False),
        sa.Column(
            "assignee_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("created_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("changed_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("last_inbound_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("first_replied_at", store.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("resolved_at", store.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("snoozed_until", store.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column(
            "merged_into_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.CheckConstraint(
            "priority in ('low', 'normal', 'high', 'urgent')", name=op.f("ck_ticket_priority")
        ),
        sa.CheckConstraint(
            "status in ('open', 'pending', 'snoozed', 'resolved')", name=op.f("ck_ticket_status")
        ),
        sa.ForeignKeyConstraint(
            ["assignee_id"],
            ["app_user.id"],
            name=op.f("fk_ticket_assignee_id"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brand.id"], name=op.f("fk_ticket_brand_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
            name=op.f("fk_ticket_customer_id"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["merged_into_id"],
            ["ticket.id"],
            name=op.f("fk_ticket_merged_into_id"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket")),
        sa.UniqueConstraint("number", name=op.f("uq_ticket_number")),
    )
    with op.batch_alter_table("ticket", schema=None) as batch_op:
        batch_op.create_index("ix_ticket_assignee_status", ["assignee_id", "status"], unique=False)
        batch_op.create_index(
            "ix_ticket_brand_status_id", ["brand_id", "status", "id"], unique=False
        )
        batch_op.create_index(
            "ix_ticket_brand_status_inbound",
            ["brand_id", "status", "last_inbound_at", "id"],
            unique=False,
        )
        batch_op.create_index(
            "ix_ticket_counted",
            ["status", "brand_id", "assignee_id"],
            unique=False,
            sqlite_where=sa.text("merged_into_id IS NULL"),
            postgresql_where=sa.text("merged_into_id IS NULL"),
        )
        batch_op.create_index(batch_op.f("ix_ticket_customer_id"), ["customer_id"], unique=False)
        batch_op.create_index("ix_ticket_inbound", ["last_inbound_at", "id"], unique=False)
        batch_op.create_index(
            "ix_ticket_merged",
            ["merged_into_id"],
            unique=False,
            sqlite_where=sa.text("merged_into_id IS NOT NULL"),
            postgresql_where=sa.text("merged_into_id IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_ticket_status_inbound", ["status", "last_inbound_at", "id"], unique=False
        )

    op.create_table(
        "user_brand",
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("brand_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brand.id"], name=op.f("fk_user_brand_brand_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["app_user.id"], name=op.f("fk_user_brand_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "brand_id", name=op.f("pk_user_brand")),
    )
    op.create_table(
        "user_session",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("expires_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", store.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["app_user.id"], name=op.f("fk_user_session_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_user_session")),
    )
    with op.batch_alter_table("user_session", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_user_session_user_id"), ["user_id"], unique=False)

    op.create_table(
        "watermark",
        sa.Column("brand_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("closed_until", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("live_from", store.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("updated_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brand.id"], name=op.f("fk_watermark_brand_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("brand_id", name=op.f("pk_watermark")),
    )
    op.create_table(
        "detection",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("brand_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("metric", sa.String(length=20), nullable=False),
        sa.Column("bucket", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("detected_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("baseline", sa.Double(), nullable=True),
        sa.Column("upper", sa.Double(), nullable=True),
        sa.Column("level", sa.String(length=10), nullable=False),
        sa.Column(
            "parts",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "incident_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brand.id"], name=op.f("fk_detection_brand_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["incident_id"],
            ["incident.id"],
            name=op.f("fk_detection_incident_id"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_detection")),
        sa.UniqueConstraint(
            "brand_id", "metric", "bucket", name=op.f("uq_detection_brand_id_metric_bucket")
        ),
    )
    with op.batch_alter_table("detection", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_detection_incident_id"), ["incident_id"], unique=False)

    op.create_table(
        "incident_event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "incident_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column(
            "detail",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=Text()), "postgresql"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["incident_id"],
            ["incident.id"],
            name=op.f("fk_incident_event_incident_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["app_user.id"],
            name=op.f("fk_incident_event_user_id"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident_event")),
    )
    with op.batch_alter_table("incident_event", schema=None) as batch_op:
        batch_op.create_index("ix_incident_event_incident_at", ["incident_id", "at"], unique=False)

    op.create_table(
        "mention",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("platform", sa.String(length=40), nullable=False),
        sa.Column("namespace", sa.String(length=200), nullable=False),
        sa.Column("external_id", sa.String(length=400), nullable=False),
        sa.Column("source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("author_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column(
            "conversation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("in_reply_to", sa.String(length=400), nullable=True),
        sa.Column("direction", sa.String(length=10), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("posted_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("collected_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("edited_at", store.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", store.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column(
            "engagement",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "channel_ref",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("assessed_at", store.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("claimed_by", sa.String(length=80), nullable=True),
        sa.Column("claim_expires_at", store.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("triaged_at", store.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "direction in ('inbound', 'outbound')", name=op.f("ck_mention_direction")
        ),
        sa.ForeignKeyConstraint(["author_id"], ["author.id"], name=op.f("fk_mention_author_id")),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversation.id"], name=op.f("fk_mention_conversation_id")
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["source.id"], name=op.f("fk_mention_source_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mention")),
        sa.UniqueConstraint(
            "platform",
            "namespace",
            "external_id",
            name=op.f("uq_mention_platform_namespace_external_id"),
        ),
    )
    with op.batch_alter_table("mention", schema=None) as batch_op:
        batch_op.create_index("ix_mention_author_posted", ["author_id", "posted_at"], unique=False)
        batch_op.create_index(
            "ix_mention_conversation_posted", ["conversation_id", "posted_at"], unique=False
        )
        batch_op.create_index("ix_mention_posted_id", ["posted_at", "id"], unique=False)
        batch_op.create_index(
            "ix_mention_triage",
            ["posted_at", "id"],
            unique=False,
            sqlite_where=sa.text(
                "live = 1 AND triaged_at IS NULL AND (assessed_at IS NOT NULL OR direction = 'outbound')"
            ),
            postgresql_where=sa.text(
                "live AND triaged_at IS NULL AND (assessed_at IS NOT NULL OR direction = 'outbound')"
            ),
        )
        batch_op.create_index(
            "ix_mention_unassessed",
            ["live", "id"],
            unique=False,
            sqlite_where=sa.text("assessed_at IS NULL"),
            postgresql_where=sa.text("assessed_at IS NULL"),
        )
        batch_op.create_index(
            "ix_mention_untriaged",
            ["id"],
            unique=False,
            sqlite_where=sa.text("triaged_at IS NULL"),
            postgresql_where=sa.text("triaged_at IS NULL"),
        )

    op.create_table(
        "notification",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("level", sa.String(length=10), nullable=True),
        sa.Column("brand_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column(
            "incident_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column(
            "content",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("created_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brand.id"], name=op.f("fk_notification_brand_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["incident_id"],
            ["incident.id"],
            name=op.f("fk_notification_incident_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification")),
        sa.UniqueConstraint("key", name=op.f("uq_notification_key")),
    )
    op.create_table(
        "rollup_author",
        sa.Column(
            "brand_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("bucket", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column(
            "author_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("mentions", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["author_id"],
            ["author.id"],
            name=op.f("fk_rollup_author_author_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("brand_id", "bucket", "author_id", name=op.f("pk_rollup_author")),
    )
    op.create_table(
        "sla_clock",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "ticket_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column(
            "calendar_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("limit_minutes", sa.Integer(), nullable=False),
        sa.Column("started_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("due_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("paused_at", store.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("left_minutes", sa.Double(), nullable=True),
        sa.Column("stopped_at", store.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("breached_at", store.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind in ('first_response', 'resolution')", name=op.f("ck_sla_clock_kind")
        ),
        sa.ForeignKeyConstraint(
            ["calendar_id"], ["business_calendar.id"], name=op.f("fk_sla_clock_calendar_id")
        ),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["ticket.id"], name=op.f("fk_sla_clock_ticket_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sla_clock")),
        sa.UniqueConstraint("ticket_id", "kind", name=op.f("uq_sla_clock_ticket_id_kind")),
    )
    with op.batch_alter_table("sla_clock", schema=None) as batch_op:
        batch_op.create_index(
            "ix_sla_clock_running",
            ["due_at"],
            unique=False,
            sqlite_where=sa.text("stopped_at IS NULL AND paused_at IS NULL"),
            postgresql_where=sa.text("stopped_at IS NULL AND paused_at IS NULL"),
        )

    op.create_table(
        "source_run",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("started_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("finished_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.Column("added", sa.Integer(), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["source_id"], ["source.id"], name=op.f("fk_source_run_source_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_run")),
    )
    with op.batch_alter_table("source_run", schema=None) as batch_op:
        batch_op.create_index(
            "ix_source_run_source_started", ["source_id", "started_at"], unique=False
        )

    op.create_table(
        "ticket_conversation",
        sa.Column(
            "ticket_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "conversation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("linked_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversation.id"],
            name=op.f("fk_ticket_conversation_conversation_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["ticket_id"],
            ["ticket.id"],
            name=op.f("fk_ticket_conversation_ticket_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "ticket_id", "conversation_id", name=op.f("pk_ticket_conversation")
        ),
    )
    with op.batch_alter_table("ticket_conversation", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_ticket_conversation_conversation_id"), ["conversation_id"], unique=False
        )
        batch_op.create_index(
            "uq_ticket_conversation_active",
            ["conversation_id"],
            unique=True,
            sqlite_where=sa.text("active = 1"),
            postgresql_where=sa.text("active"),
        )

    op.create_table(
        "ticket_event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "ticket_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column(
            "detail",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=Text()), "postgresql"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["ticket.id"], name=op.f("fk_ticket_event_ticket_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["app_user.id"], name=op.f("fk_ticket_event_user_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket_event")),
    )
    with op.batch_alter_table("ticket_event", schema=None) as batch_op:
        batch_op.create_index("ix_ticket_event_ticket_at", ["ticket_id", "at"], unique=False)

    op.create_table(
        "assessment",
        sa.Column(
            "mention_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("model", sa.String(length=120), nullable=False),
        sa.Column("sentiment", sa.String(length=10), nullable=False),
        sa.Column("p_negative", sa.Double(), nullable=False),
        sa.Column("p_neutral", sa.Double(), nullable=False),
        sa.Column("p_positive", sa.Double(), nullable=False),
        sa.Column("intent", sa.String(length=12), nullable=False),
        sa.Column(
            "intent_probabilities",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("emotion", sa.String(length=12), nullable=False),
        sa.Column(
            "emotion_probabilities",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("urgency", sa.Integer(), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("unsure", sa.Boolean(), nullable=False),
        sa.Column("assessed_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "sentiment in ('negative', 'neutral', 'positive')", name=op.f("ck_assessment_sentiment")
        ),
        sa.CheckConstraint("urgency between 0 and 3", name=op.f("ck_assessment_urgency")),
        sa.ForeignKeyConstraint(
            ["mention_id"],
            ["mention.id"],
            name=op.f("fk_assessment_mention_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("mention_id", name=op.f("pk_assessment")),
    )
    op.create_table(
        "incident_mention",
        sa.Column(
            "incident_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "mention_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"],
            ["incident.id"],
            name=op.f("fk_incident_mention_incident_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["mention_id"],
            ["mention.id"],
            name=op.f("fk_incident_mention_mention_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("incident_id", "mention_id", name=op.f("pk_incident_mention")),
    )
    op.create_table(
        "mention_brand",
        sa.Column("brand_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "mention_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("query_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("posted_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("sentiment", sa.String(length=10), nullable=True),
        sa.Column("intent", sa.String(length=12), nullable=True),
        sa.Column("leads", sa.Boolean(), nullable=False),
        sa.Column("counted_sentiment", sa.String(length=10), nullable=True),
        sa.Column("counted_intent", sa.String(length=12), nullable=True),
        sa.Column("counted_language", sa.String(length=8), nullable=True),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brand.id"], name=op.f("fk_mention_brand_brand_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["mention_id"],
            ["mention.id"],
            name=op.f("fk_mention_brand_mention_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["query_id"],
            ["search_query.id"],
            name=op.f("fk_mention_brand_query_id"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("brand_id", "mention_id", name=op.f("pk_mention_brand")),
    )
    with op.batch_alter_table("mention_brand", schema=None) as batch_op:
        batch_op.create_index(
            "ix_mention_brand_list", ["brand_id", "posted_at", "mention_id"], unique=False
        )
        batch_op.create_index("ix_mention_brand_mention", ["mention_id"], unique=False)

    op.create_table(
        "mention_edit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "mention_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("replaced_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["mention_id"],
            ["mention.id"],
            name=op.f("fk_mention_edit_mention_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mention_edit")),
    )
    with op.batch_alter_table("mention_edit", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_mention_edit_mention_id"), ["mention_id"], unique=False
        )

    op.create_table(
        "mention_vector",
        sa.Column(
            "mention_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("model", sa.String(length=120), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["mention_id"],
            ["mention.id"],
            name=op.f("fk_mention_vector_mention_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("mention_id", name=op.f("pk_mention_vector")),
    )
    op.create_table(
        "notification_delivery",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "notification_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "target_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", store.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("claimed_by", sa.String(length=80), nullable=True),
        sa.Column("claim_expires_at", store.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("sent_at", store.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "status in ('pending', 'sending', 'sent', 'failed')",
            name=op.f("ck_notification_delivery_status"),
        ),
        sa.ForeignKeyConstraint(
            ["notification_id"],
            ["notification.id"],
            name=op.f("fk_notification_delivery_notification_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["target_id"],
            ["notification_target.id"],
            name=op.f("fk_notification_delivery_target_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification_delivery")),
        sa.UniqueConstraint(
            "notification_id",
            "target_id",
            name=op.f("uq_notification_delivery_notification_id_target_id"),
        ),
    )
    with op.batch_alter_table("notification_delivery", schema=None) as batch_op:
        batch_op.create_index(
            "ix_notification_delivery_pending",
            ["next_attempt_at"],
            unique=False,
            sqlite_where=sa.text("status in ('pending', 'sending')"),
            postgresql_where=sa.text("status in ('pending', 'sending')"),
        )

    op.create_table(
        "override",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "mention_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("brand_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("field", sa.String(length=12), nullable=False),
        sa.Column("old_value", sa.String(length=12), nullable=True),
        sa.Column("new_value", sa.String(length=12), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("field in ('sentiment', 'intent')", name=op.f("ck_override_field")),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brand.id"], name=op.f("fk_override_brand_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["mention_id"], ["mention.id"], name=op.f("fk_override_mention_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["app_user.id"], name=op.f("fk_override_user_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_override")),
    )
    with op.batch_alter_table("override", schema=None) as batch_op:
        batch_op.create_index("ix_override_mention_brand", ["mention_id", "brand_id"], unique=False)

    op.create_table(
        "reply",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "ticket_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "mention_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("idempotency_key", sa.String(length=64), nullable=False),
        sa.Column("platform_key", sa.String(length=200), nullable=True),
        sa.Column("external_id", sa.String(length=400), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", store.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("claimed_by", sa.String(length=80), nullable=True),
        sa.Column("claim_expires_at", store.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("created_at", store.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("sent_at", store.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status in ('draft', 'in_review', 'approved', 'sending', 'sent', 'failed', 'uncertain', 'by_hand')",
            name=op.f("ck_reply_status"),
        ),
        sa.ForeignKeyConstraint(
            ["mention_id"], ["mention.id"], name=op.f("fk_reply_mention_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["ticket.id"], name=op.f("fk_reply_ticket_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["app_user.id"], name=op.f("fk_reply_user_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reply")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_reply_idempotency_key")),
    )
    with op.batch_alter_table("reply", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_reply_mention_id"), ["mention_id"], unique=False)
        batch_op.create_index(
            "ix_reply_outgoing",
            ["next_attempt_at"],
            unique=False,
            sqlite_where=sa.text("status in ('approved', 'sending')"),
            postgresql_where=sa.text("status in ('approved', 'sending')"),
        )
        batch_op.create_index("ix_reply_ticket", ["ticket_id"], unique=False)

    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE VIRTUAL TABLE mention_text USING fts5"
            "(tokens, tokenize='unicode61 remove_diacritics 2')"
        )
    else:
        op.execute(
            "CREATE TABLE mention_text (mention_id BIGINT PRIMARY KEY REFERENCES mention (id) "
            "ON DELETE CASCADE, document tsvector NOT NULL)"
        )
        op.execute("CREATE INDEX ix_mention_text_document ON mention_text USING gin (document)")


def downgrade() -> None:
    op.execute("DROP TABLE mention_text")
    with op.batch_alter_table("reply", schema=None) as batch_op:
        batch_op.drop_index("ix_reply_ticket")
        batch_op.drop_index(
            "ix_reply_outgoing",
            sqlite_where=sa.text("status in ('approved', 'sending')"),
            postgresql_where=sa.text("status in ('approved', 'sending')"),
        )
        batch_op.drop_index(batch_op.f("ix_reply_mention_id"))

    op.drop_table("reply")
    with op.batch_alter_table("override", schema=None) as batch_op:
        batch_op.drop_index("ix_override_mention_brand")

    op.drop_table("override")
    with op.batch_alter_table("notification_delivery", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_notification_delivery_pending",
            sqlite_where=sa.text("status in ('pending', 'sending')"),
            postgresql_where=sa.text("status in ('pending', 'sending')"),
        )

    op.drop_table("notification_delivery")
    op.drop_table("mention_vector")
    with op.batch_alter_table("mention_edit", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_mention_edit_mention_id"))

    op.drop_table("mention_edit")
    with op.batch_alter_table("mention_brand", schema=None) as batch_op:
        batch_op.drop_index("ix_mention_brand_mention")
        batch_op.drop_index("ix_mention_brand_list")

    op.drop_table("mention_brand")
    op.drop_table("incident_mention")
    op.drop_table("assessment")
    with op.batch_alter_table("ticket_event", schema=None) as batch_op:
        batch_op.drop_index("ix_ticket_event_ticket_at")

    op.drop_table("ticket_event")
    with op.batch_alter_table("ticket_conversation", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_ticket_conversation_active",
            sqlite_where=sa.text("active = 1"),
            postgresql_where=sa.text("active"),
        )
        batch_op.drop_index(batch_op.f("ix_ticket_conversation_conversation_id"))

    op.drop_table("ticket_conversation")
    with op.batch_alter_table("source_run", schema=None) as batch_op:
        batch_op.drop_index("ix_source_run_source_started")

    op.drop_table("source_run")
    with op.batch_alter_table("sla_clock", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_sla_clock_running",
            sqlite_where=sa.text("stopped_at IS NULL AND paused_at IS NULL"),
            postgresql_where=sa.text("stopped_at IS NULL AND paused_at IS NULL"),
        )

    op.drop_table("sla_clock")
    op.drop_table("rollup_author")
    op.drop_table("notification")
    with op.batch_alter_table("mention", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_mention_untriaged",
            sqlite_where=sa.text("triaged_at IS NULL"),
            postgresql_where=sa.text("triaged_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_mention_unassessed",
            sqlite_where=sa.text("assessed_at IS NULL"),
            postgresql_where=sa.text("assessed_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_mention_triage",
            sqlite_where=sa.text(
                "live = 1 AND triaged_at IS NULL AND (assessed_at IS NOT NULL OR direction = 'outbound')"
            ),
            postgresql_where=sa.text(
                "live AND triaged_at IS NULL AND (assessed_at IS NOT NULL OR direction = 'outbound')"
            ),
        )
        batch_op.drop_index("ix_mention_posted_id")
        batch_op.drop_index("ix_mention_conversation_posted")
        batch_op.drop_index("ix_mention_author_posted")

    op.drop_table("mention")
    with op.batch_alter_table("incident_event", schema=None) as batch_op:
        batch_op.drop_index("ix_incident_event_incident_at")

    op.drop_table("incident_event")
    with op.batch_alter_table("detection", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_detection_incident_id"))

    op.drop_table("detection")
    op.drop_table("watermark")
    with op.batch_alter_table("user_session", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_user_session_user_id"))

    op.drop_table("user_session")
    op.drop_table("user_brand")
    with op.batch_alter_table("ticket", schema=None) as batch_op:
        batch_op.drop_index("ix_ticket_status_inbound")
        batch_op.drop_index(
            "ix_ticket_merged",
            sqlite_where=sa.text("merged_into_id IS NOT NULL"),
            postgresql_where=sa.text("merged_into_id IS NOT NULL"),
        )
        batch_op.drop_index("ix_ticket_inbound")
        batch_op.drop_index(batch_op.f("ix_ticket_customer_id"))
        batch_op.drop_index(
            "ix_ticket_counted",
            sqlite_where=sa.text("merged_into_id IS NULL"),
            postgresql_where=sa.text("merged_into_id IS NULL"),
        )
        batch_op.drop_index("ix_ticket_brand_status_inbound")
        batch_op.drop_index("ix_ticket_brand_status_id")
        batch_op.drop_index("ix_ticket_assignee_status")

    op.drop_table("ticket")
    with op.batch_alter_table("source", schema=None) as batch_op:
        batch_op.drop_index("ix_source_due")

    op.drop_table("source")
    op.drop_table("sla_policy")
    with op.batch_alter_table("search_query", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_search_query_brand_id"))

    op.drop_table("search_query")
    op.drop_table("rule")
    op.drop_table("notification_target")
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.drop_index("ix_job_status_id")

    op.drop_table("job")
    with op.batch_alter_table("incident", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_incident_one_open",
            sqlite_where=sa.text("status <> 'closed'"),
            postgresql_where=sa.text("status <> 'closed'"),
        )
        batch_op.drop_index("ix_incident_changed")

    op.drop_table("incident")
    op.drop_table("detector_state")
    op.drop_table("canned_response")
    with op.batch_alter_table("author", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_author_customer_id"))

    op.drop_table("author")
    with op.batch_alter_table("audit_event", schema=None) as batch_op:
        batch_op.drop_index("ix_audit_event_at")

    op.drop_table("audit_event")
    op.drop_table("article")
    op.drop_table("setup_token")
    op.drop_table("rollup_horizon")
    with op.batch_alter_table("rollup", schema=None) as batch_op:
        batch_op.drop_index("ix_rollup_bucket")

    op.drop_table("rollup")
    op.drop_table("number_series")
    op.drop_table("lease")
    op.drop_table("customer")
    op.drop_table("conversation")
    op.drop_table("business_calendar")
    op.drop_table("brand")
    op.drop_table("app_user")
