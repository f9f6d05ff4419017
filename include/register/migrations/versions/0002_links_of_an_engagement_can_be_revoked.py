"""Links of an engagement can be revoked"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("engagement", sa.Column("link_version", sa.BigInteger(), server_default="1", nullable=False))
