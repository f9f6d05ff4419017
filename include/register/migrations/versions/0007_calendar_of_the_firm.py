"""The firm's days off and working Saturdays are kept in the register, edition by edition"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "calendar_edition",
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("days", postgresql.JSONB(), nullable=False),
        sa.Column("confirmed_years", postgresql.JSONB(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_calendar_edition")),
    )
    op.add_column("request", sa.Column("days", sa.BigInteger(), nullable=True))
