"""What a platform has delivered and was dealt with, until the platform knows that."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "arrivals",
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("source", "number", name="pk_arrivals"),
    )


def downgrade() -> None:
    op.drop_table("arrivals")
