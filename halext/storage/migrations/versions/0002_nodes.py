"""Nodes, their endpoints, and what was measured of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "nodes",
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("memory_bytes", sa.BigInteger(), nullable=True),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("cordon", sa.String(16), nullable=False),
        sa.Column("cordon_until", sa.Double(), nullable=True),
        sa.Column("builtin", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_nodes"),
    )
    op.create_table(
        "endpoints",
        sa.Column("id", sa.String(128), nullable=False),
        sa.Column("node", sa.String(63), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("url", sa.String(512), nullable=False),
        sa.Column("cidrs", sa.JSON(), nullable=False),
        sa.Column("secret", sa.String(255), nullable=True),
        sa.Column("slots", sa.Integer(), nullable=True),
        sa.Column("insecure", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_endpoints"),
        sa.ForeignKeyConstraint(["node"], ["nodes.name"], name="fk_endpoints_node_nodes", ondelete="CASCADE"),
        sa.UniqueConstraint("url", name="uq_endpoints_url"),
    )
    op.create_index("ix_endpoints_node", "endpoints", ["node"])
    op.create_table(
        "rates",
        sa.Column("endpoint", sa.String(128), nullable=False),
        sa.Column("model", sa.String(255), nullable=False),
        sa.Column("decode_tps", sa.Double(), nullable=False),
        sa.Column("decode_count", sa.Integer(), nullable=False),
        sa.Column("prefill_tps", sa.Double(), nullable=False),
        sa.Column("prefill_count", sa.Integer(), nullable=False),
        sa.Column("load_s", sa.Double(), nullable=False),
        sa.Column("load_count", sa.Integer(), nullable=False),
        sa.Column("last_total_s", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("endpoint", "model", name="pk_rates"),
        sa.ForeignKeyConstraint(["endpoint"], ["endpoints.id"], name="fk_rates_endpoint_endpoints", ondelete="CASCADE"),
    )


def downgrade() -> None:
    op.drop_table("rates")
    op.drop_index("ix_endpoints_node", "endpoints")
    op.drop_table("endpoints")
    op.drop_table("nodes")
