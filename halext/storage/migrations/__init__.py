"""The schema, step by step; run by Alembic on SQLite and PostgreSQL alike."""
