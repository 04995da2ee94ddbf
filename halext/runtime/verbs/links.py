"""Chat accounts: linking them to people."""

from __future__ import annotations

from halext.accounts.types import Caller, Permission
from halext.runtime.acting import acting_for
from halext.runtime.app import App
from halext.runtime.operations import operation
from halext.runtime.shapes import Done
from halext.runtime.shapes_links import LinkCodeInfo, LinkInfo, LinksOf, UnlinkAccount


@operation("POST", "/hx/links/code", Permission.ACCOUNT)
async def make_link_code(app: App, caller: Caller, params: LinksOf) -> LinkCodeInfo:
    """A one-time code that links a chat account to the caller, valid for ten minutes."""
    code = await app.links.code(await acting_for(app, caller, params.user))
    return LinkCodeInfo(code=code.text, expires_at=code.expires_at)


@operation("GET", "/hx/links", Permission.ACCOUNT)
async def list_links(app: App, caller: Caller, params: LinksOf) -> list[LinkInfo]:
    """The caller's chat accounts."""
    return [
        LinkInfo(
            platform=link.account.platform,
            account=link.account.id,
            name=link.account.name,
            linked_at=link.linked_at,
        )
        for link in await app.links.links(await acting_for(app, caller, params.user))
    ]


@operation("DELETE", "/hx/links/{platform}/{account}", Permission.ACCOUNT)
async def unlink_account(app: App, caller: Caller, params: UnlinkAccount) -> Done:
    """Forget a chat account; who writes from there is a stranger at once."""
    await app.links.unlink(await acting_for(app, caller, params.user), params.platform, params.account)
    return Done("The chat account is not linked any more.")
