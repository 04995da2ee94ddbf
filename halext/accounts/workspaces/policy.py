"""Who may do what in a workspace, and which changes would leave it without an owner."""

from __future__ import annotations

from collections.abc import Iterable

from halext.accounts.types import Caller, Role
from halext.accounts.workspaces.types import Access, WorkspaceRole
from halext.errors import Conflict, Forbidden, InvalidInput
from halext.types import UserId

NAME_MAX = 64
"""As `accounts.policy.clean_name` keeps it."""
WRITERS = frozenset({WorkspaceRole.OWNER, WorkspaceRole.MEMBER})
"""Who changes what is shared, shares, and may have requests counted for the workspace."""


def person(caller: Caller) -> UserId:
    """Whose workspaces this caller has. Raises `InvalidInput` for those without an account."""
    if caller.user_id is None:
        raise InvalidInput("Workspaces are for people: sign in, or use that person's API token.")
    return caller.user_id


def check_creator(caller: Caller) -> None:
    """Raise `Forbidden` for guests: they may be in a workspace, and make none."""
    if caller.role is Role.GUEST:
        raise Forbidden("Guests make no workspaces; ask a member of the house to make one.")


def check_owner(role: WorkspaceRole) -> None:
    """Raise `Forbidden` for all but owners of a workspace."""
    if role is not WorkspaceRole.OWNER:
        raise Forbidden("Only an owner of the workspace can do this.")


def check_writer(role: WorkspaceRole) -> None:
    """Raise `Forbidden` for viewers."""
    if role not in WRITERS:
        raise Forbidden("You are a viewer of this workspace: you read what is shared in it, and change nothing.")


def check_access(has: Access, needs: Access) -> None:
    """Raise `Forbidden` for someone who sees a thing, and wants more than they may."""
    if has >= needs:
        return
    if needs is Access.OWN:
        raise Forbidden("This is shared with you; only its owner can delete it or share it.")
    raise Forbidden("This is shared with you as a viewer: you can read it, and not change it.")


def check_appointment(by: UserId | None, whom: UserId, *, is_inside: bool) -> None:
    """Raise `Forbidden` for administrators who would let themselves in: managing people is no right to read."""
    if by == whom and not is_inside:
        raise Forbidden("Administrators can't let themselves into a workspace; an owner of it can add you.")


def check_owned(roles: Iterable[WorkspaceRole]) -> None:
    """Raise `Conflict` for a workspace that would be left without an owner."""
    if WorkspaceRole.OWNER not in set(roles):
        raise Conflict("This is the workspace's last owner; make someone else an owner first, or delete the workspace.")
