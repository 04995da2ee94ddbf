"""In whose name something is done, and whether they may.

Everyone acts in their own; the owner of the machine, who has no account, says whose.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from halext.accounts import policy
from halext.accounts.types import Caller, Permission, Role
from halext.errors import Forbidden, InvalidInput, NotFound

if TYPE_CHECKING:
    from halext.runtime.app import App


async def acting_for(app: App, caller: Caller, name: str | None) -> Caller:
    """The caller themselves, or for the owner of the machine the person of this name, or the only one there is.

    Raises `InvalidInput` when it must be said who, `NotFound`, also for those who name somebody else, and `Forbidden`
    for callers who are nobody and do not own the machine.
    """
    if caller.user_id is not None:
        if name is not None and name.casefold() != caller.name.casefold():
            raise NotFound("Everyone sees and changes what is their own only.")
        return caller
    if caller.credential != "local":
        raise Forbidden("This belongs to a person, and it is not known who you are; sign in first.")
    people = await app.people.list_users()
    if name is None and len(people) != 1:
        raise InvalidInput("Say who it is for, such as with `--user NAME`.")
    found = next((user for user in people if name is None or user.name.casefold() == name.casefold()), None)
    if found is None:
        raise NotFound(f"There is nobody called {name!r}; `halext user list` shows all.")
    return replace(caller, name=found.name, user_id=found.id)


def may(caller: Caller, permission: Permission) -> bool:
    """Whether this caller has that right."""
    return policy.allowed(caller, permission)


def require(caller: Caller, permission: Permission) -> None:
    """Raise `Forbidden` unless this caller has that right."""
    policy.require(caller, permission)


def require_role(caller: Caller, role: Role) -> None:
    """Raise `Forbidden` unless this caller may make somebody a `role`."""
    policy.require_role(caller, role)
