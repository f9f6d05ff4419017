"""Mail that arrives is read once, and addresses that fail are known"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "incoming_mail",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("mailbox", sa.Text(), nullable=False),
        sa.Column("uidvalidity", sa.BigInteger(), nullable=False),
        sa.Column("uid", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=True),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("engagement_id", sa.Text(), nullable=True),
        sa.Column("request_key", sa.Text(), nullable=True),
        sa.Column("reply_sha256", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["engagement_id"], ["engagement.id"], name=op.f("fk_incoming_mail_engagement_id_engagement")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incoming_mail")),
        sa.UniqueConstraint("mailbox", "uidvalidity", "uid", name=op.f("uq_incoming_mail_mailbox")),
        sa.UniqueConstraint("content", name=op.f("uq_incoming_mail_content")),
    )
    for column in ("message_id", "state", "engagement_id"):
        op.create_index(op.f(f"ix_incoming_mail_{column}"), "incoming_mail", [column])
    op.create_table(
        "undeliverable_address",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("diagnostic", sa.Text(), nullable=False),
        sa.Column("incoming_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incoming_id"], ["incoming_mail.id"],
            name=op.f("fk_undeliverable_address_incoming_id_incoming_mail"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_undeliverable_address")),
        sa.UniqueConstraint("address", name=op.f("uq_undeliverable_address_address")),
    )
