"""A register knows that it was restored, what was erased and why, and which engagements are archived"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # What Message-IDs are derived from: a register restored from a backup gives a mail the Message-ID that it had.
    op.add_column(
        "installation",
        sa.Column("message_id_secret", sa.Text(), server_default=sa.text("gen_random_uuid()::text"), nullable=False),
    )
    op.add_column("installation", sa.Column("restored_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("installation", sa.Column("restored_to", sa.DateTime(timezone=True), nullable=True))
    op.execute("insert into installation (id) values (1) on conflict do nothing")
    op.add_column("engagement", sa.Column("archived", sa.Date(), nullable=True))
    op.create_table(
        "erasure",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("pseudonym", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked", sa.Date(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("engagements", postgresql.JSONB(), nullable=False),
        sa.Column("kept", postgresql.JSONB(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasure")),
    )
    op.create_table(
        "erased_file",
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("erasure_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["erasure_id"], ["erasure.id"], name=op.f("fk_erased_file_erasure_id")),
        sa.PrimaryKeyConstraint("path", name=op.f("pk_erased_file")),
    )
    # An erasure puts a pseudonym into an event's words; what happened, when and in which order stands.
    op.execute(
        """
        create or replace function refuse_change() returns trigger language plpgsql as $$
        begin
          if tg_op = 'UPDATE' and current_setting('register.erasure', true) = 'on'
             and new.id = old.id and new.engagement_id = old.engagement_id and new.kind = old.kind
             and new.day = old.day and new.at = old.at then
            return new;
          end if;
          raise exception 'events are never changed or deleted';
        end $$
        """
    )
