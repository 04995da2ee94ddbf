"""One's own sign-ins and password, and the end of somebody's."""

from __future__ import annotations

from halext.accounts.types import Caller, Permission
from halext.runtime.app import App
from halext.runtime.operations import operation
from halext.runtime.shapes import Done, Named, Nothing
from halext.runtime.shapes_identity import ChangePassword, SessionInfo, SessionRef


@operation("GET", "/hx/sessions", Permission.ACCOUNT)
async def list_sessions(app: App, caller: Caller, params: Nothing) -> list[SessionInfo]:
    """The caller's sign-ins."""
    del params
    return [
        SessionInfo(
            id=session.id,
            created_at=session.created_at,
            expires_at=session.expires_at,
            used_at=session.used_at,
            address=session.origin.address,
            agent=session.origin.agent,
            current=session.id == caller.session,
        )
        for session in await app.people.sessions(caller)
    ]


@operation("DELETE", "/hx/sessions", Permission.ACCOUNT)
async def sign_out_everywhere(app: App, caller: Caller, params: Nothing) -> Done:
    """End all of the caller's sign-ins, also this one; API tokens stay."""
    del params
    await app.people.sign_out_everywhere(caller)
    return Done("You are signed out everywhere.")


@operation("DELETE", "/hx/sessions/{id}", Permission.ACCOUNT)
async def end_session(app: App, caller: Caller, params: SessionRef) -> Done:
    """End one of the caller's sign-ins."""
    await app.people.end_session(caller, params.id)
    return Done("That sign-in has ended.")


@operation("PUT", "/hx/me/password", Permission.ACCOUNT)
async def change_password(app: App, caller: Caller, params: ChangePassword) -> Done:
    """Replace one's own password; all other sign-ins end."""
    await app.people.change_password(caller, params.current, params.password)
    return Done("You have another password now, and are signed out everywhere else.")


@operation("DELETE", "/hx/admin/users/{name}/sessions", Permission.MANAGE_PEOPLE)
async def sign_out_user(app: App, caller: Caller, params: Named) -> Done:
    """End all sign-ins of a person; their API tokens stay."""
    del caller
    user = await app.people.sign_out_user(params.name)
    return Done(f"{user.name} is signed out everywhere.")
