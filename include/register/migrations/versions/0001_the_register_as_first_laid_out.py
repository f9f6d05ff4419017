"""The register as first laid out"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "engagement",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("form", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("form_digest", sa.Text(), nullable=False),
        sa.Column("opened", sa.Date(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("closed", sa.Date(), nullable=True),
        sa.Column("terms", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("signed", sa.Date(), nullable=True),
        sa.Column("promised", sa.Date(), nullable=True),
        sa.Column("delivered", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_engagement")),
    )
    op.create_index(
        "uq_engagement_open_form",
        "engagement",
        ["form_digest"],
        unique=True,
        postgresql_where=sa.text("closed is null"),
    )
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("rehearsal_day", sa.Date(), nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_installation_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
    )
    op.create_table(
        "number_series",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "year", name=op.f("pk_number_series")),
    )
    op.create_table(
        "document",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("engagement_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("occasion", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("template_sha256", sa.Text(), nullable=True),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["engagement_id"], ["engagement.id"], name=op.f("fk_document_engagement_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document")),
        sa.UniqueConstraint("engagement_id", "key", "version", name=op.f("uq_document_engagement_id_key_version")),
        sa.UniqueConstraint("number", name=op.f("uq_document_number")),
        sa.UniqueConstraint("path", name=op.f("uq_document_path")),
    )
    op.create_index(op.f("ix_document_engagement_id"), "document", ["engagement_id"], unique=False)
    op.create_table(
        "event",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("engagement_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["engagement_id"], ["engagement.id"], name=op.f("fk_event_engagement_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
        sa.UniqueConstraint("engagement_id", "key", name=op.f("uq_event_engagement_id_key")),
    )
    op.create_index(op.f("ix_event_engagement_id"), "event", ["engagement_id"], unique=False)
    op.create_table(
        "mail",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("engagement_id", sa.Text(), nullable=True),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("thread", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("claimed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["engagement_id"], ["engagement.id"], name=op.f("fk_mail_engagement_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail")),
        sa.UniqueConstraint("key", name=op.f("uq_mail_key")),
        sa.UniqueConstraint("message_id", name=op.f("uq_mail_message_id")),
    )
    op.create_index(op.f("ix_mail_engagement_id"), "mail", ["engagement_id"], unique=False)
    op.create_table(
        "request",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("engagement_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("round", sa.BigInteger(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("stage_round", sa.BigInteger(), nullable=False),
        sa.Column("asked", sa.Date(), nullable=False),
        sa.Column("due", sa.Date(), nullable=False),
        sa.Column("times_asked", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("of", sa.Text(), nullable=False),
        sa.Column("answered", sa.Date(), nullable=True),
        sa.Column("reply", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(["engagement_id"], ["engagement.id"], name=op.f("fk_request_engagement_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_request")),
        sa.UniqueConstraint("engagement_id", "key", name=op.f("uq_request_engagement_id_key")),
    )
    op.create_index(op.f("ix_request_engagement_id"), "request", ["engagement_id"], unique=False)
    op.create_table(
        "reserve_entry",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("engagement_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("round", sa.BigInteger(), nullable=False),
        sa.Column("days", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint("days <> 0", name=op.f("ck_reserve_entry_moves")),
        sa.ForeignKeyConstraint(["engagement_id"], ["engagement.id"], name=op.f("fk_reserve_entry_engagement_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reserve_entry")),
        sa.UniqueConstraint("engagement_id", "kind", "round", name=op.f("uq_reserve_entry_engagement_id_kind_round")),
    )
    op.create_index(op.f("ix_reserve_entry_engagement_id"), "reserve_entry", ["engagement_id"], unique=False)
    op.create_table(
        "scheduled_run",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("engagement_id", sa.Text(), nullable=False),
        sa.Column("dag_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("run_after", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["engagement_id"], ["engagement.id"], name=op.f("fk_scheduled_run_engagement_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scheduled_run")),
        sa.UniqueConstraint("dag_id", "run_id", name=op.f("uq_scheduled_run_dag_id_run_id")),
    )
    op.create_index(op.f("ix_scheduled_run_engagement_id"), "scheduled_run", ["engagement_id"], unique=False)
    op.create_table(
        "sign_off",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("engagement_id", sa.Text(), nullable=False),
        sa.Column("gate", sa.Text(), nullable=False),
        sa.Column("round", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("asked", sa.Date(), nullable=False),
        sa.Column("refusal", sa.Text(), nullable=True),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.Column("form", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["engagement_id"], ["engagement.id"], name=op.f("fk_sign_off_engagement_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_off")),
        sa.UniqueConstraint(
            "engagement_id", "gate", "round", "who", name=op.f("uq_sign_off_engagement_id_gate_round_who")
        ),
    )
    op.create_index(op.f("ix_sign_off_engagement_id"), "sign_off", ["engagement_id"], unique=False)
    op.create_table(
        "stage_period",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("engagement_id", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("round", sa.BigInteger(), nullable=False),
        sa.Column("opened", sa.Date(), nullable=False),
        sa.Column("days", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.Date(), nullable=False),
        sa.Column("closed", sa.Date(), nullable=True),
        sa.Column("client_waited", sa.BigInteger(), nullable=False),
        sa.Column("client_wait_days", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["engagement_id"], ["engagement.id"], name=op.f("fk_stage_period_engagement_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stage_period")),
        sa.UniqueConstraint("engagement_id", "stage", "round", name=op.f("uq_stage_period_engagement_id_stage_round")),
    )
    op.create_index(op.f("ix_stage_period_engagement_id"), "stage_period", ["engagement_id"], unique=False)
    op.create_table(
        "reminder_sent",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("request_id", sa.BigInteger(), nullable=False),
        sa.Column("times_asked", sa.BigInteger(), nullable=False),
        sa.Column("reminder", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("mail_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["mail_id"], ["mail.id"], name=op.f("fk_reminder_sent_mail_id")),
        sa.ForeignKeyConstraint(["request_id"], ["request.id"], name=op.f("fk_reminder_sent_request_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reminder_sent")),
        sa.UniqueConstraint(
            "request_id", "times_asked", "reminder", name=op.f("uq_reminder_sent_request_id_times_asked_reminder")
        ),
    )
    op.create_index(op.f("ix_reminder_sent_request_id"), "reminder_sent", ["request_id"], unique=False)
    op.create_table(
        "request_item",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("request_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("required", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("value", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("document_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["document_id"], ["document.id"], name=op.f("fk_request_item_document_id")),
        sa.ForeignKeyConstraint(["request_id"], ["request.id"], name=op.f("fk_request_item_request_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_request_item")),
        sa.UniqueConstraint("request_id", "key", name=op.f("uq_request_item_request_id_key")),
    )
    op.create_index(op.f("ix_request_item_request_id"), "request_item", ["request_id"], unique=False)
    op.execute(
        """
        create function refuse_change() returns trigger language plpgsql as $$
        begin raise exception 'events are never changed or deleted'; end $$
        """
    )
    op.execute("create trigger event_append_only before update or delete on event execute function refuse_change()")
