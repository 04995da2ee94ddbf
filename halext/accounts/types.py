"""People, what they may do, and what they used."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol

from halext.types import ModelName, NodeName, RequestId, UserId, WorkspaceId


class Role(StrEnum):
    """What someone is here; `accounts.policy` says what that allows."""

    ADMIN = "admin"
    MEMBER = "member"
    GUEST = "guest"


class Permission(StrEnum):
    """One right. Every route and operation declares the one that it needs; there is no default."""

    PUBLIC = "public"
    """Anyone, without a credential: the short list of DESIGN's public routes and nothing else."""
    USE = "use"
    """Ask models for answers, vectors and pictures, and see nodes and models."""
    OWN = "own"
    """Read and change one's own conversations, answers, tasks, pictures and usage."""
    ACCOUNT = "account"
    """Change how one gets in: password, sign-ins, API tokens, links of chat accounts. Whoever has it can stay."""
    MANAGE_NODES = "manage-nodes"
    MANAGE_PEOPLE = "manage-people"
    MANAGE_KEYS = "manage-keys"
    SEE_HOUSE = "see-house"
    """Doctor, metrics and everyone's usage."""


Credential = Literal["session", "token", "jwt", "link", "local", "house"]
"""How a caller proved who they are. `jwt` was made out of a session or a token; `link` is a chat account of theirs;
`local` is the owner of the data directory on this machine; `house` is halext."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking, as every room sees it. Nothing is done for nobody: even halext's own work has a caller."""

    name: str
    role: Role
    credential: Credential
    user_id: UserId | None = None
    """None for `local` and `house`, which have no row in the database and own nothing."""
    scopes: frozenset[Permission] | None = None
    """The only rights that this credential carries, whatever the role allows; None: all of the role's."""
    workspace: WorkspaceId | None = None
    """The workspace on whose account this is done; membership was checked when it was set."""
    address: str = ""
    """Where the request comes from, as far as it is known; "" for what comes from this process."""
    session: int | None = field(default=None, compare=False)
    """The sign-in behind this credential, if there is one."""
    signed_in_at: float | None = field(default=None, compare=False)
    """When the person last showed their password for it; None for credentials that no password was shown for."""


LOCAL = Caller("owner", Role.ADMIN, "local")
"""Whoever can read the data directory of this machine may do everything: they could edit the database anyway."""


@dataclass(frozen=True, slots=True)
class User:
    """A person with an account."""

    id: UserId
    name: str
    role: Role
    disabled: bool
    created_at: float


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """An API token, without the token: it was shown once and only its hash is kept."""

    id: int
    owner: str
    name: str
    hint: str
    """The first characters, enough to recognise it and no more."""
    created_at: float
    expires_at: float | None
    last_used_at: float | None
    scopes: frozenset[Permission] | None = None
    """The only rights that it carries; None: all that its owner has."""


Outcome = Literal["done", "failed", "cancelled", "interrupted"]


@dataclass(frozen=True, slots=True)
class UsageEntry:
    """What one request used. Written once, never changed."""

    request_id: RequestId
    caller: Caller
    model: ModelName
    node: NodeName
    started_at: float
    total_s: float
    first_token_s: float | None
    prompt_tokens: int
    completion_tokens: int
    outcome: Outcome


class Ledger(Protocol):
    """Takes usage entries without making the request wait."""

    def record(self, entry: UsageEntry) -> None:
        """Remember one entry; it is written soon, and at the latest when halext stops."""


@dataclass(frozen=True, slots=True)
class UsageTotal:
    """What one caller used of one model over some time."""

    caller: str
    model: ModelName
    requests: int
    prompt_tokens: int
    completion_tokens: int
    total_s: float
    """Seconds that nodes worked on it."""


class Counters(Protocol):
    """Counts that every process of this halext shares, each over a window that begins with its first hit."""

    async def hit(self, key: str, window_s: float, by: int = 1) -> int:
        """Add `by` and return the count; 0 only looks, and a negative number takes hits back."""

    async def reset(self, key: str) -> None:
        """Forget the count."""
