from __future__ import annotations

from asyncio import CancelledError
from dataclasses import replace
from unittest.mock import AsyncMock

import pytest

from halext.accounts.types import Caller, Permission, Role
from halext.errors import Forbidden, InvalidInput, NotFound, UnknownSecret, WrongKey
from halext.hosts.files import write_private
from halext.runtime import masterkey
from halext.runtime.app import App
from halext.runtime.control import LocalControl
from halext.runtime.shapes import Named, Nothing, SetKey
from halext.runtime.shapes_keys import KeysOf, OwnKey, Rotation, SetOwnKey
from halext.runtime.verbs import keys
from halext.types import SecretRef
from halext.vault.cipher import Cipher, new_key


async def test_secrets_go_in_and_never_come_out(app: App, control: LocalControl) -> None:
    told = [
        await control.call(keys.set_key, SetKey(name="discord", value="the-secret")),
        await control.call(keys.list_keys, Nothing()),
    ]
    assert "the-secret" not in repr(told)
    assert await app.vault.reveal(SecretRef("discord"), purpose="a test") == "the-secret"
    await control.call(keys.remove_key, Named(name="discord"))
    with pytest.raises(UnknownSecret):
        await control.call(keys.remove_key, Named(name="discord"))


@pytest.mark.parametrize("name", ["webhook/slack", "webhook/discord"])
async def test_a_webhook_that_is_none_is_said_at_once(app: App, control: LocalControl, name: str) -> None:
    with pytest.raises(InvalidInput, match="its URL looks like https://") as failure:
        await control.call(keys.set_key, SetKey(name=name, value="https://evil.example/SECRET"))
    assert "SECRET" not in failure.value.message
    assert await app.vault.list() == ()
    slack, discord = "https://hooks.slack.com/services/T0/B0/x", "https://discord.com/api/webhooks/1/x"
    await control.call(keys.set_key, SetKey(name=name, value=slack if name.endswith("slack") else discord))


async def test_members_have_no_business_in_the_vault(app: App) -> None:
    member = LocalControl(app, Caller("m", Role.MEMBER, "token"))
    with pytest.raises(Forbidden):
        await member.call(keys.set_key, SetKey(name="x", value="y"))


@pytest.fixture
async def mia(app: App) -> Caller:
    user = await app.people.add_user("Mia", Role.MEMBER)
    return Caller(user.name, user.role, "session", user.id)


async def test_everyone_has_secrets_of_their_own(app: App, control: LocalControl, mia: Caller) -> None:
    own = LocalControl(app, mia)
    await own.call(keys.set_own_key, SetOwnKey(name="discord", value="hers"))
    await control.call(keys.set_key, SetKey(name="discord", value="the house's"))
    (row,) = await own.call(keys.list_own_keys, KeysOf())
    assert (row.name, row.owner, row.purpose) == ("discord", "Mia", "personal")
    (row,) = await control.call(keys.list_keys, Nothing())
    assert (row.name, row.owner, row.purpose) == ("discord", None, "bot")
    await own.call(keys.remove_own_key, OwnKey(name="discord"))
    assert await app.vault.reveal(SecretRef("discord"), purpose="a test") == "the house's"
    with pytest.raises(UnknownSecret):
        await own.call(keys.remove_own_key, OwnKey(name="discord"))


async def test_nobody_reaches_into_anothers(app: App, mia: Caller) -> None:
    bob = await app.people.add_user("Bob", Role.ADMIN)
    other = LocalControl(app, Caller(bob.name, bob.role, "session", bob.id))
    await LocalControl(app, mia).call(keys.set_own_key, SetOwnKey(name="openai", value="hers"))
    for call in (
        other.call(keys.remove_own_key, OwnKey(name="openai")),
        other.call(keys.remove_own_key, OwnKey(name="openai", user="Mia")),
        other.call(keys.set_own_key, SetOwnKey(name="openai", value="x", user="Mia")),
    ):
        with pytest.raises((UnknownSecret, NotFound)):
            await call
    assert await other.call(keys.list_own_keys, KeysOf()) == []
    assert await app.vault.reveal(SecretRef("openai"), purpose="a test", owner=mia.user_id) == "hers"


async def test_the_owner_of_the_machine_says_whose(app: App, control: LocalControl, mia: Caller) -> None:
    await app.people.add_user("Bob", Role.MEMBER)
    with pytest.raises(InvalidInput, match="--user"):
        await control.call(keys.list_own_keys, KeysOf())
    await control.call(keys.set_own_key, SetOwnKey(name="openai", value="x", user="Mia"))
    assert [info.owner_name for info in await app.vault.list(mia.user_id)] == ["Mia"]


async def test_a_credential_without_the_right_changes_nothing(app: App, mia: Caller) -> None:
    narrow = LocalControl(app, replace(mia, scopes=frozenset({Permission.USE, Permission.OWN})))
    with pytest.raises(Forbidden):
        await narrow.call(keys.set_own_key, SetOwnKey(name="x", value="y"))


def test_no_secret_is_in_a_repr() -> None:
    assert repr(SetKey(name="discord", value="hush")) == "SetKey(name='discord', value=…)"
    assert "hush" not in repr(SetOwnKey(name="discord", value="hush"))


async def test_rotation_beside_running_use(app: App, control: LocalControl) -> None:
    for name in ("one", "two"):
        await app.vault.set(SecretRef(name), f"secret {name}")
    (first, _) = await app.vault.list()
    told = await control.call(keys.rotate_keys, Nothing())
    assert told == Rotation(sealed=2, older_keys=1, is_resumed=False)
    assert await app.vault.reveal(SecretRef("one"), purpose="a test") == "secret one"
    assert {info.key_id for info in await app.vault.list()}.isdisjoint({first.key_id})
    assert len((app.settings.data_dir / "master.key").read_text().split(",")) == 2


async def test_a_rotation_that_was_killed_goes_on_without_another_key(app: App, control: LocalControl) -> None:
    for name in ("one", "two"):
        await app.vault.set(SecretRef(name), "x")
    both = masterkey.add(app.settings)
    replace_row, app.vault._store.replace = app.vault._store.replace, AsyncMock(side_effect=[False, CancelledError()])  # type: ignore[method-assign]
    with pytest.raises(CancelledError):
        await app.vault.rotate(Cipher(both))
    app.vault._store.replace = replace_row  # type: ignore[method-assign]
    told = await control.call(keys.rotate_keys, Nothing())
    assert told == Rotation(sealed=2, older_keys=1, is_resumed=True)
    assert masterkey.read(app.settings) == both


async def test_keys_are_rotated_on_the_machine_that_has_them(app: App) -> None:
    ada = await app.people.add_user("Ada", Role.ADMIN)
    with pytest.raises(Forbidden, match="on the machine that has them"):
        await LocalControl(app, Caller(ada.name, ada.role, "session", ada.id)).call(keys.rotate_keys, Nothing())
    assert len(masterkey.read(app.settings)) == 1


async def test_a_lost_key_stops_a_rotation_before_anything_is_changed(app: App, control: LocalControl) -> None:
    await app.vault.set(SecretRef("discord"), "x")
    write_private(masterkey.path(app.settings), new_key())
    with pytest.raises(WrongKey, match="discord"):
        await control.call(keys.rotate_keys, Nothing())
