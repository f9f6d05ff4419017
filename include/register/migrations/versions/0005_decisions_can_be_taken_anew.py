"""Decisions name what they were taken on, and can be taken anew"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sign_off", sa.Column("attempt", sa.BigInteger(), server_default="1", nullable=False))
    op.add_column("sign_off", sa.Column("ended", sa.Date(), nullable=True))
    op.add_column("sign_off", sa.Column("documents", postgresql.JSONB(), server_default="[]", nullable=False))
    op.drop_constraint(op.f("uq_sign_off_engagement_id_gate_round_who"), "sign_off")
    op.create_unique_constraint(
        op.f("uq_sign_off_engagement_id_gate_round_who_attempt"), "sign_off",
        ["engagement_id", "gate", "round", "who", "attempt"]
    )
