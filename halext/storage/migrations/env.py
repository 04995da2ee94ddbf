"""Alembic runs this file for every migration; `halext.storage.schema` hands it the connection."""

from __future__ import annotations

from alembic import context

# Batch mode: SQLite can't alter a column, so the table is copied; on PostgreSQL the same code is a plain ALTER TABLE.
context.configure(connection=context.config.attributes["connection"], render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
