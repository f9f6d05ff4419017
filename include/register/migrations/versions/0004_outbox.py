"""Mail that cannot go now waits; mail as a whole can be paused"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("mail", sa.Column("tries", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("mail", sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("mail", sa.Column("told_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_mail_waiting", "mail", ["id"], postgresql_where=sa.text("state in ('claimed', 'handed_over')"))
    op.add_column("installation", sa.Column("mail_paused_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("installation", sa.Column("mail_paused_by", sa.Text(), nullable=True))
    op.add_column("installation", sa.Column("mail_paused_why", sa.Text(), nullable=True))
