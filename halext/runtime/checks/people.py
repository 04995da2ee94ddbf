"""Someone can administer this halext, and their credentials end some time."""

from __future__ import annotations

from halext.accounts.types import LOCAL, Role
from halext.runtime.app import App
from halext.runtime.shapes import Finding


async def look(app: App) -> list[Finding]:
    """There is an administrator; administrators' tokens expire."""
    if not await app.people.has_admin():
        what = "Nobody is an administrator yet."
        why = "Whoever opens the one-time link becomes one."
        fix = "open the link that `halext up` prints, or halext user add NAME --role admin"
        return [Finding(check="first admin", level="warning", what=what, why=why, fix=fix)]
    return [Finding(check="first admin", level="ok", what="There is an administrator."), await _tokens(app)]


async def _tokens(app: App) -> Finding:
    admins = {user.name for user in await app.people.list_users() if user.role is Role.ADMIN and not user.disabled}
    tokens = await app.people.list_tokens(LOCAL, everyone=True)
    lasting = [token for token in tokens if token.owner in admins and token.expires_at is None]
    if not lasting:
        return Finding(check="tokens", level="ok", what="No token of an administrator is valid for ever.")
    names = ", ".join(f"{token.name} of {token.owner} (id {token.id})" for token in lasting)
    return Finding(
        check="tokens",
        level="note",
        what=f"Valid for ever, with an administrator's rights: {names}.",
        why="One that was copied from somewhere lets in whoever has it until somebody notices.",
        fix="halext token revoke ID, and a new one with an end: halext token create NAME --expires 90d",
    )
