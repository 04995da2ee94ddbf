"""Rights of tokens, what sign-ins tell about themselves, and invites."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("tokens", sa.Column("scopes", sa.Text()))
    op.add_column("sessions", sa.Column("proved_at", sa.Double(), nullable=False, server_default="0"))
    op.add_column("sessions", sa.Column("used_at", sa.Double()))
    op.add_column("sessions", sa.Column("address", sa.String(64), nullable=False, server_default=""))
    op.add_column("sessions", sa.Column("agent", sa.String(40), nullable=False, server_default=""))
    op.execute("UPDATE sessions SET proved_at = created_at")
    op.create_table(
        "invites",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("note", sa.String(200), nullable=False),
        sa.Column("maker_id", sa.Integer()),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_invites"),
        sa.UniqueConstraint("hash", name="uq_invites_hash"),
        sa.CheckConstraint("role IN ('admin', 'member', 'guest')", name="ck_invites_role"),
        sa.ForeignKeyConstraint(["maker_id"], ["users.id"], name="fk_invites_maker_id_users", ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_invites_maker_id", "invites", ["maker_id"])


def downgrade() -> None:
    op.drop_table("invites")
    for column in ("agent", "address", "used_at", "proved_at"):
        op.drop_column("sessions", column)
    op.drop_column("tokens", "scopes")
