"""The tables of people, codes, tokens and usage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    Double,
    ForeignKey,
    Index,
    Integer,
    Select,
    String,
    Text,
    column,
    delete,
    func,
    insert,
    select,
    table,
    text,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from halext.accounts import policy
from halext.accounts.types import Caller, Permission, Role, TokenInfo, UsageEntry, UsageTotal, User
from halext.errors import AlreadyExists, Conflict, NotFound
from halext.storage.base import Base
from halext.storage.scope import Scope
from halext.types import ModelName, UserId

_FIRST_ADMIN = "first-admin"
_FIRST_ADMIN_LOCK = 0x686C7874
"""The PostgreSQL advisory lock around the first admin's code; on SQLite every write is alone anyway."""
_INTEGER_MAX = 2**31 - 1
_SESSIONS = table("sessions", column("user_id"))
_INVITES = table("invites", column("maker_id"))


class UserRow(Base):
    """A person."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("role IN ('admin', 'member', 'guest')", name="role"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    name_key: Mapped[str] = mapped_column(String(256), unique=True)
    role: Mapped[str] = mapped_column(String(16))
    password_hash: Mapped[str | None] = mapped_column(String(256))
    disabled: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[float] = mapped_column(Double)


class CodeRow(Base):
    """A one-time code; its row goes when it is used."""

    __tablename__ = "codes"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    purpose: Mapped[str] = mapped_column(String(16))
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[float] = mapped_column(Double)
    expires_at: Mapped[float] = mapped_column(Double)


class TokenRow(Base):
    """An API token."""

    __tablename__ = "tokens"
    __table_args__ = ({"sqlite_autoincrement": True},)
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    hint: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[float] = mapped_column(Double)
    expires_at: Mapped[float | None] = mapped_column(Double)
    last_used_at: Mapped[float | None] = mapped_column(Double)
    scopes: Mapped[str | None] = mapped_column(Text)
    """Rights with blanks between them; None: all of the owner's."""


class UsageRow(Base):
    """What one request used. Rows are only ever added; they outlive whom they name."""

    __tablename__ = "usage"
    __table_args__ = (Index(None, "owner_id", "started_at"), Index(None, "workspace_id", "started_at"))
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True)
    request_id: Mapped[str] = mapped_column(String(64), unique=True)
    owner_id: Mapped[int | None] = mapped_column(Integer)
    caller: Mapped[str] = mapped_column(String(64))
    credential: Mapped[str] = mapped_column(String(16))
    model: Mapped[str] = mapped_column(Text)
    node: Mapped[str] = mapped_column(String(63))
    started_at: Mapped[float] = mapped_column(Double)
    total_s: Mapped[float] = mapped_column(Double)
    first_token_s: Mapped[float | None] = mapped_column(Double)
    prompt_tokens: Mapped[int] = mapped_column(Integer)
    completion_tokens: Mapped[int] = mapped_column(Integer)
    outcome: Mapped[str] = mapped_column(String(16))
    workspace_id: Mapped[int | None] = mapped_column(Integer)


class PeopleStore:
    """Everyone's accounts. Its callers have checked that they may see or change them."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def has_admin(self) -> bool:
        """Whether someone can administer this halext."""
        async with self._scope.read() as session:
            return bool(await _admins(session))

    async def users(self) -> list[User]:
        """Everyone, by name."""
        async with self._scope.read() as session:
            return [_user(row) for row in await session.scalars(select(UserRow).order_by(UserRow.name_key))]

    async def find(self, name: str) -> tuple[User, str | None] | None:
        """The person of that name and the kept password hash, if there is one."""
        async with self._scope.read() as session:
            row = await session.scalar(_named(name))
            return None if row is None else (_user(row), row.password_hash)

    async def by_id(self, user_id: UserId) -> User | None:
        """The person of that number, if there is one."""
        async with self._scope.read() as session:
            row = await session.get(UserRow, user_id)
            return None if row is None else _user(row)

    async def add(self, name: str, role: Role, password_hash: str | None, now: float) -> User:
        """A new person. Raises `AlreadyExists` if someone has that name, however it is written."""
        async with self._scope.write() as session:
            return await _add(session, name, role, password_hash, now)

    async def set_role(self, name: str, role: Role) -> User:
        """Give a person another role. Raises `NotFound`, and `Conflict` for the last admin."""

        def change(row: UserRow) -> None:
            row.role = role

        return await self._change(name, change)

    async def set_disabled(self, name: str, *, disabled: bool) -> User:
        """Shut a person out, or let them in again. Raises `NotFound`, and `Conflict` for the last admin."""

        def change(row: UserRow) -> None:
            row.disabled = disabled

        return await self._change(name, change, ends_sessions=disabled)

    async def set_password(self, name: str, password_hash: str) -> User:
        """Replace the password and end every session of that person. Raises `NotFound`."""

        def change(row: UserRow) -> None:
            row.password_hash = password_hash

        return await self._change(name, change, ends_sessions=True)

    async def _change(self, name: str, change: Callable[[UserRow], None], *, ends_sessions: bool = False) -> User:
        async with self._scope.write() as session:
            admins_before = await _admins(session, lock=True)
            row = await session.scalar(_named(name).with_for_update())
            if row is None:
                raise NotFound("There is no user of this name; `halext user list` shows all")
            change(row)
            await session.flush()
            if admins_before and not await _admins(session):
                raise Conflict(f"{row.name} is the last admin; make someone else one first (`halext user role`)")
            if ends_sessions:
                await session.execute(delete(_SESSIONS).where(_SESSIONS.c.user_id == row.id))
            if row.disabled or Permission.MANAGE_PEOPLE not in policy.PERMISSIONS[Role(row.role)]:
                await session.execute(delete(_INVITES).where(_INVITES.c.maker_id == row.id))
            return _user(row)

    async def replace_first_admin_code(self, code: str, now: float, expires_at: float) -> bool:
        """Make this hash the only code for the first admin; False, and nothing changes, when there is an admin."""
        async with self._scope.write() as session:
            await self._alone(session)
            if await _admins(session):
                return False
            await session.execute(delete(CodeRow).where(CodeRow.purpose == _FIRST_ADMIN))
            session.add(CodeRow(purpose=_FIRST_ADMIN, hash=code, created_at=now, expires_at=expires_at))
            return True

    async def is_open(self, code: str, now: float) -> bool:
        """Whether this hash is a code that could be claimed now."""
        async with self._scope.read() as session:
            return await session.scalar(_open_code(code, now)) is not None

    async def claim_first_admin(self, code: str, name: str, password_hash: str, now: float) -> User | None:
        """Use the code up and add the admin, both or neither; None if the code is not valid any more."""
        async with self._scope.write() as session:
            await self._alone(session)
            row = await session.scalar(_open_code(code, now))
            if row is None or await _admins(session):
                return None
            await session.delete(row)
            return await _add(session, name, Role.ADMIN, password_hash, now)

    async def _alone(self, session: AsyncSession) -> None:
        if self._scope.dialect == "postgresql":
            await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _FIRST_ADMIN_LOCK})


class CredentialStore:
    """Finds the person behind the hash of an API token."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def token(self, token_hash: str) -> tuple[User, TokenInfo] | None:
        """Whose token this is; None if it was revoked or its owner is disabled."""
        async with self._scope.read() as session:
            found = (await session.execute(_tokens(TokenRow.hash == token_hash, ~UserRow.disabled))).first()
            return found and (_user(found[1]), _token(found[0], found[1].name))

    async def touch(self, used_at: Mapping[int, float]) -> None:
        """Remember when tokens were last used, by id."""
        async with self._scope.write() as session:
            for token_id, at in used_at.items():
                await session.execute(update(TokenRow).where(TokenRow.id == token_id).values(last_used_at=at))


class TokenStore:
    """API tokens as one caller may see and change them; for anyone else's it acts as if they did not exist."""

    def __init__(self, scope: Scope, condition: ColumnElement[bool]) -> None:
        self._scope = scope
        self._condition = condition

    @classmethod
    def for_caller(cls, scope: Scope, caller: Caller, *, everyone: bool = False) -> TokenStore:
        """The caller's own tokens, or everyone's for those who manage people. Raises `Forbidden`."""
        if everyone or caller.user_id is None:
            policy.require(caller, Permission.MANAGE_PEOPLE)
            return cls(scope, true())
        return cls(scope, TokenRow.owner_id == caller.user_id)

    async def all(self) -> list[TokenInfo]:
        """These tokens, newest first."""
        async with self._scope.read() as session:
            found = await session.execute(_tokens(self._condition).order_by(TokenRow.id.desc()))
            return [_token(row, owner.name) for row, owner in found]

    async def revoke(self, token_id: int) -> None:
        """End a token for good. Raises `NotFound`, for another's token just as for none."""
        async with self._scope.write() as session:
            gone = await session.execute(
                delete(TokenRow).where(TokenRow.id == token_id, self._condition).returning(TokenRow.id)
            )
            if gone.first() is None:
                raise NotFound("There is no token with this id; `halext token list` shows yours")

    async def add(
        self,
        owner: User,
        name: str,
        *,
        token_hash: str,
        hint: str,
        now: float,
        expires_at: float | None,
        scopes: frozenset[Permission] | None = None,
    ) -> TokenInfo:
        """Keep a new token of `owner`. Raises `NotFound` if the caller may not act for that person."""
        row = TokenRow(owner_id=owner.id, name=name, hash=token_hash, hint=hint, created_at=now, expires_at=expires_at)
        row.scopes = None if scopes is None else " ".join(sorted(scopes))
        async with self._scope.write() as session:
            session.add(row)
            await session.flush()
            if await session.scalar(select(TokenRow.id).where(TokenRow.id == row.id, self._condition)) is None:
                raise NotFound("There is no user of this name")
            return _token(row, owner.name)


class UsageStore:
    """The append-only record of what was used."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def add(self, entries: Sequence[UsageEntry]) -> None:
        """Write all entries in one transaction. One that is there already, after a doubtful commit, stays as it is."""
        dialect = postgresql if self._scope.dialect == "postgresql" else sqlite
        statement = dialect.insert(UsageRow).on_conflict_do_nothing(index_elements=["request_id"])
        async with self._scope.write() as session:
            await session.execute(statement, [_usage(entry) for entry in entries])

    async def totals(self, caller: Caller, since: float, *, everyone: bool = False) -> list[UsageTotal]:
        """Sums by caller and model: one's own, or everyone's for those who may see the house. Raises `Forbidden`."""
        if everyone:
            policy.require(caller, Permission.SEE_HOUSE)
        mine = UsageRow.owner_id.is_not_distinct_from(caller.user_id)
        query = (
            select(
                UsageRow.caller,
                UsageRow.model,
                func.count(),
                func.sum(UsageRow.prompt_tokens),
                func.sum(UsageRow.completion_tokens),
                func.sum(UsageRow.total_s),
            )
            .where(UsageRow.started_at >= since, true() if everyone else mine)
            .group_by(UsageRow.caller, UsageRow.model)
            .order_by(UsageRow.caller, UsageRow.model)
        )
        async with self._scope.read() as session:
            found = (await session.execute(query)).all()
        return [
            UsageTotal(name, ModelName(model), requests, prompt, completion, total_s)
            for name, model, requests, prompt, completion, total_s in found
        ]


def _named(name: str) -> Select[UserRow]:
    return select(UserRow).where(UserRow.name_key == policy.name_key(name))


def _open_code(code: str, now: float) -> Select[CodeRow]:
    return select(CodeRow).where(CodeRow.purpose == _FIRST_ADMIN, CodeRow.hash == code, CodeRow.expires_at > now)


def _tokens(*conditions: ColumnElement[bool]) -> Select[TokenRow, UserRow]:
    return select(TokenRow, UserRow).join(UserRow, UserRow.id == TokenRow.owner_id).where(*conditions)


async def _admins(session: AsyncSession, *, lock: bool = False) -> Sequence[int]:
    query = select(UserRow.id).where(UserRow.role == Role.ADMIN, ~UserRow.disabled).order_by(UserRow.id)
    return (await session.scalars(query.with_for_update() if lock else query)).all()


async def _add(session: AsyncSession, name: str, role: Role, password_hash: str | None, now: float) -> User:
    values = {"name": name, "name_key": policy.name_key(name), "role": role, "password_hash": password_hash}
    try:
        statement = insert(UserRow).values(**values, disabled=False, created_at=now).returning(UserRow)
        return _user((await session.scalars(statement)).one())
    except IntegrityError as error:
        raise AlreadyExists(f"There is a user called {name} already") from error


def _user(row: UserRow) -> User:
    return User(UserId(row.id), row.name, Role(row.role), row.disabled, row.created_at)


def _token(row: TokenRow, owner: str) -> TokenInfo:
    scopes = None if row.scopes is None else frozenset(p for p in Permission if p in row.scopes.split())
    return TokenInfo(row.id, owner, row.name, row.hint, row.created_at, row.expires_at, row.last_used_at, scopes)


def _usage(entry: UsageEntry) -> dict[str, object]:
    # Model names and counts may come from a client or a node: what a database can't hold must not spoil the batch.
    model = entry.model.replace("\0", "").encode(errors="replace").decode()
    return {
        "request_id": entry.request_id,
        "owner_id": entry.caller.user_id,
        "caller": entry.caller.name,
        "credential": entry.caller.credential,
        "model": model,
        "node": entry.node,
        "started_at": entry.started_at,
        "total_s": entry.total_s,
        "first_token_s": entry.first_token_s,
        "prompt_tokens": min(max(entry.prompt_tokens, 0), _INTEGER_MAX),
        "completion_tokens": min(max(entry.completion_tokens, 0), _INTEGER_MAX),
        "outcome": entry.outcome,
        "workspace_id": entry.caller.workspace,
    }
