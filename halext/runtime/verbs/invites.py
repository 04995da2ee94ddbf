"""Links that let somebody make an account."""

from __future__ import annotations

from halext.accounts.invites.types import Invite
from halext.accounts.types import Caller, Permission, Role
from halext.runtime.app import App
from halext.runtime.operations import operation
from halext.runtime.shapes import Done, Nothing
from halext.runtime.shapes_identity import InviteInfo, InviteRef, MakeInvite, NewInviteInfo

DAY_S = 24 * 3600.0


@operation("POST", "/hx/admin/invites", Permission.MANAGE_PEOPLE, fresh=True)
async def make_invite(app: App, caller: Caller, params: MakeInvite) -> NewInviteInfo:
    """Make a link by which one person gets an account; it is shown this once."""
    made = await app.invites.make(caller, Role(params.role), params.note, params.days * DAY_S)
    return NewInviteInfo(link=f"{_base(app)}/welcome?invite={made.code}", code=made.code, info=_info(made.invite))


@operation("GET", "/hx/admin/invites", Permission.MANAGE_PEOPLE)
async def list_invites(app: App, caller: Caller, params: Nothing) -> list[InviteInfo]:
    """The invites that nobody has used yet."""
    del params
    return [_info(invite) for invite in await app.invites.all(caller)]


@operation("DELETE", "/hx/admin/invites/{id}", Permission.MANAGE_PEOPLE)
async def end_invite(app: App, caller: Caller, params: InviteRef) -> Done:
    """End an invite; its link opens nothing any more."""
    await app.invites.end(caller, params.id)
    return Done("The invite has ended.")


def _base(app: App) -> str:
    """Where people find this halext: as set, else where it listens, else where it would."""
    here = f"http://{app.settings.host}:{app.settings.port}"
    return (app.settings.public_url or app.base_url or here).rstrip("/")


def _info(invite: Invite) -> InviteInfo:
    return InviteInfo(
        id=invite.id,
        role=str(invite.role),
        note=invite.note,
        maker=invite.maker,
        created_at=invite.created_at,
        expires_at=invite.expires_at,
    )
