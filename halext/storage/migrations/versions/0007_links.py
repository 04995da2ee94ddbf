"""Chat accounts of people, the codes that link them, the model they want in a place, and what is shown there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "links",
        sa.Column("platform", sa.String(16), nullable=False),
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("linked_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("platform", "account", name="pk_links"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_links_user_id_users", ondelete="CASCADE"),
    )
    op.create_index("ix_links_user_id", "links", ["user_id"])
    op.create_table(
        "link_codes",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_link_codes"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_link_codes_user_id_users", ondelete="CASCADE"),
        sa.UniqueConstraint("hash", name="uq_link_codes_hash"),
    )
    op.create_table(
        "chat_models",
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("place", sa.String(200), nullable=False),
        sa.Column("model", sa.String(255), nullable=False),
        sa.PrimaryKeyConstraint("owner_id", "place", name="pk_chat_models"),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_chat_models_owner_id_users", ondelete="CASCADE"),
    )
    op.create_table(
        "showings",
        sa.Column("platform", sa.String(16), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("chat", sa.String(200), nullable=False),
        sa.Column("refs", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("platform", "turn", name="pk_showings"),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_showings_owner_id_users", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["turn"], ["turns.id"], name="fk_showings_turn_turns", ondelete="CASCADE"),
    )


def downgrade() -> None:
    op.drop_table("showings")
    op.drop_table("chat_models")
    op.drop_table("link_codes")
    op.drop_table("links")
