"""Secrets have an owner, a purpose and a data key of their own.

Rows stay sealed as they are, since no migration has the key: a row without a data key is one of before, and gets one
when it is written or when the master key is rotated.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.execute("CREATE TABLE old_secrets AS SELECT * FROM secrets")
    op.drop_table("secrets")
    op.create_table(
        "secrets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ref", sa.String(255), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("data_key", sa.Text(), nullable=True),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("used_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_secrets"),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_secrets_owner_id_users", ondelete="CASCADE"),
    )
    house, owned = sa.text("owner_id IS NULL"), sa.text("owner_id IS NOT NULL")
    op.create_index("uq_secrets_ref", "secrets", ["ref"], unique=True, sqlite_where=house, postgresql_where=house)
    both = ["owner_id", "ref"]
    op.create_index("uq_secrets_owner_id_ref", "secrets", both, unique=True, sqlite_where=owned, postgresql_where=owned)
    op.execute(
        "INSERT INTO secrets (ref, sealed, key_id, created_at, updated_at, kind) "
        "SELECT ref, sealed, key_id, created_at, updated_at, "
        "CASE WHEN ref IN ('discord', 'telegram') THEN 'bot' WHEN ref LIKE 'node/%' THEN 'node' "
        "WHEN ref LIKE 'webhook/%' THEN 'webhook' ELSE 'provider' END FROM old_secrets ORDER BY ref"
    )
    op.drop_table("old_secrets")


def downgrade() -> None:
    """Only rows that were never sealed anew can be read by the version before; the others must be entered again."""
    op.execute(
        "CREATE TABLE new_secrets AS SELECT ref, sealed, key_id, created_at, updated_at FROM secrets "
        "WHERE owner_id IS NULL AND data_key IS NULL"
    )
    op.drop_table("secrets")
    op.create_table(
        "secrets",
        sa.Column("ref", sa.String(255), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("ref", name="pk_secrets"),
    )
    op.execute(
        "INSERT INTO secrets (ref, sealed, key_id, created_at, updated_at) "
        "SELECT ref, sealed, key_id, created_at, updated_at FROM new_secrets"
    )
    op.drop_table("new_secrets")
