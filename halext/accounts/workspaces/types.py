"""Workspaces, who is in them, and how far someone reaches."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from halext.types import UserId, WorkspaceId


class WorkspaceRole(StrEnum):
    """What someone is in a workspace; it says nothing about the rest of the house."""

    OWNER = "owner"
    """Decides who is in it, and sees what it used."""
    MEMBER = "member"
    """Reads and changes what is shared in it, and shares."""
    VIEWER = "viewer"
    """Reads what is shared in it."""


class Access(IntEnum):
    """How far someone reaches into a thing; each includes the ones before. Whoever has none does not know of it."""

    READ = 1
    WRITE = 2
    OWN = 3
    """Delete it, and share it."""


@dataclass(frozen=True, slots=True)
class Sharing:
    """How a thing stands to the person who looks at it."""

    access: Access = Access.OWN
    workspace: str | None = None
    """The name of the workspace that it is shared in."""
    owner: str = ""
    """Whose it is, by name; "" while nobody else sees it."""


ALONE = Sharing()
"""One's own, and shared with nobody."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """A group of people. Its name is unique, however it is written."""

    id: WorkspaceId
    name: str
    created_at: float


@dataclass(frozen=True, slots=True)
class Membership:
    """Someone's place in a workspace."""

    user_id: UserId
    name: str
    role: WorkspaceRole
    since: float


@dataclass(frozen=True, slots=True)
class Standing:
    """A workspace, as one of its people sees it."""

    workspace: Workspace
    role: WorkspaceRole
