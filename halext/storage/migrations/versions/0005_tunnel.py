"""Endpoints that are reached through a tunnel, and the keys of the computers that dial in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("endpoints", sa.Column("via", sa.String(16), nullable=False, server_default="direct"))
    op.create_table(
        "tunnel_keys",
        sa.Column("node", sa.String(63), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=True),
        sa.Column("enrolled_at", sa.Double(), nullable=True),
        sa.Column("code_digest", sa.String(64), nullable=True),
        sa.Column("code_expires_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("node", name="pk_tunnel_keys"),
        sa.ForeignKeyConstraint(["node"], ["nodes.name"], name="fk_tunnel_keys_node_nodes", ondelete="CASCADE"),
        sa.UniqueConstraint("public_key", name="uq_tunnel_keys_public_key"),
        sa.UniqueConstraint("code_digest", name="uq_tunnel_keys_code_digest"),
    )


def downgrade() -> None:
    op.drop_table("tunnel_keys")
    op.drop_column("endpoints", "via")
