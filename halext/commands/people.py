"""Commands about who one is, and what can be said at all."""

from __future__ import annotations

from halext.accounts.types import Caller, Permission
from halext.commands import words
from halext.commands.registry import REGISTRY, command
from halext.commands.types import Command, Option, Reply, Said, Text
from halext.errors import Forbidden, HalextError, InvalidInput
from halext.runtime.acting import may
from halext.runtime.app import App
from halext.runtime.shapes_links import UnlinkAccount
from halext.runtime.verbs.links import unlink_account


@command("link", Option("code", "The code from your account's page", required=True), permission=Permission.PUBLIC)
async def link(app: App, said: Said) -> Reply:
    """Tell halext who you are, with the code from your account's page."""
    if not said.speaker.is_private:
        await app.links.void(said.get("code"))
        raise Forbidden("Others may have read this code, so it is void. Get a new one and send it in a direct message.")
    account = said.speaker.account
    try:
        caller = await app.links.claim(account, said.get("code"))
    except HalextError as error:
        app.audit.record("links.claim", said.caller, f"{account.platform}/{account.id}", "failed", why=error.code)
        raise
    await app.audit.write("links.claim", caller, f"{account.platform}/{account.id}")
    hello = f"Hello {words.plain(caller.name)}, I know you here from now on. Just ask, or see `/help`."
    return Text(hello, is_quiet=True)


@command("unlink", permission=Permission.ACCOUNT)
async def unlink(app: App, said: Said) -> Reply:
    """Let halext forget who you are here."""
    account = said.speaker.account
    if said.caller.user_id is None:
        raise InvalidInput("You are not linked here.")
    await unlink_account(app, said.caller, UnlinkAccount(platform=account.platform, account=account.id))
    return Text("I don't know you here any more. A new code from your account's page links you again.", is_quiet=True)


@command("help", permission=Permission.PUBLIC)
async def help_(app: App, said: Said) -> Reply:
    """What you can say."""
    del app
    caller = said.speaker.caller
    shown = [entry for entry in REGISTRY.all() if entry.is_listed and _may_say(caller, entry)]
    lines = [f"- {words.code(words.usage(entry))} {words.plain(entry.description)}" for entry in shown]
    first = "In a direct message, just write. In a channel, mention me or reply to me."
    return Text("\n".join([first, "", *lines]), is_quiet=True)


def _may_say(caller: Caller | None, entry: Command) -> bool:
    if caller is None:
        return entry.permission is Permission.PUBLIC
    return all(may(caller, right) for right in entry.rights)
