"""What every table has in common."""

from __future__ import annotations

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""How constraints are called. Both databases use these names, so that one migration can drop them on either."""


class Base(DeclarativeBase):
    """The parent of every table; `Base.metadata` knows those whose `store.py` has been imported."""

    metadata = MetaData(naming_convention=NAMES)
