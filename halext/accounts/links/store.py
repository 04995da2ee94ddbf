"""The tables of links and their codes."""

from __future__ import annotations

from sqlalchemy import Boolean, Double, ForeignKey, String, column, delete, select, table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from halext.accounts.links import policy
from halext.accounts.links.types import ChatAccount, Link
from halext.errors import NotFound
from halext.storage.base import Base
from halext.storage.scope import Scope
from halext.types import UserId

_USERS = table("users", column("id"), column("disabled", Boolean))


class LinkRow(Base):
    """A chat account that belongs to a person."""

    __tablename__ = "links"
    platform: Mapped[str] = mapped_column(String(16), primary_key=True)
    account: Mapped[str] = mapped_column(String(policy.ID_MAX), primary_key=True)
    name: Mapped[str] = mapped_column(String(policy.NAME_MAX))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    linked_at: Mapped[float] = mapped_column(Double)


class LinkCodeRow(Base):
    """The code that a person has asked for; one at a time."""

    __tablename__ = "link_codes"
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at: Mapped[float] = mapped_column(Double)


class ClaimStore:
    """What a chat platform's door may do for someone who shows a code, and whom it knows."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def claim(self, account: ChatAccount, code: str, now: float) -> UserId | None:
        """Use the code of this hash up and link the account, both or neither; None if there is no such code now.

        Codes of people who are shut out are none.
        """
        insert = (postgresql if self._scope.dialect == "postgresql" else sqlite).insert
        let_in = select(_USERS.c.id).where(_USERS.c.disabled.is_(False))
        used = delete(LinkCodeRow).where(
            LinkCodeRow.hash == code, LinkCodeRow.expires_at > now, LinkCodeRow.user_id.in_(let_in)
        )
        async with self._scope.write() as session:
            owner = await session.scalar(used.returning(LinkCodeRow.user_id))
            if owner is None:
                return None
            values = {"name": account.name, "user_id": owner, "linked_at": now}
            keys = {"platform": account.platform, "account": account.id}
            link = insert(LinkRow).values(**keys, **values)
            await session.execute(link.on_conflict_do_update(index_elements=[*keys], set_=values))
            return UserId(owner)

    async def void(self, code: str) -> None:
        """End the code of this hash, if there is one."""
        async with self._scope.write() as session:
            await session.execute(delete(LinkCodeRow).where(LinkCodeRow.hash == code))

    async def owner(self, account: ChatAccount) -> UserId | None:
        """Whose account this is; None for nobody's."""
        async with self._scope.read() as session:
            row = await session.get(LinkRow, (account.platform, account.id))
            return None if row is None else UserId(row.user_id)


class LinkStore:
    """One person's links. Those of others are not there."""

    def __init__(self, scope: Scope, owner: UserId) -> None:
        self._scope = scope
        self._owner = owner

    async def keep_code(self, code: str, expires_at: float) -> None:
        """Make this hash the person's only code."""
        insert = (postgresql if self._scope.dialect == "postgresql" else sqlite).insert
        # In one step: two clicks at once must not fail.
        values = {"hash": code, "expires_at": expires_at}
        kept = insert(LinkCodeRow).values(user_id=self._owner, **values)
        async with self._scope.write() as session:
            await session.execute(kept.on_conflict_do_update(index_elements=["user_id"], set_=values))

    async def all(self) -> list[Link]:
        """The person's links, by platform and time."""
        statement = select(LinkRow).where(LinkRow.user_id == self._owner).order_by(LinkRow.platform, LinkRow.linked_at)
        async with self._scope.read() as session:
            return [
                Link(ChatAccount(row.platform, row.account, row.name), UserId(row.user_id), row.linked_at)
                for row in await session.scalars(statement)
            ]

    async def remove(self, platform: str, account: str) -> None:
        """End a link. Raises `NotFound`, for another's just as for none."""
        statement = delete(LinkRow).where(
            LinkRow.platform == platform, LinkRow.account == account, LinkRow.user_id == self._owner
        )
        async with self._scope.write() as session:
            if await session.scalar(statement.returning(LinkRow.account)) is None:
                raise NotFound("There is no such link.")
