"""The JSON of workspaces."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from halext.runtime.shapes import Params

RoleWord = Literal["owner", "member", "viewer"]


class WorkspacesOf(Params, frozen=True):
    """In whose name: only for the owner of the machine, who has no account; everyone else acts in their own."""

    user: str | None = None


class WorkspaceRef(WorkspacesOf, frozen=True, kw_only=True):
    """One workspace by its name."""

    name: str


class RenameWorkspace(WorkspaceRef, frozen=True, kw_only=True):
    """Call a workspace something else."""

    to: str


class PlacePerson(WorkspaceRef, frozen=True, kw_only=True):
    """Someone's role in a workspace."""

    person: str
    role: RoleWord


class RemovePerson(WorkspaceRef, frozen=True, kw_only=True):
    """Someone who is to be in a workspace no longer."""

    person: str


class OwnerRef(Params, frozen=True, kw_only=True):
    """Someone as an owner of a workspace."""

    name: str
    person: str


class WorkspaceInfo(Struct, frozen=True, kw_only=True):
    """A workspace. `role` is what the caller is in it."""

    name: str
    role: str
    created_at: float


class PersonInWorkspace(Struct, frozen=True, kw_only=True):
    """Someone in a workspace: an owner, a member, or a viewer who only reads."""

    name: str
    role: str
    since: float


class WorkspacePeople(Struct, frozen=True, kw_only=True):
    """A workspace with its people. `role` is what the caller is in it; "" for nothing."""

    name: str
    role: str
    created_at: float
    people: list[PersonInWorkspace]
