"""People and their API tokens."""

from __future__ import annotations

from halext.accounts.types import Caller, Permission, Role
from halext.runtime.acting import require_role
from halext.runtime.app import App
from halext.runtime.operations import operation
from halext.runtime.present import token_row, user_info
from halext.runtime.shapes import (
    AddUser,
    CreateToken,
    Done,
    Me,
    NewToken,
    Nothing,
    RevokeToken,
    SetDisabled,
    SetPassword,
    SetRole,
    TokenRow,
    UserInfo,
)


@operation("GET", "/hx/me", Permission.USE)
async def who_am_i(app: App, caller: Caller, params: Nothing) -> Me:
    """Who the caller is to halext."""
    del app, params
    return Me(name=caller.name, role=str(caller.role), credential=caller.credential)


@operation("POST", "/hx/admin/users", Permission.MANAGE_PEOPLE, fresh=True)
async def add_user(app: App, caller: Caller, params: AddUser) -> UserInfo:
    """Add a person."""
    require_role(caller, Role(params.role))
    return user_info(await app.people.add_user(params.name, Role(params.role), params.password))


@operation("GET", "/hx/admin/users", Permission.MANAGE_PEOPLE)
async def list_users(app: App, caller: Caller, params: Nothing) -> list[UserInfo]:
    """All people."""
    del caller, params
    return [user_info(user) for user in await app.people.list_users()]


@operation("PUT", "/hx/admin/users/{name}/role", Permission.MANAGE_PEOPLE, fresh=True)
async def set_role(app: App, caller: Caller, params: SetRole) -> UserInfo:
    """Give a person another role."""
    require_role(caller, Role(params.role))
    return user_info(await app.people.set_role(params.name, Role(params.role)))


@operation("PUT", "/hx/admin/users/{name}/password", Permission.MANAGE_PEOPLE, fresh=True)
async def set_password(app: App, caller: Caller, params: SetPassword) -> UserInfo:
    """Give a person another password; their sign-ins end."""
    require_role(caller, (await app.people.named(params.name)).role)  # who sets it can sign in as that person
    return user_info(await app.people.set_password(params.name, params.password))


@operation("PUT", "/hx/admin/users/{name}/disabled", Permission.MANAGE_PEOPLE)
async def set_disabled(app: App, caller: Caller, params: SetDisabled) -> UserInfo:
    """Shut a person out, or let them in again."""
    del caller
    user = await app.people.set_disabled(params.name, disabled=params.disabled)
    if user.disabled:
        app.answers.shut_out(user.id)
    return user_info(user)


@operation("POST", "/hx/tokens", Permission.ACCOUNT)
async def create_token(app: App, caller: Caller, params: CreateToken) -> NewToken:
    """Create an API token; it is shown this once."""
    token, info = await app.people.create_token(
        caller, params.name, params.expires_in_s, for_user=params.user, scopes=params.scopes
    )
    return NewToken(token=token, info=token_row(info))


@operation("GET", "/hx/tokens", Permission.ACCOUNT)
async def list_tokens(app: App, caller: Caller, params: Nothing) -> list[TokenRow]:
    """The caller's API tokens."""
    del params
    return [token_row(info) for info in await app.people.list_tokens(caller)]


@operation("DELETE", "/hx/tokens/{id}", Permission.ACCOUNT)
async def revoke_token(app: App, caller: Caller, params: RevokeToken) -> Done:
    """End an API token at once."""
    await app.people.revoke_token(caller, params.id)
    return Done("The token has ended.")
