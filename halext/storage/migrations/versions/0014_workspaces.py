"""Groups of people, what is shared in them, who asked what, and on whose account."""

from __future__ import annotations

from contextlib import AbstractContextManager

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

revision = "0014"
down_revision = "0013"

SHARED = ("conversations", "tasks")


def upgrade() -> None:
    op.create_table(
        "workspaces",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("name_key", sa.String(256), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workspaces"),
        sa.UniqueConstraint("name_key", name="uq_workspaces_name_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "memberships",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "user_id", name="pk_memberships"),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name="fk_memberships_workspace_id_workspaces", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_memberships_user_id_users", ondelete="CASCADE"),
        sa.CheckConstraint("role IN ('owner', 'member', 'viewer')", name="ck_memberships_role"),
    )
    op.create_index("ix_memberships_user_id", "memberships", ["user_id"])
    for shared in SHARED:
        with _changed(shared) as batch:
            batch.add_column(sa.Column("workspace_id", sa.Integer(), nullable=True))
            batch.create_foreign_key(
                f"fk_{shared}_workspace_id_workspaces", "workspaces", ["workspace_id"], ["id"], ondelete="SET NULL"
            )
        op.create_index(f"ix_{shared}_workspace_id", shared, ["workspace_id"])
    # No references: what was said and used outlives whom it names, and ids are never given twice.
    op.add_column("turns", sa.Column("author_id", sa.Integer(), nullable=True))
    op.add_column("usage", sa.Column("workspace_id", sa.Integer(), nullable=True))
    op.create_index("ix_usage_workspace_id_started_at", "usage", ["workspace_id", "started_at"])


def downgrade() -> None:
    op.drop_index("ix_usage_workspace_id_started_at", "usage")
    op.drop_column("usage", "workspace_id")
    op.drop_column("turns", "author_id")
    for shared in SHARED:
        op.drop_index(f"ix_{shared}_workspace_id", shared)
        with _changed(shared) as batch:
            batch.drop_constraint(f"fk_{shared}_workspace_id_workspaces", type_="foreignkey")
            batch.drop_column("workspace_id")
    op.drop_index("ix_memberships_user_id", "memberships")
    op.drop_table("memberships")
    op.drop_table("workspaces")


def _changed(table: str) -> AbstractContextManager[BatchOperations]:
    # On SQLite the table is copied, and what Alembic does not find by itself has to be said again.
    return op.batch_alter_table(table, table_kwargs={"sqlite_autoincrement": True})
