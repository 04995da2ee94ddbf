from __future__ import annotations

import pytest

from halext.accounts.links.types import ChatAccount
from halext.accounts.types import Caller, Role
from halext.errors import InvalidInput, NotFound
from halext.runtime.app import App
from halext.runtime.control import LocalControl
from halext.runtime.shapes import Done
from halext.runtime.shapes_links import LinkInfo, LinksOf, UnlinkAccount
from halext.runtime.verbs import links

ACCOUNT = ChatAccount("telegram", "77", "Ann A.")


async def person(app: App, name: str) -> LocalControl:
    user = await app.people.add_user(name, Role.MEMBER)
    return LocalControl(app, Caller(user.name, user.role, "token", user.id))


async def test_a_chat_account_is_linked_listed_and_forgotten(app: App) -> None:
    ann, bob = await person(app, "Ann"), await person(app, "Bob")
    made = await ann.call(links.make_link_code, LinksOf())
    assert made.expires_at > app.clock.now()
    await app.links.claim(ACCOUNT, made.code)
    (row,) = await ann.call(links.list_links, LinksOf())
    assert row == LinkInfo(platform="telegram", account="77", name="Ann A.", linked_at=row.linked_at)
    assert await bob.call(links.list_links, LinksOf()) == []
    with pytest.raises(NotFound):
        await bob.call(links.unlink_account, UnlinkAccount(platform="telegram", account="77"))
    done = await ann.call(links.unlink_account, UnlinkAccount(platform="telegram", account="77"))
    assert isinstance(done, Done)
    assert await ann.call(links.list_links, LinksOf()) == []
    assert await app.links.caller_for(ACCOUNT) is None


@pytest.mark.parametrize("operation", [links.make_link_code, links.list_links])
async def test_nobody_else_can_be_named(app: App, operation: object) -> None:
    ann = await person(app, "Ann")
    await person(app, "Bob")
    with pytest.raises(NotFound):
        await ann.call(operation, LinksOf(user="Bob"))  # type: ignore[arg-type]  # one of ours


async def test_the_owner_of_the_machine_says_whose(app: App, control: LocalControl) -> None:
    ann = await person(app, "Ann")
    await person(app, "Bob")
    with pytest.raises(InvalidInput, match="--user"):
        await control.call(links.make_link_code, LinksOf())
    made = await control.call(links.make_link_code, LinksOf(user="ann"))
    assert (await app.links.claim(ACCOUNT, made.code)).name == "Ann"
    assert [row.account for row in await control.call(links.list_links, LinksOf(user="Ann"))] == ["77"]
    with pytest.raises(NotFound):
        await control.call(links.unlink_account, UnlinkAccount(user="Bob", platform="telegram", account="77"))
    await control.call(links.unlink_account, UnlinkAccount(user="Ann", platform="telegram", account="77"))
    assert await ann.call(links.list_links, LinksOf()) == []
