"""Conversations, their turns, what running answers have said, and which conversation is open where."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "conversations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(80), nullable=False),
        sa.Column("model", sa.String(255), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_conversations"),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_conversations_owner_id_users", ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_conversations_owner_id_updated_at", "conversations", ["owner_id", "updated_at"])
    op.create_table(
        "turns",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("conversation", sa.Integer(), nullable=False),
        sa.Column("parent", sa.Integer(), nullable=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("model", sa.String(255), nullable=False),
        sa.Column("node", sa.String(63), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("prompt_tokens", sa.Integer(), nullable=False),
        sa.Column("completion_tokens", sa.Integer(), nullable=False),
        sa.Column("tokens_per_s", sa.Double(), nullable=True),
        sa.Column("first_token_s", sa.Double(), nullable=True),
        sa.Column("why", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_turns"),
        sa.ForeignKeyConstraint(
            ["conversation"], ["conversations.id"], name="fk_turns_conversation_conversations", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["parent"], ["turns.id"], name="fk_turns_parent_turns", ondelete="SET NULL"),
        sa.CheckConstraint("role IN ('user', 'assistant')", name="ck_turns_role"),
        sa.CheckConstraint("state IN ('running', 'done', 'stopped', 'interrupted', 'failed')", name="ck_turns_state"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_turns_conversation", "turns", ["conversation"])
    op.create_index("ix_turns_parent", "turns", ["parent"])
    op.create_index("ix_turns_state", "turns", ["state"])
    op.create_table(
        "blocks",
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("turn", "seq", name="pk_blocks"),
        sa.ForeignKeyConstraint(["turn"], ["turns.id"], name="fk_blocks_turn_turns", ondelete="CASCADE"),
    )
    op.create_table(
        "pictures",
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("base64", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("turn", "seq", name="pk_pictures"),
        sa.ForeignKeyConstraint(["turn"], ["turns.id"], name="fk_pictures_turn_turns", ondelete="CASCADE"),
    )
    op.create_table(
        "chat_places",
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("place", sa.String(200), nullable=False),
        sa.Column("conversation", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("owner_id", "place", name="pk_chat_places"),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_chat_places_owner_id_users", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["conversation"], ["conversations.id"], name="fk_chat_places_conversation_conversations", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_chat_places_conversation", "chat_places", ["conversation"])


def downgrade() -> None:
    op.drop_index("ix_chat_places_conversation", "chat_places")
    op.drop_table("chat_places")
    op.drop_table("pictures")
    op.drop_table("blocks")
    op.drop_index("ix_turns_parent", "turns")
    op.drop_index("ix_turns_state", "turns")
    op.drop_index("ix_turns_conversation", "turns")
    op.drop_table("turns")
    op.drop_index("ix_conversations_owner_id_updated_at", "conversations")
    op.drop_table("conversations")
