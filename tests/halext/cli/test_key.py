"""`key rotate` on a real data directory; the rest over canned answers."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from halext.errors import UnknownSecret
from halext.runtime import masterkey
from halext.runtime.settings import load
from halext.runtime.shapes import Done, KeyRow, Named, SetKey
from halext.runtime.shapes_keys import KeysOf, OwnKey, SetOwnKey
from halext.runtime.wiring import open_app
from halext.types import SecretRef
from halext.vault.cipher import new_key
from tests.halext.cli.conftest import FakeControl, Run

ROW = KeyRow(name="discord", created_at=0.0, updated_at=0.0, key_id="2ae4df5e", purpose="bot")
REF = SecretRef("discord")


def test_set_takes_the_value_from_a_pipe(control: FakeControl, run: Run) -> None:
    control.answers["set_key"] = Done("Stored.")
    result = run("key", "set", "discord", stdin="hush\n")
    assert (result.code, result.out, result.err) == (0, "Stored.\n", "")
    assert control.calls == [("set_key", SetKey(name="discord", value="hush"))]


def test_a_value_in_the_arguments_is_wrong_use(control: FakeControl, run: Run) -> None:
    result = run("key", "set", "discord", "hush")
    assert result.code == 2
    assert control.calls == []


def test_list_shows_names(control: FakeControl, run: Run) -> None:
    control.answers["list_keys"] = [ROW]
    heads, line = run("key", "list").out.splitlines()
    assert heads.split() == ["NAME", "OWNER", "PURPOSE", "CHANGED", "LAST", "USED", "SEALED", "BY"]
    assert line.split()[:4] == ["discord", "the", "house", "bot"]
    assert line.split()[-2:] == ["never", "2ae4df5e"]
    assert json.loads(run("key", "list", "--json").out)[0]["name"] == "discord"


def test_list_of_nothing_says_how_to_begin(control: FakeControl, run: Run) -> None:
    control.answers["list_keys"] = []
    assert "halext key set NAME" in run("key", "list").err


def test_remove(control: FakeControl, run: Run) -> None:
    control.answers["remove_key"] = Done("Forgotten.")
    assert run("key", "remove", "discord").out == "Forgotten.\n"
    assert control.calls == [("remove_key", Named(name="discord"))]
    control.answers["remove_key"] = UnknownSecret()
    assert run("key", "remove", "discord").code == 1


def test_ones_own_are_said_so(control: FakeControl, run: Run) -> None:
    control.answers |= {"set_own_key": Done("Stored."), "remove_own_key": Done("Gone."), "list_own_keys": []}
    assert run("key", "set", "openai", "--mine", stdin="hush\n").out == "Stored.\n"
    assert run("key", "remove", "openai", "--mine", "--user", "Mia").out == "Gone.\n"
    assert "halext key set NAME --mine" in run("key", "list", "--mine").err
    assert control.calls == [
        ("set_own_key", SetOwnKey(name="openai", value="hush")),
        ("remove_own_key", OwnKey(name="openai", user="Mia")),
        ("list_own_keys", KeysOf()),
    ]


def test_a_person_is_named_for_what_is_theirs_only(control: FakeControl, run: Run) -> None:
    result = run("key", "list", "--user", "Mia")
    assert (result.code, control.calls) == (2, [])
    assert "--mine" in result.err


def keep(value: str) -> None:
    async def work() -> None:
        async with open_app(load()) as app:
            await app.vault.set(REF, value)

    asyncio.run(work())


def kept() -> str:
    async def work() -> str:
        async with open_app(load()) as app:
            return await app.vault.reveal(REF, purpose="a test")

    return asyncio.run(work())


def test_rotate_makes_a_key_first_and_seals_everything_with_it(run: Run, tmp_path: Path) -> None:
    keep("hush")
    file = tmp_path / "data" / "master.key"
    before = file.read_text().strip()
    result = run("key", "rotate")
    assert result.code == 0
    assert "1 secret." in result.out
    assert "backups from before today" in result.out
    newest, *older = file.read_text().strip().split(",")
    assert older == [before]
    assert newest not in result.out + result.err
    file.write_text(newest)  # the new key alone opens it
    assert kept() == "hush"


def test_rotate_with_a_key_in_the_settings_says_where_to_put_the_new_one(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = new_key(), new_key()
    monkeypatch.setenv("HALEXT_MASTER_KEY", old)
    keep("hush")
    result = run("key", "rotate")
    assert result.code == 2
    assert "put the new key in front of it" in result.err
    monkeypatch.setenv("HALEXT_MASTER_KEY", f"{new},{old}")
    assert run("key", "rotate").code == 0
    monkeypatch.setenv("HALEXT_MASTER_KEY", new)
    assert kept() == "hush"


def test_a_rotation_that_was_killed_is_finished(run: Run, tmp_path: Path) -> None:
    keep("hush")
    masterkey.add(load())  # and then the power went
    result = run("key", "rotate")
    assert result.out.startswith(
        "Went on with a rotation that had not been finished, and sealed with the new master key: 1 "
    )
    newest, _ = (tmp_path / "data" / "master.key").read_text().strip().split(",")
    (tmp_path / "data" / "master.key").write_text(newest)
    assert kept() == "hush"
