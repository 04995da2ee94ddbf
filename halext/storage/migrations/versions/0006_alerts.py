"""Incidents, and what was told about them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    is_open = sa.text("resolved_at IS NULL")
    op.create_table(
        "incidents",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("rule", sa.String(32), nullable=False),
        sa.Column("node", sa.String(63), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("started_at", sa.Double(), nullable=False),
        sa.Column("fired_at", sa.Double(), nullable=False),
        sa.Column("resolved_at", sa.Double(), nullable=True),
        sa.Column("ending", sa.String(16), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_incidents"),
        sa.CheckConstraint("ending IN ('back', 'removed')", name="ck_incidents_ending"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_incidents_open", "incidents", ["rule", "node"], unique=True, sqlite_where=is_open, postgresql_where=is_open
    )
    op.create_table(
        "notices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("incident", sa.Integer(), nullable=False),
        sa.Column("notifier", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("ref", sa.String(255), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.Double(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notices"),
        sa.ForeignKeyConstraint(
            ["incident"], ["incidents.id"], name="fk_notices_incident_incidents", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("incident", "notifier", name="uq_notices_incident_notifier"),
        sa.CheckConstraint("state IN ('waiting', 'told', 'done', 'given-up')", name="ck_notices_state"),
    )
    op.create_index("ix_notices_state", "notices", ["state"])


def downgrade() -> None:
    op.drop_index("ix_notices_state", "notices")
    op.drop_table("notices")
    op.drop_index("ix_incidents_open", "incidents")
    op.drop_table("incidents")
