"""How much people and workspaces may use, what they have used, and what is promised to requests that run."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "quotas",
        *_whose(),
        sa.Column("most", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("kind", "subject", "measure", name="pk_quotas"),
    )
    op.create_table(
        "quota_counts",
        *_whose(),
        sa.Column("began", sa.BigInteger(), nullable=False),
        sa.Column("used", sa.Double(), nullable=False),
        sa.Column("held", sa.Double(), nullable=False),
        sa.Column("granted", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "subject", "measure", "began", name="pk_quota_counts"),
    )
    op.create_table(
        "quota_holds",
        sa.Column("reservation", sa.String(64), nullable=False),
        *_whose(),
        sa.Column("began", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("reservation", "kind", "subject", "measure", name="pk_quota_holds"),
    )
    op.create_index("ix_quota_holds_expires_at", "quota_holds", ["expires_at"])


def downgrade() -> None:
    op.drop_table("quota_holds")
    op.drop_table("quota_counts")
    op.drop_table("quotas")


def _whose() -> tuple[sa.Column[str], ...]:
    return (
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(100), nullable=False),
        sa.Column("measure", sa.String(32), nullable=False),
    )
